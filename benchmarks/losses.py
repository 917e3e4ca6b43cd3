"""Compare the losses of the self-supervised methods with lightly's, on the same embeddings.

    python benchmarks/losses.py

Needs `envs/benchmark.lock`. Prints a markdown table: of each loss its value, that of lightly, and
the largest difference of the gradients relative to their largest element. Each framework computes
in a process of its own, since TensorFlow and PyTorch may not be loaded together. lightly has no
loss of RotNet, and that of its SimCLR has more negatives than `contrastive`; both are left out.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "workflow" / "scripts"))

from sslens.jobs import environment

environment.settle(os.environ)

import numpy as np

from sslens.formatting import pipe_table

IMAGES, DIMENSIONS, QUEUE, PROTOTYPES = 64, 128, 448, 512
LOSSES = ("simsiam", "byol", "barlow_twins", "vicreg", "nnclr", "dino")


def embeddings(loss: str) -> list[np.ndarray]:
    """Two embeddings of each image, alike in part; of DINO, the outputs of teacher and student."""
    rng = np.random.default_rng(1)
    size = (IMAGES, PROTOTYPES if loss == "dino" else DIMENSIONS)
    first, second = rng.normal(size=size), rng.normal(size=size)
    scale = 0.25 if loss == "dino" else 1.0
    return [(scale * z).astype(np.float32) for z in (first, first + 0.5 * second)]


def queue() -> np.ndarray:
    """What neighbours are found among."""
    drawn = np.random.default_rng(9).normal(size=(QUEUE, DIMENSIONS)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def of_sslens(loss: str, first: np.ndarray, second: np.ndarray) -> list[np.ndarray]:
    """The value of a loss, and its gradients."""
    import tensorflow as tf

    from sslens.methods import barlow_twins, byol, dino, nnclr, simsiam, vicreg

    def redundancy(one, other):
        return barlow_twins.barlow_twins(barlow_twins.cross_correlation(one, other), 0.0051)

    def three_terms(one, other):
        matrices = [vicreg.covariance_matrix(view) for view in (one, other)]
        variance = tf.add_n([vicreg.variance_term(matrix) for matrix in matrices]) / 2
        covariance = tf.add_n([vicreg.covariance_term(matrix) for matrix in matrices])
        return 25 * vicreg.invariance(one, other) + 25 * variance + covariance

    def neighbours(embedded, predicted):
        unit, target = (tf.math.l2_normalize(z, axis=1) for z in (embedded, predicted))
        rows = nnclr.nearest(unit, queue(), tf.ones((IMAGES, QUEUE), tf.bool))
        return nnclr.neighbour_info_nce(tf.gather(queue(), rows), target, 0.1)

    def distributions(teacher, student):
        target = dino.sharpened(teacher, tf.zeros(PROTOTYPES), 0.04)
        return dino.cross_entropy(target, student, 0.1)

    functions = (
        simsiam.negative_cosine,
        byol.regression_loss,
        redundancy,
        three_terms,
        neighbours,
        distributions,
    )
    function = dict(zip(LOSSES, functions, strict=True))[loss]
    views = [tf.constant(first), tf.constant(second)]
    with tf.GradientTape() as tape:
        tape.watch(views)
        value = function(*views)
    return [value, *tape.gradient(value, views, unconnected_gradients="zero")]


def of_lightly(loss: str, first: np.ndarray, second: np.ndarray) -> list[np.ndarray]:
    """As `of_sslens`."""
    import torch
    from lightly import loss as lightly
    from torch.nn import functional as F

    cosine = lightly.NegativeCosineSimilarity()
    dino = lightly.DINOLoss(PROTOTYPES)

    def neighbours(embedded, predicted):
        """By the paper: lightly's example takes the loss of SimCLR, which has more negatives."""
        elements = torch.from_numpy(queue())
        chosen = elements[(F.normalize(embedded.detach(), dim=1) @ elements.T).argmax(dim=1)]
        logits = chosen @ F.normalize(predicted, dim=1).T / 0.1
        return F.cross_entropy(logits, torch.arange(IMAGES))

    functions = (
        lambda prediction, target: cosine(prediction, target.detach()),
        # the square of a distance of unit vectors
        lambda prediction, target: 2 + 2 * cosine(prediction, target.detach()),
        lightly.BarlowTwinsLoss(lambda_param=0.0051),
        lightly.VICRegLoss(),
        neighbours,
        # of two views that are the same, since it leaves out the pairs of one view
        lambda teacher, student: dino([teacher.detach()] * 2, [student] * 2),
    )
    function = dict(zip(LOSSES, functions, strict=True))[loss]
    views = [torch.from_numpy(z).requires_grad_() for z in (first, second)]
    value = function(*views)
    value.backward()
    gradients = [torch.zeros_like(z) if z.grad is None else z.grad for z in views]
    return [value.detach().numpy(), *(gradient.numpy() for gradient in gradients)]


FRAMEWORKS = {"sslens": of_sslens, "lightly": of_lightly}


def compute(framework: str, path: str) -> None:
    """Write the values and gradients of all losses to a file."""
    found = {}
    for loss in LOSSES:
        for number, array in enumerate(FRAMEWORKS[framework](loss, *embeddings(loss))):
            found[f"{loss} {number}"] = np.asarray(array)
    np.savez(path, **found)


def main() -> None:
    """Compute both in processes of their own, and print the table."""
    with tempfile.TemporaryDirectory() as folder:
        results = {}
        for framework in FRAMEWORKS:
            path = f"{folder}/{framework}.npz"
            subprocess.run([sys.executable, __file__, framework, path], check=True)
            results[framework] = dict(np.load(path))
    rows = []
    for loss in LOSSES:
        (ours, *own), (theirs, *others) = (
            [result[f"{loss} {number}"] for number in range(3)] for result in results.values()
        )
        apart = max(np.abs(a - b).max() for a, b in zip(own, others, strict=True))
        largest = max(np.abs(gradient).max() for gradient in others)
        rows.append([loss, f"{ours:.6g}", f"{theirs:.6g}", f"{apart / largest:.0e}"])
    print(pipe_table(["loss", *FRAMEWORKS, "difference of the gradients"], rows))


if __name__ == "__main__":
    main() if len(sys.argv) == 1 else compute(*sys.argv[1:])
