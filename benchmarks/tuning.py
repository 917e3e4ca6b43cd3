r"""Try the options of every self-supervised method on validation images, with the same budget.

    snakemake results/data/model_{2,3}/preprocessing.json --cores 8 --resources gpu=1 \
        --directory runs/tuning --configfile config/tuning.yaml
    python benchmarks/tuning.py runs/tuning model_2 --results tuning.json [METHOD ...]
    python benchmarks/tuning.py runs/tuning model_3 --results tuning.json --best-of model_2
    python benchmarks/tuning.py runs/tuning model_2 --results vit.json --overlay vit.yaml mae byol

For each method, four learning rates with each of three values of the option that its paper finds
the most important: 12 pretrainings, whose frozen encoder is probed by logistic regression on the
training images. What counts is the macro AUC of the probe on the validation images; test images
are not read. Of `supervised`, the baseline, it is that of the fine-tuned network. A trial that
collapses, or whose loss is not finite, is listed as such.

Prints a markdown table of all trials, the best of each method in bold. With --results, finished
trials are kept in a file, and the next call runs those alone that are not there with the present
data, code and settings. With --best-of, only the three best trials of each method on another data
set are run, and the table lists both data sets; bold is the best mean. A random encoder is probed
as well, for comparison. With --overlay, what a configuration file has (an encoder, say) is laid
under all trials; give them a file of their own.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import reduce
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

from sslens.configuration import settings
from sslens.configuration.files import read_yaml
from sslens.configuration.loading import load, merge
from sslens.digests import json_digest, sha256_of
from sslens.files import write_json
from sslens.formatting import pipe_table
from sslens.jobs import environment
from sslens.jobs.digest import script_digest
from sslens.networks.encoders.registry import family_of
from sslens.pretexts import augmentation_names

environment.settle(os.environ)

SUPERVISED = "supervised"
LEARNING_RATES = (5e-4, 1e-3, 2e-3, 4e-3)
#: Method -> the key of its entry that is varied besides, and its values.
VARIED: dict[str, tuple[str, tuple]] = {
    "contrastive": ("options.temperature", (0.05, 0.1, 0.2)),
    "nnclr": ("options.temperature", (0.05, 0.1, 0.2)),
    "byol": ("options.tau", (0.9, 0.97, 0.99)),
    "simsiam": ("options.predictor.hidden", (16, 32, 64)),
    "dino": ("options.teacher_temperature", (0.02, 0.04, 0.07)),
    "barlow_twins": ("options.redundancy", (0.0051, 0.02, 0.1)),
    "vicreg": ("options.covariance", (0.2, 1.0, 5.0)),
    "rotnet": ("batch_size", (16, 32, 64)),
    "mae": ("options.masked", (0.5, 0.625, 0.75)),
    SUPERVISED: ("optimizer.weight_decay", (1e-4, 1e-3, 1e-2)),
}
#: Those that every encoder can be trained by.
FOR_ALL = [name for name in VARIED if name != "mae"]
#: The pretext of all methods, but of those that refuse it, or learn from single views.
PRETEXT, PRETEXT_OF = "rotation_flip", {"rotnet": "gaussian_noise", "mae": "dihedral"}
#: A trial without pretraining.
RANDOM = "random"
SEED, BEST = 1, 3


class Trial(NamedTuple):
    """What is tried: a method, its learning rate, and the value of the key that is varied."""

    method: str
    learning_rate: float
    value: Any

    @property
    def name(self) -> str:
        """Its name in the results."""
        if self.method == RANDOM:
            return RANDOM
        return f"{self.method}, {VARIED[self.method][0]} {self.value}, rate {self.learning_rate:g}"

    @property
    def entry(self) -> dict:
        """What it sets, in a pretraining or in `finetuning`."""
        keys = VARIED[self.method][0].split(".")
        own: Any = reduce(lambda inner, key: {key: inner}, reversed(keys), self.value)
        return merge({"optimizer": {"learning_rate": self.learning_rate}}, own)


def main() -> None:
    """Run the trials that are missing, two at a time, and print all of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of a run with the data")
    parser.add_argument("dataset")
    parser.add_argument("methods", nargs="*", metavar="METHOD", default=FOR_ALL)
    parser.add_argument("--results", type=Path, metavar="FILE")
    parser.add_argument("--overlay", type=Path, metavar="FILE", help="laid under all trials")
    parser.add_argument("--best-of", metavar="DATASET", help="where its trials are in the file")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_intermixed_args()
    if unknown := set(options.methods) - set(VARIED):
        parser.error(f"{', '.join(sorted(unknown))}: known are {', '.join(VARIED)}")
    done = {}
    if options.results and options.results.is_file():
        done = json.loads(options.results.read_text(encoding="utf-8"))
    overlay = read_yaml(options.overlay) if options.overlay else {}
    config = load(ROOT / "config", overlay)
    chosen = [trial for trial in trials() if trial.method in options.methods]
    if options.best_of:
        known = {trial: done.get(f"{options.best_of}: {trial.name}", {}) for trial in chosen}
        for trial, result in known.items():
            if result.get("made_with") != made_with(options.run, options.best_of, trial, config):
                parser.error(f"{trial.name} is to be tried on {options.best_of} first")
        chosen = [trial for method in options.methods for trial in best_of(method, known)]
    chosen.append(Trial(RANDOM, 0, None))
    place = f"{options.dataset}: "
    own = {trial: made_with(options.run, options.dataset, trial, config) for trial in chosen}
    missing = [t for t in chosen if done.get(place + t.name, {}).get("made_with") != own[t]]
    # a process for each trial, since the random state of TensorFlow is of a process
    context = get_context("spawn")
    with ProcessPoolExecutor(options.processes, context, max_tasks_per_child=1) as pool:
        tasks = {
            pool.submit(attempt, options.run, options.dataset, trial, overlay): trial
            for trial in missing
        }
        for task in as_completed(tasks):
            name = place + tasks[task].name
            done[name] = {**task.result(), "made_with": own[tasks[task]]}
            print(f"{name}: {done[name]}", file=sys.stderr)
            if options.results:
                write_json(options.results, done)
    found = {trial: done[place + trial.name] for trial in chosen}
    if options.best_of:
        others = {trial: done[f"{options.best_of}: {trial.name}"] for trial in chosen}
        print(markdown_of_two(options.best_of, others, options.dataset, found))
    else:
        print(markdown(chosen, found))
    print(f"Random encoder: {_text(found[chosen[-1]])}")


