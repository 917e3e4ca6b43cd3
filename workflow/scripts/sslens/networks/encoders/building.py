"""Building an encoder: what all families share."""

from collections.abc import Callable, Mapping, Sequence

import keras

from sslens.networks.encoders.registry import load_family
from sslens.networks.layers import BatchNormalization, Convolution, FusedBatchNormalization
from sslens.seeds import derive_seed


def build_encoder(settings: Mapping, input_shape: Sequence[int], seed: int) -> keras.Model:
    """Build an untrained encoder.

    It ends, where `neck` lists units, in a stack of dense layers, each followed by ReLU, batch
    normalisation and dropout.

    Args:
        settings: `name` (of `registry.encoder_names`), `batch_norm_momentum`, `neck` (units of its
            dense layers, may be empty), `neck_dropout` (a rate a layer), and those by the schema of
            the family.
        input_shape: (height, width, channels) of the images.
        seed: decides the initial weights, layer by layer.

    Returns:
        A model from (batch, height, width, channels) to (batch, features).

    Raises:
        ValueError: for an unknown encoder.
    """
    layers = LayerFactory(settings["batch_norm_momentum"], seed)
    inputs = keras.Input(tuple(input_shape), name="image")
    features = load_family(settings["name"]).features_of(inputs, settings, layers)
    rates = settings["neck_dropout"]
    for index, units in enumerate(settings["neck"]):
        features = layers.dense_block(features, units, f"neck{index + 1}")
        if rates:
            features = keras.layers.Dropout(
                rates[index], seed=layers.seed(f"neck{index + 1}_dropout"), name=f"drop{index + 1}"
            )(features)
    return keras.Model(inputs, features, name=settings["name"])


def rate_scales(settings: Mapping, variables: Sequence, decay: float | None) -> list[float] | None:
    """What the learning rate of each variable of a classifier is multiplied by in fine-tuning.

    1 for the head, and `decay` less for each layer towards the image (Clark et al. 2020,
    arXiv:2003.10555, appendix A; of images Bao et al. 2021, arXiv:2106.08254).

    Args:
        settings: of the encoder.
        variables: of the classifier.
        decay: from a layer to the one before; None for one rate of all.
    """
    if decay is None:
        return None
    depth_of = load_family(settings["name"]).depth_of
    depths = [depth_of(variable.path.split("/")[0], settings) for variable in variables]
    return [decay ** (max(depths) - depth) for depth in depths]


class LayerFactory:
    """Makes named layers whose initial weights are keyed by (seed, name)."""

    def __init__(self, momentum: float, seed: int):
        self._momentum = momentum
        self._seed = seed

    def seed(self, name: str) -> int:
        return derive_seed(self._seed, "initial weights", name)[0]

    def get(self, name: str, make: Callable[[], keras.Layer]) -> keras.Layer:
        """The layer of this name: a new one, which is made."""
        return make()

    def convolution(self, maps, channels: int, size: int, stride: int, name: str):
        """Convolution without bias, batch normalisation."""
        maps = Convolution(
            channels,
            size,
            strides=stride,
            padding="same",
            use_bias=False,
            kernel_initializer=keras.initializers.VarianceScaling(
                2.0, "fan_out", seed=self.seed(name)
            ),
            name=name,
        )(maps)
        return FusedBatchNormalization(momentum=self._momentum, epsilon=1e-5, name=f"{name}_bn")(
            maps
        )

    def dense_block(self, features, units: int, name: str):
        """Dense, ReLU, batch normalisation: in the order of the published experiment."""
        features = keras.layers.Dense(
            units,
            activation="relu",
            kernel_initializer=keras.initializers.GlorotUniform(seed=self.seed(name)),
            name=name,
        )(features)
        return BatchNormalization(momentum=self._momentum, epsilon=1e-5, name=f"{name}_bn")(
            features
        )


class SharedLayers(LayerFactory):
    """The layers of a network that is there, for another one that shares their weights."""

    def __init__(self, network: keras.Model):
        self._network = network

    def get(self, name: str, make: Callable[[], keras.Layer]) -> keras.Layer:
        """The layer of this name in the network."""
        return self._network.get_layer(name)
