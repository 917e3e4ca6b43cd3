"""What a job requests from a scheduler: its time and its memory, from the configured sizes.

`ResourceModel` gives the rules what each of their jobs requests, by the functions below it. The
work of a training is in the convolutions and dense layers of its encoder (see `encoders.costs`):

    seconds = images x passes x 2 x multiplications(encoder, pixels) / speed

where `images` counts those of all epochs, a pass is once forward through the encoder (backward
counts as two), and `speed` is that of `planning` in the configuration, times the GPUs or the CPU
threads of a training. A step takes at least `SECONDS_PER_STEP`, which is what small networks cost.
The time limit is `safety_factor` times that, and some minutes.

Free of TensorFlow, since Snakemake evaluates it before any job runs.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sslens.configuration import settings
from sslens.methods.passes import encoder_passes
from sslens.networks.encoders.costs import cost_of
from sslens.training.plan import FINE_TUNING_PASSES, plan_fine_tuning, plan_training

SECONDS_PER_STEP = 0.02
SECONDS_PER_START = 60  # of Snakemake, Python and TensorFlow, from a shared file system
SECONDS_PER_PIXEL = 1e-7  # of a rendered image, on one core
BYTES_PER_SECOND = 5e7  # of records that are read
FLOPS_OF_A_FIT = 1e4  # of a logistic regression, a value: some 1,000 times through all of them
MB_OF_A_NETWORK = 3000  # what TensorFlow takes with a small network
MB_OF_A_TABLE = 1500  # what a job takes that loads no TensorFlow
BYTES_OF_AN_ENTRY = 100  # of an image's place in the records
# as in `shortcuts`, `metrics.features` and `training.engine`, which a scheduler need not load
MAX_NEIGHBOURS, MAX_IMAGES = 5000, 6000
COSINES = 2**24
HELD_BY_GPU = 4e9
# of an archive, and of one of its shards: how many images it has is not yet known
SECONDS_PER_SURVEY = 3600
SECONDS_PER_IMPORT = 1200
MAX_DOUBLINGS = 3

#: A number estimated for a job, from Snakemake's wildcards and input of it.
Estimate = Callable[[Any, Any], float]


class ResourceModel:
    """What the jobs of a configuration request.

    Args:
        config: the configuration, complete and checked.
        gpus: GPUs of a job with a network, 0 where it has none.
        training_gpus: those of a training.

    Example, in a rule:

        resources:
            **ResourceModel(config, gpus=1, training_gpus=1).of_job("pretrain"),
    """

    def __init__(self, config: Mapping, gpus: int, training_gpus: int) -> None:
        self._config = config
        self._gpus = {
            "pretrain": training_gpus,
            "finetune": training_gpus,
            **dict.fromkeys(("import_encoder", "evaluate", "features", "export_probe"), gpus),
        }
        # of each rule the MB and the seconds
        self._estimates: dict[str, tuple[Estimate, Estimate]] = {
            "survey": (_constant(2000), _constant(SECONDS_PER_SURVEY)),
            "archive_catalogue": (_constant(2000), _constant(SECONDS_PER_START)),
            "archive_records": (_constant(1500), _constant(SECONDS_PER_IMPORT)),
            "catalogue": (_constant(1000), _constant(SECONDS_PER_START)),
            "records": (_constant(1500), self._rendering_seconds),
            "manifest": (_constant(1000), _constant(SECONDS_PER_START)),
            "preprocessing": (_constant(1500), self._of_images(measuring_seconds, "train")),
            "pretrain": (
                self._of_network("pretrain", pretraining_mb, "train", "validation"),
                self._of_network("pretrain", pretraining_seconds, "train"),
            ),
            "import_encoder": (_constant(MB_OF_A_NETWORK), _constant(SECONDS_PER_START)),
            "finetune": (
                self._of_network("finetune", finetuning_mb, "train", "validation"),
                self._of_network("finetune", finetuning_seconds, "train"),
            ),
            "evaluate": (
                _constant(MB_OF_A_NETWORK),
                self._of_network("evaluate", evaluation_seconds, "validation", "test"),
            ),
            "features": (
                self._of_network("features", features_mb, "train", "validation", "test"),
                self._of_network("features", features_seconds, "train", "validation", "test"),
            ),
            "probe": (
                lambda wildcards, input: probing_mb(self._values(wildcards, input)),
                lambda wildcards, input: probing_seconds(config, self._values(wildcards, input)),
            ),
            "export_probe": (
                _constant(MB_OF_A_NETWORK),
                self._of_network("export_probe", export_seconds, "train"),
            ),
            # the data sets of the run are looked at one after the other
            "shortcuts": (self._of_run(max, comparing_mb), self._of_run(sum, comparing_seconds)),
        }

    def of_job(self, rule: str) -> dict[str, Any]:
        """Resources of the jobs of a rule, to unpack after its `resources:`.

        Returns:
            `mem_mb`, `runtime` (minutes) and `estimated_seconds`; and `gpu` of a job with a
            network. All but the last are functions, which Snakemake calls with what their
            parameters name.
        """
        megabytes, seconds = self._estimates[rule]
        planning = self._config["planning"]

        def mem_mb(wildcards: Any, input: Any, attempt: int) -> int:
            return memory(megabytes(wildcards, input), planning, attempt)

        def runtime(wildcards: Any, input: Any, attempt: int) -> int:
            return time_limit(seconds(wildcards, input), planning, attempt)

        def estimated_seconds(wildcards: Any, input: Any) -> float:
            return seconds(wildcards, input)

        requested: dict[str, Any] = {
            "mem_mb": mem_mb,
            "runtime": runtime,
            "estimated_seconds": estimated_seconds,
        }
        if rule in self._gpus:
            requested["gpu"] = self._gpus[rule]
        return requested

    def _of_images(self, estimate: Callable[..., float], *splits: str) -> Estimate:
        """By the images of these splits of a job's data set."""
        return lambda wildcards, input: estimate(
            self._config, wildcards.dataset, self._images(wildcards.dataset, splits, input)
        )

    def _of_network(self, rule: str, estimate: Callable[..., float], *splits: str) -> Estimate:
        """By the images of these splits, a pretraining, arm or encoder, and the rule's GPUs."""
        entry = {"features": "encoder", "pretrain": "pretraining"}.get(rule, "arm")
        return lambda wildcards, input: estimate(
            self._config,
            getattr(wildcards, entry),
            wildcards.dataset,
            self._images_of_seed(wildcards.dataset, splits, input),
            self._gpus[rule],
        )

    def _values(self, wildcards: Any, input: Any) -> float:
        """How many values the features have that a probe reads."""
        dataset = wildcards.dataset
        if dataset in settings.names_from(self._config, settings.IMPORT):
            return input.size_mb * 1e6 / 4  # they are nearly all of the input
        images = self._images_of_seed(dataset, list(self._config["splits"]), input)
        encoder = settings.arm_encoder(self._config, wildcards.arm, dataset)
        return images * features_of_image(encoder) * _orientations(self._config)

    def _of_run(self, combine: Callable, estimate: Callable[..., float]) -> Estimate:
        """By the training and test images of each data set of the run."""
        return lambda wildcards, input: combine(
            estimate(self._config, dataset, self._images(dataset, ("train", "test"), input))
            for dataset in self._config["run"]["datasets"]
        )

    def _rendering_seconds(self, wildcards: Any, input: Any) -> int:
        """Of the largest shard, whichever shard this is."""
        largest = max(split["shard_size"] for split in self._config["splits"].values())
        return rendering_seconds(self._config, largest)

    def _images(self, dataset: str, splits: Sequence[str], records: Any) -> int:
        return images_of(self._config, dataset, splits, records)

    def _images_of_seed(self, dataset: str, splits: Sequence[str], records: Any) -> int:
        """As `_images`, of the training split those that a seed has."""
        images = self._images(dataset, splits, records)
        own = self._config["run"]["images_per_seed"]
        if own is None or "train" not in splits:
            return images
        return images - self._config["splits"]["train"]["images"] + own