def trials() -> Iterator[Trial]:
    """All trials of all methods."""
    for method, (_, values) in VARIED.items():
        for value, rate in product(values, LEARNING_RATES):
            yield Trial(method, rate, value)


def made_with(run: Path, dataset: str, trial: Trial, config: dict) -> str:
    """Digest of a trial's data, code and settings: with others, it is another trial."""
    folder = run / "results" / "data" / dataset
    data = [sha256_of(folder / f"{name}.json") for name in ("manifest", "preprocessing")]
    script = {SUPERVISED: "finetune", RANDOM: "features"}.get(trial.method, "pretrain")
    loaded = [
        f"networks.encoders.{family_of(config['encoder']['name'])}",
        "training.probes.classification",
        "tasks.classification.Task",
        *([f"methods.{trial.method}"] if script == "pretrain" else []),
        *{
            f"training.augmentations.{name}"
            for pretext in config["pretexts"].values()
            for name in augmentation_names(pretext)
        },
    ]
    sections = ("encoder", "pretraining", "finetuning", "probe", "pretexts", "precision", "xla")
    own = [SEED, PRETEXT, PRETEXT_OF, {name: config[name] for name in sections}]
    return json_digest([data, script_digest(script, *sorted(loaded)), own])


def attempt(run: Path, dataset: str, trial: Trial, overlay: dict) -> dict:
    """Train and measure: `auc` of validation images, or `failed`, why there is none."""
    from sslens.jobs import process
    from sslens.jobs.tensorflow_setup import set_up_tensorflow

    process.start(os.devnull, trial.name, 1)
    set_up_tensorflow(threads=1, gpus=0, each=1)
    from sslens.data.records import load_split
    from sslens.training.checkpoints import Checkpoint
    from sslens.training.pretraining import Collapsed

    folder = run / "results" / "data" / dataset
    files = folder / "manifest.json", folder / "preprocessing.json"
    train, validation = (load_split(*files, split) for split in ("train", "validation"))
    measure = {SUPERVISED: supervised, RANDOM: random}.get(trial.method, pretrained)
    with tempfile.TemporaryDirectory() as checkpoints:
        given = trial, overlay, dataset, train, validation, Checkpoint(checkpoints, "")
        try:
            return {"auc": measure(*given)}
        except (Collapsed, FloatingPointError) as error:
            return {"failed": type(error).__name__}


