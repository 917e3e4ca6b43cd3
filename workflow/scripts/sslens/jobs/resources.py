"""What a job asks a scheduler for: its time and its memory, from the configured sizes.

The work of a training is in its convolutions, which grow with the pixels of an image and with the
square of the width:

    seconds = images x passes x 2 x multiplications(encoder, pixels) / speed

where `images` counts those of all epochs, a pass is once forward through the encoder (backward
counts as two), and `speed` is that of `planning` in the configuration, times the GPUs or the CPU
threads of a training. A step takes at least `SECONDS_PER_STEP`, which is what small networks cost.
The time limit is `safety_factor` times that, and some minutes.

Free of TensorFlow, since a scheduler asks before anything runs.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sslens.configuration import settings
from sslens.protocols import FINE_TUNE

#: Multiplications of a pass, a pixel of the image, where the first stage is 64 wide.
MULTIPLICATIONS = {"resnet18": 35_000, "resnet50": 82_000}
#: Values in the feature maps of all layers, a pixel of the image, at this width.
FEATURE_MAPS = {"resnet18": 165, "resnet50": 760}
SMALL_STEM = 16  # how many times as large the maps are after a stem without stride and pooling
FINE_TUNING_PASSES = 3  # forward and backward
PRETRAINING_PASSES = 8  # two views forward and backward, and forward through a second network
SECONDS_PER_STEP = 0.02
SECONDS_PER_START = 60  # of Snakemake, Python and TensorFlow, from a shared file system
SECONDS_PER_PIXEL = 1e-7  # of a rendered image, on one core
BYTES_PER_SECOND = 5e7  # of records that are read
MB_OF_A_NETWORK = 3000  # what TensorFlow takes with a small network
MAX_NEIGHBOURS = 5000  # as in `shortcuts`, which a scheduler need not load
# of an archive, and of one of its shards: nobody knows yet how many images it has
SECONDS_PER_SURVEY = 3600
SECONDS_PER_IMPORT = 1200
MAX_DOUBLINGS = 3


def doubled(value: float, attempt: int) -> int:
    """A resource of a job's first attempt; twice as much in the second, and so on up to 8 times."""
    return math.ceil(value) * 2 ** min(attempt - 1, MAX_DOUBLINGS)


def memory(megabytes: float, planning: Mapping, attempt: int) -> int:
    """MB that a job asks for; they double up to `max_mem_mb`, which a first attempt may exceed."""
    return min(doubled(megabytes, attempt), max(math.ceil(megabytes), planning["max_mem_mb"]))


def time_limit(seconds: float, planning: Mapping, attempt: int) -> int:
    """Minutes that a job asks for which is estimated to take so many seconds."""
    first = planning["overhead_min"] + planning["safety_factor"] * seconds / 60
    return min(doubled(first, attempt), planning["max_runtime_min"])


def images_of(config: Mapping, dataset: str, splits: Sequence[str], records: Any) -> int:
    """How many images splits have.

    Args:
        records: Snakemake's input, by whose size alone an archive tells how many images it has:
            too many where a job reads other data sets besides.
    """
    if dataset in settings.names_from(config, settings.IMPORT):
        return round(records.size_mb * 1e6 / _bytes_of_images(config, dataset, 1))
    return sum(config["splits"][split]["images"] for split in splits)


def holding_mb(config: Mapping, dataset: str, images: int) -> float:
    """MB of a job that holds images of a data set: TensorFlow, and the images about twice."""
    return MB_OF_A_NETWORK + 2.2e-6 * _bytes_of_images(config, dataset, images)


def pretraining_mb(config: Mapping, name: str, dataset: str, images: int, gpus: int) -> float:
    """MB of a pretraining that holds so many images, of which it sees two views at a time."""
    told = settings.pretraining_settings(config, name, dataset)
    maps = _maps_mb(config, told["encoder"], dataset, 2 * told["batch_size"])
    return holding_mb(config, dataset, images) + (0 if gpus else maps)


def finetuning_mb(config: Mapping, arm: str, dataset: str, images: int, gpus: int) -> float:
    """MB of learning the labels, as `pretraining_mb`."""
    told = settings.arm_settings(config, arm, dataset)
    batch = told["learning"].get("batch_size", 0)  # a frozen encoder keeps nothing
    maps = _maps_mb(config, told["encoder"], dataset, batch)
    return holding_mb(config, dataset, images) + (0 if gpus else maps)


