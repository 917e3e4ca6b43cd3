"""What every method keeps: found by its files, told by its schema, trained by the engine."""

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import keras
import numpy as np
import pytest
import tensorflow as tf
import yaml
from paths import ROOT

import sslens
from sslens.configuration.loading import load
from sslens.configuration.settings import pretraining_settings
from sslens.methods.base import Batch
from sslens.methods.passes import encoder_passes
from sslens.methods.registry import (
    load_method,
    method_names,
    needs_encoder,
    schema_path,
    uses_labels,
    views_of,
)
from sslens.networks.encoders.building import build_encoder
from sslens.networks.operations import forward_operations
from sslens.training.engine import compile_step
from sslens.training.optimizers import build_optimizer

OPTIMIZER = {
    "name": "sgd",
    "learning_rate": 0.05,
    "schedule": "constant",
    "warmup": 0.0,
    "weight_decay": 0.0,
    "momentum": 0.9,
    "clip_norm": 5.0,
}


#: Those that need a transformer have such tests in their own files.
OF_ANY_ENCODER = [name for name in method_names() if not needs_encoder(name)]


def default_options(name):
    """The options of a method in a configuration that sets none of them."""
    config = {
        "pretraining": {"pairs": "same_image"},
        "pretrainings": {"it": {"method": name, "pretext": "none"}},
        "pretexts": {"none": []},
        "encoder": {"name": "resnet18"},
        "xla": False,
        "cpu_threads": 1,
        "threads_per_operation": 1,
        "precision": "float32",
    }
    return pretraining_settings(config, "it", "model_1")["options"]


def build(name, encoder, seed=0):
    return load_method(name)(encoder, default_options(name), seed)


def train(method, batch):
    """One step of plain gradient descent; the loss before it."""
    with tf.GradientTape() as tape:
        loss, _, _, update = method.loss(batch)
    gradients = tape.gradient(loss, method.trainable_variables)
    for variable, gradient in zip(method.trainable_variables, gradients, strict=True):
        variable.assign_sub(0.05 * gradient)
    method.after_step(tf.constant(0.5), update)
    return float(loss)


def step_of(method):
    """The training step of the engine, on a batch that is given."""
    optimizer = build_optimizer(OPTIMIZER, 10, method.trainable_variables)
    step = compile_step(
        lambda batch, _: ((outcome := method.loss(batch)).loss, {}, outcome.update),
        method.trainable_variables,
        optimizer,
        method.after_step,
    )
    return lambda batch, progress=0.5: step(batch, tf.constant(progress))


def test_the_methods_are_known():
    assert {"byol", "contrastive", "supervised_contrastive"} <= set(method_names())
    assert method_names() == sorted(method_names())


def test_those_that_are_self_supervised_see_no_label():
    assert all(uses_labels(name) == load_method(name).uses_labels for name in method_names())
    assert all(views_of(name) == load_method(name).views for name in method_names())
    assert [name for name in method_names() if load_method(name).uses_labels] == [
        "supervised_contrastive"
    ]


def test_an_unknown_method_is_named_beside_the_known():
    with pytest.raises(ValueError, match="'simclr'.*byol, contrastive, dino, mae, nn"):
        load_method("simclr")


def test_naming_the_methods_imports_none_of_them():
    """The Snakefile asks for the names, and must not wait for TensorFlow."""
    scripts = Path(sslens.__file__).parent.parent
    code = (
        "import json, sys; from sslens.methods.registry import method_names; method_names(); "
        "print(json.dumps(sorted(sys.modules)))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=scripts, capture_output=True, text=True, check=True
    )
    modules = json.loads(out.stdout)
    assert not {"tensorflow", "keras"} & set(modules)
    loaded = [name for name in modules if name.startswith("sslens.methods.")]
    assert loaded == ["sslens.methods.registry"]