def pretrained(trial: Trial, overlay, dataset: str, train, validation, checkpoint) -> float:
    """AUC of a linear probe of the frozen encoder."""
    from sslens.networks.frozen import recompute_batch_norm_statistics
    from sslens.training.pretraining import pretrain

    pretext = PRETEXT_OF.get(trial.method, PRETEXT)
    entry = merge({"method": trial.method, "pretext": pretext}, trial.entry)
    config = load(ROOT / "config", merge(overlay, {"pretrainings": {"trial": entry}}))
    chosen = settings.pretraining_settings(config, "trial", dataset)
    encoder, _, _ = pretrain(train, validation, chosen, SEED, checkpoint)
    recompute_batch_norm_statistics(encoder, train.images)
    return probed(encoder, config, dataset, train, validation)


def random(trial: Trial, overlay, dataset: str, train, validation, checkpoint) -> float:
    """AUC of a linear probe of a random encoder."""
    from sslens.networks.frozen import frozen_encoder

    config = load(ROOT / "config", overlay)
    chosen = settings.arm_encoder(config, "probe-random", dataset)
    encoder = frozen_encoder(chosen, train.images, None, SEED)
    return probed(encoder, config, dataset, train, validation)


def probed(encoder, config: dict, dataset: str, train, validation) -> float:
    """AUC of a linear probe of the features of an encoder."""
    from sslens.networks.inference import predict
    from sslens.training.probes.base import Features
    from sslens.training.probes.classification import fit_linear_probe

    features = [
        Features(predict(encoder, split.images), split.labels) for split in (train, validation)
    ]
    _, history = fit_linear_probe(*features, settings.resolve(config["probe"], dataset))
    return float(history["validation_auc"].max())


def supervised(trial: Trial, overlay, dataset: str, train, validation, checkpoint) -> float:
    """AUC of a network that has learned the labels from random weights."""
    from sslens.training.labels import learn_labels

    config = load(ROOT / "config", merge(overlay, {"finetuning": trial.entry}))
    chosen = settings.arm_settings(config, "baseline", dataset)
    learned = learn_labels(train, validation, chosen, None, 1.0, SEED, checkpoint)
    return float(learned.history["validation_auc"].iloc[-1])


def best_of(method: str, known: dict[Trial, dict]) -> list[Trial]:
    """The best trials of a method."""
    of_method = [trial for trial in known if trial.method == method]
    return sorted(of_method, key=lambda trial: -known[trial].get("auc", 0))[:BEST]


def markdown(chosen: list[Trial], found: dict[Trial, dict]) -> str:
    """A table of the trials: a row for each value, a column for each learning rate."""
    rows = []
    for method in dict.fromkeys(trial.method for trial in chosen if trial.method != RANDOM):
        of_method = [trial for trial in chosen if trial.method == method]
        best = max(found[trial].get("auc", 0) for trial in of_method)
        key, values = VARIED[method]
        for value in values:
            aucs = [found[Trial(method, rate, value)] for rate in LEARNING_RATES]
            texts = [_text(auc, best) for auc in aucs]
            rows.append([method, f"{key} {value}", *texts])
    return pipe_table(["method", "varied", *(f"{rate:g}" for rate in LEARNING_RATES)], rows)


def markdown_of_two(
    dataset: str, found: dict[Trial, dict], other: str, found_there: dict[Trial, dict]
) -> str:
    """A table of the same trials on two data sets: a row for each, with their mean."""
    means = {
        trial: (found[trial].get("auc", 0) + found_there[trial].get("auc", 0)) / 2
        for trial in found
        if trial.method != RANDOM
    }
    rows = []
    for trial, mean in means.items():
        best = max(means[one] for one in means if one.method == trial.method)
        aucs = [_text(results[trial]) for results in (found, found_there)]
        varied = f"{VARIED[trial.method][0]} {trial.value}, rate {trial.learning_rate:g}"
        rows.append([trial.method, varied, *aucs, _text({"auc": mean}, best)])
    return pipe_table(["method", "trial", dataset, other, "mean"], rows)


def _text(result: dict, best: float | None = None) -> str:
    if "failed" in result:
        return result["failed"]
    text = f"{result['auc']:.3f}"
    return f"**{text}**" if result["auc"] == best else text


if __name__ == "__main__":
    main()
