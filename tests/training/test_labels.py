"""Learning the labels: which labels, by which protocol, and what is measured on the way."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from paths import ROOT
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sslens.configuration.loading import load
from sslens.configuration.settings import arm_settings
from sslens.data.records import Split
from sslens.images import Images
from sslens.metrics.auc import class_aucs
from sslens.metrics.predictions import softmax
from sslens.networks import encoders
from sslens.networks.classifiers import build_classifier
from sslens.networks.inference import predict, predict_averaged
from sslens.training import engine, finetuning, labels
from sslens.training.checkpoints import Checkpoint
from sslens.training.finetuning import cross_entropy, fine_tune, move_averages
from sslens.training.labels import labelled_subset, learn_labels
from sslens.training.plan import plan_training
from sslens.training.probes import fit_linear_probe, recompute_batch_norm_statistics

OVERLAY = {
    "encoder": {"width": 2, "stem": "small", "neck": []},
    "finetuning": {"batch_size": 8, "steps": 4},
    "probe": {"inverse_penalties": [0.001, 0.1, 10.0]},
    "pretrainings": {"small": {"method": "byol", "pretext": "dihedral"}},
    "arms": {
        "fresh": {},
        "pretrained": {"pretraining": "small"},
        "fresh probe": {"protocol": "linear_probe"},
        "pretrained probe": {"protocol": "linear_probe", "pretraining": "small"},
    },
}
CONFIG = load(ROOT / "config", OVERLAY)


@pytest.fixture(autouse=True)
def shallow(monkeypatch):
    """ResNets of one block in each of two stages."""
    monkeypatch.setitem(encoders.DEPTHS, "resnet18", (1, 1))


def split_of(size, seed):
    """Images whose brightness and contrast tell their class, somewhat."""
    labels = np.arange(size) % 3
    images = np.random.default_rng(seed).normal(size=(size, 16, 16, 1))
    images = (images * (1 + labels.reshape(-1, 1, 1, 1) / 4)).astype(np.float32)
    return Split.of(images, labels)


TRAIN, VALIDATION = split_of(90, 0), split_of(45, 1)


def small_classifier(seed=3):
    return build_classifier(
        arm_settings(CONFIG, "fresh", "of this test")["encoder"], (16, 16, 1), seed
    )


# --- the labelled subset --------------------------------------------------------------------------

LABELS = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [100, 60, 40]))


@pytest.mark.parametrize("fraction", [0.05, 0.1, 0.3, 0.999, 1.0])
def test_the_subset_is_stratified_sorted_and_without_repeats(fraction):
    rows = labelled_subset(LABELS, fraction, seed=1)
    counts = np.bincount(LABELS[rows], minlength=3).tolist()
    assert counts == [round(fraction * size) for size in (100, 60, 40)]
    assert (np.diff(rows) > 0).all()


def test_all_labels_are_all_labels():
    assert labelled_subset(LABELS, 1.0, seed=1).tolist() == list(range(200))


def test_a_smaller_fraction_is_part_of_a_larger_one():
    subsets = [set(labelled_subset(LABELS, f, seed=1)) for f in (0.05, 0.1, 0.3, 0.31, 0.9, 1.0)]
    assert all(small < large for small, large in itertools.pairwise(subsets))


def test_the_subset_depends_on_the_seed_alone_and_takes_images_from_everywhere():
    first = labelled_subset(LABELS, 0.3, seed=1)
    assert np.array_equal(labelled_subset(LABELS.copy(), 0.3, seed=1), first)
    others = [tuple(labelled_subset(LABELS, 0.3, seed=seed)) for seed in range(2, 12)]
    assert len({tuple(first), *others}) == 11
    assert 70 < np.mean(others) < 130


def test_a_class_without_an_image_is_refused():
    labels = np.repeat([0, 1, 2], [9, 3, 9])
    with pytest.raises(ValueError, match="label_fractions: 0.1 leaves no image of class cdm"):
        labelled_subset(labels, 0.1, seed=1)


# --- predictions ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "batch"), [(1, 3), (7, 3), (9, 3), (2, 250)])
@pytest.mark.parametrize("workers", [1, 3])
def test_every_image_is_predicted_once_in_order_and_in_inference_mode(
    size, batch, workers, monkeypatch
):
    name = "get_inter_op_parallelism_threads"
    monkeypatch.setattr(tf.config.threading, name, lambda: workers)
    inputs = keras.Input((2, 2, 1))
    hidden = keras.layers.BatchNormalization()(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, keras.layers.Dropout(0.5)(hidden))
    model.layers[2].moving_mean.assign([1.0, 2.0, 3.0, 4.0])
    images = np.arange(size * 4, dtype=np.float32).reshape(size, 2, 2, 1)
    expected = (images.reshape(size, 4) - [1, 2, 3, 4]) / np.sqrt(1 + 1e-3)
    np.testing.assert_allclose(predict(model, images, batch), expected, rtol=1e-5)


def linear_classifier(weights, scale=1.0):
    """Three logits of images of 4 x 4 pixels, linear in the pixels."""
    inputs = keras.Input((4, 4, 1))
    logits = keras.layers.Dense(3, use_bias=False)(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, logits)
    model.set_weights([np.float32(scale) * np.asarray(weights, np.float32).reshape(16, 3)])
    return model


SQUARES = np.random.default_rng(5).normal(size=(7, 4, 4, 1)).astype(np.float32)
ORIENTED = np.random.default_rng(6).normal(size=(4, 4, 3))


def test_averaged_probabilities_are_the_mean_over_the_eight_orientations():
    model = linear_classifier(ORIENTED)
    averaged = predict_averaged(model, Images.of(SQUARES))
    assert averaged.dtype == np.float32
    assert averaged.shape == (7, 3)
    for image, logits in zip(SQUARES[..., 0], averaged, strict=True):
        ways = [
            np.rot90(way, k) for way in (image, image.T) for k in range(4)
        ]  # the transpose is a flip along a diagonal
        assert len({way.tobytes() for way in ways}) == 8
        outputs = [np.tensordot(way.astype(float), ORIENTED, 2) for way in ways]
        expected = softmax(np.array(outputs)).mean(axis=0)
        np.testing.assert_allclose(softmax(logits[None])[0], expected, rtol=1e-4)
        np.testing.assert_allclose(np.exp(logits), expected, rtol=1e-4)
        assert np.exp(logits.astype(float)).sum() == pytest.approx(1, abs=1e-5)
    plain = softmax(predict(model, SQUARES))
    assert np.abs(plain - softmax(averaged)).max() > 0.1


def test_averaging_changes_nothing_where_the_orientation_does_not_matter():
    model = linear_classifier(np.broadcast_to([0.1, -0.2, 0.3], (4, 4, 3)))
    np.testing.assert_allclose(
        softmax(predict_averaged(model, Images.of(SQUARES))),
        softmax(predict(model, SQUARES)),
        atol=1e-6,
    )


def test_averaged_predictions_are_the_same_in_every_orientation():
    model = linear_classifier(ORIENTED)
    expected = predict_averaged(model, Images.of(SQUARES))
    flips = [SQUARES[:, ::-1], SQUARES[:, :, ::-1], SQUARES.transpose(0, 2, 1, 3)]
    for oriented in (*flips, np.rot90(SQUARES, axes=(1, 2))):
        np.testing.assert_allclose(
            predict_averaged(model, Images.of(oriented)), expected, atol=1e-5
        )


def test_averaging_keeps_images_apart_whose_probabilities_are_saturated():
    model = linear_classifier(np.broadcast_to([1, 0, 0], (4, 4, 3)), 50)
    images = np.ones((3, 4, 4, 1), np.float32) * np.array([1, 2, 3]).reshape(3, 1, 1, 1)
    averaged = predict_averaged(model, Images.of(images))
    assert np.isfinite(averaged).all()
    assert (softmax(averaged)[:, 0] == 1).all()
    np.testing.assert_allclose(averaged[:, 0] - averaged[:, 1], [800, 1600, 2400], rtol=1e-6)


# --- the linear probe -----------------------------------------------------------------------------


@pytest.fixture
def probed():
    """A classifier whose encoder has seen the images, probed; and its encoder's weights before."""
    classifier, encoder = small_classifier()
    recompute_batch_norm_statistics(encoder, TRAIN.images)
    before = encoder.get_weights()
    told = arm_settings(CONFIG, "fresh probe", "of this test")["learning"]
    history = fit_linear_probe(classifier, encoder, TRAIN, VALIDATION, told)
    return classifier, encoder, before, history


