"""Masked autoencoder: its loss by hand, what the encoder sees, masks by the seed of a step."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from paths import ROOT

from sslens.configuration import settings
from sslens.configuration.loading import load
from sslens.data.records import Split
from sslens.methods.base import Batch
from sslens.methods.mae import Method, masked_error, normalised, patches_of
from sslens.networks.encoders.building import SharedLayers, build_encoder
from sslens.networks.encoders.vit import attend
from sslens.training.checkpoints import Checkpoint
from sslens.training.pretraining import pretrain

CONFIG = load(
    ROOT / "config",
    {
        "encoder": {"name": "vit_nano", "token_stem": "patch", "patch": 4, "layers": 2},
        "pretrainings": {"it": {"method": "mae", "pretext": "none"}},
        "pretraining": {"batch_size": 8, "steps": 4, "collapse": "ignore"},
    },
)
CHOSEN = settings.pretraining_settings(CONFIG, "it", "model_2")
IMAGES = np.random.default_rng(0).normal(size=(8, 16, 16, 1)).astype(np.float32)


def build(seed=0, **options):
    encoder = build_encoder(CHOSEN["encoder"], (16, 16, 1), seed)
    own = CHOSEN["options"] | options | {"encoder": CHOSEN["encoder"]}
    return Method(encoder, own, seed), encoder


def batch_of(key=1, images=IMAGES):
    return Batch((tf.constant(images),), tf.constant([key, 2], tf.int32), tf.constant(0.5))


def train(method, batch):
    with tf.GradientTape() as tape:
        outcome = method.loss(batch)
    gradients = tape.gradient(outcome.loss, method.trainable_variables)
    for variable, gradient in zip(method.trainable_variables, gradients, strict=True):
        variable.assign_sub(0.05 * gradient)
    return outcome.loss.numpy(), gradients


def test_patches_are_those_of_the_image():
    patches = patches_of(tf.constant(IMAGES), 4).numpy()
    assert patches.shape == (8, 16, 16)
    assert np.array_equal(patches[3, 4 * 2 + 1].reshape(4, 4), IMAGES[3, 8:12, 4:8, 0])


def test_the_error_by_hand():
    rng = np.random.default_rng(1)
    predicted, target = rng.normal(size=(2, 3, 5, 4))
    masked = np.array([[1, 0, 1, 1, 0], [0, 0, 1, 1, 1], [1, 1, 1, 0, 0]], float)
    errors = [
        np.mean((predicted[i, k] - target[i, k]) ** 2)
        for i in range(3)
        for k in range(5)
        if masked[i, k]
    ]
    assert float(masked_error(predicted, target, masked)) == pytest.approx(np.mean(errors))


def test_to_predict_zero_costs_one_but_for_a_pixel():
    """(P - 1) / P, since the variance of a patch of P pixels is the unbiased one."""
    target = normalised(patches_of(tf.constant(7 + 3 * IMAGES), 4))
    masked = np.ones(target.shape[:2], np.float32)
    error = float(masked_error(tf.zeros_like(target), target, masked))
    assert error == pytest.approx(15 / 16, rel=1e-4)


def test_the_encoder_sees_no_masked_pixel():
    method, _ = build()
    order = method._draw_order(8, tf.constant([1, 2], tf.int32))
    masked = method.masked(order).numpy()
    assert (masked.sum(axis=1) == 12).all(), "three quarters, of every image"
    images = tf.constant(IMAGES)
    with tf.GradientTape() as tape:
        tape.watch(images)
        total = tf.reduce_sum(method.reconstruct(images, order) ** 2)
    slopes = np.abs(patches_of(tape.gradient(total, images), 4)).sum(axis=2)
    assert (slopes[masked == 1] == 0).all()
    assert (slopes[masked == 0] > 0).all()


def test_the_encoder_that_learns_is_the_one_that_is_probed():
    """By its weights: with all patches seen, and no mask, the features are the same."""
    method, encoder = build(seed=3)
    every = attend_all(encoder)
    tokens = method._tokens(IMAGES)
    np.testing.assert_allclose(every(tokens), encoder(IMAGES), atol=1e-5)
    seen = tokens[:, :4]
    assert method._attended(seen).shape == (8, 4, 64)
    assert {id(v) for v in encoder.trainable_variables} < {id(v) for v in method.variables}


def attend_all(encoder):
    """From all tokens to features, by the layers of an encoder."""
    tokens = keras.Input((16, 64))
    attended = attend(tokens, CHOSEN["encoder"], SharedLayers(encoder))
    return keras.Model(tokens, keras.ops.mean(attended, axis=1))


def test_masks_follow_from_the_seed_of_the_step():
    method, _ = build()
    first, again, other = (
        method._draw_order(8, tf.constant([key, 2], tf.int32)).numpy() for key in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert len(np.unique(first, axis=0)) == 8, "each image has a mask of its own"


def test_the_loss_is_of_masked_patches_as_they_are_or_normalised():
    for normalise in (True, False):
        method, _ = build(normalise=normalise)
        batch = batch_of(images=5 + 3 * IMAGES)
        order = method._draw_order(8, batch.seed)
        predicted = method.reconstruct(batch.views[0], order, training=True)
        target = patches_of(batch.views[0], 4).numpy().astype(float)
        if normalise:
            deviation = target.std(axis=2, ddof=1, keepdims=True)
            target = (target - target.mean(axis=2, keepdims=True)) / deviation
        errors = ((predicted - target) ** 2).numpy().mean(axis=2)
        expected = errors[method.masked(order).numpy() == 1].mean()
        # no branch is left out in one of them
        assert float(method.loss(batch).loss) == pytest.approx(expected, rel=1e-5)


def test_what_is_shown_is_the_image_where_it_is_seen():
    method, _ = build()
    seen, whole = method.reconstructed(IMAGES)
    hidden = np.isnan(seen)
    assert hidden.mean() == 0.75
    blocks = hidden[:, ::4, ::4]
    assert np.array_equal(hidden, blocks.repeat(4, axis=1).repeat(4, axis=2)), "whole patches"
    np.testing.assert_allclose(whole[~hidden], IMAGES[~hidden], atol=1e-6)
    # of a masked patch mean and deviation are the true ones, and the loss is of what is between
    own = method.held_out([IMAGES])["validation_loss"]
    true, made = (patches_of(tf.constant(part), 4).numpy() for part in (IMAGES, whole))
    deviation = true.std(axis=2, ddof=1, keepdims=True)
    errors = (((true - made) / deviation) ** 2).mean(axis=2)
    masked = patches_of(tf.constant(hidden.astype(np.float32)), 4).numpy().mean(axis=2) == 1
    assert errors[masked].mean() == pytest.approx(own, rel=1e-3)


def test_every_variable_learns_and_a_checkpoint_repeats_the_training():
    (method, _), (other, _) = build(0), build(1)
    ids = [id(variable) for variable in method.variables]
    assert len(set(ids)) == len(ids)
    assert method.not_decayed[0].name == "mask_token"
    _, gradients = train(method, batch_of())
    for variable, gradient in zip(method.trainable_variables, gradients, strict=True):
        assert gradient is not None and np.isfinite(gradient).all(), variable.path
    state = [variable.numpy() for variable in method.variables]
    for variable, value in zip(other.variables, state, strict=True):
        variable.assign(value)
    for key in (5, 6):
        assert train(method, batch_of(key))[0] == train(other, batch_of(key))[0]


def test_it_pretrains(tmp_path):
    train_split = Split.of(np.concatenate([IMAGES] * 2), np.arange(16) % 3, lens_id=np.arange(16))
    checkpoint = Checkpoint(tmp_path, "x")
    encoder, history, pictures = pretrain(train_split, train_split, CHOSEN, 1, checkpoint)
    assert encoder.output_shape == (None, 64)
    assert np.isfinite(history[["loss", "validation_loss"]]).all(axis=None)
    first, last = pictures["first"], pictures["last"]
    assert first.shape == last.shape == pictures["image"].shape == (4, 16, 16, 1)
    assert not np.array_equal(first, last)
    # what the first epoch made of them is in the checkpoint of the last one
    *_, again = pretrain(train_split, train_split, CHOSEN, 1, checkpoint)
    assert all(np.array_equal(pictures[k], again[k], equal_nan=True) for k in pictures)


def test_a_mask_that_hides_nothing_is_refused():
    with pytest.raises(ValueError, match="options.masked: 0.01 of 16 patches masks none"):
        build(masked=0.01)
