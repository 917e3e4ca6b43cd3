"""Pretraining: what a method is given, what the history tells, and that something was learned."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from paths import ROOT

from sslens.configuration.loading import load
from sslens.configuration.settings import pretraining_settings
from sslens.data.records import Split
from sslens.methods.base import Method, Outcome
from sslens.metrics import features
from sslens.networks.encoders import resnet
from sslens.networks.encoders.building import build_encoder
from sslens.networks.inference import predict
from sslens.seeds import derive_seed
from sslens.training import pretraining
from sslens.training.checkpoints import Checkpoint
from sslens.training.engine import rows_of_step
from sslens.training.pretraining import (
    Collapsed,
    CollapseGuard,
    Diagnosis,
    RawSplits,
    embedding_spread,
    pretrain,
)
from sslens.training.views import Views, group_rows

OVERLAY = {
    "encoder": {"width": 2, "stem": "small", "neck": []},
    "pretraining": {"batch_size": 8, "steps": 6},
    "pretrainings": {
        "small-contrastive": {"method": "contrastive", "pretext": "gaussian_noise"},
        "small-byol": {"method": "byol", "pretext": "dihedral"},
        "small-rotnet": {"method": "rotnet", "pretext": "gaussian_noise", "collapse": "ignore"},
        "small-supervised": {"method": "supervised_contrastive", "pretext": "dihedral"},
    },
}
CONFIG = load(ROOT / "config", OVERLAY)
IMAGES = np.random.default_rng(0).normal(size=(24, 16, 16, 1)).astype(np.float32)
LENSES = np.array([f"lens {k % 2}-{k // 6}" for k in range(24)])  # three images each
TRAIN = Split.of(IMAGES, np.arange(24) % 3, lens_id=LENSES)
VALIDATION = TRAIN.take(slice(None, None, 2))


# --- collapse -------------------------------------------------------------------------------------


def spread(embeddings):
    return {name: float(value) for name, value in embedding_spread(tf.constant(embeddings)).items()}


@pytest.mark.parametrize("dimensions", [2, 16, 100])
def test_even_embeddings_spread_by_one_over_the_root_of_their_dimensions(dimensions):
    even = np.random.default_rng(0).normal(size=(4000, dimensions)).astype(np.float32)
    even *= np.random.default_rng(1).exponential(size=(4000, 1))  # the length does not matter
    measured = spread(even)
    assert measured["embedding_std_uniform"] == pytest.approx(dimensions**-0.5, rel=1e-6)
    assert measured["embedding_std"] == pytest.approx(dimensions**-0.5, rel=0.02)


def test_collapsed_embeddings_do_not_spread():
    one = np.random.default_rng(0).normal(size=(1, 16)).astype(np.float32)
    collapsed = one * np.linspace(1, 50, 40, dtype=np.float32)[:, None]
    measured = spread(collapsed)
    assert measured["embedding_std"] == pytest.approx(0, abs=1e-6)
    assert measured["embedding_std_uniform"] == 0.25


def test_the_spread_by_hand():
    embeddings = np.random.default_rng(0).normal(size=(7, 3)) + 1
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    assert spread(embeddings)["embedding_std"] == pytest.approx(unit.std(axis=0).mean(), rel=1e-5)


# --- what a method is given -----------------------------------------------------------------------


class Watcher(Method):
    """A method that learns next to nothing and keeps what it was shown."""

    shown: list
    keys: list

    def __init__(self, encoder, options, seed):
        super().__init__(encoder, options, seed)
        self._learn(encoder)
        Watcher.shown, Watcher.keys, Watcher.progress, Watcher.updates = [], [], [], []
        Watcher.made_of = (encoder, options, seed)

    def loss(self, batch):
        facts = (part.numpy() for part in (batch.labels, batch.lenses) if part is not None)
        Watcher.shown.append((*(view.numpy() for view in batch.views), *facts))
        Watcher.keys.append((tuple(batch.seed.numpy()), float(batch.progress)))
        embeddings = self._encoder(batch.views[0])
        update = (tf.constant(len(Watcher.shown)),)
        return Outcome(tf.reduce_mean(embeddings**2), embeddings, {}, update)

    def after_step(self, progress, update):
        Watcher.progress.append(float(progress))
        Watcher.updates.append(int(update[0]))


class LabelWatcher(Watcher):
    """One that keeps the labels too."""

    uses_labels = True


class LensWatcher(Watcher):
    """One that keeps the lenses of a single view."""

    uses_lenses = True
    views = 1


def watch(tmp_path, monkeypatch, watcher=Watcher, train=TRAIN, raw=None, **own):
    """A pretraining whose method is watched, step by step."""
    inputs = keras.Input((16, 16, 1))
    dense = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(inputs)))
    built = []
    monkeypatch.setattr(pretraining, "build_encoder", lambda *given: built.append(given) or dense)
    monkeypatch.setattr(pretraining, "load_method", {"byol": watcher}.get)
    chosen = pretraining_settings(CONFIG, "small-byol", "of this test") | own
    tf.config.run_functions_eagerly(True)
    try:
        encoder, _, _ = pretrain(train, VALIDATION, chosen, 5, Checkpoint(tmp_path, "x"), raw=raw)
    finally:
        tf.config.run_functions_eagerly(False)
    assert encoder is dense
    assert built == [(chosen["encoder"], (16, 16, 1), 5)]
    assert Watcher.made_of == (dense, chosen["options"], 5)
    return Watcher.shown


@pytest.fixture
def watched(tmp_path, monkeypatch):
    return watch(tmp_path, monkeypatch)


def test_two_images_of_every_lens_and_a_lens_once_a_batch(tmp_path, monkeypatch):
    shown = watch(tmp_path, monkeypatch, pairs="same_lens", views=[], steps=40)
    assert len(shown) == 40
    row_of = {image.tobytes(): row for row, image in enumerate(IMAGES)}
    pairs = set()
    for first, second in shown:
        rows = [[row_of[image.tobytes()] for image in view] for view in (first, second)]
        assert len(rows[0]) == 8  # all lenses there are
        for one, other in zip(*rows, strict=True):
            assert one != other
            assert LENSES[one] == LENSES[other]
            pairs.add((one, other))
        assert len({LENSES[row] for row in rows[0]}) == 8
    assert len(pairs) == 8 * 3 * 2, "every pair in either order"


def test_lenses_with_fewer_images_are_left_out_and_single_images_refused():
    assert group_rows("ababcd", "same_lens").tolist() == [[0, 2], [1, 3]]
    with pytest.raises(ValueError, match="pairs: same_lens, but no two images have that in common"):
        group_rows("abc", "same_lens")


def test_two_images_with_the_same_substructure(tmp_path, monkeypatch):
    """Images 0, 3 and 6 of the first class, and so on."""
    own = {"pairs": "same_substructure", "substructures": {"period": 3, "size": 3}, "views": []}
    shown = watch(tmp_path, monkeypatch, **own, steps=20, batch_size=6)
    row_of = {image.tobytes(): row for row, image in enumerate(IMAGES)}
    for first, second in shown:
        rows = np.array([[row_of[image.tobytes()] for image in view] for view in (first, second)])
        assert (rows[0] != rows[1]).all()
        assert (rows[0] % 3 == rows[1] % 3).all()
        assert (rows[0] // 9 == rows[1] // 9).all()
        assert rows.max() < 18, "the last six have two of each alone"


def test_two_views_of_every_image_by_the_pretext(watched):
    def pixels(images):
        return np.sort(images.reshape(len(images), -1), axis=1)

    assert len(watched) == 6
    for step, (first, second) in enumerate(watched):
        # the views are flips and rotations of the rows of this step, in their order
        rows = rows_of_step(24, 8, step, 5)
        assert np.array_equal(pixels(first), pixels(IMAGES[rows]))
        assert np.array_equal(pixels(second), pixels(IMAGES[rows]))
        assert not np.array_equal(first, second)
        assert not np.array_equal(first, IMAGES[rows])
        assert not np.array_equal(second, IMAGES[rows])


def test_a_method_that_uses_labels_is_given_those_of_the_images_and_no_other_is(
    tmp_path, monkeypatch
):
    shown = watch(tmp_path / "a", monkeypatch, LabelWatcher, views=[])
    assert len(shown) == 6
    for step, (first, second, labels) in enumerate(shown):
        rows = rows_of_step(24, 8, step, 5)
        assert np.array_equal(first, IMAGES[rows])
        assert np.array_equal(second, IMAGES[rows])
        assert labels.tolist() == TRAIN.labels[rows].tolist()
    # the same images in the same order, with labels or without
    others = watch(tmp_path / "b", monkeypatch, views=[])
    assert [len(views) for views in others] == [2] * 6
    for with_labels, without in zip(shown, others, strict=True):
        assert np.array_equal(with_labels[0], without[0])


def test_a_pair_of_one_lens_has_the_label_of_its_images(tmp_path, monkeypatch):
    """Also where a lens before it, of fewer images than most, is left out."""
    kept = np.arange(1, 24)
    lenses = LENSES[kept]
    label_of = {lens: k % 3 for k, lens in enumerate(dict.fromkeys(lenses))}
    labels = np.array([label_of[lens] for lens in lenses])
    train = Split.of(IMAGES[kept], labels, lens_id=lenses)
    own = {"pairs": "same_lens", "views": [], "batch_size": 7, "steps": 9}
    shown = watch(tmp_path, monkeypatch, LabelWatcher, train, **own)
    row_of = {image.tobytes(): row for row, image in enumerate(train.images)}
    seen = set()
    for first, second, given in shown:
        assert len(given) == 7
        for view in (first, second):
            rows = [row_of[image.tobytes()] for image in view]
            assert labels[rows].tolist() == given.tolist()
            seen |= {lenses[row] for row in rows}
    assert len(seen) == 7
    assert seen < set(lenses), "one is left out"


def test_views_of_raw_images_are_preprocessed_after_their_augmentations(tmp_path, monkeypatch):
    """Also those of the diagnosis; the encoder sees raw images nowhere."""
    facts = {
        "crop": 16, "bin": 1, "stretch": "none", "softening_flux": 1.0, "scaling": "standardise",
        "mean": 5.0, "standard_deviation": 2.0, "input_shape": [16, 16, 1],
    }  # fmt: skip
    recorded = np.pad(5 + 2 * IMAGES, [(0, 0), (2, 2), (2, 2), (0, 0)], constant_values=9e9)
    train = Split.of(recorded, TRAIN.labels)
    raw = RawSplits(train, train.take(slice(None, None, 2)), facts)
    own = {"raw_views": [{"flux_scale": {"max_factor": 1.0}}], "views": [], "pairs": "same_image"}
    shown = watch(tmp_path, monkeypatch, raw=raw, **own)
    for step, (first, second) in enumerate(shown):
        rows = rows_of_step(24, 8, step, 5)
        np.testing.assert_allclose(first, IMAGES[rows], atol=1e-5)
        assert np.array_equal(first, second)
    views = Views([], own["raw_views"], facts)
    found = Diagnosis(dense_encoder(), TRAIN, VALIDATION, own, 3, views, raw.validation).views
    assert {len(view) for view in found} == {12}
    np.testing.assert_allclose(
        np.sort(found[0].ravel()), np.sort(VALIDATION.images[:].ravel()), atol=1e-5
    )


def test_every_step_draws_anew(watched):
    def turned(view, step):
        """Which images of a batch the view left as they are."""
        rows = rows_of_step(24, 8, step, 5)
        return tuple((view == IMAGES[rows]).all(axis=(1, 2, 3)))

    firsts = [first[k] for first, _ in watched for k in range(8)]
    assert len({view.tobytes() for view in firsts}) > 24  # more than the images: two passes differ
    patterns = {turned(view, step) for step, views in enumerate(watched) for view in views}
    assert len(patterns) > 1


def test_the_method_hears_of_the_progress_after_every_step(watched):
    assert Watcher.progress == pytest.approx([1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1])
    assert [progress for _, progress in Watcher.keys] == Watcher.progress
    assert Watcher.updates == [1, 2, 3, 4, 5, 6]


def test_the_loss_of_every_step_has_a_seed_of_its_own(tmp_path, monkeypatch):
    watch(tmp_path / "a", monkeypatch)
    seeds = [seed for seed, _ in Watcher.keys]
    assert len(set(seeds)) == 6
    watch(tmp_path / "b", monkeypatch)
    assert [seed for seed, _ in Watcher.keys] == seeds


def test_a_method_of_one_view_is_given_the_lenses_it_uses(tmp_path, monkeypatch):
    shown = watch(tmp_path, monkeypatch, LensWatcher, views=[])
    number_of = {}
    for step, (view, lenses) in enumerate(shown):
        rows = rows_of_step(24, 8, step, 5)
        assert np.array_equal(view, IMAGES[rows])
        for lens, number in zip(LENSES[rows], lenses, strict=True):
            assert number_of.setdefault(lens, number) == number
    assert len(set(number_of.values())) == len(number_of) == 8


# --- a pretraining --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Pretrain a small network by the contrastive method, with a seed."""

    def pretrain_small(seed):
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(resnet.DEPTHS, "resnet18", (1, 1))
            chosen = pretraining_settings(CONFIG, "small-contrastive", "of this test")
            fresh = build_encoder(chosen["encoder"], (16, 16, 1), seed)
            folder = tmp_path_factory.mktemp("pretraining")
            encoder, history, _ = pretrain(TRAIN, VALIDATION, chosen, seed, Checkpoint(folder, "x"))
        return fresh, encoder, history

    return pretrain_small


