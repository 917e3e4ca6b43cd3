"""Small dense networks on top of an encoder: projectors, predictors, the classifier's layer.

Their outputs are float32 whatever the precision of the layers before, as losses need them.
"""

import keras

from sslens.layers import BatchNormalization
from sslens.seeds import derive_seed


def mlp(features: int, settings: dict, seed: int, name: str) -> keras.Model:
    """Build a perceptron with one hidden layer.

    Args:
        features: of its input.
        settings: `hidden` (units), `output` (units), `batch_norm` (normalise the hidden layer).
        seed: decides the initial weights, together with `name`.
        name: of the model, "projector" or "predictor".

    Returns:
        A model from (batch, features) to (batch, settings["output"]).
    """
    inputs = keras.Input((features,))
    hidden = _dense(settings["hidden"], seed, f"{name}_hidden", use_bias=not settings["batch_norm"])
    hidden = hidden(inputs)
    if settings["batch_norm"]:
        hidden = BatchNormalization(momentum=0.9, epsilon=1e-5, name=f"{name}_hidden_bn")(hidden)
    hidden = keras.layers.ReLU(name=f"{name}_relu")(hidden)
    outputs = _dense(settings["output"], seed, f"{name}_output", dtype="float32")(hidden)
    return keras.Model(inputs, outputs, name=name)


def classifier_of(encoder: keras.Model, classes: int, seed: int) -> keras.Model:
    """Put one dense layer on an encoder: a model from images to (batch, classes) logits."""
    inputs = keras.Input(encoder.input_shape[1:], name="image")
    logits = _dense(classes, seed, "logits", dtype="float32")(encoder(inputs))
    return keras.Model(inputs, logits, name="classifier")


def _dense(units: int, seed: int, name: str, **options) -> keras.layers.Dense:
    initializer = keras.initializers.GlorotUniform(
        seed=derive_seed(seed, "initial weights", name)[0]
    )
    return keras.layers.Dense(units, kernel_initializer=initializer, name=name, **options)
