"""Small dense networks on top of an encoder: projectors, predictors, the classifier's layer.

Their outputs are float32 whatever the precision of the layers before, as losses need them.
"""

import keras
from keras import ops

from sslens.networks.layers import BatchNormalization
from sslens.seeds import derive_seed


def mlp(
    features: int, settings: dict, seed: int, name: str, activation: str = "relu"
) -> keras.Model:
    """Build a perceptron with one hidden layer.

    Args:
        features: of its input.
        settings: `hidden` (units), `output` (units), `batch_norm` (normalise the hidden layer), and
            `output_norm`, where it is there: normalise the output, without gain and offset.
        seed: decides the initial weights, together with `name`.
        name: of the model, "projector" or "predictor".
        activation: of the hidden layer.

    Returns:
        A model from (batch, features) to (batch, settings["output"]).
    """
    inputs = keras.Input((features,))
    hidden = _dense(settings["hidden"], seed, f"{name}_hidden", use_bias=not settings["batch_norm"])
    hidden = hidden(inputs)
    if settings["batch_norm"]:
        hidden = BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_hidden_bn")(hidden)
    hidden = keras.layers.Activation(activation, name=f"{name}_{activation}")(hidden)
    normalised = settings.get("output_norm", False)
    outputs = _dense(
        settings["output"], seed, f"{name}_output", use_bias=not normalised, dtype="float32"
    )(hidden)
    if normalised:
        outputs = BatchNormalization(
            epsilon=1e-5, center=False, scale=False, name=f"{name}_output_bn", dtype="float32"
        )(outputs)
    return keras.Model(inputs, outputs, name=name)


def prototypes(features: int, count: int, seed: int) -> keras.Model:
    """A layer without biases, `prototypes`: a model from (batch, features) to (batch, count)."""
    inputs = keras.Input((features,))
    outputs = _dense(count, seed, "prototypes", use_bias=False, dtype="float32")(inputs)
    return keras.Model(inputs, outputs, name="prototypes")


def classifier_of(encoder: keras.Model, classes: int, seed: int) -> keras.Model:
    """Put one dense layer on an encoder: a model from images to (batch, classes) logits."""
    inputs = keras.Input(encoder.input_shape[1:], name="image")
    logits = _dense(classes, seed, "logits", dtype="float32")(encoder(inputs))
    return keras.Model(inputs, logits, name="classifier")


def neighbours_of(
    encoder: keras.Model, classes: int, images: int, neighbours: int, temperature: float
) -> keras.Model:
    """Put a vote of the nearest labelled images on an encoder: a model to (batch, classes) logits.

    The probability of a class is the share of the weights exp(cosine / temperature) that its images
    have among the nearest ones (Wu et al. 2018, arXiv:1805.01978, section 3.4). The images it knows
    are weights: the layer `cosines` holds their normalised features, (features, images), and
    `classes` what they are, (images, classes), one-hot.

    Args:
        encoder: its output is normalised.
        classes: number of them.
        images: how many labelled images it holds.
        neighbours: how many of them vote, at most.
        temperature: of the weights.
    """
    inputs = keras.Input(encoder.input_shape[1:], name="image")
    unit = keras.layers.UnitNormalization(name="unit", dtype="float32")(encoder(inputs))
    cosines = keras.layers.Dense(images, use_bias=False, name="cosines", dtype="float32")(unit)
    nearest, which = ops.top_k(cosines, min(neighbours, images))
    labels = keras.layers.Embedding(images, classes, name="classes", dtype="float32")(which)
    shares = ops.sum(ops.softmax(nearest / temperature)[..., None] * labels, axis=1)
    # the least share keeps logits finite, and leaves their order as it is
    return keras.Model(inputs, ops.log(shares + 1e-12), name="classifier")


def _dense(units: int, seed: int, name: str, **options) -> keras.layers.Dense:
    initializer = keras.initializers.GlorotUniform(
        seed=derive_seed(seed, "initial weights", name)[0]
    )
    return keras.layers.Dense(units, kernel_initializer=initializer, name=name, **options)
