"""Learning the labels: by the whole network, or from the features of a frozen one."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from scipy.special import log_softmax, logsumexp
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from sslens import replicas, training
from sslens.auc import class_aucs
from sslens.checkpoints import Checkpoint
from sslens.classes import CLASSES
from sslens.diagnostics import measured_rows, normalised
from sslens.encoders import build_encoder
from sslens.heads import classifier_of, neighbours_of
from sslens.optimizers import build_optimizer, current_rate
from sslens.protocols import FROZEN, LINEAR_PROBE, NEAREST_NEIGHBOURS
from sslens.records import Split
from sslens.seeds import derive_seed
from sslens.tensorboard import Report, silent
from sslens.views import make_view

log = logging.getLogger(__name__)


def build_classifier(
    encoder_settings: dict, input_shape: Sequence[int], seed: int
) -> tuple[keras.Model, keras.Model]:
    """Build an untrained classifier; return it and the encoder inside it."""
    encoder = build_encoder(encoder_settings, input_shape, seed)
    return classifier_of(encoder, len(CLASSES), seed), encoder


def learn_labels(
    train: Split,
    validation: Split,
    settings: dict,
    pretrained: str | None,
    fraction: float,
    seed: int,
    checkpoint: Checkpoint,
    report: Report = silent,
) -> tuple[keras.Model, pd.DataFrame]:
    """Learn the labels by the protocol of an arm.

    Args:
        train, validation: preprocessed splits.
        settings: of the arm, resolved (see `settings.arm_settings`).
        pretrained: path of the encoder's weights, or None for a fresh encoder.
        fraction: of the training labels that may be used.
        seed: of the run.
        checkpoint: to go on from.
        report: is told the rows of a fine-tuning's history.

    Returns:
        The classifier, and the history of the protocol.
    """
    labelled, learning = train, settings["learning"]
    if fraction < 1:
        labelled = train.take(labelled_subset(train.labels, fraction, seed))

    def begin() -> tuple[keras.Model, keras.Model]:
        shape = train.images.shape[1:]
        classifier, encoder = classifier_of_arm(settings, shape, len(labelled.labels), seed)
        if pretrained is not None:
            encoder.load_weights(pretrained)
        return classifier, encoder

    if settings["protocol"] in FROZEN:
        classifier, encoder = begin()
        settle_batch_statistics(encoder, train.images)
        fit = {LINEAR_PROBE: fit_linear_probe, NEAREST_NEIGHBOURS: remember}[settings["protocol"]]
        return classifier, fit(classifier, encoder, labelled, validation, learning)
    plan = _plan(learning, len(labelled.labels), len(train.labels))
    with replicas.shared_by_gpus(plan.batch_size):
        classifier, _ = begin()
        history = fine_tune(
            classifier, labelled, validation, learning, plan, seed, checkpoint, report
        )
    return classifier, history


def _plan(settings: dict, images: int, full_split: int) -> training.Plan:
    """The plan of a fine-tuning, with a pretraining's steps on top where it has to match one."""
    plan = training.plan_training(settings, images, full_split)
    if (other := settings["as_long_as"]) is None:
        return plan
    more = training.plan_training(other, full_split, full_split)
    return replace(plan, steps=plan.steps + more.steps)


def classifier_of_arm(
    settings: dict, input_shape: Sequence[int], labelled: int, seed: int
) -> tuple[keras.Model, keras.Model]:
    """Build the classifier that an arm's protocol needs, untrained; and the encoder inside it.

    Args:
        settings: of the arm, resolved.
        input_shape: (height, width, channels).
        labelled: training images whose labels are used.
        seed: of the run.
    """
    if settings["protocol"] != NEAREST_NEIGHBOURS:
        return build_classifier(settings["encoder"], input_shape, seed)
    encoder = build_encoder(settings["encoder"], input_shape, seed)
    return neighbours_of(encoder, len(CLASSES), labelled, **settings["learning"]), encoder