def _constant(value: float) -> Estimate:
    return lambda wildcards, input: value


def doubled(value: float, attempt: int) -> int:
    """A resource of a job's first attempt; twice as much in the second, and so on up to 8 times."""
    return math.ceil(value) * 2 ** min(attempt - 1, MAX_DOUBLINGS)


def memory(megabytes: float, planning: Mapping, attempt: int) -> int:
    """MB that a job requests; they double up to `max_mem_mb`, which a first attempt may exceed."""
    return min(doubled(megabytes, attempt), max(math.ceil(megabytes), planning["max_mem_mb"]))


def time_limit(seconds: float, planning: Mapping, attempt: int) -> int:
    """Minutes that a job requests which is estimated to take so many seconds."""
    first = planning["overhead_min"] + planning["safety_factor"] * seconds / 60
    return min(doubled(first, attempt), planning["max_runtime_min"])


def images_of(config: Mapping, dataset: str, splits: Sequence[str], records: Any) -> int:
    """How many images splits have.

    Args:
        records: Snakemake's input, whose size alone gives the number of images of an archive: too
            many where a job reads other data sets besides.
    """
    if dataset in settings.names_from(config, settings.IMPORT):
        return round(records.size_mb * 1e6 / _bytes_of_images(config, dataset, 1))
    return sum(config["splits"][split]["images"] for split in splits)


