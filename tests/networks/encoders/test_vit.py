"""Vision transformers: sizes, positions, attention by hand, dropped branches, what does not fit."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from paths import ROOT
from scipy.special import softmax

from sslens.configuration import settings
from sslens.configuration.loading import load
from sslens.networks.encoders.building import build_encoder
from sslens.networks.encoders.vit import depth_of, sine_positions
from sslens.networks.operations import forward_operations
from sslens.seeds import derive_seed


def build(pixels=64, seed=0, **own):
    config = load(ROOT / "config", {"encoder": {"name": "vit_nano", **own}})
    return build_encoder(settings.arm_encoder(config, "baseline", "x"), (pixels, pixels, 1), seed)


def parameters(model):
    return sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)


def of_layers(embedding, layers, ratio):
    """Weights of layers and of the last normalisation (arXiv:2010.11929, equations 2 to 4)."""
    attention = 4 * embedding * (embedding + 1)
    perceptron = 2 * ratio * embedding**2 + (ratio + 1) * embedding
    return layers * (attention + perceptron + 4 * embedding) + 2 * embedding


@pytest.mark.parametrize(
    ("name", "size", "heads"),
    [
        ("vit_nano", (64, 3, 2), 2),
        ("vit_micro", (96, 5, 2), 3),
        ("vit_mini", (128, 6, 4), 4),
        ("vit_tiny", (192, 12, 4), 3),  # as DeiT-Ti, 5.3 million in its layers
    ],
)
def test_the_sizes(name, size, heads):
    encoder = build(name=name, token_stem="patch")
    stem = (8 * 8 + 1) * size[0]
    assert parameters(encoder) == of_layers(*size) + stem
    assert encoder.output_shape == (None, size[0])
    operations = [op for op in encoder.operations if "attention" in op.name]
    assert {op.output.shape[2:] for op in operations} == {(heads, size[0] // heads)}
    products = 2 * 64 * (8 * 8 * size[0] + size[1] * (4 + 2 * size[2]) * size[0] ** 2)
    assert forward_operations(encoder) == products + size[1] * 4 * 64**2 * size[0]


def test_settings_change_a_size():
    encoder = build(layers=2, embedding=32, heads=4, mlp_ratio=1.5, token_stem="patch", patch=16)
    assert encoder.get_layer("layer2_hidden").units == 48
    assert encoder.get_layer("patches").output.shape == (None, 4, 4, 32)
    assert "layer3_qkv" not in [layer.name for layer in encoder.layers]


def test_the_convolutional_stem_halves_until_a_pixel_is_a_patch():
    encoder = build(patch=4)
    shapes = [encoder.get_layer(f"stem{k}").output.shape[1:] for k in (1, 2)]
    assert shapes == [(32, 32, 32), (16, 16, 64)]
    assert encoder.get_layer("patches").output.shape == (None, 16, 16, 64)


def test_a_hybrid_has_residual_stages_for_its_stem():
    encoder = build(name="hybrid_nano")
    shapes = [encoder.get_layer(f"stem{k}").output.shape[1:] for k in (1,)]
    shapes += [encoder.get_layer(f"stem{k}_block2").output.shape[1:] for k in (2, 3)]
    assert shapes == [(32, 32, 16), (16, 16, 32), (8, 8, 64)]
    stages = [9 * 16 + 2 * 16]
    for before, now in ((16, 32), (32, 64)):
        # four convolutions and the shortcut, each with gains and offsets
        stages.append(now * (before * (9 + 1) + 27 * now) + 5 * 2 * now)
    assert parameters(encoder) == sum(stages) + (64 + 1) * 64 + of_layers(64, 2, 2)
    assert depth_of("stem3_block2_conv1", {}) == 0


def test_positions_by_hand():
    positions = sine_positions(3, 8)
    for row in range(3):
        for column in range(3):
            expected = [
                *np.sin([row, row / 100]),
                *np.cos([row, row / 100]),
                *np.sin([column, column / 100]),
                *np.cos([column, column / 100]),
            ]
            np.testing.assert_allclose(positions[3 * row + column], expected, rtol=1e-6)
    assert len(np.unique(sine_positions(8, 64), axis=0)) == 64


def normalised(tokens):
    mean, variance = tokens.mean(-1, keepdims=True), tokens.var(-1, keepdims=True)
    return (tokens - mean) / np.sqrt(variance + 1e-6)


def test_a_layer_by_hand():
    """Attention of each head, and the perceptron, token by token (equations 2 and 3)."""
    encoder = build(pixels=16, layers=1, token_stem="patch", drop_path=0.0)
    rng = np.random.default_rng(0)
    image = rng.normal(size=(1, 16, 16, 1)).astype(np.float32)
    weights = {w.path: rng.normal(size=w.shape) / 8 for w in encoder.weights}
    weights |= {path: np.ones_like(w) for path, w in weights.items() if path.endswith("gamma")}
    weights |= {path: np.zeros_like(w) for path, w in weights.items() if path.endswith("beta")}
    for weight in encoder.weights:
        weight.assign(weights[weight.path])

    def dense(values, name):
        return values @ weights[f"{name}/kernel"] + weights[f"{name}/bias"]

    patches = image[0, :, :, 0].reshape(2, 8, 2, 8).swapaxes(1, 2).reshape(4, 64)
    tokens = patches @ weights["patches/kernel"].reshape(64, 64) + weights["patches/bias"]
    tokens = tokens + sine_positions(2, 64)
    packed = dense(normalised(tokens), "layer1_qkv").reshape(4, 3, 2, 32)
    attended = np.empty((4, 2, 32))
    for head in range(2):
        queries, keys, values = packed[:, :, head].swapaxes(0, 1)
        for token in range(4):
            shares = softmax([queries[token] @ key / np.sqrt(32) for key in keys])
            attended[token, head] = shares @ values
    tokens = tokens + dense(attended.reshape(4, 64), "layer1_attended")
    hidden = dense(normalised(tokens), "layer1_hidden")
    hidden = keras.activations.gelu(hidden.astype(np.float32)).numpy()
    tokens = tokens + dense(hidden, "layer1_mixed")
    expected = normalised(tokens).mean(axis=0)
    np.testing.assert_allclose(encoder(image)[0], expected, atol=2e-5)


SMALL = {"pixels": 16, "layers": 1, "patch": 4, "embedding": 16}


def slopes_of(encoder, images):
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(encoder(images, training=True)[:, :3] ** 2)
    return tape.gradient(total, encoder.trainable_variables)


def test_it_computes_in_bfloat16_and_by_xla():
    images = tf.random.stateless_normal([4, 16, 16, 1], [1, 2])
    plain = build(**SMALL)
    expected, slopes = plain(images), slopes_of(plain, images)
    compiled = tf.function(lambda x: slopes_of(plain, x), jit_compile=True)(images)
    for one, other in zip(compiled, slopes, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3 * np.abs(other).max() + 1e-6)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        mixed = build(**SMALL)
    finally:
        keras.config.set_dtype_policy("float32")
    found = mixed(images)
    assert (found.dtype, mixed.get_layer("layer1_qkv").compute_dtype) == ("float32", "bfloat16")
    np.testing.assert_allclose(found, expected, atol=0.05)
    assert all(slope.dtype == "float32" for slope in slopes_of(mixed, images))


def test_branches_are_left_out_in_training_alone_the_later_the_more_often():
    encoder = build(layers=3, drop_path=0.5)
    rates = [encoder.get_layer(f"layer{k}_drop1").rate for k in (2, 3)]
    assert rates == [0.25, 0.5]
    assert "layer1_drop1" not in [layer.name for layer in encoder.layers]
    branch = tf.ones([400, 4, 64])
    left = encoder.get_layer("layer3_drop2")(branch, training=True).numpy()
    assert set(np.unique(left)) == {0.0, 2.0}, "made up for"
    assert (left == left[:, :1, :1]).all(), "of an image the whole branch"
    assert left.mean() == pytest.approx(1, abs=0.15)
    image = tf.ones([1, 64, 64, 1])
    assert np.array_equal(encoder(image), encoder(image))
    states = [v for v in encoder.variables if "seed_generator" in v.path]
    assert len(states) == 4, "a checkpoint has what the next draws follow from"


def test_a_map_of_patches_begins_as_a_dense_layer_of_their_pixels():
    """As of He et al. 2022, "xavier_uniform" (arXiv:2111.06377, appendix A.1)."""
    kernel = build(token_stem="patch", patch=16).get_layer("patches").kernel.numpy()
    assert np.abs(kernel).max() == pytest.approx(np.sqrt(6 / (16 * 16 + 64)), rel=1e-3)
    of_pixels = build().get_layer("patches").kernel
    expected = keras.initializers.GlorotUniform(
        seed=derive_seed(0, "initial weights", "patches")[0]
    )
    assert np.array_equal(of_pixels, expected((1, 1, 64, 64)))


def test_branches_begin_smaller_the_more_layers_there_are():
    few, many = (build(layers=layers) for layers in (1, 9))
    for name in ("layer1_attended", "layer1_mixed"):
        ratio = np.std(few.get_layer(name).kernel) / np.std(many.get_layer(name).kernel)
        assert ratio == pytest.approx(3, rel=0.05)
    assert np.array_equal(few.get_layer("layer1_qkv").kernel, many.get_layer("layer1_qkv").kernel)


def test_the_seed_decides_the_weights():
    first, again, other = (build(seed=seed).get_weights() for seed in (1, 1, 2))
    assert all(map(np.array_equal, first, again))
    kernels = [(a, b) for a, b in zip(first, other, strict=True) if a.ndim > 1]
    assert not any(np.array_equal(a, b) for a, b in kernels)


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"patch": 32}, "encoder.patch: 32 does not divide images of 48 x 48 pixels"),
        ({"heads": 3}, "encoder.heads: 3 do not divide an embedding of 64"),
    ],
)
def test_what_does_not_fit_is_refused(own, message):
    with pytest.raises(ValueError, match=message):
        build(pixels=48, **own)
