"""Fine-tuning: which labels, from which weights, for how long, and what is measured on the way."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from paths import ROOT
from sklearn.metrics import log_loss

from sslens.configuration.loading import load
from sslens.configuration.settings import arm_settings, pretraining_settings
from sslens.data.records import Split
from sslens.labelled import stratified_subset
from sslens.metrics.auc import class_aucs
from sslens.metrics.predictions import softmax
from sslens.networks.classifiers import build_network
from sslens.networks.encoders import resnet
from sslens.networks.frozen import recompute_batch_norm_statistics
from sslens.networks.inference import predict
from sslens.networks.operations import forward_operations
from sslens.tasks.registry import load_task
from sslens.training import engine, finetuning, labels
from sslens.training.checkpoints import Checkpoint
from sslens.training.finetuning import fine_tune, move_averages
from sslens.training.labels import learn_labels
from sslens.training.plan import plan_training
from sslens.training.pretraining import pretrain

OVERLAY = {
    "encoder": {"width": 2, "stem": "small", "neck": []},
    "finetuning": {"batch_size": 8, "steps": 4},
    "pretraining": {"batch_size": 8, "epochs": 2},
    "pretrainings": {
        "small": {"method": "byol", "pretext": "dihedral", "batch_size": 8},
        "large batches": {"method": "contrastive", "pretext": "dihedral", "batch_size": 40},
        "in steps": {"method": "contrastive", "pretext": "dihedral", "steps": 5},
    },
    "arms": {
        "fresh": {},
        "pretrained": {"pretraining": "small"},
        "as small": {"match_steps_of": "small"},
        "as large batches": {"match_steps_of": "large batches"},
        "as in steps": {"match_steps_of": "in steps", "finetuning": {"epochs": 3}},
        "as costly as small": {"match_compute_of": "small"},
        "as costly as large batches": {"match_compute_of": "large batches"},
    },
}
CONFIG = load(ROOT / "config", OVERLAY)
CLASSIFICATION = load_task({"name": "classification"})


@pytest.fixture(autouse=True)
def shallow(monkeypatch):
    """ResNets of one block in each of two stages."""
    monkeypatch.setitem(resnet.DEPTHS, "resnet18", (1, 1))


def split_of(size, seed):
    """Images whose brightness and contrast tell their class, somewhat."""
    labels = np.arange(size) % 3
    images = np.random.default_rng(seed).normal(size=(size, 16, 16, 1))
    images = (images * (1 + labels.reshape(-1, 1, 1, 1) / 4)).astype(np.float32)
    return Split.of(images, labels)


TRAIN, VALIDATION = split_of(90, 0), split_of(45, 1)


def settings_of(arm):
    return arm_settings(CONFIG, arm, "model_2")


def small_classifier(seed=3):
    return build_network(settings_of("fresh")["encoder"], (16, 16, 1), seed)


# --- fine-tuning ----------------------------------------------------------------------------------


def test_fine_tuning_changes_all_and_its_history_is_true(tmp_path):
    classifier, _ = small_classifier()
    before = {v.path: v.numpy().copy() for v in classifier.variables}
    learning = settings_of("fresh")["learning"]
    few = TRAIN.take(slice(20))
    history = fine_tune(
        classifier,
        few,
        VALIDATION,
        CLASSIFICATION,
        learning,
        plan_training(learning, 20, 24),
        3,
        Checkpoint(tmp_path, "x"),
    )
    assert list(history.columns) == [
        "epoch",
        "step",
        "loss",
        "accuracy",
        "images_per_second",
        "learning_rate",
        "operations",
        "auc",
        "validation_loss",
        "validation_auc",
    ]
    assert history["step"].tolist() == [3, 4]  # an epoch is a pass over the full split of 24
    assert history["accuracy"].between(0, 1).all()
    once = forward_operations(classifier)
    assert history["operations"].tolist() == [3 * 3 * 8 * once, 4 * 3 * 8 * once]
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
    learning = settings_of("fresh")["learning"]
    with pytest.raises(Seen) as seen:
        checkpoint = Checkpoint(tmp_path, "x")
        fine_tune(
            small_classifier()[0],
            TRAIN,
            VALIDATION,
            CLASSIFICATION,
            learning,
            plan_training(learning, 90, 90),
            3,
            checkpoint,
        )
    assert seen.value.args == ((8, 16, 16, 1), learning["augmentation"])


@pytest.mark.parametrize("select", ["last", "best_validation"])
def test_the_best_epoch_is_kept_where_it_is_asked_for(tmp_path, monkeypatch, select):
    def caught(*given, keep_best, **_):
        return keep_best

    monkeypatch.setattr(engine, "fit", caught)
    classifier, _ = small_classifier()
    learning = settings_of("fresh")["learning"] | {"select": select}
    kept = fine_tune(
        classifier,
        TRAIN,
        VALIDATION,
        CLASSIFICATION,
        learning,
        plan_training(learning, 90, 90),
        3,
        Checkpoint(tmp_path, "x"),
    )
    if select == "last":
        assert kept is None
    else:
        assert (kept.measure, kept.highest) == ("validation_auc", True)
        assert [v.path for v in kept.variables] == [v.path for v in classifier.weights]


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
    learning = settings_of("fresh")["learning"] | changes
    classifier, _ = small_classifier()
    checkpoint = Checkpoint(tmp_path, "x")
    history = fine_tune(
        classifier,
        TRAIN,
        VALIDATION,
        CLASSIFICATION,
        learning,
        plan_training(learning, 90, 90),
        3,
        checkpoint,
    )
    checkpoint.remove()
    return classifier, history


def test_averaged_weights_are_those_that_are_validated_and_kept(tmp_path, caplog):
    plain, _ = fine_tuned(tmp_path)
    averaged, history = fine_tuned(tmp_path, weight_averaging=0.99)
    assert "weight_averaging: 0.99 is not reached in" in caplog.text
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


# --- what is fine-tuned ---------------------------------------------------------------------------


def learn(arm, tmp_path, pretrained=None, fraction=1.0):
    checkpoint = Checkpoint(tmp_path / "checkpoint", "x")
    learned = learn_labels(TRAIN, VALIDATION, settings_of(arm), pretrained, fraction, 3, checkpoint)
    checkpoint.remove()
    return learned


@pytest.fixture
def learned(tmp_path, monkeypatch):
    """A function of an arm to its classifier, and to what `fine_tune` was called with."""

    def learned_by(arm, pretrained=None, fraction=1.0):
        calls = []
        monkeypatch.setattr(labels, "fine_tune", lambda *given: calls.append(given))
        classifier = learn(arm, tmp_path, pretrained, fraction).network
        (given,) = calls
        return classifier, given

    return learned_by


@pytest.fixture
def pretrained(tmp_path):
    """Weights of an encoder that is not the fresh one, and their path."""
    _, encoder = small_classifier(seed=99)
    recompute_batch_norm_statistics(encoder, TRAIN.images.take(slice(8)))
    path = str(tmp_path / "encoder.weights.h5")
    encoder.save_weights(path)
    return path, encoder.get_weights()


def test_few_labels_are_those_of_the_subset_and_an_epoch_is_of_all_images(learned):
    classifier, given = learned("fresh", fraction=0.2)
    model, train, validation, _, learning, plan, seed, *_ = given
    assert model is classifier
    rows = stratified_subset(TRAIN.labels, 0.2, 3)
    assert len(rows) == 18
    assert np.array_equal(train.images[:], TRAIN.images[rows])
    assert np.array_equal(train.labels, TRAIN.labels[rows])
    assert validation.images is VALIDATION.images
    assert learning == settings_of("fresh")["learning"]
    assert (plan, seed) == (plan_training(learning, 18, 90), 3)
    fresh, _ = small_classifier()
    for one, other in zip(classifier.get_weights(), fresh.get_weights(), strict=True):
        assert np.array_equal(one, other)


def test_a_pretrained_encoder_starts_as_it_was_saved(learned, pretrained):
    path, weights = pretrained
    classifier, given = learned("pretrained", path)
    assert given[0] is classifier
    for one, other in zip(classifier.layers[1].get_weights(), weights, strict=True):
        assert one.tobytes() == other.tobytes()


# --- as long as a pretraining ---------------------------------------------------------------------


@pytest.fixture
def planned(learned):
    """A function of an arm and a fraction to the plan of its fine-tuning."""
    return lambda arm, fraction=1.0: learned(arm, fraction=fraction)[1][5]


@pytest.mark.parametrize(
    ("arm", "own", "more"),
    [
        ("fresh", 4, 0),
        ("as small", 4, 2 * 11),  # two passes of 90 images in batches of 8
        ("as large batches", 4, 2 * 2),  # in batches of 40
        ("as in steps", 3 * 11, 5),
    ],
)
@pytest.mark.parametrize("fraction", [0.05, 0.2, 1.0])
def test_the_steps_are_those_of_both(planned, arm, own, more, fraction):
    plan = planned(arm, fraction)
    assert plan.steps == own + more
    assert plan.steps_per_epoch == 11, "of the fine-tuning"
    assert plan.batch_size == min(8, len(stratified_subset(TRAIN.labels, fraction, 3)))


@pytest.mark.parametrize(("arm", "more"), [("as small", 2 * 11), ("as large batches", 2 * 2)])
def test_a_pretraining_has_images_without_a_label_too(planned, monkeypatch, arm, more):
    """As those without an axion, of whose mass is learned."""
    monkeypatch.setattr(CLASSIFICATION.__class__, "has_target", lambda task, values: values == 0)
    monkeypatch.setattr(CLASSIFICATION.__class__, "learning_from", lambda task, targets: task)
    plan = planned(arm)
    assert plan.steps_per_epoch == 30 // 8
    assert plan.steps == 4 + more


@pytest.mark.parametrize("pretraining", ["small", "large batches", "in steps"])
def test_they_are_those_that_the_pretraining_takes(planned, pretraining, monkeypatch, tmp_path):
    class Planned(Exception):
        pass

    def caught(learner, data, plan, *_, **__):
        raise Planned(plan)

    monkeypatch.setattr(engine, "fit", caught)
    settings = pretraining_settings(CONFIG, pretraining, "model_2")
    with pytest.raises(Planned) as taken:
        pretrain(TRAIN, VALIDATION, settings, 3, Checkpoint(tmp_path, "x"))
    arm = f"as {pretraining}"
    alone = plan_training(settings_of(arm)["learning"], 90, 90)
    assert planned(arm).steps == alone.steps + taken.value.args[0].steps


@pytest.mark.parametrize(
    ("arm", "passes"),
    [
        # two passes over 90 images in batches, and of each image 8 or 6 through an encoder
        ("as costly as small", 2 * 11 * 8 * 8),
        ("as costly as large batches", 2 * 2 * 40 * 6),
    ],
)
@pytest.mark.parametrize("fraction", [0.05, 0.2, 1.0])
def test_as_much_is_computed_as_by_both(planned, arm, passes, fraction):
    plan = planned(arm, fraction)
    # forward and backward is three passes
    more = (plan.steps - 4) * plan.batch_size * 3
    assert more == pytest.approx(passes, abs=1.5 * plan.batch_size)
    assert plan.steps_per_epoch == 11


def test_the_history_counts_as_many_operations_as_those_of_both(tmp_path):
    settings = pretraining_settings(CONFIG, "small", "model_2")
    _, before, _ = pretrain(TRAIN, VALIDATION, settings, 3, Checkpoint(tmp_path / "a", "x"))
    counts = {}
    for arm in ("fresh", "as costly as small"):
        history = learn(arm, tmp_path / arm).history
        counts[arm] = history["operations"].iloc[-1]
    together = counts["fresh"] + before["operations"].iloc[-1]
    # but for the last layer of the classifier, and a part of a step
    assert counts["as costly as small"] == pytest.approx(together, rel=0.01)


def test_so_many_are_taken(tmp_path):
    history = learn("as in steps", tmp_path, fraction=0.2).history
    assert history["step"].tolist() == [11, 22, 33, 38]
    assert history["learning_rate"].iloc[-1] == pytest.approx(0, abs=1e-8), "one schedule"
    assert history["learning_rate"].iloc[2] > 0
