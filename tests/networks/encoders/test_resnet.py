"""Encoders: shapes, the published parameter counts, keyed weights, normalisation, saving."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from sslens.networks.encoders.building import build_encoder

SETTINGS = {
    "name": "resnet18",
    "width": 4,
    "stem": "imagenet",
    "batch_norm_momentum": 0.9,
    "neck": [],
    "neck_dropout": [],
}


def build(pixels=32, channels=1, seed=0, **changes):
    return build_encoder(SETTINGS | changes, (pixels, pixels, channels), seed)


@pytest.fixture(scope="module")
def plain():
    """The encoder of `SETTINGS`, for tests that leave its weights alone."""
    return build()


@pytest.fixture(scope="module")
def small():
    """The same with the small stem."""
    return build(stem="small")


@pytest.fixture(scope="module")
def deep():
    """A narrow ResNet50."""
    return build(name="resnet50", width=2)


def images_of(model, batch=4, seed=0):
    shape = (batch, *model.input_shape[1:])
    return tf.constant(np.random.default_rng(seed).normal(size=shape), tf.float32)


def disturb(model, seed=1):
    """Give every variable a value that no initialiser gives."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(weight + 0.1 * rng.uniform(size=weight.shape))


def parameters(variables):
    return sum(int(np.prod(variable.shape)) for variable in variables)


# --- architecture ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "count"), [("resnet18", 11_176_512), ("resnet50", 23_508_032)])
def test_parameter_counts_are_the_published_ones(name, count):
    """Those of torchvision's networks without their last layer."""
    encoder = build(name=name, width=64, channels=3)
    assert parameters(encoder.trainable_variables) == count


@pytest.mark.parametrize(
    ("name", "width", "stem", "map_size", "features"),
    [
        ("resnet18", 4, "imagenet", 2, 32),
        ("resnet18", 6, "small", 7, 48),
        ("resnet50", 2, "imagenet", 2, 64),
    ],
)
def test_output_shapes(name, width, stem, map_size, features):
    encoder = build(pixels=50, name=name, width=width, stem=stem)
    assert encoder.input_shape == (None, 50, 50, 1)
    assert encoder.output_shape == (None, features)
    assert encoder.get_layer("pool").input.shape == (None, map_size, map_size, features)
    assert encoder(images_of(encoder, 3)).shape == (3, features)


def test_the_stems(plain, small):
    assert plain.get_layer("stem").kernel.shape == (7, 7, 1, 4)
    assert small.get_layer("stem").kernel.shape == (3, 3, 1, 4)
    sizes = [m.get_layer("stage1_block1_conv1").input.shape[1] for m in (plain, small)]
    assert sizes == [8, 32]
    assert parameters(plain.weights) - parameters(small.weights) == (49 - 9) * 4


def test_a_bottleneck_strides_on_its_3x3_convolution(deep):
    layers = [deep.get_layer(f"stage3_block1_conv{i}") for i in (1, 2, 3)]
    assert [(layer.kernel_size[0], layer.strides[0]) for layer in layers] == [
        (1, 1),
        (3, 2),
        (1, 1),
    ]


@pytest.mark.parametrize(("name", "last"), [("resnet18", 2), ("resnet50", 3)])
def test_a_block_without_its_branch_is_the_shortcut(name, last, deep):
    """With the gain of the last normalisation at 0, blocks of equal shapes pass their input on."""
    encoder = deep if name == "resnet50" else build()
    for block in (1, 2):
        gain = encoder.get_layer(f"stage2_block{block}_conv{last}_bn").gamma
        gain.assign(tf.zeros_like(gain))
    names = ("stage2_block1_shortcut_bn", "stage2_block1_relu", "stage2_block2_relu")
    probe = keras.Model(encoder.input, [encoder.get_layer(n).output for n in names])
    shortcut, first, second = probe(images_of(encoder))
    assert tf.reduce_max(first) > 0
    np.testing.assert_allclose(first, tf.nn.relu(shortcut))
    np.testing.assert_allclose(second, first)


def test_the_output_is_the_mean_of_the_last_maps(small):
    maps = keras.Model(small.input, small.get_layer("stage4_block2_relu").output)
    images = images_of(small)
    assert maps(images).shape == (4, 4, 4, 32)
    expected = maps(images).numpy().mean(axis=(1, 2))
    np.testing.assert_allclose(small(images), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "resnet34"}, "'resnet34'.*resnet18, resnet50"),
        ({"stem": "tiny"}, "'tiny'.*imagenet, small"),
    ],
)
def test_unknown_names_are_told_beside_the_known(change, message):
    with pytest.raises(ValueError, match=message):
        build(**change)


# --- neck -----------------------------------------------------------------------------------------


def test_the_neck_is_dense_relu_normalisation_dropout(plain):
    encoder = build(neck=[20, 10], neck_dropout=[0.5, 0.25])
    assert encoder.output_shape == (None, 10)
    names = ["pool", "neck1", "neck1_bn", "drop1", "neck2", "neck2_bn", "drop2"]
    assert [layer.name for layer in encoder.layers[-7:]] == names
    dense = [encoder.get_layer(f"neck{i}") for i in (1, 2)]
    assert [layer.units for layer in dense] == [20, 10]
    assert all(layer.activation is keras.activations.relu for layer in dense)
    assert [encoder.get_layer(f"drop{i}").rate for i in (1, 2)] == [0.5, 0.25]
    added = 32 * 20 + 20 + 20 * 10 + 10 + 2 * 20 + 2 * 10
    assert parameters(encoder.trainable_variables) - parameters(plain.trainable_variables) == added


