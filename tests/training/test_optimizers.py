"""Optimisers: the rate of every step, what decays, on which variables, and going on."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from paths import ROOT

from sslens.configuration import settings
from sslens.configuration.loading import load
from sslens.networks.encoders.building import build_encoder, rate_scales
from sslens.networks.heads import classifier_of, mlp
from sslens.training.optimizers import OPTIMIZERS, SGD, Adam, build_optimizer, current_rate

SETTINGS = {
    "name": "sgd",
    "learning_rate": 0.5,
    "schedule": "constant",
    "warmup": 0.0,
    "weight_decay": 0.0,
    "momentum": 0.0,
    "clip_norm": None,
}
NAMES = sorted(OPTIMIZERS)


def build(variables, steps=100, **changes):
    return build_optimizer(SETTINGS | changes, steps, variables)


def variable(value=1.0, name="kernel"):
    return keras.Variable(np.full((2, 3), value, "float32"), name=name)


def rates(steps, count=None, **changes):
    """The rates that are really used: what plain SGD takes from a weight of gradient one."""
    weight = variable(0.0)
    optimizer = build([weight], steps, **changes)
    used = []
    for _ in range(count or steps):
        before = weight.numpy()[0, 0]
        optimizer.apply([tf.ones((2, 3))], [weight])
        used.append(before - weight.numpy()[0, 0])
    return np.array(used)


# --- schedules ------------------------------------------------------------------------------------


def cosine(step, steps, warmup_steps, peak):
    if step < warmup_steps:
        return peak * step / warmup_steps
    return peak * (1 + math.cos(math.pi * (step - warmup_steps) / (steps - warmup_steps))) / 2


@pytest.mark.parametrize(("steps", "warmup"), [(40, 0.25), (37, 0.1), (40, 0.0), (20, 0.01)])
def test_cosine_with_warm_up(steps, warmup):
    warmup_steps = round(warmup * steps)
    expected = [cosine(step, steps, warmup_steps, 0.5) for step in range(steps)]
    used = rates(steps, schedule="cosine", warmup=warmup)
    np.testing.assert_allclose(used, expected, atol=1e-5)
    assert used[warmup_steps] == pytest.approx(0.5, abs=1e-5)  # the peak
    assert used[0] == pytest.approx(0.0 if warmup_steps else 0.5, abs=1e-6)
    assert used[-1] < 0.01


def test_the_cosine_ends_at_zero_and_stays():
    assert np.abs(rates(20, 25, schedule="cosine", warmup=0.2)[20:]).max() < 1e-6


def test_constant():
    np.testing.assert_allclose(rates(12), 0.5, atol=1e-5)


def test_constant_after_a_warm_up():
    used = rates(20, schedule="constant", warmup=0.25)
    np.testing.assert_allclose(used[:5], 0.5 * np.arange(5) / 5, atol=1e-5)
    np.testing.assert_allclose(used[5:], 0.5, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_the_rate_can_be_read(name):
    """The history shows it."""
    weight = variable()
    optimizer = build([weight], 10, name=name, schedule="cosine", warmup=0.2, learning_rate=0.01)
    seen = []
    for _ in range(10):
        seen.append(float(optimizer.learning_rate))
        optimizer.apply([tf.ones((2, 3))], [weight])
    np.testing.assert_allclose(seen, [cosine(k, 10, 2, 0.01) for k in range(10)], atol=1e-7)


# --- optimisers -----------------------------------------------------------------------------------


def test_the_names():
    kinds = {name: type(build([variable()], name=name)) for name in NAMES}
    assert kinds == {"adam": Adam, "adamw": Adam, "sgd": SGD}


def test_adam_is_kerass_to_rounding():
    """Weights and moments over a schedule; 1 - 0.999 alone is 1.3e-5 off in float32."""
    fused = [variable(1.0), variable(-2.0, "bias")]
    plain = [keras.Variable(weight.numpy(), name=weight.name) for weight in fused]
    options = {"name": "adamw", "schedule": "cosine", "warmup": 0.2, "learning_rate": 0.03}
    ours = build(fused, 30, weight_decay=0.1, **options)
    keras_own = keras.optimizers.AdamW(
        keras.optimizers.schedules.CosineDecay(0.0, 24, warmup_target=0.03, warmup_steps=6),
        weight_decay=0.1,
    )
    keras_own.exclude_from_weight_decay(var_names=["bias"])
    keras_own.build(plain)
    generator = np.random.default_rng(0)
    for _ in range(30):
        gradients = [tf.constant(generator.normal(size=(2, 3)), tf.float32) for _ in fused]
        ours.apply(gradients, fused)
        keras_own.apply(gradients, plain)
        for mine, theirs in zip(
            [*fused, *ours.variables], [*plain, *keras_own.variables], strict=True
        ):
            np.testing.assert_allclose(mine, theirs, rtol=2e-5, atol=1e-6, err_msg=mine.path)


def test_momentum():
    """v = m v - rate; w = w + v."""
    used = rates(4, momentum=0.9)
    velocity = np.cumsum(0.9 ** np.arange(4)) * 0.5
    np.testing.assert_allclose(used, velocity, rtol=1e-5)


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_adam_normalises_the_gradient(name):
    used = [
        rates(5, name=name, learning_rate=0.01, weight_decay=0.0, momentum=momentum)
        for momentum in (0.0, 0.9)
    ]
    np.testing.assert_allclose(used[0], 0.01, rtol=1e-3)
    assert np.array_equal(*used)  # the momentum is SGD's alone


@pytest.mark.parametrize(("clip_norm", "factor"), [(None, 1.0), (20.0, 1.0), (1.3, 0.1)])
def test_gradients_are_cut_together(clip_norm, factor):
    """Their norm is 13: sqrt(6 * 2^2 + 6 * x^2) with x^2 = (169 - 24) / 6."""
    weights = [variable(0.0), variable(0.0)]
    gradients = [tf.fill((2, 3), 2.0), tf.fill((2, 3), math.sqrt(145 / 6))]
    build(weights, clip_norm=clip_norm).apply(gradients, weights)
    for weight, gradient in zip(weights, gradients, strict=True):
        np.testing.assert_allclose(weight, -0.5 * factor * gradient, rtol=1e-5)


# --- weight decay ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def network():
    """The variables of a classifier as it is fine-tuned, and of a projector as in pretraining."""
    settings = {
        "name": "resnet18",
        "width": 1,
        "stem": "imagenet",
        "batch_norm_momentum": 0.9,
        "neck": [3],
        "neck_dropout": [0.1],
    }
    encoder = build_encoder(settings, (16, 16, 1), 0)
    head = mlp(3, {"hidden": 4, "output": 2, "batch_norm": True}, 0, "projector")
    return classifier_of(encoder, 3, 0).trainable_variables + head.trainable_variables


@pytest.mark.parametrize("name", NAMES)
def test_weight_decay_acts_on_kernels_and_spares_the_rest(name, network):
    for weight in network:
        weight.assign(tf.ones_like(weight))
    optimizer = build(network, name=name, weight_decay=0.2, learning_rate=0.1)
    optimizer.apply([tf.zeros_like(weight) for weight in network], network)
    seen = set()
    for weight in network:
        seen.add(weight.name)
        expected = 1 - 0.1 * 0.2 if weight.name == "kernel" else 1.0
        np.testing.assert_allclose(weight, expected, rtol=1e-6, err_msg=weight.path)
    assert seen == {"kernel", "gamma", "beta", "bias"}


@pytest.mark.parametrize("name", NAMES)
def test_no_weight_decay_means_none(name):
    """Keras's AdamW would decay by 0.004 of its own accord."""
    weight = variable()
    optimizer = build([weight], name=name, weight_decay=0.0)
    optimizer.apply([tf.zeros((2, 3))], [weight])
    assert np.array_equal(weight.numpy(), np.ones((2, 3)))


