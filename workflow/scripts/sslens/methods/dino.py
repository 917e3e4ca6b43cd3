"""DINO: give the other view the same distribution over prototypes as a slowly moving teacher does.

Caron et al. 2021 (arXiv:2104.14294). The teacher's outputs are centred, which keeps one prototype
from taking all, and sharpened by a low temperature, which keeps their distribution from becoming
uniform. The student alone has dropout and stochastic depth, as in the authors' code. Against the
paper, there are two views of the whole image and no crops, since a crop would cut the ring; the
hidden part of the head has one layer; the prototypes are frozen for a fraction of the training (the
paper: in its first epoch), and weight decay is constant.
"""

import keras
import numpy as np
import tensorflow as tf

from sslens.methods import base
from sslens.methods.base import state_variable
from sslens.methods.embeddings import unit
from sslens.methods.teachers import copy_of, follow, teacher_rate
from sslens.networks import replicas
from sslens.networks.heads import mlp, prototypes


def sharpened(outputs: tf.Tensor, centre: tf.Tensor, temperature: float) -> tf.Tensor:
    """The teacher's distribution: softmax((outputs - centre) / temperature), without a gradient.

    Args:
        outputs: (batch, prototypes).
        centre: (prototypes,).
        temperature: of the teacher.
    """
    return tf.stop_gradient(tf.nn.softmax((outputs - centre) / temperature, axis=1))


def cross_entropy(target: tf.Tensor, outputs: tf.Tensor, temperature: float) -> tf.Tensor:
    """-sum target log softmax(outputs / temperature), mean over the batch (equation 2).

    Args:
        target: (batch, prototypes), the teacher's distributions.
        outputs: (batch, prototypes) of the student, for other views of the same images.
        temperature: of the student.
    """
    logs = tf.nn.log_softmax(outputs / temperature, axis=1)
    return -tf.reduce_mean(tf.reduce_sum(target * logs, axis=1))


def entropy(distributions: tf.Tensor) -> tf.Tensor:
    """Mean entropy of distributions (batch, prototypes), in nats."""
    return -tf.reduce_mean(tf.reduce_sum(tf.math.xlogy(distributions, distributions), axis=1))


class Method(base.Method):
    """Student and teacher: encoder, projector and prototypes each. Options: dino.schema.yaml.

    Example:

        method = Method(encoder, options, seed=1)
        outcome = method.loss(Batch((first, second), seed, progress))
        method.after_step(progress, outcome.update)
    """

    against_collapse = (
        "lower options.teacher_temperature where teacher_entropy is near log(prototypes), lower "
        "options.centre_momentum where it is near 0, or raise options.tau"
    )

    def __init__(self, encoder: keras.Model, options: dict, seed: int):
        super().__init__(encoder, options, seed)
        head, count = options["projector"], options["prototypes"]
        projector = mlp(encoder.output_shape[1], head, seed, "projector", "gelu")
        self._student = keras.Sequential([encoder, projector])
        self._prototypes = prototypes(head["output"], count, seed)
        self._teacher = copy_of(self._student, drops=False)
        self._teacher_prototypes = copy_of(self._prototypes)
        centre = np.zeros(count, np.float32)
        self._centre = state_variable(centre, "centre")
        teachers = self._teacher.variables + self._teacher_prototypes.variables
        self._learn(self._student, self._prototypes, state=[*teachers, self._centre])

    def loss(self, batch: base.Batch) -> base.Outcome:
        """Mean of both directions, the student's embeddings of the first view, and two measures.

        `teacher_entropy` is log(prototypes) where the teacher is uniform, and 0 where it has one
        prototype for each image; `kl` is how far the student is from it.
        """
        views = tf.concat(batch.views, axis=0)
        embeddings = self._student(views, training=True)
        kernel = tf.convert_to_tensor(self._prototypes.get_layer("prototypes").kernel)
        frozen = batch.progress <= self._options["frozen"]
        kernel = tf.where(frozen, tf.stop_gradient(kernel), kernel)
        students = tf.split(cosines(embeddings, kernel), 2)
        taught = self._teacher(views, training=True)
        of_teacher = cosines(taught, self._teacher_prototypes.get_layer("prototypes").kernel)
        targets = sharpened(of_teacher, self._centre, self._options["teacher_temperature"])
        first, second = tf.split(targets, 2)
        temperature = self._options["temperature"]
        loss = cross_entropy(first, students[1], temperature)
        loss = (loss + cross_entropy(second, students[0], temperature)) / 2
        spread = entropy(targets)
        measures = {"teacher_entropy": spread, "kl": tf.stop_gradient(loss) - spread}
        mean = tf.reduce_mean(replicas.whole_batch(of_teacher), axis=0)
        return base.Outcome(loss, tf.split(embeddings, 2)[0], measures, (tf.stop_gradient(mean),))

    def after_step(self, progress: tf.Tensor, update: tuple[tf.Tensor, ...]) -> None:
        """Move the teacher towards the student, and the centre to the batch's mean (equation 4)."""
        rate = teacher_rate(self._options["tau"], progress)
        follow(self._teacher, self._student, rate)
        follow(self._teacher_prototypes, self._prototypes, rate)
        momentum = self._options["centre_momentum"]
        self._centre.assign(momentum * self._centre + (1 - momentum) * update[0])


def cosines(embeddings: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Cosine similarities (batch, K) of embeddings (batch, d) with the columns of (d, K)."""
    return tf.matmul(unit(embeddings), tf.math.l2_normalize(kernel, axis=0))
