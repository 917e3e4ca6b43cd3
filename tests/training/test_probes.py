"""The protocol of nearest neighbours: what it remembers, and what a file of it gives back.

And the length of a fine-tuning that has to match a pretraining, which no other protocol has.
"""

import numpy as np
import pytest
from paths import ROOT

from sslens.configuration.loading import load
from sslens.configuration.settings import arm_settings, pretraining_settings
from sslens.data.preprocessing import measure, preprocess
from sslens.data.records import Split
from sslens.metrics.auc import class_aucs
from sslens.metrics.features import neighbour_auc
from sslens.metrics.predictions import softmax
from sslens.networks import encoders
from sslens.networks.classifiers import build_classifier, classifier_of_arm
from sslens.networks.export import exportable
from sslens.networks.inference import predict
from sslens.training import engine, labels
from sslens.training.checkpoints import Checkpoint
from sslens.training.labels import count_labelled, labelled_subset, learn_labels
from sslens.training.plan import plan_training
from sslens.training.pretraining import pretrain
from sslens.training.probes import fit_nearest_neighbours, recompute_batch_norm_statistics

OVERLAY = {
    "encoder": {"width": 2, "stem": "small", "neck": []},
    "finetuning": {"batch_size": 8, "steps": 4},
    "nearest_neighbours": {"neighbours": 7, "temperature": 0.1},
    "pretraining": {"batch_size": 8, "epochs": 2},
    "pretrainings": {
        "small": {"method": "byol", "pretext": "dihedral", "batch_size": 8},
        "large batches": {"method": "contrastive", "pretext": "dihedral", "batch_size": 40},
        "in steps": {"method": "contrastive", "pretext": "dihedral", "steps": 5},
    },
    "arms": {
        "fresh": {},
        "fresh neighbours": {"protocol": "nearest_neighbours"},
        "pretrained neighbours": {"protocol": "nearest_neighbours", "pretraining": "small"},
        "fresh probe": {"protocol": "linear_probe"},
        "as small": {"match_steps_of": "small"},
        "as large batches": {"match_steps_of": "large batches"},
        "as in steps": {"match_steps_of": "in steps", "finetuning": {"epochs": 3}},
    },
}
CONFIG = load(ROOT / "config", OVERLAY)
SHAPE = (16, 16, 1)


@pytest.fixture(autouse=True)
def shallow(monkeypatch):
    """ResNets of one block in each of two stages."""
    monkeypatch.setitem(encoders.DEPTHS, "resnet18", (1, 1))


def split_of(size, seed):
    """Images whose smoothness tells their class, somewhat."""
    labels = np.random.default_rng(seed).permutation(np.arange(size) % 3)
    images = np.random.default_rng(seed + 10).normal(size=(size, *SHAPE))
    smooth = (images + np.roll(images, 1, axis=1) + np.roll(images, 1, axis=2)) / 3**0.5
    share = labels.reshape(-1, 1, 1, 1) / 2
    images = ((1 - share) * images + share * smooth).astype(np.float32)
    return Split.of(images, labels)


TRAIN, VALIDATION = split_of(90, 0), split_of(45, 1)


def told_of(arm):
    return arm_settings(CONFIG, arm, "of this test")


def learn(arm, tmp_path, pretrained=None, fraction=1.0, seed=3):
    checkpoint = Checkpoint(tmp_path / "checkpoint", "x")
    learned = learn_labels(TRAIN, VALIDATION, told_of(arm), pretrained, fraction, seed, checkpoint)
    checkpoint.remove()
    return learned


def settled_encoder(seed=3):
    """The encoder of a seed as a frozen protocol has it."""
    _, encoder = build_classifier(told_of("fresh")["encoder"], SHAPE, seed)
    recompute_batch_norm_statistics(encoder, TRAIN.images)
    return encoder


def shares_of(features, known, labels, neighbours, temperature):
    """The vote of the nearest, slowly."""
    shares = np.zeros((len(features), 3))
    for own, row in zip(shares, np.float64(features), strict=True):
        cosines = [
            row @ other / np.linalg.norm(row) / np.linalg.norm(other) for other in np.float64(known)
        ]
        for k in np.argsort(cosines)[::-1][:neighbours]:
            own[labels[k]] += np.exp(cosines[k] / temperature)
    return shares / shares.sum(axis=1, keepdims=True)


# --- how many labels are used ---------------------------------------------------------------------