# --- variables and state --------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "slots"), [("sgd", 1), ("adam", 2), ("adamw", 2)])
def test_it_is_built_on_exactly_the_variables(name, slots):
    weights = [variable(name=f"kernel_{i}") for i in range(3)]
    optimizer = build(weights[:2], name=name, momentum=0.9)
    assert optimizer.built
    of_weights = [v for v in optimizer.variables if v.shape == (2, 3)]
    assert len(of_weights) == 2 * slots
    with pytest.raises(ValueError, match="variable"):
        optimizer.apply([tf.ones((2, 3))] * 3, weights)
    assert len([v for v in optimizer.variables if v.shape == (2, 3)]) == 2 * slots


@pytest.mark.parametrize("name", NAMES)
def test_a_restored_state_goes_on_identically(name):
    settings = {
        "name": name,
        "schedule": "cosine",
        "warmup": 0.3,
        "weight_decay": 0.1,
        "momentum": 0.9,
        "clip_norm": None,
        "learning_rate": 0.05,
    }
    gradients = np.random.default_rng(0).normal(size=(12, 2, 2, 3)).astype("float32")

    def start():
        weights = [variable(0.5), variable(-0.5, "bias")]
        return weights, build(weights, 12, **settings)

    def train(weights, optimizer, steps):
        for step in steps:
            optimizer.apply([tf.constant(g) for g in gradients[step]], weights)

    whole, optimizer = start()
    train(whole, optimizer, range(12))
    weights, optimizer = start()
    train(weights, optimizer, range(5))
    state = [v.numpy() for v in weights + optimizer.variables]
    weights, optimizer = start()
    for target, array in zip(weights + optimizer.variables, state, strict=True):
        target.assign(array)
    train(weights, optimizer, range(5, 12))
    for a, b in zip(whole, weights, strict=True):
        assert np.array_equal(a.numpy(), b.numpy())