def test_a_neck_without_dropout():
    encoder = build(neck=[6], neck_dropout=[])
    assert encoder.output_shape == (None, 6)
    assert not [layer for layer in encoder.layers if isinstance(layer, keras.layers.Dropout)]


def test_dropout_acts_in_training_alone_and_is_keyed_by_the_seed():
    settings = {"neck": [400], "neck_dropout": [0.75], "width": 1, "pixels": 16}
    encoder, twin, other = (build(seed=seed, **settings) for seed in (0, 0, 1))
    images = images_of(encoder, 8)
    dropped = [model(images, training=True).numpy() == 0 for model in (encoder, twin, other)]
    assert dropped[0].mean() == pytest.approx(0.75, abs=0.05)
    assert np.array_equal(dropped[0], dropped[1])
    assert not np.array_equal(dropped[0], dropped[2])
    assert not np.array_equal(encoder(images, training=True).numpy() == 0, dropped[0])
    assert (encoder(images, training=False).numpy() == 0).mean() < 0.5
    assert np.array_equal(encoder(images), encoder(images, training=False))


# --- initial weights ------------------------------------------------------------------------------


def kernels_of(model):
    return {v.path: v.numpy() for v in model.weights if v.path.endswith("/kernel")}


def test_the_seed_decides_the_weights():
    settings = {"neck": [8], "neck_dropout": [0.5]}
    first, twin, other = (kernels_of(build(seed=seed, **settings)) for seed in (3, 3, 4))
    assert len(first) == 21
    for path, kernel in first.items():
        assert np.array_equal(kernel, twin[path]), path
        assert not np.array_equal(kernel, other[path]), path


def test_the_weights_of_a_layer_do_not_depend_on_other_layers(plain, small):
    reference, other_stem = kernels_of(plain), kernels_of(small)
    with_neck = kernels_of(build(neck=[8, 6]))
    with_dropout = kernels_of(build(neck=[8, 6], neck_dropout=[0.1, 0.1]))
    assert set(with_neck) - set(reference) == {"neck1/kernel", "neck2/kernel"}
    assert np.array_equal(with_neck["neck2/kernel"], with_dropout["neck2/kernel"])
    for path, kernel in reference.items():
        assert np.array_equal(kernel, with_neck[path]), path
        assert path == "stem/kernel" or np.array_equal(kernel, other_stem[path]), path


def test_no_two_layers_share_their_weights(plain):
    kernels = [kernel.ravel() for kernel in kernels_of(plain).values()]
    for index, kernel in enumerate(kernels):
        for other in kernels[:index]:
            shared = min(len(kernel), len(other), 16)
            # up to the scale, which depends on the channels
            cosine = np.corrcoef(kernel[:shared], other[:shared])[0, 1]
            assert abs(cosine) < 0.99


def test_convolutions_begin_with_the_spread_of_he():
    kernel = build(width=16).get_layer("stage4_block1_conv1").kernel.numpy()
    assert kernel.shape == (3, 3, 64, 128)
    assert kernel.std() == pytest.approx(np.sqrt(2 / (9 * 128)), rel=0.02)
    assert abs(kernel.mean()) < 5 * kernel.std() / np.sqrt(kernel.size)


# --- batch normalisation --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_every_normalisation_of_an_encoder_has_the_momentum_and_moves(name):
    encoder = build(
        name=name, pixels=16, width=1, neck=[5], neck_dropout=[0.1], batch_norm_momentum=0.7
    )
    layers = [
        layer for layer in encoder.layers if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert len(layers) == {"resnet18": 21, "resnet50": 54}[name]
    assert {layer.momentum for layer in layers} == {0.7}
    encoder(images_of(encoder), training=True)
    for layer in layers:
        assert np.abs(layer.moving_mean.numpy()).max() > 0, layer.name


def test_an_encoder_in_inference_treats_every_image_alone():
    encoder = build()
    disturb(encoder)
    images = images_of(encoder, 6)
    together = encoder(images, training=False)
    np.testing.assert_allclose(encoder(images[2:3]), together[2:3], rtol=1e-4, atol=1e-5)
    in_training = encoder(images, training=True)
    assert not np.allclose(in_training, together, rtol=0.01)


# --- saving ---------------------------------------------------------------------------------------


def test_saved_weights_load_into_another_build(tmp_path):
    settings = {"width": 2, "neck": [5], "neck_dropout": [0.3]}
    encoder, other = build(seed=0, **settings), build(seed=1, **settings)
    disturb(encoder)
    images = images_of(encoder)
    assert not np.allclose(encoder(images), other(images))
    path = tmp_path / "encoder.weights.h5"
    encoder.save_weights(path)
    other.load_weights(path)
    for a, b in zip(encoder.get_weights(), other.get_weights(), strict=True):
        assert np.array_equal(a, b)
    assert np.array_equal(encoder(images), other(images))


@pytest.mark.filterwarnings("ignore:Skipping nested container")
def test_weights_of_another_architecture_are_refused(tmp_path):
    path = tmp_path / "encoder.weights.h5"
    build(width=2).save_weights(path)
    with pytest.raises(ValueError, match="shape"):
        build(width=3).load_weights(path)