def test_the_probe_is_scikit_learns_pipeline_inside_the_layer(probed):
    classifier, encoder, _, history = probed
    features, others = (predict(encoder, split.images) for split in (TRAIN, VALIDATION))
    assert history["inverse_penalty"].tolist() == [0.001, 0.1, 10.0]
    pipelines = [
        make_pipeline(StandardScaler(), LogisticRegression(C=penalty, max_iter=2000)).fit(
            features, TRAIN.labels
        )
        for penalty in history["inverse_penalty"]
    ]
    aucs = [
        roc_auc_score(VALIDATION.labels, pipeline.predict_proba(others), multi_class="ovr")
        for pipeline in pipelines
    ]
    assert history["validation_auc"].tolist() == pytest.approx(aucs, abs=2e-3)
    assert len(set(history["validation_auc"])) > 1, "the choice is tested by nothing"
    best = pipelines[int(np.argmax(history["validation_auc"]))]
    logits = predict(classifier, VALIDATION.images)
    np.testing.assert_allclose(logits, best.decision_function(others), rtol=1e-3, atol=1e-3)
    assert class_aucs(VALIDATION.labels, logits).mean() == pytest.approx(
        history["validation_auc"].max(), abs=2e-3
    )


def test_the_probe_leaves_the_encoder_as_it_was(probed):
    _, encoder, before, _ = probed
    for one, other in zip(encoder.get_weights(), before, strict=True):
        assert one.tobytes() == other.tobytes()