def count_labelled(images_per_class: Mapping[str, int], fraction: float) -> int:
    """How many images `labelled_subset` chooses of these."""
    return sum(round(fraction * images) for images in images_per_class.values())


def labelled_subset(labels: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Choose the images whose labels are used.

    Stratified by class, nested (a smaller fraction is part of a larger one) and the same for
    every arm, since it depends on nothing but the labels, the fraction and the seed.

    Args:
        labels: (n,) integers.
        fraction: in (0, 1].
        seed: of the run.

    Returns:
        Sorted row indices.

    Raises:
        ValueError: if a class would be left without an image.
    """
    chosen = []
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        count = round(fraction * len(rows))
        if count == 0:
            raise ValueError(
                f"label_fractions: {fraction} leaves no image of class {CLASSES[label]}"
            )
        generator = np.random.default_rng(derive_seed(seed, "labelled subset", int(label)))
        chosen.append(generator.permutation(rows)[:count])
    return np.sort(np.concatenate(chosen))


def predict(model: keras.Model, images: np.ndarray, batch_size: int = 250) -> np.ndarray:
    """Outputs of a model in inference mode for every image, each once, in order.

    The batches hold at most `batch_size` images and are as even as can be, since every size of
    batch is traced anew. On a CPU as many run side by side as TensorFlow runs operations, each
    smaller by as much.
    """
    on_cpu = not replicas.devices()
    workers = tf.config.threading.get_inter_op_parallelism_threads() or 1 if on_cpu else 1
    most = max(batch_size // workers, 1)
    # not `model.predict`, which copies all images first
    first, *others = np.array_split(images, -(-len(images) // most))

    def outputs_of(batch: np.ndarray) -> np.ndarray:
        # the replicas of a shared model predict the same images, one replica after the other
        return model.predict_on_batch(batch)[: len(batch)]

    outputs = [outputs_of(first)]  # Keras makes its function here, not in a thread
    with ThreadPoolExecutor(workers) as pool:
        outputs += pool.map(outputs_of, others)
    # NumPy's linear algebra knows no bfloat16
    return np.concatenate(outputs).astype(np.float32, copy=False)


def predict_averaged(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Logits of a classifier whose probabilities are averaged over the orientations of an image.

    The eight flips and quarter turns of a square change no pixel and no lens's class. The mean is
    taken over probabilities, and it is its logarithm that is returned, so that a softmax of these
    logits is the mean.

    Args:
        model: from images to (batch, classes) logits.
        images: (n, side, side, channels).

    Returns:
        (n, classes), float32, finite where the model's logits are.
    """
    orientations = (
        np.rot90(mirrored, turns, axes=(1, 2))
        for mirrored in (images, images[:, :, ::-1])
        for turns in range(4)
    )
    # by logarithms, since in float64 too a probability may be 0
    logarithms = [
        log_softmax(predict(model, oriented).astype(np.float64), axis=1)
        for oriented in orientations
    ]
    return (logsumexp(logarithms, axis=0) - np.log(len(logarithms))).astype(np.float32)


def fine_tune(
    classifier: keras.Model,
    train: Split,
    validation: Split,
    settings: dict,
    plan: training.Plan,
    seed: int,
    checkpoint: Checkpoint,
    report: Report = silent,
) -> pd.DataFrame:
    """Train all layers of a classifier on labelled images.

    Args:
        classifier: its encoder fresh or pretrained; trained at the end.
        train, validation: preprocessed splits; the labelled subset, and all of validation.
        settings: of fine-tuning, resolved (see `settings.finetuning_settings`).
        plan: length of the training.
        seed: of the run.
        checkpoint: to go on from.
        report: is told the rows of the history.

    Returns:
        The history: epoch, step, loss, accuracy, images_per_second, learning_rate (when the epoch
        has ended), and measured then: auc (macro, one-vs-rest, of training images as they are, as
        many as there are of validation), validation_loss, validation_auc.
    """
    learned = train.take(measured_rows(len(train.labels), len(validation.labels), seed))
    learner = _FineTuning(classifier, learned, validation, settings, plan)
    best = ("validation_auc", learner.kept)
    history = training.fit(
        learner,
        [train.images, train.labels],
        plan,
        seed,
        checkpoint,
        keep_best=best if settings["select"] == "best_validation" else None,
        report=report,
    )
    training.assign(classifier.weights, [weight.numpy() for weight in learner.kept])
    return history


class _FineTuning:
    """A classifier as the engine wants it."""

    def __init__(
        self,
        classifier: keras.Model,
        learned: Split,
        validation: Split,
        settings: dict,
        plan: training.Plan,
    ):
        self._classifier, self._learned, self._validation = classifier, learned, validation
        variables = classifier.trainable_variables
        self._optimizer = build_optimizer(settings["optimizer"], plan.steps, variables)
        self._averages, after_step = [], None
        if (rate := settings["weight_averaging"]) is not None:
            self._averages = [_twin(weight) for weight in classifier.weights]

            def after_step(_):
                move_averages(self._averages, classifier.weights, rate, self._optimizer.iterations)

        self.variables = classifier.variables + self._optimizer.variables + self._averages

        @tf.function(autograph=False)
        def views(batch, seed):
            images, labels = batch
            return make_view(images, seed, settings["augmentation"]), labels

        def loss(images, labels):
            logits = classifier(images, training=True)
            losses = cross_entropy(labels, logits, settings["label_smoothing"])
            right = tf.equal(tf.argmax(logits, axis=1), tf.cast(labels, tf.int64))
            return tf.reduce_mean(losses), {"accuracy": tf.reduce_mean(tf.cast(right, tf.float32))}

        self.views = views
        self.train_step = training.compile_step(
            loss, variables, self._optimizer, after_step, settings["xla"]
        )

    @property
    def kept(self) -> list:
        """What the classifier's weights will be: themselves, or their moving averages."""
        return self._averages or self._classifier.weights

    def epoch_metrics(self, means: dict[str, float]) -> dict[str, float]:
        with self._as_kept():
            learned, validation = (
                predict(self._classifier, split.images)
                for split in (self._learned, self._validation)
            )
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(self._validation.labels, validation)
        return {
            "learning_rate": current_rate(self._optimizer),
            "auc": float(class_aucs(self._learned.labels, learned).mean()),
            "validation_loss": float(tf.reduce_mean(losses)),
            "validation_auc": float(class_aucs(self._validation.labels, validation).mean()),
        }

    @contextmanager
    def _as_kept(self) -> Iterator[None]:
        """The classifier as it would be kept, for a while."""
        if not self._averages:
            yield
            return
        weights = self._classifier.weights
        trained = [weight.numpy() for weight in weights]
        training.assign(weights, [weight.numpy() for weight in self.kept])
        yield
        training.assign(weights, trained)


def cross_entropy(labels: tf.Tensor, logits: tf.Tensor, smoothing: float) -> tf.Tensor:
    """Cross-entropy of every image, with a share of its label spread evenly over the classes.

    Label smoothing as Szegedy et al. 2016 (arXiv:1512.00567, section 7).

    Args:
        labels: (batch,) integers.
        logits: (batch, classes).
        smoothing: in [0, 1).

    Returns:
        (batch,).
    """
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    if not smoothing:
        return losses
    even = -tf.reduce_mean(tf.nn.log_softmax(logits), axis=1)
    return (1 - smoothing) * losses + smoothing * even


def move_averages(averages: list, variables: list, rate: float, steps: tf.Tensor) -> None:
    """Move averages towards their variables, after a number of steps (from 1 on).

    The rate rises to the given one as (1 + steps) / (10 + steps), so that the average of a short
    training is not held back by where it began.
    """
    steps = tf.cast(steps, tf.float32)
    keep = tf.minimum(rate, (1 + steps) / (10 + steps))
    for average, variable in zip(averages, variables, strict=True):
        average.assign(keep * average + (1 - keep) * variable)


def _twin(weight: keras.Variable) -> keras.Variable:
    return keras.Variable(weight.numpy(), dtype=weight.dtype, trainable=False)


def fit_linear_probe(
    classifier: keras.Model,
    encoder: keras.Model,
    train: Split,
    validation: Split,
    settings: dict,
) -> pd.DataFrame:
    """Fit the last layer of a classifier by logistic regression on its frozen encoder.

    The features are standardised on the labelled images, the strength of the L2 penalty is the
    one with the best validation AUC; both end up inside the layer, so that the classifier is used
    like a fine-tuned one.

    Args:
        classifier: made by `build_classifier`; its last layer is set.
        encoder: inside it, frozen.
        train, validation: preprocessed splits.
        settings: `inverse_penalties` to choose from (scikit-learn's C).

    Returns:
        The history: a row a penalty, `inverse_penalty` and `validation_auc`.
    """
    features = predict(encoder, train.images).astype(np.float64)
    scaler = StandardScaler().fit(features)
    scaled = scaler.transform(features)
    scaled_validation = scaler.transform(predict(encoder, validation.images))
    history, probes = [], []
    for inverse_penalty in settings["inverse_penalties"]:
        probe = LogisticRegression(C=inverse_penalty, max_iter=2000).fit(scaled, train.labels)
        auc = float(
            class_aucs(validation.labels, probe.decision_function(scaled_validation)).mean()
        )
        log.info("inverse penalty %g: validation AUC %.4f", inverse_penalty, auc)
        history.append({"inverse_penalty": inverse_penalty, "validation_auc": auc})
        probes.append(probe)
    best = probes[int(np.argmax([row["validation_auc"] for row in history]))]
    kernel = best.coef_.T / scaler.scale_[:, None]
    classifier.layers[-1].set_weights([kernel, best.intercept_ - scaler.mean_ @ kernel])
    return pd.DataFrame(history)


def remember(
    classifier: keras.Model,
    encoder: keras.Model,
    train: Split,
    validation: Split,
    settings: dict,
) -> pd.DataFrame:
    """Give a classifier by nearest neighbours the images that it knows.

    Args:
        classifier: made by `heads.neighbours_of` for as many images as `train` has.
        encoder: inside it, frozen.
        train, validation: preprocessed splits.
        settings: `neighbours`, and the temperature, which the classifier has already.

    Returns:
        The history: one row, `neighbours` and `validation_auc`.
    """
    features = normalised(predict(encoder, train.images))
    classifier.get_layer("cosines").set_weights([features.T])
    classifier.get_layer("classes").set_weights([np.eye(len(CLASSES))[train.labels]])
    auc = float(class_aucs(validation.labels, predict(classifier, validation.images)).mean())
    log.info("%d neighbours: validation AUC %.4f", settings["neighbours"], auc)
    return pd.DataFrame([{"neighbours": settings["neighbours"], "validation_auc": auc}])


def settle_batch_statistics(encoder: keras.Model, images: np.ndarray) -> None:
    """Set the statistics of an encoder's batch normalisations to those of the images as they are.

    They become the plain averages over the batches of one pass ("precise BatchNorm", Wu & Johnson
    2021, arXiv:2105.07576, section 3), whatever they were: a random encoder has never seen an
    image, and a pretrained one has seen augmented views. Otherwise a probe would compare
    normalisations rather than features.
    """
    layers = [
        layer for layer in encoder.layers if isinstance(layer, keras.layers.BatchNormalization)
    ]
    momenta = [layer.momentum for layer in layers]
    for seen, batch in enumerate(np.array_split(images, max(len(images) // 64, 1))):
        for layer in layers:
            layer.momentum = seen / (seen + 1)
        encoder(batch, training=True)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