@pytest.mark.parametrize("fraction", [0.05, 0.1, 0.25, 0.3, 0.5, 0.999, 1.0])
@pytest.mark.parametrize("sizes", [(100, 60, 40), (10, 13, 15), (30, 50, 10)])
def test_the_images_of_a_subset_are_counted_without_it(sizes, fraction):
    """With halves, that are rounded to even, and in whatever order the classes are."""
    labels = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], sizes))
    if round(fraction * min(sizes)) == 0:
        pytest.skip("refused")
    told = dict(zip(("axion", "cdm", "no_sub"), sizes, strict=True))
    assert count_labelled(told, fraction) == len(labelled_subset(labels, fraction, seed=1))


# --- the classifier of an arm ---------------------------------------------------------------------


@pytest.mark.parametrize("arm", ["fresh", "fresh probe", "as small"])
def test_other_protocols_have_a_linear_layer_however_many_labels(arm):
    told = told_of(arm)
    expected, _ = build_classifier(told["encoder"], SHAPE, 3)
    for labelled in (12, 90):
        classifier, encoder = classifier_of_arm(told, SHAPE, labelled, 3)
        assert classifier.layers[1] is encoder
        for one, other in zip(classifier.weights, expected.weights, strict=True):
            assert one.path == other.path
            assert np.array_equal(one.numpy(), other.numpy())


def test_neighbours_are_of_as_many_images_as_have_labels_and_of_the_same_fresh_encoder():
    told = told_of("fresh neighbours")
    assert told["learning"] == {"neighbours": 7, "temperature": 0.1}
    classifier, encoder = classifier_of_arm(told, SHAPE, 12, 3)
    assert classifier.layers[1] is encoder
    assert classifier.get_layer("cosines").kernel.shape == (encoder.output_shape[1], 12)
    assert classifier.get_layer("classes").embeddings.shape == (12, 3)
    _, expected = build_classifier(told["encoder"], SHAPE, 3)
    for one, other in zip(encoder.get_weights(), expected.get_weights(), strict=True):
        assert np.array_equal(one, other)


# --- what is remembered ---------------------------------------------------------------------------


def test_it_remembers_unit_features_and_classes_and_tells_of_validation():
    encoder = settled_encoder()
    before = encoder.get_weights()
    told = told_of("fresh neighbours")
    classifier, inside = classifier_of_arm(told, SHAPE, 90, 3)
    inside.set_weights(before)
    history = fit_nearest_neighbours(classifier, inside, TRAIN, VALIDATION, told["learning"])
    known, asked = (predict(encoder, split.images) for split in (TRAIN, VALIDATION))
    kernel = classifier.get_layer("cosines").kernel.numpy()
    expected = known / np.linalg.norm(known, axis=1, keepdims=True)
    np.testing.assert_allclose(kernel, expected.T, rtol=1e-5, atol=1e-6)
    votes = classifier.get_layer("classes").embeddings.numpy()
    assert np.array_equal(votes, np.eye(3)[TRAIN.labels])
    for one, other in zip(inside.get_weights(), before, strict=True):
        assert np.array_equal(one, other), "the encoder is frozen"
    assert list(history.columns) == ["neighbours", "validation_auc"]
    assert history["neighbours"].tolist() == [7]
    outputs = predict(classifier, VALIDATION.images)
    (auc,) = history["validation_auc"]
    assert auc == class_aucs(VALIDATION.labels, outputs).mean()
    diagnosed = neighbour_auc(asked, VALIDATION.labels, known, TRAIN.labels, 7, 0.1)
    assert auc == pytest.approx(diagnosed, abs=0.01)
    assert auc > 0.6
    shares = shares_of(asked, known, TRAIN.labels, 7, 0.1)
    np.testing.assert_allclose(softmax(outputs), shares, rtol=1e-3, atol=1e-4)


def test_one_of_the_known_images_finds_itself(tmp_path, monkeypatch):
    monkeypatch.setitem(CONFIG["nearest_neighbours"], "neighbours", 2)
    monkeypatch.setitem(CONFIG["nearest_neighbours"], "temperature", 1e-6)
    classifier, _ = learn("fresh neighbours", tmp_path)
    outputs = predict(classifier, TRAIN.images)
    assert (outputs.argmax(axis=1) == TRAIN.labels).mean() > 0.95


# --- learning the labels --------------------------------------------------------------------------


@pytest.mark.parametrize("fraction", [0.2, 1.0])
def test_the_labelled_images_alone_are_known_on_the_settled_encoder(tmp_path, fraction):
    """Statistics are of all images, as a pretraining sees them; votes are of those with labels."""
    classifier, history = learn("fresh neighbours", tmp_path, fraction=fraction)
    encoder = settled_encoder()
    rows = labelled_subset(TRAIN.labels, fraction, 3)
    assert classifier.get_layer("classes").embeddings.shape == (len(rows), 3)
    known = predict(encoder, TRAIN.images[rows])
    shares = shares_of(predict(encoder, VALIDATION.images), known, TRAIN.labels[rows], 7, 0.1)
    outputs = predict(classifier, VALIDATION.images)
    np.testing.assert_allclose(softmax(outputs), shares, rtol=1e-3, atol=1e-4)
    (auc,) = history["validation_auc"]
    assert auc == class_aucs(VALIDATION.labels, outputs).mean()