def test_settling_changes_the_statistics_of_batches_alone():
    _, encoder = small_classifier()
    before = {v.path: v.numpy().copy() for v in encoder.variables}
    recompute_batch_norm_statistics(encoder, TRAIN.images[:] * 5 + 2)
    changed = [v.path for v in encoder.variables if not np.array_equal(before[v.path], v.numpy())]
    statistics = [v.path for v in encoder.variables if "moving" in v.path]
    assert changed == statistics
    assert len(statistics) > 4


def test_settled_statistics_are_those_of_the_images_whatever_they_were():
    _, encoder = small_classifier()
    normalisation = encoder.get_layer("stem_bn")
    normalisation.moving_mean.assign(normalisation.moving_mean + 7)
    images = TRAIN.images[:60]  # one batch
    recompute_batch_norm_statistics(encoder, images)
    maps = keras.Model(encoder.input, encoder.get_layer("stem").output)(images).numpy()
    np.testing.assert_allclose(
        normalisation.moving_mean.numpy(), maps.mean(axis=(0, 1, 2)), atol=1e-5
    )
    np.testing.assert_allclose(
        normalisation.moving_variance.numpy(), maps.var(axis=(0, 1, 2), ddof=1), rtol=1e-4
    )
    # several batches: the average of theirs, each counting as much as the others
    many = np.concatenate([images, images + 1, images * 2, images - 3])[:256]
    recompute_batch_norm_statistics(encoder, many)
    stem = keras.Model(encoder.input, encoder.get_layer("stem").output)
    means = [stem(batch).numpy().mean(axis=(0, 1, 2)) for batch in np.array_split(many, 3)]
    np.testing.assert_allclose(
        normalisation.moving_mean.numpy(), np.mean(means, axis=0), rtol=1e-3, atol=1e-4
    )
    assert normalisation.momentum == CONFIG["encoder"]["batch_norm_momentum"]


# --- fine-tuning ----------------------------------------------------------------------------------