@pytest.fixture(scope="module")
def pretrained(run):
    return run(3)


def test_the_history_tells_what_it_says(pretrained):
    history = pretrained[2]
    assert list(history.columns) == [
        "epoch",
        "step",
        "loss",
        "embedding_std",
        "embedding_std_uniform",
        "images_per_second",
        "learning_rate",
        "operations",
        "effective_rank",
        "alignment",
        "uniformity",
        "neighbour_auc",
        "collapsed",
    ]
    assert history["epoch"].tolist() == [1, 2]
    assert history["step"].tolist() == [3, 6]
    assert np.isfinite(history.to_numpy(float)).all()
    assert history["embedding_std_uniform"].tolist() == [0.125, 0.125]  # of 64 dimensions
    assert history["embedding_std"].between(0.01, 0.126).all()
    peak = CONFIG["pretraining"]["optimizer"]["learning_rate"]
    assert history["learning_rate"].between(0, peak * (1 + 1e-6)).all()
    assert history["effective_rank"].between(1, 11).all()  # of 12 images, centred
    assert history["alignment"].between(0, 4, inclusive="neither").all()
    assert history["uniformity"].between(-8, 0, inclusive="neither").all()
    assert history["neighbour_auc"].between(0, 1).all()
    assert history["collapsed"].tolist() == [0, 0]