def pretraining_mb(config: Mapping, name: str, dataset: str, images: int, gpus: int) -> float:
    """MB of a pretraining on so many images, all views of a batch at a time."""
    training = settings.pretraining_settings(config, name, dataset)
    passes = encoder_passes(training, settings.pixels_seen(config, dataset))
    views = max(passes // FINE_TUNING_PASSES, 1) * training["batch_size"]
    return _training_mb(config, training["encoder"], dataset, images, views, gpus)


def finetuning_mb(config: Mapping, arm: str, dataset: str, images: int, gpus: int) -> float:
    """MB of a fine-tuning, as `pretraining_mb`."""
    training = settings.arm_settings(config, arm, dataset)
    views = training["learning"]["batch_size"]
    return _training_mb(config, training["encoder"], dataset, images, views, gpus)


def _training_mb(
    config: Mapping, encoder: Mapping, dataset: str, images: int, views: int, gpus: int
) -> float:
    """MB of a training: TensorFlow, where images are, and a batch's feature maps.

    On a GPU, feature maps are in its own memory, and images that fit are copied there at once.
    """
    fixed = MB_OF_A_NETWORK + 1e-6 * BYTES_OF_AN_ENTRY * images
    if gpus:
        held = 4 * settings.pixels_seen(config, dataset) ** 2 * images
        return fixed + (2e-6 * held if held <= HELD_BY_GPU else 0)
    return fixed + _maps_mb(config, encoder, dataset, views)


def features_mb(config: Mapping, encoder: str, dataset: str, images: int, gpus: int) -> float:
    """MB of computing the features of so many images: TensorFlow, and two copies of them."""
    own = settings.features_settings(config, encoder, dataset)["encoder"]
    values = features_of_image(own) * images * _orientations(config)
    return MB_OF_A_NETWORK + 1e-6 * BYTES_OF_AN_ENTRY * images + 8e-6 * values


def probing_mb(values: float) -> float:
    """MB of a probe of so many values of features.

    They are held in float32 and two copies in float64; nearest neighbours need room for the cosines
    that are compared at a time, three times in 8 bytes.
    """
    return MB_OF_A_TABLE + 20e-6 * values + 24e-6 * COSINES


def comparing_mb(config: Mapping, dataset: str, images: int) -> float:
    """MB of looking for shortcuts: training, test and no_sub images, and copies of them."""
    measured = min(images, 2 * MAX_IMAGES + MAX_NEIGHBOURS)
    return MB_OF_A_TABLE + 4e-6 * _bytes_of_images(config, dataset, measured)


def _maps_mb(config: Mapping, encoder: Mapping, dataset: str, views: int) -> float:
    """MB of a batch's feature maps, kept for the way back. On a GPU they are in its own memory."""
    values = cost_of(encoder).map_values(encoder, settings.pixels_seen(config, dataset))
    return 4e-6 * values * views


def reading_seconds(config: Mapping, dataset: str, images: int) -> int:
    """Of a job that starts, and reads so many images of a data set."""
    return SECONDS_PER_START + math.ceil(
        _bytes_of_images(config, dataset, images) / BYTES_PER_SECOND
    )


def measuring_seconds(config: Mapping, dataset: str, images: int) -> int:
    """Of measuring the preprocessing on so many images: they are read three times."""
    return reading_seconds(config, dataset, 3 * images)


def comparing_seconds(config: Mapping, dataset: str, images: int) -> int:
    """Of reading images and measuring the distance of each to `MAX_NEIGHBOURS` of them."""
    measured = min(images, 2 * MAX_IMAGES)
    pixels = config["datasets"][dataset]["instrument"]["pixels"]
    flops = 2 * pixels**2 * measured * MAX_NEIGHBOURS
    speed = 1e9 * config["planning"]["core_gflops"]
    return reading_seconds(config, dataset, measured) + math.ceil(flops / speed)


def rendering_seconds(config: Mapping, images: int) -> int:
    """Of so many simulated images, of whichever data set has the largest.

    The same for all, since all tasks of a job array get what the first of them requests.
    """
    simulated = settings.names_from(config, settings.SIMULATION)
    pixels = max(
        (config["datasets"][name]["instrument"]["pixels"] for name in simulated), default=0
    )
    return SECONDS_PER_START + math.ceil(SECONDS_PER_PIXEL * pixels**2 * images)


def pretraining_seconds(config: Mapping, name: str, dataset: str, images: int, gpus: int) -> int:
    """Of a pretraining on so many training images, by so many GPUs or, with none, by the CPU."""
    training = settings.pretraining_settings(config, name, dataset)
    steps = plan_training(training, images, images).steps
    passes = encoder_passes(training, settings.pixels_seen(config, dataset))
    passes *= steps * training["batch_size"]
    return _seconds(config, training["encoder"], dataset, images, gpus, passes, steps)


def finetuning_seconds(config: Mapping, arm: str, dataset: str, images: int, gpus: int) -> int:
    """Of learning the labels of so many training images, or fewer of them: as many steps."""
    training = settings.arm_settings(config, arm, dataset)
    encoder, learning = training["encoder"], training["learning"]
    steps = plan_fine_tuning(learning, images, images, images).steps
    passes = FINE_TUNING_PASSES * steps * learning["batch_size"]
    return _seconds(config, encoder, dataset, images, gpus, passes, steps)


def evaluation_seconds(config: Mapping, arm: str, dataset: str, images: int, gpus: int) -> int:
    """Of predicting so many images, and of their features."""
    encoder = settings.arm_encoder(config, arm, dataset)
    passes = (_orientations(config) + 1) * images
    return _seconds(config, encoder, dataset, images, gpus, passes)


def features_seconds(config: Mapping, encoder: str, dataset: str, images: int, gpus: int) -> int:
    """Of the features of so many images, in all orientations at most, by a frozen encoder."""
    own = settings.features_settings(config, encoder, dataset)["encoder"]
    # the training images twice, since batch statistics are recomputed on them
    passes = max(_orientations(config), 2) * images
    return _seconds(config, own, dataset, images, gpus, passes)


def probing_seconds(config: Mapping, values: float) -> int:
    """Of the fits of a linear probe to so many values of features, on the CPU."""
    fits = len(config["probe"]["inverse_penalties"])
    flops = FLOPS_OF_A_FIT * fits * values
    return SECONDS_PER_START + math.ceil(flops / (1e9 * config["planning"]["core_gflops"]))


def export_seconds(config: Mapping, arm: str, dataset: str, images: int, gpus: int) -> int:
    """Of recomputing batch statistics on so many images, and writing the classifier."""
    encoder = settings.arm_encoder(config, arm, dataset)
    return _seconds(config, encoder, dataset, images, gpus, passes=images)


def _orientations(config: Mapping) -> int:
    """In how many orientations an image is predicted."""
    return 8 if config["evaluation"]["average_orientations"] else 1


def features_of_image(encoder: Mapping) -> float:
    """How many features an encoder makes of an image."""
    if encoder["neck"]:
        return encoder["neck"][-1]
    return cost_of(encoder).features(encoder)


def flops_of_pass(config: Mapping, encoder: Mapping, dataset: str) -> float:
    """Floating-point operations of one image's way forward through an encoder."""
    return 2 * cost_of(encoder).multiplications(encoder, settings.pixels_seen(config, dataset))


def _seconds(
    config: Mapping,
    encoder: Mapping,
    dataset: str,
    images: int,
    gpus: int,
    passes: float,
    steps: int = 0,
) -> int:
    """Of a job that reads images and sends some of them, or of their views, through an encoder."""
    planning = config["planning"]
    on_cpu = 1e9 * planning["core_gflops"] * config["cpu_threads"]
    speed = 1e12 * planning["gpu_tflops"] * gpus if gpus else on_cpu
    computing = passes * flops_of_pass(config, encoder, dataset) / speed
    computing = max(computing, SECONDS_PER_STEP * steps)
    return reading_seconds(config, dataset, images) + math.ceil(computing)


def _bytes_of_images(config: Mapping, dataset: str, images: int) -> float:
    return 4 * config["datasets"][dataset]["instrument"]["pixels"] ** 2 * images