def test_fine_tuning_changes_all_and_its_history_is_true(tmp_path):
    classifier, _ = small_classifier()
    before = {v.path: v.numpy().copy() for v in classifier.variables}
    told = arm_settings(CONFIG, "fresh", "of this test")["learning"]
    few = TRAIN.take(slice(20))
    history = fine_tune(
        classifier, few, VALIDATION, told, plan_training(told, 20, 24), 3, Checkpoint(tmp_path, "x")
    )
    assert list(history.columns) == [
        "epoch",
        "step",
        "loss",
        "accuracy",
        "images_per_second",
        "learning_rate",
        "auc",
        "validation_loss",
        "validation_auc",
    ]
    assert history["step"].tolist() == [3, 4]  # an epoch is a pass over the full split of 24
    assert history["accuracy"].between(0, 1).all()
    logits = predict(classifier, VALIDATION.images)
    last = history.iloc[-1]
    assert last["validation_auc"] == class_aucs(VALIDATION.labels, logits).mean()
    learned = class_aucs(few.labels, predict(classifier, few.images)).mean()
    assert last["auc"] == pytest.approx(learned)  # of all, since validation has more
    assert last["validation_loss"] == pytest.approx(
        log_loss(VALIDATION.labels, softmax(logits)), rel=1e-5
    )
    for variable in classifier.variables:
        assert not np.array_equal(before[variable.path], variable.numpy()), variable.path


def test_fine_tuning_sees_the_augmented_images(tmp_path, monkeypatch):
    class Seen(Exception):
        pass

    def caught(images, seed, pretext):
        raise Seen(tuple(images.shape), pretext)

    monkeypatch.setattr(finetuning, "make_view", caught)
    told = arm_settings(CONFIG, "fresh", "of this test")["learning"]
    with pytest.raises(Seen) as seen:
        checkpoint = Checkpoint(tmp_path, "x")
        fine_tune(
            small_classifier()[0],
            TRAIN,
            VALIDATION,
            told,
            plan_training(told, 90, 90),
            3,
            checkpoint,
        )
    assert seen.value.args == ((8, 16, 16, 1), told["augmentation"])


@pytest.mark.parametrize("select", ["last", "best_validation"])
def test_the_best_epoch_is_kept_where_it_is_asked_for(tmp_path, monkeypatch, select):
    def caught(*given, keep_best, **_):
        return keep_best

    monkeypatch.setattr(engine, "fit", caught)
    classifier, _ = small_classifier()
    told = arm_settings(CONFIG, "fresh", "of this test")["learning"] | {"select": select}
    kept = fine_tune(
        classifier,
        TRAIN,
        VALIDATION,
        told,
        plan_training(told, 90, 90),
        3,
        Checkpoint(tmp_path, "x"),
    )
    if select == "last":
        assert kept is None
    else:
        measure, variables = kept
        assert measure == "validation_auc"
        assert [v.path for v in variables] == [v.path for v in classifier.weights]


def test_label_smoothing_is_the_cross_entropy_of_smoothed_labels():
    labels, logits = np.array([0, 2, 1, 1]), np.random.default_rng(0).normal(size=(4, 3))
    smooth = 0.7 * np.eye(3)[labels] + 0.3 / 3
    expected = -np.sum(smooth * np.log(softmax(logits)), axis=1)
    np.testing.assert_allclose(cross_entropy(labels, logits, 0.3), expected, rtol=1e-12)


def test_averages_follow_at_a_rate_that_rises_to_the_given_one():
    average, weight = keras.Variable([0.0, 5.0]), keras.Variable([0.0, 0.0])
    expected = np.array([0.0, 5.0])
    for step in range(1, 40):
        weight.assign([float(step), -1.0])
        move_averages([average], [weight], 0.6, tf.constant(step))
        keep = min(0.6, (1 + step) / (10 + step))
        expected = keep * expected + (1 - keep) * np.array([step, -1.0])
        np.testing.assert_allclose(average, expected, rtol=1e-5)


def fine_tuned(tmp_path, **changes):
    told = arm_settings(CONFIG, "fresh", "of this test")["learning"] | changes
    classifier, _ = small_classifier()
    checkpoint = Checkpoint(tmp_path, "x")
    history = fine_tune(
        classifier, TRAIN, VALIDATION, told, plan_training(told, 90, 90), 3, checkpoint
    )
    checkpoint.remove()
    return classifier, history


def test_averaged_weights_are_those_that_are_validated_and_kept(tmp_path):
    plain, _ = fine_tuned(tmp_path)
    averaged, history = fine_tuned(tmp_path, weight_averaging=0.99)
    again, _ = fine_tuned(tmp_path, weight_averaging=0.99)
    start, _ = small_classifier()
    logits = predict(averaged, VALIDATION.images)
    auc = class_aucs(VALIDATION.labels, logits).mean()
    assert history["validation_auc"].iloc[-1] == pytest.approx(auc)
    for begun, ended, mean, same in zip(
        *(network.get_weights() for network in (start, plain, averaged, again)), strict=True
    ):
        assert np.array_equal(mean, same)
        if not np.array_equal(begun, ended):
            assert not np.array_equal(mean, ended), "the trained weights, not their average"
            far = np.linalg.norm(ended - begun)
            assert np.linalg.norm(mean - begun) > 0 and np.linalg.norm(mean - ended) < 1.5 * far