def test_it_changes_every_weight_and_statistic_of_the_encoder(pretrained):
    fresh, encoder, _ = pretrained
    assert [v.path for v in encoder.variables] == [v.path for v in fresh.variables]
    for before, after in zip(fresh.variables, encoder.variables, strict=True):
        assert not np.array_equal(before.numpy(), after.numpy()), after.path


def test_the_same_seed_gives_the_same_bits(pretrained, run):
    _, encoder, history = run(3)
    for one, other in zip(encoder.get_weights(), pretrained[1].get_weights(), strict=True):
        assert one.tobytes() == other.tobytes()
    timeless = history.drop(columns="images_per_second")
    assert timeless.equals(pretrained[2].drop(columns="images_per_second"))


def test_draws_of_the_loss_are_the_same_where_it_goes_on(monkeypatch, tmp_path):
    """RotNet turns images by the seed of a step."""
    monkeypatch.setitem(resnet.DEPTHS, "resnet18", (1, 1))
    chosen = pretraining_settings(CONFIG, "small-rotnet", "of this test")
    whole, history, _ = pretrain(TRAIN, VALIDATION, chosen, 3, Checkpoint(tmp_path / "a", "x"))

    def interrupt(rows):
        if len(rows) == 1 and rows[0]["epoch"] == 1:
            raise KeyboardInterrupt

    checkpoint = Checkpoint(tmp_path / "b", "x")
    with pytest.raises(KeyboardInterrupt):
        pretrain(TRAIN, VALIDATION, chosen, 3, checkpoint, interrupt)
    resumed, same, _ = pretrain(TRAIN, VALIDATION, chosen, 3, checkpoint)
    for one, other in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        assert one.tobytes() == other.tobytes()
    assert {"turn_accuracy", "validation_turn_accuracy"} < set(history.columns)
    assert same["loss"].equals(history["loss"])