@pytest.mark.parametrize("name", method_names())
def test_the_schema_is_one_and_refuses_unknown_keys(name):
    schema = yaml.safe_load(schema_path(name).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    assert validator.is_valid({})
    assert validator.is_valid(default_options(name))
    assert not validator.is_valid({"no such key": 1})
    assert all("description" in entry for entry in schema["properties"].values())


@pytest.mark.parametrize("name", OF_ANY_ENCODER)
def test_loss_and_embeddings(name, encoder_of, batch_of):
    method = build(name, encoder_of())
    outcome = method.loss(batch_of(method))
    assert outcome.loss.shape == ()
    assert np.isfinite(outcome.loss)
    rows, dimensions = outcome.embeddings.shape
    assert rows == 8 and dimensions > 1
    assert np.std(outcome.embeddings, axis=0).min() > 0
    for measure, value in outcome.measures.items():
        assert value.shape == () and np.isfinite(value), measure


@pytest.mark.parametrize("name", OF_ANY_ENCODER)
def test_variables_hold_everything_once(name, encoder_of):
    method = build(name, encoder_of(dropout=True))
    everything = [id(variable) for variable in method.variables]
    assert len(set(everything)) == len(everything)
    trained = [id(variable) for variable in method.trainable_variables]
    assert len(set(trained)) == len(trained)
    assert set(trained) < set(everything)
    # whatever network the method keeps, all of it is there
    kept = vars(method).values()
    networks = [value for value in kept if isinstance(value, keras.Model)]
    state = [value for value in kept if isinstance(value, keras.Variable)]
    assert networks
    of_networks = {id(v) for network in networks for v in network.variables}
    assert of_networks | {id(v) for v in state} == set(everything)


@pytest.mark.parametrize("name", OF_ANY_ENCODER)
def test_variables_stand_in_the_same_order_in_every_build(name, encoder_of):
    builds = [build(name, encoder_of(seed, True), seed) for seed in (0, 1)]
    layouts = [[(v.name, tuple(v.shape)) for v in method.variables] for method in builds]
    assert layouts[0] == layouts[1]


@pytest.mark.parametrize("name", OF_ANY_ENCODER)
def test_variables_are_all_that_a_checkpoint_must_hold(name, encoder_of, batch_of):
    """Taken to another build, with other weights, they repeat a training bit for bit."""
    method, other = (build(name, encoder_of(seed, True), seed) for seed in (0, 1))
    train(method, batch_of(method))
    state = [variable.numpy() for variable in method.variables]
    ends = []
    for one in (method, other):
        for variable, array in zip(one.variables, state, strict=True):
            variable.assign(array)
        losses = [train(one, batch_of(one)) for _ in range(2)]
        ends.append((losses, [variable.numpy() for variable in one.variables]))
    assert ends[0][0] == ends[1][0]
    for a, b, variable in zip(ends[0][1], ends[1][1], method.variables, strict=True):
        assert np.array_equal(a, b), variable.path


@pytest.mark.parametrize("name", OF_ANY_ENCODER)
def test_the_seed_decides_the_heads(name, encoder_of):
    methods = [build(name, encoder_of(), seed) for seed in (0, 0, 1)]
    kernels = [
        [v.numpy() for v in m.variables if v.name == "kernel" and "convolution" not in v.path]
        for m in methods
    ]
    assert kernels[0]
    for first, twin, other in zip(*kernels, strict=True):
        assert np.array_equal(first, twin)
        assert not np.array_equal(first, other)


@pytest.mark.parametrize("name", OF_ANY_ENCODER)
def test_every_trainable_variable_has_a_gradient(name, encoder_of, batch_of):
    method = build(name, encoder_of())
    with tf.GradientTape() as tape:
        loss = method.loss(batch_of(method)).loss
    gradients = tape.gradient(loss, method.trainable_variables)
    for variable, gradient in zip(method.trainable_variables, gradients, strict=True):
        assert gradient is not None, variable.path
        assert np.abs(gradient).max() > 0, variable.path


@pytest.mark.parametrize("name", OF_ANY_ENCODER)
def test_a_step_trains_in_training_mode(name, encoder_of, batch_of):
    """Batch normalisation normalises by the batch."""
    method = build(name, encoder_of())
    assert sum(v.name.startswith("moving_") for v in method.variables) >= 2 * 2
    state = [v.numpy() for v in method.variables]
    losses = []
    # the loss is blind to the moving statistics
    for garbage in (1.0, 100.0):
        for variable, old in zip(method.variables, state, strict=True):
            moved = variable.name.startswith("moving_")
            variable.assign(np.full_like(old, garbage) if moved else old)
        losses.append(float(method.loss(batch_of(method)).loss))
    assert losses[0] == losses[1]


@pytest.mark.parametrize("name", OF_ANY_ENCODER)
def test_training_lowers_the_loss_and_changes_the_encoder_that_was_given(
    name, encoder_of, batch_of
):
    """All of its weights, and the moving statistics of its batch normalisation."""
    encoder = encoder_of()
    method = build(name, encoder)
    before = [variable.numpy() for variable in encoder.variables]
    step = step_of(method)
    losses = [float(step(batch_of(method))["loss"]) for _ in range(12)]
    assert np.mean(losses[-3:]) < losses[0]
    for variable, old in zip(encoder.variables, before, strict=True):
        assert not np.allclose(variable, old, atol=1e-5), variable.path


# --- how much it computes -------------------------------------------------------------------------


def counted(function, *inputs):
    """Floating-point operations of a function, as TensorFlow counts them in its graph."""
    graph = tf.function(function).get_concrete_function(*inputs).graph
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    found = tf.compat.v1.profiler.profile(graph, cmd="op", options=options | {"output": "none"})
    return found.total_float_ops


def dense_encoder():
    """A network most of whose operations are far from the images, and before the heads."""
    inputs = keras.Input((8, 8, 1))
    layers = [keras.layers.Flatten(), *map(keras.layers.Dense, (768, 768, 768, 8))]
    return keras.Model(inputs, keras.Sequential(layers)(inputs))


@pytest.mark.parametrize("name", OF_ANY_ENCODER)
def test_the_passes_through_the_encoder_are_those_of_its_step(name, batch_of):
    encoder = dense_encoder()
    method = build(name, encoder)
    views = [tf.random.normal((16, 8, 8, 1)) for _ in range(method.views)]
    batch = batch_of(method, views, lenses=range(16))
    if method.uses_labels:
        batch = batch._replace(labels=tf.range(16) % 3)

    def step(*views):
        with tf.GradientTape() as tape:
            loss = method.loss(batch._replace(views=views)).loss
        return tape.gradient(loss, method.trainable_variables)

    once = 16 * forward_operations(encoder)
    assert counted(lambda x: encoder(x, training=True), views[0]) == pytest.approx(once, rel=0.02)
    # no gradient of the images, and some more of the heads
    found = counted(step, *views) / once
    assert found == pytest.approx(encoder_passes({"method": name}, 8), rel=0.08)


@pytest.mark.parametrize("masked, seen", [(0.75, 16), (0.25, 48)])
def test_the_passes_of_a_masked_autoencoder_hold_its_decoder(masked, seen):
    given = {
        "encoder": {"name": "vit_nano", "token_stem": "patch"},
        "pretrainings": {
            "it": {"method": "mae", "pretext": "none", "options": {"masked": masked}},
        },
    }
    chosen = pretraining_settings(load(ROOT / "config", given), "it", "model_2")
    encoder = build_encoder(chosen["encoder"], (64, 64, 1), 0)
    method = load_method("mae")(encoder, chosen["options"] | {"encoder": chosen["encoder"]}, 0)

    def loss(view):
        return method.loss(Batch((view,), tf.constant([1, 2]), tf.constant(0.5))).loss

    # three layers of what is seen and two of all; TensorFlow does not count products of attention
    of_attention = 4 * 64 * (3 * seen**2 + 2 * 64**2)
    found = counted(loss, tf.random.normal((4, 64, 64, 1))) / 4 + of_attention
    passes = 3 * found / forward_operations(encoder)
    assert encoder_passes(chosen, 64) == pytest.approx(passes, rel=0.05)
