"""Classification: which dark-matter class an image is of."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import pandas as pd

from sslens.classes import CLASSES
from sslens.labelled import stratified_subset
from sslens.metrics.auc import class_aucs
from sslens.metrics.predictions import mean_logits, predictions_frame
from sslens.tasks import base


class Task(base.Task):
    """Outputs are logits, in the order of `CLASSES`; targets are indices into them."""

    columns = ("label",)
    outputs = len(CLASSES)
    layer = "logits"
    best = base.Best("validation_auc", highest=True)

    def targets(self, *columns: np.ndarray) -> np.ndarray:
        """The labels."""
        (labels,) = columns
        return labels

    def labelled(self, targets: np.ndarray, fraction: float, seed: int) -> np.ndarray:
        """The same share of each class."""
        return stratified_subset(targets, fraction, seed, lambda c: f"class {CLASSES[c]}")

    def learning_from(self, targets: np.ndarray) -> Self:
        """The task; ValueError where a class has no training image."""
        present = np.unique(targets)
        if absent := [name for label, name in enumerate(CLASSES) if label not in present]:
            raise ValueError(
                f"no training image of {' and '.join(absent)}, but a classification needs images "
                "of all classes"
            )
        return self

    def loss(self, targets: Any, outputs: Any, learning: Mapping) -> tuple[Any, dict[str, Any]]:
        """Cross-entropy, with label smoothing, and the accuracy."""
        import tensorflow as tf

        from sslens.networks.losses import cross_entropy

        losses = cross_entropy(targets, outputs, learning["label_smoothing"])
        right = tf.equal(tf.argmax(outputs, axis=1), tf.cast(targets, tf.int64))
        return losses, {"accuracy": tf.reduce_mean(tf.cast(right, tf.float32))}

    def measures(
        self, learned: tuple[np.ndarray, np.ndarray], validation: tuple[np.ndarray, np.ndarray]
    ) -> dict[str, float]:
        """The macro AUCs of both, one-vs-rest, and the cross-entropy of validation images."""
        from sslens.networks.losses import mean_cross_entropy

        return {
            "auc": float(class_aucs(*learned).mean()),
            "validation_loss": mean_cross_entropy(*validation),
            "validation_auc": float(class_aucs(*validation).mean()),
        }

    def predictions(
        self, image_ids: np.ndarray, targets: np.ndarray, outputs: np.ndarray, turns: np.ndarray
    ) -> pd.DataFrame:
        """Logits and probabilities, see `predictions_frame`."""
        labels = [CLASSES[label] for label in targets]
        return predictions_frame(image_ids, labels, mean_logits(outputs))

    def readable(self, outputs: Any) -> Any:
        """The probabilities (batch, classes)."""
        import keras

        return keras.layers.Softmax(name="probabilities")(outputs)

    def averaged(self, readable: Any, turns: np.ndarray) -> Any:
        """The mean of the probabilities."""
        from keras import ops

        return ops.mean(readable, axis=0)

    def score(self, predictions: pd.DataFrame, validation: pd.DataFrame) -> dict[str, Any]:
        """AUCs, accuracy and calibration, see `scores.score`."""
        from sslens.metrics.scores import calibrated_score  # trainings need no scikit-learn

        return calibrated_score(predictions, validation)

    def headline(self, metrics: Mapping) -> str:
        """The macro AUC."""
        return f"macro AUC {metrics['auc']['macro']:.4f} on {metrics['images']} images"


def measures(settings: Mapping) -> Any:
    """AUCs of the classes, and the macro AUC."""
    from sslens.comparison.measures import Aucs

    return Aucs()


def documents(compared: Any, probed: Any, measures: Any, cells: pd.DataFrame) -> Any:
    """Tables of the AUCs, in the published layout too."""
    from sslens.comparison.documents import by_classes

    return by_classes(compared, probed)