# --- float16 --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_in_float16_a_step_whose_gradients_overflow_is_left_out(name, monkeypatch):
    monkeypatch.setattr(keras.config, "dtype_policy", lambda: keras.DTypePolicy("mixed_float16"))
    weight, plain = variable(), variable()
    optimizer = build([weight], name=name, clip_norm=0.1)
    monkeypatch.undo()
    exact = build([plain], name=name, clip_norm=0.1)
    scale = float(optimizer.scale_loss(tf.constant(1.0)))
    assert scale == 2**15
    optimizer.apply([tf.fill((2, 3), np.inf)], [weight])
    assert (weight.numpy() == 1).all()
    assert float(optimizer.scale_loss(tf.constant(1.0))) == scale / 2
    assert int(optimizer.iterations.numpy()) == 0
    # the next one is, by what the gradient was before it was scaled
    optimizer.apply([tf.fill((2, 3), 3.0 * scale / 2)], [weight])
    exact.apply([tf.fill((2, 3), 3.0)], [plain])
    np.testing.assert_allclose(weight.numpy(), plain.numpy(), rtol=1e-6)
    assert (weight.numpy() < 1).all()
    assert current_rate(optimizer) == current_rate(exact) == 0.5


# --- a rate for each variable ---------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_variable_has_its_share_of_the_rate_and_of_the_decay(name):
    """As a variable alone with that learning rate, step by step."""
    scales, options = [1.0, 0.25], {"name": name, "weight_decay": 0.1, "momentum": 0.9}
    both = [variable(1.0), variable(2.0)]
    optimizer = build_optimizer(SETTINGS | options, 10, both, rate_scales=scales)
    alone = [variable(1.0), variable(2.0)]
    others = [
        build([own], **options, learning_rate=0.5 * scale)
        for own, scale in zip(alone, scales, strict=True)
    ]
    for step in range(3):
        gradients = [tf.fill([2, 3], 0.1 * (step + 1)), tf.fill([2, 3], -0.3)]
        optimizer.apply(gradients, both)
        for other, gradient, own in zip(others, gradients, alone, strict=True):
            other.apply([gradient], [own])
    for one, other in zip(both, alone, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


@pytest.mark.parametrize("name", ["vit_nano", "resnet18"])
def test_rates_fall_layer_by_layer_towards_the_image(name):
    chosen = load(ROOT / "config", {"encoder": {"name": name, "neck": [4]}})
    chosen = settings.arm_encoder(chosen, "baseline", "x")
    classifier = classifier_of(build_encoder(chosen, (32, 32, 1), 0), 3, 0)
    variables = classifier.trainable_variables
    scales = rate_scales(chosen, variables, 0.5)
    of = {v.path: scale for v, scale in zip(variables, scales, strict=True)}
    expected = {
        "vit_nano": {"stem1/kernel": 4, "patches/bias": 4, "layer1_qkv/kernel": 3,
                     "layer3_norm2/gamma": 1, "norm/beta": 0},
        "resnet18": {"stem/kernel": 9, "stem_bn/gamma": 9, "stage1_block1_conv1/kernel": 8,
                     "stage2_block1_shortcut/kernel": 6, "stage4_block2_conv2_bn/beta": 1},
    }[name] | {"neck1/kernel": 0, "logits/bias": 0}  # fmt: skip
    assert {path: of[path] for path in expected} == {p: 0.5**k for p, k in expected.items()}
    assert rate_scales(chosen, variables, None) is None
