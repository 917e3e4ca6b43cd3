"""Probes of frozen encoders: logistic regression and nearest neighbours."""

import logging

import keras
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from sslens.classes import CLASSES
from sslens.data.records import Split
from sslens.images import Images
from sslens.metrics.auc import class_aucs
from sslens.metrics.features import normalised
from sslens.networks.inference import predict

log = logging.getLogger(__name__)


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


def fit_nearest_neighbours(
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


def recompute_batch_norm_statistics(encoder: keras.Model, images: Images) -> None:
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
    batches = np.array_split(np.arange(len(images)), max(len(images) // 64, 1))
    for seen, rows in enumerate(batches):
        for layer in layers:
            layer.momentum = seen / (seen + 1)
        encoder(images[rows], training=True)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
