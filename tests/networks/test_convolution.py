"""The convolution and both halves of its gradient against TensorFlow's own."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

import sslens.networks.layers
from sslens.networks.convolution import convolve, faster_by_forward
from sslens.networks.encoders.building import build_encoder
from sslens.networks.layers import Convolution

HALVES = list(itertools.product([False, True], repeat=2))
FORWARD, INPUT, FILTER = "Conv2D", "Conv2DBackpropInput", "Conv2DBackpropFilter"


def random(*shape, seed=0):
    values = np.random.default_rng([seed, *shape]).normal(size=shape)
    return tf.constant(values, tf.float32)


def with_gradients(operation, images, kernel):
    """Output of an operation, and the gradients of images and kernel for a random upstream."""
    with tf.GradientTape() as tape:
        tape.watch([images, kernel])
        output = operation(images, kernel)
    upstream = random(*output.shape, seed=1)
    return [output, *tape.gradient(output, [images, kernel], output_gradients=upstream)]


def builtin(images, kernel, stride):
    """TensorFlow's convolution; of 1x1 filters a product, since its gradient can crash."""
    if kernel.shape[0] == 1:
        return tf.einsum("bhwi,io->bhwo", images[:, ::stride, ::stride], kernel[0, 0])
    return tf.nn.conv2d(images, kernel, stride, "SAME")


def assert_as_builtin(height, width, channels_in, channels_out, size, stride, batch=2):
    images = random(batch, height, width, channels_in)
    kernel = random(size, size, channels_in, channels_out)
    expected = with_gradients(lambda x, k: builtin(x, k, stride), images, kernel)
    for halves in HALVES:
        found = with_gradients(lambda x, k, h=halves: convolve(x, k, stride, *h), images, kernel)
        for what, a, b in zip(("output", "input", "filter"), found, expected, strict=True):
            case = f"{what} of {height}x{width}x{channels_in} -> {channels_out}, {size=}, {stride=}"
            assert a.shape == b.shape, case
            error = np.abs(a - b).max() / np.abs(b).max()
            assert error < 1e-4, f"{case}, by forward {halves}: {error:.2g}"


def shapes_of(name, stem, pixels, width):
    """The distinct (height, width, channels in, channels out, kernel, stride) of an encoder."""
    settings = {
        "name": name,
        "width": width,
        "stem": stem,
        "batch_norm_momentum": 0.9,
        "neck": [],
        "neck_dropout": [],
    }
    encoder = build_encoder(settings, (pixels, pixels, 1), 0)
    layers = [layer for layer in encoder.layers if isinstance(layer, keras.layers.Conv2D)]
    assert len(layers) == {"resnet18": 20, "resnet50": 53}[name]
    assert all(isinstance(layer, Convolution) for layer in layers)
    return {
        (*layer.input.shape[1:], layer.filters, layer.kernel_size[0], layer.strides[0])
        for layer in layers
    }


@pytest.mark.parametrize(
    ("name", "stem", "pixels", "width"),
    [
        ("resnet18", "imagenet", 64, 16),
        ("resnet18", "small", 64, 16),
        ("resnet50", "imagenet", 64, 16),
        ("resnet50", "small", 64, 16),
        ("resnet50", "imagenet", 150, 3),  # the published maps: 150, 75, 38, 19, 10, 5
    ],
)
def test_every_convolution_of_the_encoders(name, stem, pixels, width):
    shapes = shapes_of(name, stem, pixels, width)
    assert len(shapes) >= 11
    for shape in sorted(shapes):
        assert_as_builtin(*shape)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7])
def test_odd_and_oblong_maps(size, stride):
    for height, width in ((1, 1), (2, 2), (3, 3), (5, 8), (9, 7), (10, 13)):
        assert_as_builtin(height, width, 2, 3, size, stride)


def test_strided_1x1_filters_are_not_given_to_a_kernel_that_writes_beyond_its_buffer():
    """oneDNN's on AVX2, of channels that are no multiple of eight."""
    for channels, stride in ((2, 1), (12, 1), (8, 2), (16, 2)):
        images, kernel = random(2, 8, 8, channels), random(1, 1, channels, 4)
        function = tf.function(lambda x, k: with_gradients(lambda *a: convolve(*a, 2, 0, 0), x, k))
        operations = function.get_concrete_function(images, kernel).graph.get_operations()
        (gradient,) = (each for each in operations if each.type == FILTER)
        assert gradient.get_attr("strides") == [1, stride, stride, 1]


def test_a_batch_of_unknown_size_in_a_graph():
    images, kernel = random(3, 7, 7, 2), random(3, 3, 2, 4)
    expected = with_gradients(lambda x, k: tf.nn.conv2d(x, k, 2, "SAME"), images, kernel)[1:]
    for halves in HALVES:

        @tf.function(input_signature=[tf.TensorSpec([None, 7, 7, 2]), tf.TensorSpec([3, 3, 2, 4])])
        def gradients(x, k, halves=halves):
            with tf.GradientTape() as tape:
                tape.watch([x, k])
                output = convolve(x, k, 2, *halves)
            return tape.gradient(output, [x, k], output_gradients=random(3, 4, 4, 4, seed=1))

        for a, b in zip(gradients(images, kernel), expected, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-4)


# --- the rule -------------------------------------------------------------------------------------