# --- the diagnosis --------------------------------------------------------------------------------


TOLD = {"pairs": "same_image", "views": [{"dihedral": {}}]}


def diagnosis_of(encoder, train, validation, chosen, seed):
    views = Views(chosen["views"])
    return Diagnosis(encoder, train, validation, chosen, seed, views, validation)


def dense_encoder():
    inputs = keras.Input((16, 16, 1))
    return keras.Model(inputs, keras.layers.Dense(4)(keras.layers.Flatten()(inputs)))


def test_the_diagnosis_is_of_the_features_it_says():
    encoder = dense_encoder()
    found = diagnosis_of(encoder, TRAIN, VALIDATION, TOLD, 3).measure()
    reference, query = (encoder.predict_on_batch(s.images[:]) for s in (TRAIN, VALIDATION))
    assert found["effective_rank"] == pytest.approx(features.effective_rank(query))
    assert found["neighbour_auc"] == features.neighbour_auc(
        query, VALIDATION.labels, reference, TRAIN.labels
    )
    key = tf.constant(derive_seed(3, "diagnosed views"), tf.int32)
    groups = [tf.constant(VALIDATION.images[:, None])]
    first, second = Views(TOLD["views"]).draw(groups, key)
    one, other = (encoder.predict_on_batch(view.numpy()) for view in (first, second))
    assert found["alignment"] == pytest.approx(features.alignment(one, other))
    both = (features.uniformity(one) + features.uniformity(other)) / 2
    assert found["uniformity"] == pytest.approx(both)