# --- the protocols --------------------------------------------------------------------------------


@pytest.fixture
def learned(tmp_path, monkeypatch):
    """Learn the labels in an arm; what the protocol's function was called with."""

    def learn(arm, pretrained=None, fraction=1.0):
        calls = []
        for name in ("fine_tune", "fit_linear_probe"):
            monkeypatch.setattr(labels, name, lambda *given, name=name: calls.append((name, given)))
        told = arm_settings(CONFIG, arm, "of this test")
        checkpoint = Checkpoint(tmp_path / "checkpoint", "x")
        classifier, _ = learn_labels(TRAIN, VALIDATION, told, pretrained, fraction, 3, checkpoint)
        checkpoint.remove()
        ((name, given),) = calls
        return classifier, name, given, told

    return learn


@pytest.fixture
def pretrained(tmp_path):
    """Weights of an encoder that is not the fresh one, and their path."""
    _, encoder = small_classifier(seed=99)
    recompute_batch_norm_statistics(encoder, TRAIN.images[:8])
    path = str(tmp_path / "encoder.weights.h5")
    encoder.save_weights(path)
    return path, encoder.get_weights()


def test_fine_tuning_with_few_labels_sees_those_and_counts_by_all(learned):
    classifier, name, given, told = learned("fresh", fraction=0.2)
    assert name == "fine_tune"
    model, train, validation, settings, plan, seed, *_ = given
    assert model is classifier
    rows = labelled_subset(TRAIN.labels, 0.2, 3)
    assert len(rows) == 18
    assert np.array_equal(train.images[:], TRAIN.images[rows])
    assert np.array_equal(train.labels, TRAIN.labels[rows])
    assert validation is VALIDATION
    assert (settings, plan, seed) == (told["learning"], plan_training(settings, 18, 90), 3)
    fresh, _ = small_classifier()
    for one, other in zip(classifier.get_weights(), fresh.get_weights(), strict=True):
        assert np.array_equal(one, other)


def test_a_pretrained_encoder_starts_as_it_was_saved(learned, pretrained):
    path, weights = pretrained
    classifier, name, _, _ = learned("pretrained", path)
    assert name == "fine_tune"
    for one, other in zip(classifier.layers[1].get_weights(), weights, strict=True):
        assert one.tobytes() == other.tobytes()


def test_a_pretrained_probe_has_the_saved_weights_and_the_statistics_of_the_images(
    learned, pretrained
):
    path, _ = pretrained
    classifier, name, _, _ = learned("pretrained probe", path)
    assert name == "fit_linear_probe"
    _, expected = small_classifier()
    expected.load_weights(path)
    recompute_batch_norm_statistics(expected, TRAIN.images)
    pairs = zip(classifier.layers[1].get_weights(), expected.get_weights(), strict=True)
    assert all(one.tobytes() == other.tobytes() for one, other in pairs)


def test_the_random_probe_differs_from_the_fresh_encoder_by_its_statistics(learned):
    classifier, name, given, told = learned("fresh probe", fraction=0.2)
    assert name == "fit_linear_probe"
    model, encoder, train, validation, settings = given
    assert model is classifier
    assert classifier.layers[1] is encoder
    assert len(train.labels) == 18
    assert validation is VALIDATION
    assert settings == told["learning"]
    _, fresh = small_classifier()
    # of all images, as a pretraining sees them, whatever the labels
    recompute_batch_norm_statistics(fresh, TRAIN.images)
    for one, other in zip(encoder.get_weights(), fresh.get_weights(), strict=True):
        assert one.tobytes() == other.tobytes()


def test_every_arm_of_a_seed_starts_from_the_same_fresh_weights():
    first, second, other = (small_classifier(seed)[0].get_weights() for seed in (3, 3, 4))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))
