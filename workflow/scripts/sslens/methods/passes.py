"""How much of its encoder a step of a method computes. Free of TensorFlow."""

from collections.abc import Mapping

from sslens.methods.registry import schema_path
from sslens.networks.encoders.costs import autoencoding_multiplications, cost_of
from sslens.schemas import load_schema

#: What a schema has as `encoder_passes` where they depend on the encoder.
MASKED_AUTOENCODER = "masked_autoencoder"
FORWARD_AND_BACKWARD = 3
TWO_VIEWS = 2 * FORWARD_AND_BACKWARD


def encoder_passes(training: Mapping, pixels: int) -> float:
    """How often an image of a batch goes through an encoder in a step of a pretraining.

    Once forward counts as one and once backward as two, so two views are 6, the number of a method
    whose schema has no `encoder_passes`; with a second network that takes no gradient they are 8.

    A masked autoencoder encodes a part of each image, and its decoder may cost more than a small
    encoder does. Its number is the quotient of what both compute and of what the encoder would of a
    whole image.

    Args:
        training: `method`, `options` and `encoder` of a pretraining.
        pixels: along the side of an image that the encoder sees.
    """
    passes = load_schema(schema_path(training["method"])).get("encoder_passes", TWO_VIEWS)
    if passes != MASKED_AUTOENCODER:
        return passes
    encoder = training["encoder"]
    computed = autoencoding_multiplications(encoder, training["options"], pixels)
    return FORWARD_AND_BACKWARD * computed / cost_of(encoder).multiplications(encoder, pixels)