def test_images_of_one_class_have_no_auc():
    of_one = VALIDATION.take(np.flatnonzero(VALIDATION.labels == 0))
    found = diagnosis_of(dense_encoder(), TRAIN, of_one, TOLD, 3).measure()
    assert set(found) == {"effective_rank", "alignment", "uniformity"}


def test_the_diagnosis_is_of_no_more_images_than_it_may(monkeypatch):
    encoder, seen = dense_encoder(), []
    monkeypatch.setattr(pretraining, "DIAGNOSED", {"train": 10, "validation": 7, "pairs": 5})
    monkeypatch.setattr(
        pretraining, "predict", lambda model, images: seen.append(images) or predict(model, images)
    )
    diagnosis = diagnosis_of(encoder, TRAIN, VALIDATION, TOLD, 3)
    assert diagnosis.measure() == diagnosis.measure()
    assert [len(images) for images in seen] == [7 + 10 + 2 * 5] * 2
    assert {image.tobytes() for image in seen[0][:7]} <= {i.tobytes() for i in VALIDATION.images}
    assert len({image.tobytes() for image in seen[0][7:17]}) == 10


def test_pairs_of_one_lens_are_diagnosed_as_such_where_there_are_any():
    encoder, chosen = dense_encoder(), {"pairs": "same_lens", "views": []}
    pairs = diagnosis_of(encoder, TRAIN, TRAIN, chosen, 3).measure()
    assert pairs["alignment"] > 0.1
    apart = Split.of(IMAGES, TRAIN.labels, lens_id=np.arange(24))
    assert diagnosis_of(encoder, TRAIN, apart, chosen, 3).measure()["alignment"] == 0


