"""Small dense networks on top of an encoder: projectors, predictors, the classifier's layer.

Their outputs are float32 whatever the precision of the layers before, as losses need them.
"""

from collections.abc import Callable

import keras
from keras import ops

from sslens.networks.layers import BatchNormalization
from sslens.seeds import derive_seed
from sslens.targets import NEIGHBOUR_OF_ALL, SMALLEST_VARIANCE


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


def classifier_of(
    encoder: keras.Model, outputs: int, seed: int, layer: str = "logits"
) -> keras.Model:
    """Put one dense layer of a name on an encoder: a model from images to (batch, outputs)."""
    inputs = keras.Input(encoder.input_shape[1:], name="image")
    made = _dense(outputs, seed, layer, dtype="float32")(encoder(inputs))
    return keras.Model(inputs, made, name="classifier")


def share_logits(shares):
    """Logits of shares (batch, classes): the least share keeps them finite and in their order."""
    return ops.log(shares + 1e-12)


def neighbour_distributions(means):
    """Outputs of a regression, of the means that `probes.regression` has of neighbours."""
    count = means.shape[1] // 3
    sums, squares, known = (means[:, part * count : (part + 1) * count] for part in range(3))
    weights = known + NEIGHBOUR_OF_ALL
    found, squares = sums / weights, (squares + NEIGHBOUR_OF_ALL) / weights
    # the inverse of softplus, as `gaussian.raw_of`
    variance = ops.maximum(squares - found**2 - SMALLEST_VARIANCE, SMALLEST_VARIANCE)
    return ops.concatenate([found, variance + ops.log(-ops.expm1(-variance))], axis=1)


def neighbours_of(
    encoder: keras.Model,
    values: int,
    images: int,
    neighbours: int,
    temperature: float,
    answer: Callable = share_logits,
) -> keras.Model:
    """Put a vote of the nearest labelled images on an encoder: a model to (batch, outputs).

    A mean of the nearest ones has the weights exp(cosine / temperature), whose share is the
    probability of a class (Wu et al. 2018, arXiv:1805.01978, section 3.4). The images it knows are
    weights: the layer `cosines` holds their normalised features, (features, images), and `classes`
    the values that are averaged, (images, values), of a classification one-hot.

    Args:
        encoder: its output is normalised.
        values: number of them.
        images: how many labelled images it holds.
        neighbours: how many of them vote, at most.
        temperature: of the weights.
        answer: of the means (batch, values), the outputs.
    """
    inputs = keras.Input(encoder.input_shape[1:], name="image")
    unit = keras.layers.UnitNormalization(name="unit", dtype="float32")(encoder(inputs))
    cosines = keras.layers.Dense(images, use_bias=False, name="cosines", dtype="float32")(unit)
    nearest, which = ops.top_k(cosines, min(neighbours, images))
    voted = keras.layers.Embedding(images, values, name="classes", dtype="float32")(which)
    means = ops.sum(ops.softmax(nearest / temperature)[..., None] * voted, axis=1)
    return keras.Model(inputs, answer(means), name="classifier")


def _dense(units: int, seed: int, name: str, **options) -> keras.layers.Dense:
    initializer = keras.initializers.GlorotUniform(
        seed=derive_seed(seed, "initial weights", name)[0]
    )
    return keras.layers.Dense(units, kernel_initializer=initializer, name=name, **options)