def _maps_mb(config: Mapping, encoder: Mapping, dataset: str, views: int) -> float:
    """MB of a batch's feature maps, kept for the way back. On a GPU they are in its own memory."""
    values = _of_encoder(FEATURE_MAPS, encoder) * encoder["width"] / 64
    return 4e-6 * values * _pixels_seen(config, dataset) ** 2 * views


def reading_seconds(config: Mapping, dataset: str, images: int) -> int:
    """Of a job that starts, and reads so many images of a data set."""
    return SECONDS_PER_START + math.ceil(
        _bytes_of_images(config, dataset, images) / BYTES_PER_SECOND
    )


def comparing_seconds(config: Mapping, dataset: str, images: int) -> int:
    """Of reading images and measuring the distance of each to `MAX_NEIGHBOURS` of them."""
    pixels = config["datasets"][dataset]["instrument"]["pixels"]
    flops = 2 * pixels**2 * images * MAX_NEIGHBOURS
    speed = 1e9 * config["planning"]["core_gflops"]
    return reading_seconds(config, dataset, images) + math.ceil(flops / speed)


def rendering_seconds(config: Mapping, images: int) -> int:
    """Of so many simulated images, of whichever data set has the largest.

    The same for all, since all tasks of a job array get what the first of them asks for.
    """
    simulated = settings.names_from(config, settings.SIMULATION)
    pixels = max(
        (config["datasets"][name]["instrument"]["pixels"] for name in simulated), default=0
    )
    return SECONDS_PER_START + math.ceil(SECONDS_PER_PIXEL * pixels**2 * images)


def pretraining_seconds(config: Mapping, name: str, dataset: str, images: int, gpus: int) -> int:
    """Of a pretraining on so many training images, by so many GPUs or, with none, by the CPU."""
    told = settings.pretraining_settings(config, name, dataset)
    steps = _steps(told, images)
    passes = PRETRAINING_PASSES * steps * told["batch_size"]
    return _seconds(config, told["encoder"], dataset, images, gpus, passes, steps)


def finetuning_seconds(config: Mapping, arm: str, dataset: str, images: int, gpus: int) -> int:
    """Of learning the labels of so many training images, or fewer of them: as many steps."""
    told = settings.arm_settings(config, arm, dataset)
    encoder, learning = told["encoder"], told["learning"]
    if told["protocol"] != FINE_TUNE:
        # forward for the batch statistics, forward for the features; their fit is little beside it
        return _seconds(config, encoder, dataset, images, gpus, passes=2 * images)
    lengths = [learning, *([learning["match_steps_of"]] if learning["match_steps_of"] else [])]
    steps = sum(_steps(length, images) for length in lengths)
    passes = FINE_TUNING_PASSES * steps * learning["batch_size"]
    return _seconds(config, encoder, dataset, images, gpus, passes, steps)


def evaluation_seconds(config: Mapping, arm: str, dataset: str, images: int, gpus: int) -> int:
    """Of predicting so many images, and of their features."""
    orientations = 8 if config["evaluation"]["average_orientations"] else 1
    encoder = settings.arm_encoder(config, arm, dataset)
    return _seconds(config, encoder, dataset, images, gpus, passes=(orientations + 1) * images)


def flops_of_pass(config: Mapping, encoder: Mapping, dataset: str) -> float:
    """Floating-point operations of one image's way forward through an encoder."""
    multiplications = _of_encoder(MULTIPLICATIONS, encoder) * (encoder["width"] / 64) ** 2
    return 2 * multiplications * _pixels_seen(config, dataset) ** 2


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


def _steps(told: Mapping, images: int) -> int:
    """Steps of a training on so many images, as `training.plan_training` counts them."""
    return told["steps"] or told["epochs"] * max(images // told["batch_size"], 1)


def _bytes_of_images(config: Mapping, dataset: str, images: int) -> float:
    return 4 * config["datasets"][dataset]["instrument"]["pixels"] ** 2 * images


def _pixels_seen(config: Mapping, dataset: str) -> int:
    """The side of an image after the preprocessing."""
    told = settings.preprocessing_settings(config, dataset)
    return (told["crop"] or config["datasets"][dataset]["instrument"]["pixels"]) // told["bin"]


def _of_encoder(table: Mapping[str, int], encoder: Mapping) -> float:
    """A value of a table by an encoder's name; one that is not there is taken for the largest."""
    value = table.get(encoder["name"], max(table.values()))
    return value * (SMALL_STEM if encoder["stem"] == "small" else 1)