def test_the_diagnosis_moves_no_weight_statistic_or_draw(monkeypatch, tmp_path):
    monkeypatch.setitem(resnet.DEPTHS, "resnet18", (1, 1))
    chosen = pretraining_settings(CONFIG, "small-byol", "of this test")
    chosen["encoder"] |= {"neck": [8], "neck_dropout": [0.5]}
    with_diagnosis, _, _ = pretrain(TRAIN, VALIDATION, chosen, 3, Checkpoint(tmp_path / "a", "x"))
    nothing = {"effective_rank": 9.0}
    monkeypatch.setattr(Diagnosis, "__init__", lambda self, *given: None)
    monkeypatch.setattr(Diagnosis, "measure", lambda self: nothing)
    monkeypatch.setattr(Diagnosis, "views", (), raising=False)
    without, _, _ = pretrain(TRAIN, VALIDATION, chosen, 3, Checkpoint(tmp_path / "b", "x"))
    for one, other in zip(with_diagnosis.variables, without.variables, strict=True):
        assert one.numpy().tobytes() == other.numpy().tobytes(), one.path


def test_labels_are_for_the_diagnosis_alone(pretrained, monkeypatch, tmp_path):
    monkeypatch.setitem(resnet.DEPTHS, "resnet18", (1, 1))
    chosen = pretraining_settings(CONFIG, "small-contrastive", "of this test")
    others = [split._replace(labels=np.sort(split.labels)) for split in (TRAIN, VALIDATION)]
    encoder, history, _ = pretrain(*others, chosen, 3, Checkpoint(tmp_path, "x"))
    for one, other in zip(encoder.get_weights(), pretrained[1].get_weights(), strict=True):
        assert one.tobytes() == other.tobytes()
    assert (history["neighbour_auc"] != pretrained[2]["neighbour_auc"]).all()


def test_features_that_are_not_finite_stop_it_in_a_line():
    encoder = dense_encoder()
    encoder.set_weights([np.full_like(weight, 1e38) for weight in encoder.get_weights()])
    with pytest.raises(FloatingPointError, match="^features of validation images are not finite"):
        diagnosis_of(encoder, TRAIN, VALIDATION, TOLD, 3).measure()


class Attraction(Method):
    """Views attract and nothing repels, so that all embeddings become one."""

    def __init__(self, encoder, options, seed):
        super().__init__(encoder, options, seed)
        initializer = keras.initializers.GlorotUniform(seed=seed)
        head = keras.layers.Dense(16, kernel_initializer=initializer)
        # features are never negative: without it embeddings would be much alike from the start
        centred = keras.layers.LayerNormalization()
        self._network = keras.Sequential([encoder, centred, head])
        self._learn(self._network)

    def loss(self, batch):
        one, other = (self._network(view, training=True) for view in batch.views)
        unit, target = (tf.math.l2_normalize(z, axis=1) for z in (one, other))
        return Outcome(-tf.reduce_mean(tf.reduce_sum(unit * target, axis=1)), one)


def test_a_collapse_stops_warns_or_is_ignored(monkeypatch, tmp_path, caplog):
    monkeypatch.setitem(resnet.DEPTHS, "resnet18", (1, 1))
    monkeypatch.setattr(pretraining, "load_method", {"byol": Attraction}.get)
    chosen = pretraining_settings(CONFIG, "small-byol", "of this test") | {"steps": 60}
    chosen["optimizer"] |= {"learning_rate": 0.02}

    def warnings():
        found = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
        caplog.clear()
        return found

    warn, ignore = (chosen | {"collapse": action} for action in ("warn", "ignore"))
    _, history, _ = pretrain(TRAIN, VALIDATION, warn, 3, Checkpoint(tmp_path / "a", "x"))
    assert history["collapsed"].iloc[0] == 0
    assert history["collapsed"].iloc[-1] == 1
    assert history["embedding_std"].iloc[-1] < 0.1 * history["embedding_std_uniform"].iloc[-1]
    warned = warnings()
    assert len(warned) == history["collapsed"].sum()
    assert warned[-1].startswith("epoch 20 has collapsed: the embeddings' standard deviation is 0.")
    _, ignored, _ = pretrain(TRAIN, VALIDATION, ignore, 3, Checkpoint(tmp_path / "b", "x"))
    assert ignored["collapsed"].equals(history["collapsed"])
    assert warnings() == []
    # stopped, and stopped again by the checkpoint of that epoch
    last = int(np.flatnonzero(history["collapsed"].rolling(3).sum() == 3)[0]) + 1
    for _ in range(2):
        with pytest.raises(
            Collapsed, match=f"^collapsed for 3 epochs, up to epoch {last}: the emb"
        ):
            pretrain(TRAIN, VALIDATION, chosen, 3, Checkpoint(tmp_path / "c", "x"))