def test_the_rule_with_onednn(monkeypatch):
    """The built-in kernels, but for the 3x3 filters of wide layers on the smallest maps."""
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "1")
    assert faster_by_forward(32, 64, 64, 3) == (False, False)
    assert faster_by_forward(2, 255, 256, 3) == (False, False)
    assert faster_by_forward(2, 256, 256, 3) == (False, True)
    assert faster_by_forward(1, 512, 512, 3) == (False, True)
    assert faster_by_forward(2, 512, 512, 1) == (False, False)
    assert faster_by_forward(3, 512, 512, 3) == (False, False)
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS")
    assert faster_by_forward(2, 256, 256, 3) == (False, True)


def test_the_rule_without_onednn(monkeypatch):
    """Wide layers gain in both halves, large maps in the input's; the first has none."""
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    assert faster_by_forward(2, 64, 64, 3) == (True, True)
    assert faster_by_forward(16, 16, 16, 3) == (True, False)
    assert faster_by_forward(15, 16, 16, 3) == (False, False)
    assert faster_by_forward(32, 1, 16, 3) == (False, False)


# --- the layer ------------------------------------------------------------------------------------


def gradient_operations(layer, shape):
    """How often each convolution kernel runs in the gradient of a layer, traced in a graph."""
    layer.build((None, *shape))

    @tf.function(autograph=False)
    def gradients(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            output = layer(x, training=True)
        return tape.gradient(output, [x, *layer.trainable_variables], output_gradients=output)

    graph = gradients.get_concrete_function(tf.TensorSpec([2, *shape])).graph
    kinds = [operation.type for operation in graph.get_operations()]
    return {kind: kinds.count(kind) for kind in (FORWARD, INPUT, FILTER)}


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind=None: [])


@pytest.mark.parametrize("halves", HALVES)
def test_the_layer_runs_the_kernels_that_the_rule_selects(halves, no_gpu, monkeypatch):
    asked = []

    def rule(*arguments):
        asked.append(arguments)
        return halves

    monkeypatch.setattr(sslens.networks.layers, "faster_by_forward", rule)
    layer = Convolution(5, 3, strides=2, padding="same", use_bias=False)
    found = gradient_operations(layer, (9, 9, 4))
    by_input, by_filter = halves
    assert found == {
        FORWARD: 1 + by_input + by_filter,
        INPUT: int(not by_input),
        FILTER: int(not by_filter),
    }
    assert set(asked) == {(5, 4, 5, 3)}  # output map, channels in, channels out, kernel


@pytest.mark.parametrize(
    ("onednn", "shape", "filters", "expected"),
    [
        ("1", (16, 16, 16), 16, {FORWARD: 1, INPUT: 1, FILTER: 1}),
        ("1", (2, 2, 256), 256, {FORWARD: 2, INPUT: 1, FILTER: 0}),
        ("0", (16, 16, 16), 16, {FORWARD: 2, INPUT: 0, FILTER: 1}),
        ("0", (4, 4, 64), 64, {FORWARD: 3, INPUT: 0, FILTER: 0}),
    ],
)
def test_the_measured_rule_reaches_the_layer(onednn, shape, filters, expected, no_gpu, monkeypatch):
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", onednn)
    layer = Convolution(filters, 3, padding="same", use_bias=False)
    assert gradient_operations(layer, shape) == expected


def test_on_a_gpu_the_gradient_is_cudnns(monkeypatch):
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind=None: ["a GPU"])
    monkeypatch.setattr(sslens.networks.layers, "faster_by_forward", lambda *_: (True, True))
    layer = Convolution(4, 3, padding="same", use_bias=False)
    assert gradient_operations(layer, (8, 8, 2)) == {FORWARD: 1, INPUT: 1, FILTER: 1}


@pytest.mark.parametrize("halves", HALVES)
@pytest.mark.parametrize("bias", [False, True])
def test_the_layer_is_keras_conv2d(halves, bias, no_gpu, monkeypatch):
    monkeypatch.setattr(sslens.networks.layers, "faster_by_forward", lambda *_: halves)
    arguments = {"strides": 2, "padding": "same", "use_bias": bias}
    ours, theirs = Convolution(5, 3, **arguments), keras.layers.Conv2D(5, 3, **arguments)
    images = random(2, 9, 9, 4)
    for layer in (ours, theirs):
        layer.build(images.shape)
    layout = [[(v.name, v.shape, v.dtype) for v in layer.weights] for layer in (ours, theirs)]
    assert layout[0] == layout[1]
    weights = [np.random.default_rng(1).normal(size=w.shape) for w in theirs.get_weights()]
    gradients = []
    for layer in (ours, theirs):
        layer.set_weights(weights)
        with tf.GradientTape() as tape:
            tape.watch(images)
            output = layer(images, training=True)
            value = tf.reduce_sum(output * random(*output.shape))
        gradients.append([output, *tape.gradient(value, [images, *layer.trainable_variables])])
    for a, b in zip(*gradients, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4 * np.abs(b).max())


def test_the_layer_survives_its_configuration():
    """BYOL clones the encoder this way."""
    layer = Convolution(5, 3, strides=2, padding="same", use_bias=False, name="stem")
    again = keras.layers.deserialize(keras.layers.serialize(layer))
    assert type(again) is Convolution
    assert again.get_config() == layer.get_config()