def test_with_fewer_labels_than_neighbours_all_are_asked(tmp_path):
    classifier, history = learn("fresh neighbours", tmp_path, fraction=0.04)
    assert len(labelled_subset(TRAIN.labels, 0.04, 3)) == 3
    assert classifier.get_layer("classes").embeddings.shape == (3, 3)
    assert np.isfinite(predict(classifier, VALIDATION.images)).all()
    assert history["neighbours"].tolist() == [7]


def test_a_pretrained_encoder_is_the_one_that_is_asked(tmp_path):
    _, other = build_classifier(told_of("fresh")["encoder"], SHAPE, 99)
    path = str(tmp_path / "encoder.weights.h5")
    other.save_weights(path)
    classifier, _ = learn("pretrained neighbours", tmp_path, path)
    expected = settled_encoder(99)
    for one, saved in zip(classifier.layers[1].get_weights(), expected.get_weights(), strict=True):
        assert one.tobytes() == saved.tobytes()
    fresh, _ = learn("fresh neighbours", tmp_path)
    outputs = [predict(network, VALIDATION.images) for network in (classifier, fresh)]
    assert not np.allclose(*outputs, atol=1e-2)


@pytest.mark.parametrize("fraction", [0.2, 1.0])
def test_a_file_of_weights_gives_the_same_outputs_in_another_build(tmp_path, fraction):
    """As the evaluation builds it, from what a manifest tells."""
    classifier, _ = learn("fresh neighbours", tmp_path, fraction=fraction)
    path = tmp_path / "classifier.weights.h5"
    classifier.save_weights(path)
    known = {"axion": 30, "cdm": 30, "no_sub": 30}
    told = told_of("fresh neighbours")
    again, encoder = classifier_of_arm(told, SHAPE, count_labelled(known, fraction), 77)
    again.load_weights(path)
    images = VALIDATION.images
    assert np.array_equal(predict(again, images), predict(classifier, images))
    features = predict(classifier.layers[1], images)
    assert np.array_equal(predict(encoder, images), features)


def test_what_is_exported_gives_the_same_probabilities(tmp_path):
    classifier, _ = learn("fresh neighbours", tmp_path, fraction=0.5)
    recorded = np.random.default_rng(5).gamma(0.3, 1.0, (9, 33, 33, 1)).astype(np.float32)
    facts = measure(
        recorded,
        {"crop": 32, "bin": 2, "stretch": "asinh", "softening": 0.1, "scaling": "standardise"},
    )
    expected = softmax(predict(classifier, preprocess(recorded, facts)))
    assert np.ptp(expected, axis=0).max() > 1e-2
    found = predict(exportable(classifier, facts, recorded.shape[1:]), recorded)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


# --- as long as a pretraining ---------------------------------------------------------------------


@pytest.fixture
def planned(tmp_path, monkeypatch):
    """A function of an arm and a fraction to the plan of its fine-tuning."""

    def plan_of(arm, fraction=1.0):
        plans = []
        monkeypatch.setattr(labels, "fine_tune", lambda *given: plans.append(given[4]))
        learn(arm, tmp_path, fraction=fraction)
        (plan,) = plans
        return plan

    return plan_of


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
    assert plan.batch_size == min(8, len(labelled_subset(TRAIN.labels, fraction, 3)))


@pytest.mark.parametrize("pretraining", ["small", "large batches", "in steps"])
def test_they_are_those_that_the_pretraining_takes(planned, pretraining, monkeypatch, tmp_path):
    class Planned(Exception):
        pass

    def caught(learner, data, plan, *_, **__):
        raise Planned(plan)

    monkeypatch.setattr(engine, "fit", caught)
    told = pretraining_settings(CONFIG, pretraining, "of this test")
    with pytest.raises(Planned) as taken:
        pretrain(TRAIN, VALIDATION, told, 3, Checkpoint(tmp_path, "x"))
    arm = f"as {pretraining}"
    alone = plan_training(told_of(arm)["learning"], 90, 90)
    assert planned(arm).steps == alone.steps + taken.value.args[0].steps


def test_so_many_are_taken(tmp_path):
    _, history = learn("as in steps", tmp_path, fraction=0.2)
    assert history["step"].tolist() == [11, 22, 33, 38]
    assert history["learning_rate"].iloc[-1] == pytest.approx(0, abs=1e-8), "one schedule"
    assert history["learning_rate"].iloc[2] > 0