def test_epochs_count_where_they_are_in_a_row():
    guard = CollapseGuard({"collapse": "stop", "collapse_epochs": 3}, "raise options.tau")
    measures = {"embedding_std": 0.0, "embedding_std_uniform": 0.1, "effective_rank": 9.0}
    rows = [{"epoch": k, "collapsed": int(k != 3)} | measures for k in range(1, 7)]
    guard(rows[:4])
    guard(rows[4:5])
    with pytest.raises(Collapsed, match=r"up to epoch 6: .*\. To help: raise options.tau; or set"):
        guard(rows[5:])


def test_fewer_images_than_a_batch_or_too_few_for_a_queue_are_refused(tmp_path):
    chosen = pretraining_settings(CONFIG, "small-byol", "of this test")
    checkpoint = Checkpoint(tmp_path, "x")
    with pytest.raises(ValueError, match="batch_size: 25, but there are 24 images"):
        pretrain(TRAIN, VALIDATION, chosen | {"batch_size": 25}, 3, checkpoint)
    with pytest.raises(
        ValueError, match="queue of byol: 9 is more than a third of 24 images; take at most 8"
    ):
        pretrain(TRAIN, VALIDATION, chosen | {"options": {"queue": 9}}, 3, checkpoint)


# --- with labels ----------------------------------------------------------------------------------


def striped(size, seed):
    """Images whose class is how wide their stripes are, under noise."""
    labels = np.random.default_rng(seed).permutation(np.arange(size) % 3)
    waves = np.sin(np.arange(16) * np.array([0.6, 1.2, 2.4])[labels][:, None])
    noise = np.random.default_rng(seed + 1).normal(size=(size, 16, 16, 1))
    return Split.of((waves[:, None, :, None] + 0.5 * noise).astype(np.float32), labels)


@pytest.fixture
def with_labels(monkeypatch, tmp_path):
    """A function of a training split to the encoder and history that labels make of it."""
    monkeypatch.setitem(resnet.DEPTHS, "resnet18", (1, 1))

    def pretrain_with(train, **own):
        chosen = pretraining_settings(CONFIG, "small-supervised", "of this test") | own
        checkpoint = Checkpoint(tmp_path, "x")
        encoder, history, _ = pretrain(train, striped(30, 7), chosen, 3, checkpoint)
        checkpoint.remove()
        return encoder, history

    return pretrain_with


def test_with_labels_it_learns_the_classes_and_its_loss_falls(with_labels):
    _, history = with_labels(striped(48, 0), steps=60)
    losses = history["loss"].to_numpy()
    assert losses[-1] < 0.8 * losses[0]
    assert history["neighbour_auc"].iloc[-1] > 0.9
    assert not history["collapsed"].any()
    _, blind = with_labels(striped(48, 0)._replace(labels=np.arange(48) % 3), steps=60)
    assert losses[-1] < blind["loss"].iloc[-1] - 0.1, "other labels cannot be learned so well"


def test_labels_decide_and_not_what_classes_are_called(with_labels):
    train = striped(24, 0)
    encoder, history = with_labels(train)
    renamed, same = with_labels(train._replace(labels=(train.labels + 1) % 3))
    _, permuted = with_labels(train._replace(labels=np.roll(train.labels, 5)))
    assert same["loss"].to_numpy() == pytest.approx(history["loss"].to_numpy(), rel=1e-6)
    for one, other in zip(encoder.get_weights(), renamed.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    differences = (permuted["loss"] - history["loss"]).abs()
    assert (differences > 1e-3).all()
