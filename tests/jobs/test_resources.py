"""What jobs ask a scheduler for."""

import inspect
import math
from types import SimpleNamespace

import pytest
from paths import ROOT

from sslens.configuration import settings
from sslens.configuration.loading import load, merge
from sslens.data import shortcuts
from sslens.jobs import resources
from sslens.metrics import features
from sslens.networks.encoders.building import build_encoder
from sslens.networks.operations import forward_operations
from sslens.training import engine


def configured(**given):
    return load(ROOT / "config", given)


@pytest.mark.parametrize(
    ("name", "stem", "width", "pixels"),
    [
        ("resnet18", "imagenet", 16, 150),
        ("resnet18", "small", 64, 64),
        ("resnet50", "imagenet", 64, 64),
        ("resnet50", "small", 16, 150),
    ],
)
def test_the_work_of_an_encoder_is_that_of_its_layers(name, stem, width, pixels):
    told = {"name": name, "width": width, "stem": stem}
    more = {"batch_norm_momentum": 0.9, "neck": [], "neck_dropout": []}
    encoder = build_encoder(told | more, (pixels, pixels, 1), 0)
    multiplications = values = 0
    for layer in encoder.layers:
        shape = layer.output.shape
        if len(shape) == 4:
            values += shape[1] * shape[2] * shape[3]
            if hasattr(layer, "kernel"):
                multiplications += shape[1] * shape[2] * layer.kernel.numpy().size
    config = configured(
        preprocessing={"for_dataset": {"model_1": {"crop": None, "bin": 1}}},
        datasets={"model_1": {"instrument": {"pixels": pixels}}},
    )
    estimated = resources.flops_of_pass(config, told, "model_1")
    assert estimated == pytest.approx(2 * multiplications, rel=0.15)
    estimated = resources._maps_mb(config, told, "model_1", 1)
    assert estimated == pytest.approx(4e-6 * values, rel=0.35 if stem == "small" else 0.15)


@pytest.mark.parametrize(
    ("name", "own", "pixels"),
    [
        ("vit_nano", {}, 128),
        ("vit_mini", {}, 64),
        ("vit_nano", {"token_stem": "patch", "patch": 16, "mlp_ratio": 3}, 64),
        ("hybrid_nano", {}, 64),
    ],
)
def test_the_work_of_a_transformer_is_that_of_its_layers(name, own, pixels):
    config = configured(
        encoder={"name": name, **own},
        datasets={"model_2": {"instrument": {"pixels": pixels}}},
    )
    chosen = settings.arm_encoder(config, "baseline", "model_2")
    encoder = build_encoder(chosen, (pixels, pixels, 1), 0)
    estimated = resources.flops_of_pass(config, chosen, "model_2")
    assert estimated == pytest.approx(forward_operations(encoder), rel=0.01)
    assert resources.features_of_image(chosen) == encoder.output_shape[1]


def test_an_encoder_that_is_not_listed_is_taken_for_the_largest():
    told = {"width": 64, "stem": "imagenet"}
    unknown, largest = (
        resources.flops_of_pass(configured(), told | {"name": name}, "model_2")
        for name in ("resnet1001", "resnet50")
    )
    assert unknown == largest


def test_a_pretraining_by_hand():
    """10 epochs of 1,500 images of 64 x 64 by a ResNet18 of width 64 on a GPU of 4 TFLOP/s."""
    config = configured(
        encoder={"width": 64}, pretraining={"batch_size": 50}, planning={"gpu_tflops": 4.0}
    )
    steps, passes = 300, 300 * 50 * 6
    computing = passes * 2 * 35_000 * 64**2 / 4e12
    assert computing > 0.02 * steps
    reading = 1500 * 4 * 64**2 / 5e7
    seconds = resources.pretraining_seconds(config, "contrastive-rotation", "model_2", 1500, 1)
    assert seconds == pytest.approx(60 + reading + computing, abs=2)
    by_two = resources.pretraining_seconds(config, "contrastive-rotation", "model_2", 1500, 2)
    assert by_two == pytest.approx(60 + reading + max(computing / 2, 0.02 * steps), abs=2)
    on_cpu = resources.pretraining_seconds(config, "contrastive-rotation", "model_2", 1500, 0)
    assert on_cpu == pytest.approx(60 + reading + computing * 4e12 / 40e9, abs=2)


@pytest.mark.parametrize(
    "given, factor",
    [
        ({"encoder": {"width": 128}}, 4),
        ({"pretraining": {"epochs": 100}}, 10),
        ({"preprocessing": {"bin": 2}}, 1 / 4),
        ({"planning": {"gpu_tflops": 1.0}}, 1 / 10),
        ({"encoder": {"stem": "small"}}, 16),
    ],
)
def test_time_grows_with_what_is_configured(given, factor):
    def computing(**more):
        slow = {"encoder": {"width": 64}, "planning": {"gpu_tflops": 0.1}}
        config = configured(**merge(slow, more))
        seconds = resources.pretraining_seconds(config, "byol-dihedral", "model_2", 10**6, 1)
        return seconds - 60 - 10**6 * 4 * 64**2 / 5e7

    assert computing(**given) == pytest.approx(factor * computing(), rel=1e-3)


def test_a_small_network_takes_the_time_of_its_steps():
    config = configured(encoder={"width": 1})
    seconds = resources.pretraining_seconds(config, "byol-dihedral", "model_2", 1500, 1)
    steps = 10 * (1500 // 32)
    assert seconds == pytest.approx(60 + 0.02 * steps, abs=2)


@pytest.mark.parametrize(
    "arm, ratio",
    [
        ("baseline-long", (16 + 10) / 16),
        ("baseline-compute", 1 + 60 / 48),  # 6 passes of each image in 10 epochs, beside 3 in 16
    ],
)
def test_a_fine_tuning_that_matches_a_pretraining_takes_its_length_besides(arm, ratio):
    config = configured(encoder={"width": 64})
    plain, longer = (
        resources.finetuning_seconds(config, name, "model_2", 150_000, 1)
        for name in ("baseline", arm)
    )
    reading = 60 + 150_000 * 4 * 64**2 / 5e7
    assert (longer - reading) / (plain - reading) == pytest.approx(ratio, rel=1e-3)


def test_features_are_computed_in_less_time_than_a_fine_tuning_takes():
    config = configured(encoder={"width": 64})
    encoder = settings.frozen_encoder(config, "probe-random", "model_2")
    seconds = resources.features_seconds(config, encoder, "model_2", 10**6, 1)
    assert seconds < resources.finetuning_seconds(config, "baseline", "model_2", 10**6, 1)
    reading = 60 + 10**6 * 4 * 64**2 / 5e7
    computing = 2 * 10**6 * 2 * 35_000 * 64**2 / 5e12  # twice through the encoder
    assert seconds == pytest.approx(reading + computing, abs=2)
    memory = resources.features_mb(config, encoder, "model_2", 10**6, 1)
    assert memory == pytest.approx(3000 + 100 + 8 * 512)


def test_a_probe_by_hand():
    given = {"encoder": {"width": 64}, "evaluation": {"average_orientations": True}}
    found = requested("probe", {"arm": "probe-random", "dataset": "model_2"}, **given)
    values = (1500 + 300 + 1500) * 512 * 8
    assert found["mem_mb"] == math.ceil(1500 + 20e-6 * values + 24e-6 * 2**24)
    assert found["estimated_seconds"] == 60 + math.ceil(5 * 1e4 * values / 40e9)
    assert "gpu" not in found
    assert resources.features_of_image({"name": "resnet50", "width": 32, "neck": []}) == 1024
    assert resources.features_of_image({"name": "resnet50", "width": 32, "neck": [256, 128]}) == 128


def test_a_probe_of_an_archive_by_the_size_of_its_features():
    pixels = {"pixels": 50, "pixel_scale": 0.1}
    archive = {"source": "archive", "paths": {"train": "a", "test": "b"}, "instrument": pixels}
    wildcards = {"arm": "probe-random", "dataset": "mine"}
    size = SimpleNamespace(size_mb=400.0)
    found = requested("probe", wildcards, input=size, datasets={"mine": archive})
    assert found["mem_mb"] == math.ceil(1500 + 20 * 100 + 24e-6 * 2**24)


def test_averaging_over_orientations_takes_longer():
    one, eight = (
        resources.evaluation_seconds(
            configured(encoder={"width": 64}, evaluation={"average_orientations": average}),
            "baseline", "model_2", 10**7, 1,
        ) - 60 - 10**7 * 4 * 64**2 / 5e7
        for average in (False, True)
    )  # fmt: skip
    assert eight / one == pytest.approx(9 / 2, rel=1e-3)


def test_memory_on_a_gpu_holds_images_and_without_one_feature_maps_too():
    config = configured(encoder={"name": "resnet50", "width": 64})
    name, dataset = "contrastive-rotation", "model_2"
    fixed = 3000 + 100 * 1800 / 1e6
    on_gpu = resources.pretraining_mb(config, name, dataset, 1800, 1)
    assert on_gpu == pytest.approx(fixed + 2 * 4 * 64**2 * 1800 / 1e6)
    on_cpu = resources.pretraining_mb(config, name, dataset, 1800, 0)
    assert on_cpu == pytest.approx(fixed + 4e-6 * 760 * 64**2 * 2 * 64)
    tuning = resources.finetuning_mb(config, "baseline", dataset, 1800, 0)
    assert tuning == pytest.approx(fixed + 4e-6 * 760 * 64**2 * 64)
    # a masked autoencoder computes less than once forward and backward, and holds one view
    masked = configured(
        encoder={"name": "vit_nano", "token_stem": "patch"},
        pretrainings={"it": {"method": "mae", "pretext": "none"}},
    )
    assert resources.pretraining_mb(masked, "it", dataset, 1800, 0) > fixed + 1
    # a million images stay on the disk
    many = resources.pretraining_mb(config, name, dataset, 10**6, 1)
    assert many == pytest.approx(3000 + 100)


def test_images_of_an_archive_are_told_by_its_records():
    pixels = {"pixels": 50, "pixel_scale": 0.1}
    archive = {"source": "archive", "paths": {"train": "a", "test": "b"}, "instrument": pixels}
    config = configured(datasets={"mine": archive})
    records = SimpleNamespace(size_mb=4 * 50**2 * 777 / 1e6)
    assert resources.images_of(config, "mine", ["train"], records) == 777
    assert resources.images_of(config, "model_2", ["train", "test"], None) == 3000


def test_the_time_limit_has_a_margin_doubles_and_ends_somewhere():
    planning = {"safety_factor": 3.0, "overhead_min": 10, "max_runtime_min": 100}
    limits = [resources.time_limit(181, planning, attempt) for attempt in range(1, 6)]
    assert limits == [20, 40, 80, 100, 100]


def test_memory_doubles_up_to_a_limit_that_a_first_attempt_may_exceed():
    planning = {"max_mem_mb": 128_000}
    assert [resources.memory(20_800.2, planning, n) for n in (1, 2, 3, 4, 5)] == [
        20_801, 41_602, 83_204, 128_000, 128_000,
    ]  # fmt: skip
    assert [resources.memory(200_000, planning, n) for n in (1, 2)] == [200_000, 200_000]


def test_retries_double_up_to_eight_times():
    assert [resources.doubled(9.5, attempt) for attempt in range(1, 7)] == [10, 20, 40, 80, 80, 80]


def test_limits_of_other_modules_are_those_counted_here():
    assert resources.MAX_NEIGHBOURS == shortcuts.MAX_NEIGHBOURS
    assert resources.MAX_IMAGES == shortcuts.MAX_IMAGES
    assert resources.HELD_BY_GPU == engine.HELD_BY_GPU
    assert resources.COSINES == features.COSINES


@pytest.mark.parametrize("images", [10**5, 10**6])
def test_data_jobs_grow_with_their_images(images):
    config = configured()
    size = 4 * 64**2 * images
    assert resources.reading_seconds(config, "model_2", images) == math.ceil(60 + size / 5e7)
    measuring = resources.measuring_seconds(config, "model_2", images)
    assert measuring == math.ceil(60 + 3 * size / 5e7)
    # but of those that are compared, there are no more than so many
    distances = 2 * 64**2 * 12_000 * 5000 / 40e9
    comparing = resources.comparing_seconds(config, "model_2", images)
    assert comparing == pytest.approx(60 + 4 * 64**2 * 12_000 / 5e7 + distances, abs=2)
    memory = resources.comparing_mb(config, "model_2", images)
    assert memory == pytest.approx(1500 + 4 * 4 * 64**2 * 17_000 / 1e6)
    # that of the largest images, whichever the data set
    rendering = resources.rendering_seconds(config, images)
    assert rendering == pytest.approx(60 + 1e-7 * 150**2 * images, abs=1)


def requested(rule, wildcards, gpus=1, attempt=1, input=None, **given):
    """What a job of the default configuration requests."""
    config = configured(**given)
    model = resources.ResourceModel(config, gpus=gpus, training_gpus=2 * gpus)
    named = {"wildcards": SimpleNamespace(**wildcards), "input": input, "attempt": attempt}
    return {
        name: value(**{key: named[key] for key in inspect.signature(value).parameters})
        if callable(value)
        else value
        for name, value in model.of_job(rule).items()
    }


def test_a_training_requests_its_own_number_of_gpus():
    config = configured()
    found = requested("finetune", {"arm": "baseline", "dataset": "model_2"})
    seconds = resources.finetuning_seconds(config, "baseline", "model_2", 1500, 2)
    memory = resources.finetuning_mb(config, "baseline", "model_2", 1800, 2)
    assert found == {
        "gpu": 2,
        "estimated_seconds": seconds,
        "runtime": resources.time_limit(seconds, config["planning"], 1),
        "mem_mb": resources.memory(memory, config["planning"], 1),
    }
    assert requested("evaluate", {"arm": "baseline", "dataset": "model_2"})["gpu"] == 1


def test_a_second_attempt_requests_twice_as_much_and_is_estimated_to_take_as_long():
    cells = {"pretraining": "byol-dihedral", "dataset": "model_1"}
    first, second = (requested("pretrain", cells, attempt=n) for n in (1, 2))
    assert second["runtime"] == 2 * first["runtime"]
    assert second["mem_mb"] == 2 * first["mem_mb"]
    assert second["estimated_seconds"] == first["estimated_seconds"]


def test_a_job_that_compares_every_data_set_holds_one_after_the_other():
    config = configured()
    found = requested("shortcuts", {})
    images = 1500 + config["splits"]["test"]["images"]
    datasets = config["run"]["datasets"]
    assert len(datasets) == 3
    seconds = [resources.comparing_seconds(config, name, images) for name in datasets]
    assert found["estimated_seconds"] == sum(seconds)
    held = [resources.comparing_mb(config, name, images) for name in datasets]
    assert found["mem_mb"] == math.ceil(max(held))
    assert "gpu" not in found
