"""The configuration: how it is merged, what a job is told of it, and how its errors read."""

import subprocess
import sys
from copy import deepcopy

import jsonschema
import pytest
import yaml
from paths import ROOT

from sslens.configuration import settings
from sslens.configuration.checks import check, check_labels
from sslens.configuration.files import ConfigurationError
from sslens.configuration.loading import load, merge
from sslens.configuration.settings import resolve
from sslens.methods.registry import method_names
from sslens.networks.encoders.registry import encoder_schema
from sslens.protocols import FINE_TUNE, FROZEN

SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
SHIPPED = load(ROOT / "config", {})
NAN, INF = float("nan"), float("inf")


def config_with(path=None, value=None):
    """The shipped configuration with the entry at a dotted path set."""
    config = deepcopy(SHIPPED)
    if path is not None:
        *folders, last = path.split(".")
        place = config
        for folder in folders:
            place = place[folder]
        place[last] = value
    return config


def error_of(config):
    """The message of the check: one line."""
    with pytest.raises(ConfigurationError) as error:
        check(config, SCHEMA)
    message = str(error.value)
    assert "\n" not in message
    # the list of all that there is grows with it
    assert len(message.partition("known are")[0]) < 300
    return message


# --- merging and reading --------------------------------------------------------------------------


def test_merge_overlays_mappings_and_replaces_all_else():
    base = {"a": {"x": 1, "y": {"z": 2}}, "list": [1, 2], "kept": 0, "none": None, "deep": {"k": 1}}
    overlay = {"a": {"y": {"z": 3}, "new": 4}, "list": [9], "none": {"k": 1}, "deep": None}
    assert merge(base, overlay) == {
        "a": {"x": 1, "y": {"z": 3}, "new": 4},
        "list": [9],
        "kept": 0,
        "none": {"k": 1},
        "deep": None,
    }


def test_merge_changes_neither_and_shares_nothing():
    base, overlay = {"a": {"l": [1]}, "b": {"l": [2]}}, {"a": {"m": [3]}}
    merged = merge(base, overlay)
    for part in (merged["a"]["l"], merged["a"]["m"], merged["b"]["l"]):
        part.append("changed")
    merged["b"]["new"] = 1
    assert base == {"a": {"l": [1]}, "b": {"l": [2]}}
    assert overlay == {"a": {"m": [3]}}


def test_load_lays_what_is_given_over_both_files(tmp_path):
    (tmp_path / "datasets.yaml").write_text("datasets: {a: {seed: 1, k: 1}}\n")
    (tmp_path / "config.yaml").write_text("run: {seeds: [1]}\ndatasets: {a: {k: 2}}\nother: 1\n")
    config = load(tmp_path, {"run": {"seeds": [3]}, "datasets": {"b": {}}})
    assert config == {
        "run": {"seeds": [3]},
        "datasets": {"a": {"seed": 1, "k": 2}, "b": {}},
        "other": 1,
    }


ALIKE = """
datasets:
  a: {title: A, seed: 1, light: {x: 1, amplitude: 20}, camera: {pixels: 64}}
  b: {like: a, title: B, light: {x: 2, magnitude: 20}}
"""


@pytest.fixture
def alike(tmp_path):
    """Loads what is laid over two data sets, of which b is like a."""
    (tmp_path / "datasets.yaml").write_text(ALIKE)
    (tmp_path / "config.yaml").write_text("{}")
    return lambda own: load(tmp_path, {"datasets": own})["datasets"]


def test_a_data_set_is_like_another_but_for_its_title_and_the_sections_it_has(alike):
    made = alike({"d": {"like": "c", "camera": {"pixels": 8}}, "c": {"like": "b", "seed": 3}})
    assert made["b"] == {
        "title": "B",
        "seed": 1,
        "light": {"x": 2, "magnitude": 20},
        "camera": {"pixels": 64},
    }
    assert made["c"] == made["b"] | {"title": "c", "seed": 3}
    assert made["d"] == made["c"] | {"title": "d", "camera": {"pixels": 8}}
    made["d"]["light"]["x"] = 5
    assert made["b"]["light"]["x"] == made["c"]["light"]["x"] == 2, "copies share nothing"


def test_what_is_laid_over_a_data_set_is_merged_and_leaves_those_that_are_like_it(alike):
    made = alike({"a": {"camera": {"psf": 1}}, "b": {"light": {"y": 3}}, "new": {"like": "a"}})
    assert made["a"]["camera"] == {"pixels": 64, "psf": 1}
    assert made["b"]["camera"] == {"pixels": 64}
    assert made["b"]["light"] == {"x": 2, "y": 3, "magnitude": 20}
    assert made["new"] == made["a"] | {"title": "new"}, "of the file that names it, the last word"


def test_a_data_set_has_the_settings_of_the_one_that_it_is_like():
    given = {
        "datasets": {"later": {"like": "mine"}, "mine": {"like": "model_1"}},
        "preprocessing": {"for_dataset": {"mine": {"bin": 1}}},
    }
    config = load(ROOT / "config", {"datasets": given["datasets"]})
    shipped = config["preprocessing"]["for_dataset"]["model_1"]
    for name in ("mine", "later"):
        assert config["preprocessing"]["for_dataset"][name] == shipped
    own = load(ROOT / "config", given)["preprocessing"]["for_dataset"]
    assert own["mine"] == own["later"] == shipped | {"bin": 1}, "what is given is laid over it"


def test_a_data_set_may_become_like_another(alike):
    made = alike({"b": {"like": "a"}})
    assert made["b"] == made["a"] | {"title": "b"}


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (
            {"mine": {"like": "model_4"}},
            ["datasets.mine.like: unknown data set 'model_4'; did you mean 'model_3'?"],
        ),
        ({"mine": {"like": ["model_1"]}}, ["datasets.mine.like: unknown data set ['model_1']"]),
        ({"mine": {"like": "mine"}}, ["datasets.mine.like: goes round in a circle (mine); write"]),
        (
            {"x": {"like": "y"}, "y": {"like": "z"}, "z": {"like": "x"}},
            ["datasets.x.like: goes round in a circle (x, y, z); write"],
        ),
        ({"x": {"like": "y"}, "y": None}, ["datasets.y: None is not of type 'object'"]),
        ({"x": 3}, ["datasets.x: 3 is not of type 'object'"]),
        (["x"], ["datasets: ['x'] is not of type 'object'"]),
    ],
)
def test_what_a_data_set_cannot_be_like(own, expected):
    message = error_of(load(ROOT / "config", {"datasets": own}))
    for part in expected:
        assert part in message


def test_load_reads_utf8_whatever_the_locale(tmp_path):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\n"
        "from sslens.configuration.loading import load\n"
        "print(ascii(load(Path(sys.argv[2]), {})['title']))\n"
        "print('tensorflow' in sys.modules)"
    )
    (tmp_path / "datasets.yaml").write_text("title: Modèle\n", encoding="utf-8")
    (tmp_path / "config.yaml").write_text("run: 1\n")
    done = subprocess.run(
        [sys.executable, "-X", "utf8=0", "-c", code, ROOT / "workflow/scripts", tmp_path],
        env={"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"},
        capture_output=True,
        text=True,
    )
    # and the room is free of TensorFlow, since the Snakefile reads it for every job
    assert done.stdout.splitlines() == ["'Mod\\xe8le'", "False"], done.stderr


def test_resolve_lays_a_data_sets_own_entry_over_the_section():
    section = {
        "crop": None,
        "optimizer": {"name": "adam", "rate": 1},
        "for_dataset": {"model_1": {"crop": 128, "optimizer": {"rate": 2}}},
    }
    before = deepcopy(section)
    assert resolve(section, "model_1") == {"crop": 128, "optimizer": {"name": "adam", "rate": 2}}
    assert resolve(section, "model_2") == {"crop": None, "optimizer": {"name": "adam", "rate": 1}}
    assert section == before


# --- what ships -----------------------------------------------------------------------------------


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_what_ships_passes():
    check(SHIPPED, SCHEMA)
    overlays = [*(ROOT / "config").glob("*.yaml"), *(ROOT / "tests" / "configs").glob("*.yaml")]
    names = {"config.yaml", "datasets.yaml", "comparison.yaml", "tiny.yaml"}
    assert names <= {path.name for path in overlays}
    for path in overlays:
        check(load(ROOT / "config", yaml.safe_load(path.read_text())), SCHEMA)


def test_the_schema_knows_every_key_that_ships():
    """So that a key cannot be in the configuration and stay without check or description."""
    for section in ("preprocessing", "encoder", "finetuning", "optimizer"):
        known = set(SCHEMA["$defs"][section]["properties"]) - {"for_dataset"}
        if section == "encoder":
            known |= set(encoder_schema("resnet18")["properties"])
        given = SHIPPED["finetuning"]["optimizer"] if section == "optimizer" else SHIPPED[section]
        assert set(given) - {"for_dataset"} == known, section
    for section in ("nearest_neighbours", "evaluation", "comparison"):
        schema = SCHEMA["properties"][section]
        assert set(SHIPPED[section]) == set(schema["properties"]) == set(schema["required"])


def test_the_schema_and_the_code_know_the_same_protocols():
    arm = SCHEMA["properties"]["arms"]["additionalProperties"]["properties"]
    assert arm["protocol"]["enum"] == [FINE_TUNE, *FROZEN]
    assert len({FINE_TUNE, *FROZEN}) == 3


@pytest.mark.parametrize("dataset", SHIPPED["datasets"])
@pytest.mark.parametrize("arm", SHIPPED["arms"])
def test_every_arm_that_ships_has_settings_and_can_be_run(arm, dataset):
    """Also those that no configuration of ours runs: all but what a control is needed for."""
    config = config_with("run.arms", [arm])
    fields = settings.arm_fields(config, arm, dataset)
    if fields["protocol"] in FROZEN:
        own = settings.probe_settings(config, arm, dataset)
        name = settings.frozen_encoder(config, arm, dataset)
        assert name in settings.frozen_encoders(config, dataset)
        encoder = settings.features_settings(config, name, dataset)["encoder"]
    else:
        own = settings.arm_settings(config, arm, dataset)
        encoder = own["encoder"]
    assert own["protocol"] == fields["protocol"]
    entry = config["arms"][arm]
    assert fields["pretraining"] == entry.get("pretraining")
    keys = {
        "fine_tune": {*config["finetuning"], "xla", *settings.MATCHES},
        "linear_probe": {"inverse_penalties"},
        "nearest_neighbours": {"neighbours", "temperature"},
    }
    assert set(own["learning"]) == keys[own["protocol"]]
    for key in settings.MATCHES:
        assert (own["learning"].get(key) is None) == (key not in entry)
    if fields["pretraining"] is not None:
        source = settings.pretrained_on(entry, dataset)
        pretraining = settings.pretraining_settings(config, fields["pretraining"], source)
        assert pretraining["encoder"] == encoder
        assert pretraining["method"] == fields["method"]
    if own["protocol"] in FROZEN:
        random = {"linear_probe": "probe-random", "nearest_neighbours": "neighbours-random"}
        config["run"]["arms"] = list({arm: 0, random[own["protocol"]]: 0})
    config["run"]["datasets"] = [dataset]
    check(config, SCHEMA)


# --- the friendly errors --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        # unknown keys, with the nearest
        ("finetunning", {}, ["top level: unknown key 'finetunning'", "mean 'finetuning'?"]),
        ("run.seed", [1], ["run: unknown key 'seed'", "mean 'seeds'?", "label_fractions"]),
        ("splits.train.image", 3, ["splits.train: unknown key 'image'", "mean 'images'?"]),
        ("preprocessing.strech", "asinh", ["preprocessing: unknown key 'strech'", "'stretch'?"]),
        ("encoder.witdh", 3, ["encoder: unknown key 'witdh'", "mean 'width'?"]),
        ("finetuning.optimizer.lr", 1, ["finetuning.optimizer: unknown key 'lr'", "momentum"]),
        ("pretraining.epoch", 1, ["pretraining: unknown key 'epoch'", "mean 'epochs'?"]),
        ("arms.baseline.name", "x", ["arms.baseline: unknown key 'name'", "title"]),
        (
            "preprocessing.for_dataset",
            {"model_1": {"cropp": 1}},
            ["preprocessing.for_dataset.model_1: unknown key 'cropp'", "mean 'crop'?"],
        ),
        (
            "pretrainings.byol-dihedral.options",
            {"taus": 0.9},
            ["pretrainings.byol-dihedral.options: unknown key 'taus'", "mean 'tau'?"],
        ),
        (
            "pretrainings.byol-dihedral.options",
            {"temperature": 0.1},  # another method's
            ["pretrainings.byol-dihedral.options: unknown key 'temperature'", "tau"],
        ),
        (
            "pretrainings.byol-dihedral.options",
            {"projector": {"hiden": 3}},
            ["pretrainings.byol-dihedral.options.projector: unknown key 'hiden'", "'hidden'?"],
        ),
        # wrong types and values
        ("cpu_threads", "two", ["cpu_threads: 'two' is not of type 'integer'", "(threads of"]),
        ("cpu_threads", 0, ["cpu_threads: 0 is less than the minimum of 1"]),
        ("run", None, ["run: None is not of type 'object'", "(what this run compares)"]),
        ("run.seeds", 1, ["run.seeds: 1 is not of type 'array'"]),
        ("run.seeds", [1.0], ["run.seeds.0: 1.0 is not of type 'integer'"]),
        ("splits.train.images", True, ["splits.train.images: True is not of type 'integer'"]),
        ("run.seeds", [1.5], ["run.seeds.0: 1.5 is not of type 'integer'"]),
        ("run.label_fractions", [0.1, 0], ["run.label_fractions.1: 0 is less than or equal to"]),
        ("run.label_fractions", [1.1], ["run.label_fractions.0: 1.1 is greater than"]),
        ("encoder.width", "16", ["encoder.width: '16' is not of type 'integer'"]),
        ("encoder.name", "resnet34", ["encoder.name: 'resnet34' is not one of", "'resnet18'"]),
        (
            "finetuning.optimizer.learning_rate",
            "2e-3",
            ["finetuning.optimizer.learning_rate: '2e-3'", "(write 1.0e-3: YAML takes"],
        ),
        # numbers that are none, or that nothing can hold
        ("run.label_fractions", [NAN], ["run.label_fractions.0: nan is not a finite number"]),
        ("planning.safety_factor", INF, ["planning.safety_factor: inf is not a finite number"]),
        ("preprocessing.softening", -INF, ["preprocessing.softening: -inf is not a finite"]),
        ("finetuning.optimizer.clip_norm", NAN, ["finetuning.optimizer.clip_norm: nan is not a"]),
        ("pretexts.rotation", [{"rotation": {"max_degrees": NAN}}], ["pretexts.rotation.0.rota"]),
        (
            "pretrainings.byol-dihedral.options",
            {"tau": NAN},
            ["pretrainings.byol-dihedral.options.tau: nan is not a finite number (rate of"],
        ),
        ("run.seeds", [2**70], ["run.seeds.0: a whole number of 71 bits is out of range"]),
        ("splits.train.images", 10**400, ["splits.train.images: a whole number of 1329 bits is"]),
        ("planning.gpu_tflops", 10**400, ["planning.gpu_tflops: a whole number of 1329 bits is"]),
        ("splits.test.images", 10**12, ["splits.test: 1000000000000 images are 666666667 files"]),
        (
            "datasets.model_1.image_scale",
            NAN,
            ["datasets.model_1.image_scale: nan is not a finite"],
        ),
        ("datasets.model_1.seed", 2**70, ["datasets.model_1.seed: a whole number of 71 bits is"]),
        (
            "datasets.model_1.substructure.cdm.count",
            10**9,
            ["datasets.model_1.substructure.cdm.count: 10000"],
        ),
        # truth values and texts where numbers are expected, as --config gives them inside braces
        ("run.seeds", [True], ["run.seeds.0: True is not of type 'integer'"]),
        ("run.seeds", ["3"], ["run.seeds.0: '3' is not of type 'integer'", "a file for --configf"]),
        ("run.label_fractions", ["0.5"], ["run.label_fractions.0: '0.5'", "a file for --configf"]),
        ("preprocessing.crop", "null", ["preprocessing.crop: 'null' is not of", "without quotes"]),
        (
            "tensorboard",
            "true",
            ["tensorboard: 'true' is not of type 'boolean'", "a file for --co"],
        ),
        ("container", "null", ["container: 'null' is a text; write null in a file, or nothing"]),
        # keys and sections
        ("arms", None, ["arms: None is not of type 'object'"]),
        ("arms.baseline", None, ["arms.baseline: None is not of type 'object'"]),
        ("splits", ["train"], ["splits: ['train'] is not of type 'object'"]),
        ("pretexts.a\nb", 3, ["pretexts", "'a\\nb' does not match"]),
        ("arms.baseline\n", {}, ["arms: 'baseline\\n' does not match"]),
        (f"arms.{'a' * 101}", {}, ["arms: 'aaaaa", "is too long"]),
        (
            "preprocessing.for_dataset",
            {"model_1": {"for_dataset": {"model_2": {"bin": 2}}}},
            ["preprocessing.for_dataset.model_1.for_dataset: inside of a for_dataset; leave it"],
        ),
        (
            "pretexts.gaussian_noise",
            [{"gaussian_noise": {"stddev": 1, "clip": [1, -1]}}],
            ["pretexts.gaussian_noise.0.gaussian_noise.clip: [1, -1]; give the lowest value bef"],
        ),
        # titles and paths
        ("arms.baseline.title", "Base\n", ["arms.baseline.title: 'Base\\n' is not one line of"]),
        ("arms.baseline.title", " ", ["arms.baseline.title: ' ' is not one line of text"]),
        ("datasets.model_1.title", "a\u2028b", ["datasets.model_1.title: 'a\\u2028b' is not one"]),
        ("arms.baseline.title", r"$\foo$", ["arms.baseline.title: figures cannot show '$"]),
        ("checkpoint_dir", "a\nb", ["checkpoint_dir: 'a\\nb' has a line break or another control"]),
        ("data_dir", "~nobody-of-this-name/x", ["data_dir: no home folder is known for '~nobod"]),
        ("data_dir", "data", ["data_dir: 'data' does not match"]),
        ("container", "/a/{dataset}.sif", ["container: '/a/{dataset}.sif' has braces; rename"]),
        ("preprocessing.stretch", "log", ["preprocessing.stretch: 'log' is not one of"]),
        ("pretexts.rotation", {"rotation": {}}, ["pretexts.rotation: ", "not of type 'array'"]),
        ("pretexts.rotation", ["rotation"], ["pretexts.rotation.0: ", "not of type 'object'"]),
        (
            "pretrainings.byol-dihedral.options",
            {"tau": 1.5},
            ["pretrainings.byol-dihedral.options.tau: 1.5 is greater than", "(rate of"],
        ),
        ("splits.test", {"images": 6}, ["splits.test: 'shard_size' is a required property"]),
        ("pretrainings.new", {"method": "byol"}, ["pretrainings.new: 'pretext' is a required"]),
        # empty lists, twice the same, no images
        ("run.arms", [], ["run.arms: [] should be non-empty"]),
        ("run.datasets", [], ["run.datasets: [] should be non-empty"]),
        ("run.seeds", [], ["run.seeds: [] should be non-empty"]),
        ("run.label_fractions", [], ["run.label_fractions: [] should be non-empty"]),
        ("probe.inverse_penalties", [], ["probe.inverse_penalties: [] should be non-empty"]),
        ("run.seeds", [1, 1], ["run.seeds: [1, 1] has non-unique elements"]),
        ("splits.train.images", 0, ["splits.train.images: 0 is less than", "one of each class"]),
        ("splits.train.shard_size", 0, ["splits.train.shard_size: 0 is less than"]),
        ("splits.test.images", 5, ["splits.test.images: 5 is less than", "two of each class"]),
        ("pretraining.batch_size", 1, ["pretraining.batch_size: 1 is less than"]),
        ("run.label_fractions", [1.0, 0.0001], ["run.label_fractions.1: 0.0001 of 500 training"]),
        # augmentations and their strengths
        (
            "pretexts.rotation",
            [{"rotate": {"max_degrees": 3}}],
            ["pretexts.rotation.0: unknown key 'rotate'", "mean 'rotation'?"],
        ),
        (
            "pretexts.rotation",
            [{"dihedral": {}}, {"rotation": {"degrees": 3}}],
            ["pretexts.rotation.1.rotation: unknown key 'degrees'", "mean 'max_degrees'?"],
        ),
        (
            "pretexts.gaussian_noise",
            [{"gaussian_noise": {"stddev": -1}}],
            ["pretexts.gaussian_noise.0.gaussian_noise.stddev: -1 is less than"],
        ),
        (
            "pretexts.gaussian_noise",
            [{"gaussian_noise": None}],
            ["pretexts.gaussian_noise.0.gaussian_noise: None is not of type 'object'"],
        ),
        # names that are defined nowhere
        ("run.arms", ["base-line"], ["run.arms: unknown arm 'base-line'", "mean 'baseline'?"]),
        ("run.datasets", ["model_4"], ["run.datasets: unknown data set 'model_4'", "'model_"]),
        ("run.datasets", ["zzz"], ["run.datasets: unknown data set 'zzz'; known are model_1, mod"]),
        (
            "pretrainings.byol-dihedral.method",
            "boyl",
            ["pretrainings.byol-dihedral.method: unknown method 'boyl'", "mean 'byol'?"],
        ),
        (
            "pretrainings.byol-dihedral.pretext",
            "dihedrl",
            ["pretrainings.byol-dihedral.pretext: unknown pretext 'dihedrl'", "'dihedral'?"],
        ),
        (
            "pretrainings.byol-dihedral.for_dataset",
            {"model_2": {"method": "boyl"}},
            ["pretrainings.byol-dihedral.for_dataset.model_2.method: unknown method 'boyl'"],
        ),
        (
            "arms.byol-dihedral.pretraining",
            "byol-dihedrl",
            ["arms.byol-dihedral.pretraining: unknown pretraining", "mean 'byol-dihedral'?"],
        ),
        (
            "arms.byol-dihedral.pretrained_on",
            "model_4",
            ["arms.byol-dihedral.pretrained_on: unknown data set 'model_4'", "mean 'model_"],
        ),
        (
            "finetuning.augmentation",
            "rotations",
            ["finetuning.augmentation: unknown pretext 'rotations'", "mean 'rotation"],
        ),
        (
            "finetuning.for_dataset",
            {"model_3": {"augmentation": "flip"}},
            ["finetuning.for_dataset.model_3.augmentation: unknown pretext 'flip'"],
        ),
        ("arms.a/b", {}, ["arms: 'a/b' does not match", "(letters, digits"]),
        ("pretrainings.a b", {"method": "byol", "pretext": "dihedral"}, ["pretrainings: 'a b' "]),
        ("datasets.a/b", {}, ["datasets: 'a/b' does not match"]),
        # what would be silently passed over
        (
            "arms.baseline.pretrained_on",
            "model_1",
            ["arms.baseline.pretrained_on: the arm has no pretraining"],
        ),
        (
            "preprocessing.for_dataset",
            {"model1": {"bin": 2}},
            ["preprocessing.for_dataset: unknown data set 'model1'", "mean 'model_"],
        ),
        (
            "arms.byol-dihedral.encoder",
            {"width": 8},
            ["arms.byol-dihedral.encoder: ", "pretrainings.byol-dihedral"],
        ),
        (
            "pretrainings.byol-dihedral.encoder",
            {"for_dataset": {"model1": {"width": 8}}},
            ["pretrainings.byol-dihedral.encoder.for_dataset: unknown data set 'model1'"],
        ),
        (
            "datasets.model_2.title",
            "Model I",
            ["datasets: two data sets", "title 'Model I'; change"],
        ),
        ("arms.baseline.title", "Bootstrap Your Own Latent", ["arms: two arms", "Bootstrap"]),
        # what an arm has of its own
        (
            "arms.baseline-long.match_steps_of",
            "contrastive-rotate",
            [
                "arms.baseline-long.match_steps_of: unknown pretraining 'contrastive-rotate'",
                "mean 'contrastive-rotation'?",
            ],
        ),
        (
            "arms.baseline-compute.match_compute_of",
            "contrastive-rotate",
            ["arms.baseline-compute.match_compute_of: unknown pretraining 'contrastive-rotate'"],
        ),
        (
            "arms.baseline-compute.match_steps_of",
            "byol-dihedral",
            ["arms.baseline-compute.match_steps_of: an arm matches steps or computation; leave"],
        ),
        (
            "arms.baseline-compute.encoder",
            {"width": 8},
            ["arms.baseline-compute.encoder: an arm has the encoder of what it matches; leave it"],
        ),
        (
            "arms.baseline-compute.pretraining",
            "byol-dihedral",
            ["arms.baseline-compute.pretraining: an arm that matches the computation of a pretrai"],
        ),
        (
            "arms.probe-random.match_compute_of",
            "byol-dihedral",
            ["arms.probe-random.match_compute_of: an arm of protocol linear_probe is not fine-tun"],
        ),
        (
            "arms.baseline.match_steps_of",
            None,
            ["arms.baseline.match_steps_of: None is not of type"],
        ),
        (
            "arms.baseline.as_long_as",
            "x",
            ["arms.baseline.as_long_as: this key is 'match_steps_of' now"],
        ),
        (
            "planning.longest",
            10,
            ["planning.longest: this key is 'max_runtime_min' now"],
        ),
        (
            "arms.probe-random.match_steps_of",
            "byol-dihedral",
            ["arms.probe-random.match_steps_of: an arm of protocol linear_probe is not fine-tuned"],
        ),
        (
            "arms.neighbours-byol-dihedral.match_steps_of",
            "byol-dihedral",
            ["arms.neighbours-byol-dihedral.match_steps_of: an arm of protocol nearest_neighbours"],
        ),
        (
            "arms.neighbours-random.finetuning",
            {"epochs": 3},
            ["arms.neighbours-random.finetuning: an arm of protocol nearest_neighbours is not"],
        ),
        ("arms.probe-random.finetuning", {}, ["arms.probe-random.finetuning: an arm of protocol"]),
        (
            "arms.baseline.finetuning",
            {"epoch": 3},
            ["arms.baseline.finetuning: unknown key 'epoch'", "mean 'epochs'?"],
        ),
        (
            "arms.baseline.finetuning",
            {"augmentation": "rotations"},
            [
                "arms.baseline.finetuning.augmentation: unknown pretext 'rotations'",
                "mean 'rotation",
            ],
        ),
        (
            "arms.byol-dihedral.finetuning",
            {"for_dataset": {"model_2": {"augmentation": "flip"}}},
            ["arms.byol-dihedral.finetuning.for_dataset.model_2.augmentation: unknown pretext"],
        ),
        (
            "arms.baseline.finetuning",
            {"for_dataset": {"model1": {"epochs": 2}}},
            ["arms.baseline.finetuning.for_dataset: unknown data set 'model1'", "mean 'model_"],
        ),
        ("arms.baseline.protocol", "knn", ["arms.baseline.protocol: 'knn' is not one of"]),
        # sections of the comparison
        ("comparison.baseline", "base", ["comparison.baseline: unknown arm 'base'", "'baseline'?"]),
        ("comparison.baseline", None, ["comparison.baseline: None is not of type 'string'"]),
        ("comparison.allow_mixed", "yes", ["comparison.allow_mixed: 'yes' is not of type 'bool"]),
        ("evaluation.average_orientations", 8, ["evaluation.average_orientations: 8 is not of"]),
        ("evaluation", {}, ["evaluation: 'average_orientations' is a required property"]),
        ("nearest_neighbours.k", 5, ["nearest_neighbours: unknown key 'k'", "temperature"]),
        ("nearest_neighbours.neighbours", 0, ["nearest_neighbours.neighbours: 0 is less than"]),
        ("nearest_neighbours.neighbours", 2.5, ["nearest_neighbours.neighbours: 2.5 is not of"]),
        ("nearest_neighbours.temperature", 0, ["nearest_neighbours.temperature: 0 is less than"]),
        # what does not fit
        ("preprocessing.crop", 65, ["preprocessing: model_2 has 64 x 64 pixels", "crop 65"]),
        ("preprocessing.bin", 3, ["preprocessing: model_2 has 64 x 64", "bin 3"]),
        ("encoder.neck_dropout", [0.5], ["encoder.neck_dropout: [0.5] for a neck of []"]),
        # recipes
        ("datasets.model_2.seed", -1, ["datasets.model_2.seed: -1 is less than"]),
        ("datasets.model_1.noise", "gauss", ["datasets.model_1.noise: 'gauss' is not one of"]),
        ("datasets.model_1.distances", "proper", ["datasets.model_1.distances: 'proper'"]),
    ],
)
def test_an_error_is_one_line_that_names_the_key(path, value, expected):
    message = error_of(config_with(path, value))
    assert message.startswith(expected[0]), message
    for part in expected[1:]:
        assert part in message


def test_keys_are_texts():
    config = config_with()
    config["arms"][1] = {}
    assert error_of(config).startswith("arms: 1 is not of type 'string'")


def test_names_of_a_run_differ_in_more_than_case():
    config = config_with("arms.Baseline", {"title": "Another"})
    check(config, SCHEMA)  # as long as one of them is not run
    config["run"]["arms"] += ["Baseline"]
    assert error_of(config).startswith("arms: baseline and Baseline differ in case alone, and wo")
    config["arms"]["Baseline"]["pretraining"] = "BYOL-dihedral"
    config["pretrainings"]["BYOL-dihedral"] = config["pretrainings"]["byol-dihedral"]
    config["run"]["arms"] = ["Baseline", "byol-dihedral"]
    assert error_of(config).startswith("pretrainings: BYOL-dihedral and byol-dihedral differ in")


def test_what_a_title_may_hold():
    for title in ("{x} | a & b", r"$\Lambda$CDM", "5$", "σ = 0.1\u00a0″"):
        check(config_with("arms.baseline.title", title), SCHEMA)


def test_an_error_has_an_end():
    message = str(ConfigurationError("key: " + 5000 * "x\n" + " (remedy)"))
    assert len(message) < 1000
    assert message.startswith("key: x") and message.endswith(" (remedy)") and "\n" not in message


def test_a_missing_section_is_told():
    config = config_with()
    del config["splits"]
    assert error_of(config).startswith("top level: 'splits' is a required property")


def test_a_name_that_is_no_file_name_is_refused():
    for name in ("a/b", "../a", "", ".hidden", "a b"):
        assert "run.arms.0: " in error_of(config_with("run.arms", [name]))


def test_what_the_run_does_not_use_need_not_be_a_recipe_that_works():
    config = config_with("datasets.model_3.seed", -1)
    config["run"]["datasets"] = ["model_1"]
    check(config, SCHEMA)
    # but a transfer uses the data set it was pretrained on
    config["arms"]["byol-dihedral"]["pretrained_on"] = "model_3"
    assert error_of(config).startswith("datasets.model_3.seed")
    config["run"]["arms"] = ["baseline"]
    check(config, SCHEMA)


def test_a_classification_needs_images_of_every_class():
    config = config_with("datasets.model_1.class_shares", {"axion": 1, "cdm": 0, "no_sub": 0})
    assert error_of(config) == (
        "datasets.model_1.class_shares: no images of cdm, no_sub, but a classification needs all "
        "classes"
    )
    config["run"]["datasets"] = ["model_2", "model_3"]
    check(config, SCHEMA)
    shares = {"axion": 90, "cdm": 9, "no_sub": 1}
    config["datasets"]["model_3"]["class_shares"] = shares
    config["splits"]["test"]["images"] = 110
    message = error_of(config)
    assert message.startswith(
        "splits.test.images: 110 images of model_3 have 1 of the rarest class"
    )
    config["splits"]["test"]["images"] = 200
    config["run"]["label_fractions"] = [0.02]
    message = error_of(config)
    assert message.startswith("run.label_fractions.0: 0.02 of 15 training images per class leaves")


def test_a_method_refuses_a_pretext_that_it_cannot_learn_from():
    config = config_with("pretrainings.byol-dihedral.method", "rotnet")
    del config["pretrainings"]["byol-dihedral"]["options"]
    assert error_of(config) == (
        "pretrainings.byol-dihedral.pretext: dihedral has dihedral, which rotnet refuses; take a "
        "pretext without"
    )
    config["pretrainings"]["byol-dihedral"]["pretext"] = "gaussian_noise"
    check(config, SCHEMA)


def test_a_masked_autoencoder_needs_a_transformer_of_patches():
    config = config_with("pretrainings.byol-dihedral", {"method": "mae", "pretext": "none"})
    assert error_of(config) == (
        "pretrainings.byol-dihedral.method: mae needs an encoder with token_stem: patch; that of "
        "this pretraining, resnet18, has no such setting (take a vit)"
    )
    own = {"name": "vit_nano"}
    config["pretrainings"]["byol-dihedral"]["encoder"] = own
    config["run"]["arms"] = ["baseline", "byol-dihedral"]
    assert error_of(config).endswith("this pretraining, vit_nano, has convolution")
    own |= {"token_stem": "patch", "neck": [8], "neck_dropout": []}
    assert error_of(config).endswith(
        "mae needs an encoder with neck: []; that of this pretraining, vit_nano, has [8]"
    )
    own["neck"] = []
    check(config, SCHEMA)
    options = config["pretrainings"]["byol-dihedral"]["options"] = {"decoder": {"heads": 3}}
    assert error_of(config) == (
        "pretrainings.byol-dihedral.options.decoder.heads: 3 does not divide embedding of 64"
    )
    options["decoder"]["embedding"] = 48
    check(config, SCHEMA)


def test_a_pretraining_needs_a_batch_of_images_and_more_than_its_queue():
    config = config_with("pretraining.batch_size", 1501)
    assert error_of(config) == (
        "pretraining.batch_size: 1501, but there are 1500 training images; take a smaller batch"
    )
    config = config_with("pretrainings.byol-dihedral.method", "nnclr")
    config["pretrainings"]["byol-dihedral"]["options"] = {"queue": 500}
    check(config, SCHEMA)
    config["run"]["images_per_seed"] = 1497
    assert error_of(config) == (
        "pretrainings.byol-dihedral.options.queue: 500 is more than a third of 1497 training "
        "images; take at most 499"
    )
    config["run"]["images_per_seed"] = 1494
    for dataset in config["run"]["datasets"]:
        config["datasets"][dataset]["images_per_lens"] = 3
    config["pretrainings"]["byol-dihedral"] |= {"pairs": "same_lens", "options": {"queue": 167}}
    assert error_of(config) == (
        "pretrainings.byol-dihedral.options.queue: 167 is more than a third of 498 groups of 1494 "
        "training images with pairs: same_lens; take at most 166"
    )
    config["pretrainings"]["byol-dihedral"] |= {"options": {"queue": 166}, "batch_size": 499}
    assert error_of(config) == (
        "pretrainings.byol-dihedral.batch_size: 499, but there are 498 groups of 1494 training "
        "images with pairs: same_lens; take a smaller batch"
    )


def test_seeds_with_images_of_their_own_need_enough_of_whole_lenses():
    config = config_with("run.images_per_seed", 498)
    config["run"]["seeds"] = [7, 3, 5]
    check(config, SCHEMA)
    assert settings.own_images(config, 3) == {"training_images": [498, 996]}
    config["run"]["seeds"].append(9)
    assert error_of(config) == (
        "splits.train.images: 1500 images, but 4 seeds with 498 of their own (run.images_per_seed) "
        "need 1992"
    )
    config["run"]["seeds"] = [7]
    config["datasets"]["model_3"]["images_per_lens"] = 4
    assert error_of(config) == (
        "run.images_per_seed: 498 images of model_3 are no whole number of turns of its classes "
        "and lenses: take a multiple of 12"
    )
    config["datasets"]["model_3"] |= {"images_per_lens": 1, "lenses_per_substructure": 5}
    assert error_of(config).endswith("classes and lenses: take a multiple of 15")
    config["run"]["images_per_seed"] = None
    assert settings.own_images(config, 7) == {}


def test_label_fractions_are_of_the_images_of_a_seed():
    config = config_with("run.images_per_seed", 30)
    config["run"]["arms"] = ["baseline"]
    config["run"]["label_fractions"] = [0.02]
    message = error_of(config)
    assert message.startswith("run.label_fractions.0: 0.02 of 10 training images per class leaves")


def test_archives_have_no_new_images_for_a_seed(with_archive):
    config, _ = with_archive
    config["run"]["images_per_seed"] = 300
    assert error_of(config).startswith("run.images_per_seed: mine is an archive; only simulated")


@pytest.mark.parametrize("method", ["rotnet", "mae"])
def test_a_method_of_one_view_has_no_pairs(method):
    entry = {"method": method, "pretext": "none", "pairs": "same_lens"}
    entry |= {"encoder": {"name": "vit_nano", "token_stem": "patch"}}
    config = config_with("pretrainings.alone", entry)
    config["arms"]["alone"] = {"pretraining": "alone"}
    config["run"] |= {"arms": ["alone"], "datasets": ["model_2"]}
    config["datasets"]["model_2"]["images_per_lens"] = 4
    problem = f"same_lens, but {method} takes one image; give it same_image"
    assert f"pretrainings.alone.pairs: {problem}" in error_of(config)


def test_pairs_of_one_lens_need_several_images_of_it():
    config = config_with("pretrainings.byol-dihedral.pairs", "same_lens")
    message = error_of(config)
    assert message.startswith(
        "pretrainings.byol-dihedral.pairs: same_lens, but model_1, model_2, model_3 have one"
    )
    for dataset in ("model_1", "model_2", "model_3"):
        config["datasets"][dataset]["images_per_lens"] = 4
    check(config, SCHEMA)
    config["splits"]["train"]["images"] = 11
    config["run"]["arms"] = ["byol-dihedral", "baseline"]
    config["pretrainings"]["byol-dihedral"]["batch_size"] = 2
    message = error_of(config)
    assert message.startswith(
        "splits.train.images: 11 images, but pairs: same_lens of pretrainings."
    )
    assert "byol-dihedral needs 12 of model_1: the 4 images of each of its first groups" in message


def test_pairs_of_one_substructure_need_several_lenses_with_it():
    config = config_with("pretrainings.byol-dihedral.pairs", "same_substructure")
    assert error_of(config) == (
        "pretrainings.byol-dihedral.pairs: same_substructure, but model_1, model_2, model_3 have "
        "one image per substructure; set datasets.model_1.lenses_per_substructure, "
        "datasets.model_2.lenses_per_substructure, datasets.model_3.lenses_per_substructure"
    )
    for dataset in ("model_1", "model_2", "model_3"):
        config["datasets"][dataset]["lenses_per_substructure"] = 4
    check(config, SCHEMA)
    chosen = settings.pretraining_settings(config, "byol-dihedral", "model_1")
    assert chosen["substructures"] == {"period": 3, "size": 4}
    config["datasets"]["model_1"]["images_per_lens"] = 2
    assert error_of(config) == (
        "datasets.model_1.lenses_per_substructure: images_per_lens is above 1 as well; set one of "
        "them to 1"
    )


def test_fresh_noise_needs_a_recipe_with_noise_that_stores_images_without():
    config = config_with("pretrainings.byol-dihedral.pretext", "fresh_noise")
    config["run"]["datasets"] = ["model_2"]
    place = "pretrainings.byol-dihedral.pretext: fresh_noise has instrument_noise, but "
    assert error_of(config) == f"{place}the images of model_2 have no noise"
    config["run"]["datasets"] = ["realistic_2"]
    assert error_of(config) == f"{place}set datasets.realistic_2.store_noise_free to true"
    config["datasets"]["realistic_2"]["store_noise_free"] = True
    check(config, SCHEMA)
    chosen = settings.pretraining_settings(config, "byol-dihedral", "realistic_2")
    recipe = config["datasets"]["realistic_2"]
    noise = {key: recipe[key] for key in ("noise", "instrument")}
    assert chosen["raw_views"] == [{"instrument_noise": noise}]
    assert (chosen["raw_images"], chosen["views"]) == ("noise_free", [])


def test_raw_images_are_augmented_before_the_others_and_by_pretrainings_alone():
    config = config_with("pretexts.observation", [{"dihedral": {}}, {"psf_blur": {"max_sigma": 1}}])
    assert error_of(config) == "pretexts.observation.1: psf_blur after dihedral; put it before"
    config["pretexts"]["observation"][0] = {"instrument_noise": {}}
    assert error_of(config).endswith("1: psf_blur after instrument_noise; put it before")
    config = config_with("finetuning.augmentation", "psf_blur")
    assert error_of(config) == (
        "finetuning.augmentation: psf_blur has psf_blur, of raw images, for pretrainings alone; "
        "take a pretext without"
    )
    config = config_with("pretrainings.byol-dihedral.pretext", "psf_blur")
    check(config, SCHEMA)
    chosen = settings.pretraining_settings(config, "byol-dihedral", "model_2")
    assert (chosen["raw_images"], len(chosen["raw_views"])) == ("image", 1)


def test_an_encoder_from_a_file_is_a_pretraining_with_a_name(tmp_path):
    path = tmp_path / "encoder.keras"
    given = {"arms": {"mine": {"pretraining": {"file": str(path), "encoder": {"width": 8}}}}}
    config = load(ROOT / "config", given | {"run": {"arms": ["baseline", "mine"]}})
    name = config["arms"]["mine"]["pretraining"]
    assert error_of(config) == f"pretrainings.{name}.file: there is no file {path}"
    path.touch()
    check(config, SCHEMA)
    assert settings.is_from_file(config, name)
    chosen = settings.import_settings(config, name, "model_1")
    assert (chosen["file"], chosen["encoder"]["width"]) == (str(path), 8)
    assert settings.arm_encoder(config, "mine", "model_1")["width"] == 8
    assert settings.arm_fields(config, "mine", "model_1")["method"] == "file"
    assert settings.pretrained_rows(config) == {}
    assert settings.arm_titles(config)["mine"] == "mine ¶"
    assert settings.comparison_settings(config)["notes"] == {"mine": {"¶": "encoder.keras"}}
    config["arms"]["mine"]["pretrained_on"] = "model_2"
    message = error_of(config)
    assert message.startswith("arms.mine.pretrained_on: the arm's encoder is from a file")
    del config["arms"]["mine"]["pretrained_on"]
    config["arms"]["baseline"]["match_steps_of"] = name
    assert error_of(config).startswith(f"arms.baseline.match_steps_of: {name} is a file, whose")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"file": "here.keras"}, "file: 'here.keras' does not match '^[/~]' (whole path"),
        ({"file": 3}, "file: 3 is not of type 'string'"),
        ({"file": "/x", "epochs": 3}, ": unknown key 'epochs'; known are file, encoder"),
    ],
)
def test_what_is_wrong_with_an_encoder_from_a_file(given, message):
    config = load(ROOT / "config", {"arms": {"mine": {"pretraining": given}}})
    assert message in error_of(config)


def test_rows_whose_pretraining_has_more_labels_than_their_fine_tuning_are_marked():
    config = config_with("run.arms", ["supervised-contrastive", "contrastive-rotation"])
    assert settings.row_notes(config, "supervised-contrastive") == {}
    config["run"]["label_fractions"] = [1.0, 0.1]
    marked = settings.row_notes(config, "supervised-contrastive")
    assert marked == {"‖": "also where the fine-tuning has fewer"}
    assert settings.row_notes(config, "contrastive-rotation") == {}
    config["run"]["label_fractions"] = [1.0]
    config["task"] = {"name": "regression", "targets": ["log10_axion_mass"]}
    marked = settings.row_notes(config, "supervised-contrastive")
    assert marked == {"‖": "the classes, which other rows of a regression do not have"}


def test_rows_that_are_tested_against_another_encoder_are_marked():
    arms = ["baseline", "byol-dihedral", "contrastive-rotation"]
    config = config_with("run.arms", arms)
    config["pretrainings"]["byol-dihedral"]["encoder"] = {"for_dataset": {"model_2": {"width": 8}}}
    assert settings.references(config)["model_2"]["byol-dihedral"] == "baseline"
    assert settings.row_notes(config, "byol-dihedral") == {"◊": "on Model II"}
    assert settings.row_notes(config, "contrastive-rotation") == {}
    config["arms"]["narrow"] = {"encoder": {"width": 8}}
    config["run"]["arms"].append("narrow")
    assert settings.row_notes(config, "byol-dihedral") == {}


def test_a_transfer_with_another_encoder_has_no_gain():
    config = config_with("encoder.for_dataset", {"model_1": {"width": 8}})
    config["arms"]["moved"] = {"pretraining": "byol-dihedral", "pretrained_on": "model_1"}
    config["run"]["arms"] = ["baseline", "byol-dihedral", "moved"]
    shown = settings.figure_settings(config, "transfer", "byol-dihedral")
    assert shown["baselines"] == {"model_1": "baseline"}
    del config["encoder"]["for_dataset"]
    shown = settings.figure_settings(config, "transfer", "byol-dihedral")
    assert set(shown["baselines"]) == set(config["run"]["datasets"])


def test_the_encoder_of_a_pretraining_comes_before_that_of_all_for_a_data_set():
    config = config_with("pretraining.encoder", {"for_dataset": {"model_1": {"width": 8}}})
    config["pretrainings"]["byol-dihedral"]["encoder"] = {"width": 12}
    for dataset in ("model_1", "model_2"):
        assert settings.pretraining_encoder(config, "byol-dihedral", dataset)["width"] == 12
    widths = settings.pretraining_encoder(config, "contrastive-rotation", "model_1")["width"]
    assert widths == 8


def test_rows_that_use_what_only_a_simulation_knows_are_marked():
    config = config_with("pretrainings.byol-dihedral.pretext", "observation")
    for dataset in ("model_1", "model_2", "model_3"):
        recipe = {"store_noise_free": True, "noise": "published_double_poisson"}
        config["datasets"][dataset] |= recipe | {"images_per_lens": 4}
    config["pretrainings"]["byol-dihedral"]["pairs"] = "same_lens"
    notes = settings.comparison_settings(config)["notes"]
    known = {"‡": "pairs of images of one lens and images without noise"}
    assert notes == dict.fromkeys(["byol-dihedral", "probe-byol-dihedral"], known)
    assert settings.arm_title(config, "byol-dihedral") == "Bootstrap Your Own Latent ‡"
    assert "notes" not in settings.comparison_settings(config_with("run.seeds", [1]))


def test_settings_of_another_family_are_refused_and_those_left_behind_are_not():
    given = {"encoder": {"name": "vit_micro"}, "run": {"arms": ["baseline", "probe-random"]}}
    config = load(ROOT / "config", given)
    check(config, SCHEMA)
    chosen = settings.arm_encoder(config, "baseline", "model_2")
    assert (chosen["embedding"], chosen["layers"], chosen["patch"]) == (96, 5, 8)
    assert "width" not in chosen
    config = load(ROOT / "config", merge(given, {"encoder": {"width": 32}}))
    assert error_of(config) == (
        "encoder.width: vit_micro has none; its settings are patch, token_stem, embedding, layers, "
        "heads, mlp_ratio, drop_path"
    )
    own = {"encoder": {"name": "vit_nano", "layers": 2}}
    config = load(ROOT / "config", {"arms": {"baseline": own}, "run": {"arms": ["baseline"]}})
    check(config, SCHEMA)
    assert settings.arm_encoder(config, "baseline", "model_2")["layers"] == 2
    fields = settings.arm_fields(config, "baseline", "model_2")["encoder"]
    assert (fields["name"], fields["heads"], fields["neck"]) == ("vit_nano", 2, [])


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"heads": 5}, "encoder.heads: 5 does not divide embedding of 64 (arm baseline, model_1)"),
        ({"patch": 32}, "encoder.patch: 32 does not divide pixels of 48 (arm baseline, model_2)"),
        ({"patch": 6}, "encoder.patch: 6 is not one of [2, 4, 8, 16, 32] (pixels along a side"),
    ],
)
def test_a_transformer_that_does_not_fit_is_refused_before_any_job(own, message):
    given = {
        "encoder": {"name": "vit_nano"} | own,
        "run": {"arms": ["baseline"]},
        "preprocessing": {"for_dataset": {"model_2": {"crop": 48}}},
    }
    assert error_of(load(ROOT / "config", given)).startswith(message)


CONTROLS = [
    ("probe-random", "probe-byol-dihedral", "linear_probe"),
    ("neighbours-random", "neighbours-byol-dihedral", "nearest_neighbours"),
]


@pytest.mark.parametrize(("control", "arm", "protocol"), CONTROLS)
def test_a_frozen_encoder_needs_a_random_one_of_its_protocol(control, arm, protocol):
    for others in ([], [name for name, *_ in CONTROLS if name != control]):
        message = error_of(config_with("run.arms", ["baseline", *others, arm]))
        assert message.startswith(f"run.arms: {arm} has no probe of a random encoder to be")
        assert message.endswith(f"on model_1; add {control}")
    for arms in ([control, arm], [control], [name for names in CONTROLS for name in names[:2]]):
        check(config_with("run.arms", arms), SCHEMA)


@pytest.mark.parametrize(("control", "arm", "protocol"), CONTROLS)
def test_the_control_of_an_arm_has_its_encoder_on_every_data_set(control, arm, protocol):
    config = config_with("run.arms", [control, arm])
    own = {"for_dataset": {"model_2": {"width": 8}}}
    config["pretrainings"]["byol-dihedral"]["encoder"] = own
    message = error_of(config)
    assert f"{arm} has no probe of a random encoder to be compared with on model_2; " in message
    assert f"an arm with protocol: {protocol}, no pretraining" in message
    given = message.partition("and encoder: ")[2]
    assert given == "{name: resnet18, width: 8, stem: imagenet, neck: []}"
    # as it says
    new = {"protocol": protocol, "encoder": yaml.safe_load(given)}
    config["arms"]["random-8"] = {"title": "Random encoder of width 8"} | new
    assert error_of(config).endswith("on model_2; add random-8")
    config["run"]["arms"] = [control, arm, "random-8"]
    check(config, SCHEMA)


@pytest.mark.parametrize(("control", "arm", "protocol"), CONTROLS)
def test_an_encoder_has_one_control(control, arm, protocol):
    config = config_with("run.arms", [control, arm, "again"])
    config["arms"]["again"] = {"title": "Again", "protocol": protocol}
    assert error_of(config).startswith(
        f"run.arms: {control} and again probe the same random encoder on model_1; leave all but"
    )


def test_titles_may_come_twice_in_tables_of_their_own_alone():
    arms = ["byol-dihedral", *(name for names in CONTROLS for name in names[:2])]
    config = config_with("run.arms", arms)
    check(config, SCHEMA)
    config["arms"]["neighbours-random"]["title"] = "Bootstrap Your Own Latent"
    assert error_of(config).startswith("arms: two arms of this run have the title 'Bootstrap")


@pytest.fixture
def with_archive(tmp_path):
    """A configuration whose run is one archive, and the entry of that."""
    for split in ("train", "Test"):
        (tmp_path / split).mkdir()
    config = config_with("run.datasets", ["mine"])
    paths = {"train": str(tmp_path / "train"), "test": str(tmp_path / "Test")}
    entry = {"source": "archive", "paths": paths, "instrument": {"pixels": 64}}
    config["datasets"]["mine"] = entry
    return config, entry


def test_an_archive_is_a_data_set(with_archive):
    config, entry = with_archive
    check(config, SCHEMA)
    told = settings.dataset_settings(config, "mine")
    assert told["keys"] == {"images": "images", "labels": "labels", "masses": "axion_mass"}
    assert told["instrument"] == {"pixels": 64, "pixel_scale": None}
    assert told["max_rejected"] == 0.01
    assert "title" not in settings.dataset_settings(config, "model_1")
    assert settings.shard_count(config, "mine", "test") == 8
    entry["shards"] = 3
    assert settings.shard_count(config, "mine", "test") == 3
    assert settings.names_from(config, "archive") == ["mine"]
    assert settings.names_from(config, "simulation", ["mine", "model_2"]) == ["model_2"]


def test_errors_of_an_archive_name_the_key(with_archive, monkeypatch):
    config, entry = with_archive
    folder = entry["paths"]["test"]
    wrong = {
        "source": ("archiv", "datasets.mine.source: unknown source 'archiv'; did you mean"),
        "pths": ({}, "datasets.mine: unknown key 'pths'; did you mean 'paths'?"),
        "instrument": ({}, "datasets.mine.instrument: 'pixels' is a required property"),
        "paths": ({"train": folder}, "datasets.mine.paths: 'test' is a required property"),
        "classes": ({"wdm": "warm"}, "datasets.mine.classes.wdm: 'warm' is not one of"),
        "limit": ({"train": 2**70}, "datasets.mine.limit.train: a whole number of 71 bits is"),
        "max_rejected": (NAN, "datasets.mine.max_rejected: nan is not a finite number"),
        "shards": (0, "datasets.mine.shards: 0 is less than the minimum"),
        "seed": (1.5, "datasets.mine.seed: 1.5 is not of type 'integer'"),
    }
    for key, (value, message) in wrong.items():
        config["datasets"]["mine"] = entry | {key: value}
        assert error_of(config).startswith(message)
    for classes, message in (
        ({0: "cdm", "0": "axion"}, ": 0 is given twice, as a number and as a text"),
        ({0: "cdm", "wdm": "warm"}, ".wdm: 'warm' is not one of"),
    ):
        config["datasets"]["mine"] = entry | {"classes": classes}
        assert error_of(config).startswith(f"datasets.mine.classes{message}")
    for path, message in {
        f"{folder}/{{dataset}}": f"datasets.mine.paths.test: '{folder}/{{dataset}}' has a brace",
        "data/test": "datasets.mine.paths.test: 'data/test' is relative: write the whole path",
        folder.lower(): f"datasets.mine.paths.test: there is no {folder.lower()}; did you mean "
        f"{folder}?",
        "/nowhere/at/all": "datasets.mine.paths.test: there is no /nowhere/at/all, nor a folder",
    }.items():
        config["datasets"]["mine"] = entry | {"paths": entry["paths"] | {"test": path}}
        assert error_of(config).startswith(message)
    monkeypatch.setenv("HERE", folder)
    entry["paths"]["test"] = "$HERE"
    config["datasets"]["mine"] = entry
    check(config, SCHEMA)


def test_what_axes_and_classes_of_an_archive_say_is_checked(with_archive):
    config, entry = with_archive
    wrong = {
        "axes": (["x", "y"], "datasets.mine.axes: ['x', 'y'] is not one of"),
        "extension": (-1, "datasets.mine.extension: -1 is less than the minimum"),
    }
    for key, (value, message) in wrong.items():
        config["datasets"]["mine"] = entry | {key: value}
        assert error_of(config).startswith(message)
    config["datasets"]["mine"] = entry | {"axes": ["image", "y", "x"], "channel": 4}
    assert error_of(config).startswith("datasets.mine.channel: 4, but axes [image, y, x] have no")
    config["datasets"]["mine"] = entry | {"classes": yaml.safe_load("{no: no_sub}")}
    assert error_of(config).startswith("datasets.mine.classes: YAML takes a name there for False:")
    classes = yaml.safe_load("{0: axion, '1': cdm, 2: no_sub, -1: wdm}")
    loaded = load(ROOT / "config", {"datasets": {"mine": entry | {"classes": classes}}})
    loaded["run"]["datasets"] = ["mine"]
    assert error_of(loaded).startswith("datasets.mine.classes.-1: 'wdm' is not one of")
    del loaded["datasets"]["mine"]["classes"]["-1"]
    check(loaded, SCHEMA)
    assert set(loaded["datasets"]["mine"]["classes"]) == {"0", "1", "2"}


def test_pairs_of_one_lens_are_not_in_an_archive(with_archive):
    config, _ = with_archive
    config["pretrainings"]["byol-dihedral"]["pairs"] = "same_lens"
    assert error_of(config).startswith("pretrainings.byol-dihedral.pairs: same_lens, but mine has")


def test_label_fractions_leave_images_of_each_class_of_an_archive(with_archive):
    config, _ = with_archive
    config["run"]["label_fractions"] = [1.0, 0.1]
    counts = {"axion": 100, "cdm": 6, "no_sub": 100}
    check_labels(config, "mine", counts)
    with pytest.raises(ConfigurationError) as error:
        check_labels(config, "mine", counts | {"cdm": 4})
    assert str(error.value).startswith(
        "run.label_fractions.1: 0.1 of the 4 training images of cdm in mine leaves none: take a"
    )
    config["run"]["datasets"] = ["model_1"]  # an encoder alone is taken from the archive
    check_labels(config, "mine", counts | {"cdm": 4})


def test_checking_changes_nothing():
    config = config_with()
    check(config, SCHEMA)
    assert config == SHIPPED


# --- what a job is told ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("images", "size", "expected"),
    [
        (7, 3, [(0, 3), (3, 6), (6, 7)]),
        (6, 3, [(0, 3), (3, 6)]),
        (3, 750, [(0, 3)]),
        (1500, 750, [(0, 750), (750, 1500)]),
    ],
)
def test_shards_hold_every_row_once_and_a_larger_split_keeps_the_full_ones(images, size, expected):
    config = config_with("splits.train", {"images": images, "shard_size": size})
    assert settings.drawn_shards(config, "train") == expected
    config["splits"]["train"]["images"] = images + size
    assert settings.drawn_shards(config, "train")[: images // size] == expected[: images // size]


def test_preprocessing_of_a_data_set():
    config = config_with("preprocessing.for_dataset", {"model_1": {"crop": 128, "bin": 2}})
    general = {k: v for k, v in config["preprocessing"].items() if k != "for_dataset"}
    assert settings.preprocessing_settings(config, "model_1") == general | {"crop": 128, "bin": 2}
    assert settings.preprocessing_settings(config, "model_2") == general


def test_a_pretraining_is_told_defaults_entry_views_and_options():
    config = config_with(
        "pretrainings.mine",
        {
            "method": "byol",
            "pretext": "rotation_flip",
            "epochs": 3,
            "optimizer": {"learning_rate": 0.5},
            "options": {"tau": 0.9, "projector": {"hidden": 7}},
            "encoder": {"width": 8, "for_dataset": {"model_1": {"width": 4}}},
            "for_dataset": {"model_2": {"epochs": 5, "options": {"tau": 0.8}}},
        },
    )
    told = settings.pretraining_settings(config, "mine", "model_1")
    assert told["method"] == "byol"
    assert told["views"] == config["pretexts"]["rotation_flip"]
    assert told["epochs"] == 3
    assert told["batch_size"] == config["pretraining"]["batch_size"]
    assert told["optimizer"] == config["pretraining"]["optimizer"] | {"learning_rate": 0.5}
    assert told["encoder"] == config["encoder"] | {"width": 4}
    assert told["options"] == {
        "tau": 0.9,
        "projector": {"hidden": 7, "output": 64, "batch_norm": True},
        "predictor": {"hidden": 128, "batch_norm": True},
    }
    told = settings.pretraining_settings(config, "mine", "model_2")
    assert (told["epochs"], told["options"]["tau"]) == (5, 0.8)
    assert told["options"]["projector"]["hidden"] == 7
    assert told["encoder"] == config["encoder"] | {"width": 8}
    assert "for_dataset" not in told


@pytest.mark.parametrize("method", method_names())
def test_the_defaults_of_a_method_are_those_of_its_schema(method):
    config = config_with("pretrainings.plain", {"method": method, "pretext": "rotation"})
    told = settings.pretraining_settings(config, "plain", "model_2")
    path = ROOT / "workflow/scripts/sslens/methods" / f"{method}.schema.yaml"
    schema = yaml.safe_load(path.read_text())
    assert set(told["options"]) == set(schema["properties"])
    for key, part in schema["properties"].items():
        if part["type"] == "object":
            defaults = {name: own["default"] for name, own in part["properties"].items()}
            assert told["options"][key] == defaults
        else:
            assert told["options"][key] == part["default"]


def test_an_entrys_epochs_win_over_the_steps_of_the_defaults():
    config = config_with("pretraining.steps", 100)
    told = settings.pretraining_settings(config, "byol-dihedral", "model_1")
    assert told["steps"] == 100
    config["pretrainings"]["byol-dihedral"]["epochs"] = 3
    told = settings.pretraining_settings(config, "byol-dihedral", "model_1")
    assert (told["epochs"], told["steps"]) == (3, None)


def test_what_is_more_specific_gives_the_length_also_in_epochs():
    config = config_with("pretrainings.byol-dihedral.steps", 100)
    config["pretrainings"]["byol-dihedral"]["for_dataset"] = {"model_1": {"epochs": 3}}
    told = [
        settings.pretraining_settings(config, "byol-dihedral", d) for d in ("model_1", "model_2")
    ]
    assert [(t["epochs"], t["steps"]) for t in told] == [(3, None), (10, 100)]
    config["finetuning"] |= {"steps": 50, "for_dataset": {"model_1": {"epochs": 2}}}
    told = [
        settings.arm_settings(config, "baseline", d)["learning"] for d in ("model_1", "model_2")
    ]
    assert [(t["epochs"], t["steps"]) for t in told] == [(2, None), (16, 50)]


def test_being_told_does_not_change_the_configuration():
    config = config_with()
    settings.pretraining_settings(config, "byol-dihedral", "model_1")["options"]["tau"] = 0
    settings.pretraining_settings(config, "byol-dihedral", "model_1")["encoder"]["width"] = 0
    settings.arm_settings(config, "byol-dihedral", "model_1")["encoder"]["width"] = 0
    settings.arm_settings(config, "baseline", "model_1")["learning"]["epochs"] = 0
    assert config == SHIPPED


def test_an_arm_is_told_its_protocol_encoder_and_learning():
    config = config_with("finetuning.for_dataset", {"model_1": {"epochs": 2}})
    resolved = settings.arm_settings(config, "baseline", "model_1")
    finetuning = {k: v for k, v in config["finetuning"].items() if k != "for_dataset"}
    assert resolved == {
        "protocol": "fine_tune",
        "task": {"name": "classification"},
        "encoder": config["encoder"],
        "learning": finetuning
        | {"xla": False, "match_steps_of": None, "match_compute_of": None}
        | {"epochs": 2, "augmentation": config["pretexts"][finetuning["augmentation"]]},
        "computing": settings.computing_settings(config, config["encoder"]),
    }
    assert settings.arm_settings(config, "baseline", "model_2")["learning"]["epochs"] != 2
    resolved = settings.probe_settings(config, "probe-byol-dihedral", "model_1")
    assert resolved == {
        "protocol": "linear_probe",
        "task": {"name": "classification"},
        "learning": config["probe"],
        "average_orientations": False,
        "computing": settings.thread_settings(config, config["encoder"]),
    }


@pytest.mark.parametrize(
    ("given", "encoder", "each"),
    [
        ("auto", {"name": "resnet18", "width": 16}, 1),
        ("auto", {"name": "resnet50", "width": 64}, 4),
        ("auto", {"name": "vit_nano"}, 1),
        ("auto", {"name": "vit_micro"}, 4),
        (None, {"name": "resnet18", "width": 16}, 4),
        (2, {"name": "vit_nano"}, 2),
        (8, {"name": "vit_nano"}, 4),
    ],
)
def test_the_encoder_decides_the_threads_of_an_operation_where_they_are_auto(given, encoder, each):
    threads = {"cpu_threads": 4, "threads_per_operation": given}
    config = load(ROOT / "config", threads | {"encoder": encoder})
    computing = settings.arm_settings(config, "baseline", "model_1")["computing"]
    assert computing == {"threads": 4, "each": each, "precision": "float32"}


def test_neighbours_are_told_how_many_and_how_warm():
    config = config_with("nearest_neighbours", {"neighbours": 3, "temperature": 0.5})
    for arm in ("neighbours-random", "neighbours-byol-dihedral"):
        resolved = settings.probe_settings(config, arm, "model_3")
        assert resolved == {
            "protocol": "nearest_neighbours",
            "task": {"name": "classification"},
            "learning": {"neighbours": 3, "temperature": 0.5},
            "average_orientations": False,
            "computing": settings.thread_settings(config, config["encoder"]),
        }
        resolved["learning"]["neighbours"] = 0
    assert config["nearest_neighbours"]["neighbours"] == 3


def test_frozen_encoders_are_named_by_what_they_follow_from():
    config = config_with("encoder.for_dataset", {"model_2": {"width": 8}})
    config["arms"]["moved"] = {
        "protocol": "linear_probe",
        "pretraining": "byol-dihedral",
        "pretrained_on": "model_3",
    }
    names = {
        (arm, dataset): settings.frozen_encoder(config, arm, dataset)
        for arm in ("probe-random", "neighbours-random", "probe-byol-dihedral", "moved")
        for dataset in ("model_1", "model_2", "model_3")
    }
    for dataset in ("model_1", "model_2", "model_3"):
        assert names["probe-random", dataset] == names["neighbours-random", dataset]
        assert names["probe-byol-dihedral", dataset] == f"byol-dihedral@{dataset}"
        assert names["moved", dataset] == "byol-dihedral@model_3"
        found = settings.frozen_encoders(config, dataset)
        assert set(found) >= {name for (_, other), name in names.items() if other == dataset}
        for name, arm in found.items():
            assert settings.frozen_encoder(config, arm, dataset) == name
    assert names["probe-random", "model_1"] == names["probe-random", "model_3"]
    assert names["probe-random", "model_1"] != names["probe-random", "model_2"]
    moved = settings.features_settings(config, "byol-dihedral@model_3", "model_2")
    assert moved["encoder"]["width"] == config["encoder"]["width"], "as where it was pretrained"


def test_an_arm_has_a_fine_tuning_of_its_own():
    config = config_with("finetuning.for_dataset", {"model_1": {"label_smoothing": 0.1}})
    config["arms"]["mine"] = {
        "finetuning": {
            "augmentation": "dihedral",
            "optimizer": {"learning_rate": 0.5},
            "for_dataset": {"model_2": {"select": "best_validation", "augmentation": "none"}},
        }
    }
    general = settings.arm_settings(config, "baseline", "model_3")["learning"]
    own = {"augmentation": [{"dihedral": {}}]}
    own["optimizer"] = general["optimizer"] | {"learning_rate": 0.5}
    expected = {
        "model_1": general | own | {"label_smoothing": 0.1},
        "model_2": general | own | {"select": "best_validation", "augmentation": []},
        "model_3": general | own,
    }
    for dataset, learning in expected.items():
        assert settings.arm_settings(config, "mine", dataset)["learning"] == learning, dataset
    others = settings.arm_settings(config, "baseline", "model_1")["learning"]
    assert others == general | {"label_smoothing": 0.1}
    config["run"]["arms"] = ["baseline", "mine"]
    check(config, SCHEMA)


def test_the_fine_tuning_of_an_arm_gives_its_length_also_in_epochs():
    config = config_with("arms.mine", {"finetuning": {"epochs": 3}})
    config["finetuning"] |= {"steps": 50, "for_dataset": {"model_2": {"steps": 70}}}
    config["arms"]["mine"]["finetuning"]["for_dataset"] = {"model_3": {"steps": 9}}

    def lengths(arm):
        told = [settings.arm_settings(config, arm, f"model_{k}")["learning"] for k in (1, 2, 3)]
        return [(learning["epochs"], learning["steps"]) for learning in told]

    assert lengths("mine") == [(3, None), (3, None), (3, 9)]
    assert lengths("baseline") == [(16, 50), (16, 70), (16, 50)]


def test_an_arm_is_as_long_as_a_pretraining_is_on_its_data_set():
    config = config_with("pretrainings.byol-dihedral.for_dataset", {"model_2": {"steps": 77}})
    config["pretraining"]["for_dataset"] = {"model_3": {"epochs": 4}}
    config["arms"]["long"] = {"match_steps_of": "byol-dihedral"}
    expected = {
        "model_1": {"batch_size": 32, "epochs": 10, "steps": None},
        "model_2": {"batch_size": 32, "epochs": 10, "steps": 77},
        "model_3": {"batch_size": 32, "epochs": 4, "steps": None},
    }
    for dataset, length in expected.items():
        learning = settings.arm_settings(config, "long", dataset)["learning"]
        assert learning["match_steps_of"] == length
        own = settings.arm_settings(config, "baseline", dataset)["learning"]
        assert own["match_steps_of"] is None
        assert learning == own | {"match_steps_of": length}, "all else is as the baseline's"
    for arm in ("byol-dihedral", "baseline"):
        assert settings.arm_settings(config, arm, "model_1")["learning"]["match_steps_of"] is None


def test_an_arm_computes_as_much_as_a_pretraining_does_on_its_data_set():
    config = config_with("pretrainings.byol-dihedral.for_dataset", {"model_2": {"steps": 77}})
    config["pretrainings"]["byol-dihedral"]["encoder"] = {"width": 8}
    config["arms"]["costly"] = {"match_compute_of": "byol-dihedral"}
    for dataset, steps in (("model_1", None), ("model_2", 77)):
        resolved = settings.arm_settings(config, "costly", dataset)
        length = {"batch_size": 32, "epochs": 10, "steps": steps}
        assert resolved["learning"]["match_compute_of"] == length | {"encoder_passes": 8}
        assert resolved["learning"]["match_steps_of"] is None
        # as large an encoder, or passes would not compare
        own = settings.pretraining_settings(config, "byol-dihedral", dataset)
        assert resolved["encoder"] == own["encoder"] and own["encoder"]["width"] == 8
    contrastive = settings.arm_settings(config, "baseline-compute", "model_1")["learning"]
    assert contrastive["match_compute_of"]["encoder_passes"] == 6
    run = settings.of_run(config_with("run.arms", ["baseline", "baseline-compute"]))
    assert list(run["pretrainings"]) == ["contrastive-rotation"]


def test_an_arms_encoder_is_that_of_its_pretraining_where_it_was_pretrained():
    config = config_with()
    config["encoder"]["for_dataset"] = {"model_1": {"stem": "small"}}
    config["pretrainings"]["byol-dihedral"]["encoder"] = {"width": 8}
    config["arms"]["baseline"]["encoder"] = {"width": 4, "for_dataset": {"model_2": {"width": 2}}}
    config["arms"]["transfer"] = {"pretraining": "byol-dihedral", "pretrained_on": "model_1"}
    general = {k: v for k, v in config["encoder"].items() if k != "for_dataset"}
    expected = {
        ("baseline", "model_1"): {"width": 4, "stem": "small"},
        ("baseline", "model_2"): {"width": 2},
        ("byol-dihedral", "model_1"): {"width": 8, "stem": "small"},
        ("byol-dihedral", "model_2"): {"width": 8},
        ("transfer", "model_2"): {"width": 8, "stem": "small"},
        ("probe-random", "model_2"): {},
    }
    for (arm, dataset), own in expected.items():
        assert settings.arm_encoder(config, arm, dataset) == general | own, (arm, dataset)
        assert settings.arm_settings(config, arm, dataset)["encoder"] == general | own


def test_the_fields_of_an_arm():
    assert settings.arm_fields(SHIPPED, "baseline", "model_1") == {
        "arm": "baseline",
        "dataset": "model_1",
        "protocol": "fine_tune",
        "pretraining": None,
        "pretrained_on": None,
        "method": None,
        "pretext": None,
        "encoder": {key: SHIPPED["encoder"][key] for key in ("name", "width", "stem", "neck")},
    }
    fields = settings.arm_fields(SHIPPED, "probe-contrastive-rotation", "model_2")
    assert fields["protocol"] == "linear_probe"
    assert fields["pretraining"] == "contrastive-rotation"
    assert fields["pretrained_on"] == "model_2"
    assert (fields["method"], fields["pretext"]) == ("contrastive", "rotation")


def test_the_fields_of_a_transfer_tell_of_the_pretraining_as_it_was():
    config = config_with("arms.transfer", {"pretraining": "byol-dihedral"})
    config["arms"]["transfer"]["pretrained_on"] = "model_1"
    config["pretrainings"]["byol-dihedral"]["for_dataset"] = {"model_1": {"pretext": "rotation"}}
    fields = settings.arm_fields(config, "transfer", "model_2")
    assert (fields["dataset"], fields["pretrained_on"]) == ("model_2", "model_1")
    assert fields["pretext"] == "rotation"


def test_titles_are_in_the_runs_order_and_of_one_protocol():
    config = config_with("run.arms", ["probe-random", "byol-dihedral", "new", "baseline"])
    config["arms"]["new"] = {}
    config["arms"]["byol-dihedral"]["title"] = "BYOL"
    fine_tuned = [("byol-dihedral", "BYOL"), ("new", "new"), ("baseline", "Baseline")]
    assert list(settings.arm_titles(config, "fine_tune").items()) == fine_tuned
    assert list(settings.arm_titles(config, "linear_probe")) == ["probe-random"]
    assert list(settings.arm_titles(config)) == config["run"]["arms"]
    config["run"]["datasets"] = ["model_3", "model_1"]
    config["datasets"]["model_3"]["title"] = "Model III"
    del config["datasets"]["model_1"]["title"]
    titles = [("model_3", "Model III"), ("model_1", "model_1")]
    assert list(settings.dataset_titles(config).items()) == titles


# --- what is tested against what ------------------------------------------------------------------


def references_of(arms, datasets=("model_1",), config=None):
    config = config or config_with()
    config["run"] |= {"arms": list(arms), "datasets": list(datasets)}
    return settings.references(config)


def test_rows_are_tested_against_the_baseline_and_frozen_encoders_against_random_ones():
    arms = [
        "byol-dihedral",
        "baseline",
        "baseline-long",
        "contrastive-rotation-from-model_2",
        "probe-byol-dihedral",
        "probe-random",
        "neighbours-contrastive-rotation",
        "neighbours-random",
    ]
    expected = {
        "byol-dihedral": "baseline",
        "baseline-long": "baseline",
        "contrastive-rotation-from-model_2": "baseline",
        "probe-byol-dihedral": "probe-random",
        "neighbours-contrastive-rotation": "neighbours-random",
    }
    found = references_of(arms, ["model_3", "model_1"])
    assert found == {"model_3": expected, "model_1": expected}
    assert list(found) == ["model_3", "model_1"]


def test_without_a_baseline_or_a_control_in_the_run_there_is_no_test():
    arms = ["byol-dihedral", "baseline-long", "probe-byol-dihedral", "neighbours-random"]
    assert references_of(arms) == {"model_1": {}}


def test_another_arm_may_be_the_baseline():
    config = config_with("comparison.baseline", "baseline-long")
    arms = ["baseline", "baseline-long", "probe-byol-dihedral", "probe-random"]
    assert references_of(arms, config=config) == {
        "model_1": {"baseline": "baseline-long", "probe-byol-dihedral": "probe-random"}
    }
    config["comparison"]["baseline"] = "supervised-contrastive"  # not in the run
    assert references_of(["baseline"], config=config) == {"model_1": {}}


def test_the_reference_of_a_frozen_encoder_has_its_settings_on_each_data_set():
    config = config_with()
    own = {"for_dataset": {"model_2": {"width": 8}}}
    config["pretrainings"]["byol-dihedral"]["encoder"] = own
    config["arms"]["random-8"] = {"protocol": "linear_probe", "encoder": {"width": 8}}
    arms = ["probe-random", "random-8", "probe-byol-dihedral", "probe-contrastive-rotation"]
    assert references_of(arms, ["model_1", "model_2"], config) == {
        "model_1": {
            "probe-byol-dihedral": "probe-random",
            "probe-contrastive-rotation": "probe-random",
        },
        "model_2": {
            "probe-byol-dihedral": "random-8",
            "probe-contrastive-rotation": "probe-random",
        },
    }


def test_the_reference_of_a_pretrained_row_has_its_encoder_where_the_run_has_one():
    config = config_with()
    config["pretrainings"]["vit-byol"] = {
        "method": "byol",
        "pretext": "none",
        "encoder": {"name": "vit_nano"},
    }
    config["arms"] |= {
        "vit-byol": {"pretraining": "vit-byol"},
        "vit-long": {"encoder": {"name": "vit_nano"}, "match_steps_of": "vit-byol"},
        "vit-baseline": {"encoder": {"name": "vit_nano"}},
    }
    arms = ["baseline", "byol-dihedral", "vit-byol", "vit-long"]
    others = {"byol-dihedral": "baseline", "vit-long": "baseline"}
    assert references_of([*arms, "vit-baseline"], ["model_1"], config) == {
        "model_1": others | {"vit-byol": "vit-baseline", "vit-baseline": "baseline"}
    }
    assert references_of(arms, ["model_1"], config)["model_1"]["vit-byol"] == "baseline"


def test_what_ships_has_a_reference_for_all_but_the_references():
    for path in ({}, yaml.safe_load((ROOT / "config/comparison.yaml").read_text())):
        config = load(ROOT / "config", path)
        for found in settings.references(config).values():
            left = {"baseline", "probe-random", "neighbours-random"} & {*config["run"]["arms"]}
            assert {*config["run"]["arms"]} - {*found} == left


# --- transfers ------------------------------------------------------------------------------------


def transfers_of(arms, datasets, **own):
    config = config_with("arms.to-all", {"pretraining": "byol-dihedral", **own})
    config["run"] |= {"arms": arms, "datasets": datasets}
    return settings.transfers(config)


def test_a_transfer_stands_beside_the_rows_that_stayed():
    arms = ["baseline", "baseline-long", "contrastive-rotation", "to-all", "byol-dihedral"]
    arms += ["contrastive-rotation-from-model_1", "contrastive-rotation-from-model_3"]
    arms += ["probe-random", "probe-contrastive-gaussian_noise"]
    found = transfers_of(arms, ["model_2", "model_1"])
    assert found == {
        "contrastive-rotation": {
            "model_2": {
                "model_2": "contrastive-rotation",
                "model_1": "contrastive-rotation-from-model_1",
                "model_3": "contrastive-rotation-from-model_3",  # of no column
            },
            "model_1": {
                "model_1": "contrastive-rotation",  # and not the transfer to where it is from
                "model_3": "contrastive-rotation-from-model_3",
            },
        }
    }
    assert list(found["contrastive-rotation"]) == ["model_2", "model_1"]


def test_the_first_row_of_an_encoder_is_taken():
    arms = ["contrastive-rotation-from-model_1", "contrastive-rotation"]
    found = transfers_of(arms, ["model_1", "model_2"])["contrastive-rotation"]
    assert found["model_1"] == {"model_1": "contrastive-rotation-from-model_1"}
    assert found["model_2"] == {
        "model_1": "contrastive-rotation-from-model_1",
        "model_2": "contrastive-rotation",
    }


def test_a_transfer_is_compared_with_the_row_of_its_encoder():
    given = {
        "run": {
            "datasets": ["model_1", "model_2"],
            "arms": ["baseline", "vit-baseline", "vit", "vit-from-model_1"],
        },
        "pretrainings": {
            "vit": {"method": "simsiam", "pretext": "dihedral", "encoder": {"name": "vit_nano"}}
        },
        "arms": {
            "vit-baseline": {"encoder": {"name": "vit_nano"}},
            "vit": {"pretraining": "vit"},
            "vit-from-model_1": {"pretraining": "vit", "pretrained_on": "model_1"},
        },
    }
    config = load(ROOT / "config", given)
    check(config, SCHEMA)
    shown = settings.figure_settings(config, "transfer", "vit")
    assert shown["baselines"] == dict.fromkeys(("model_1", "model_2"), "vit-baseline")
    assert shown["baselines"]["model_2"] == settings.references(config)["model_2"]["vit"]


def test_a_pretraining_that_was_not_moved_has_no_transfers():
    assert transfers_of(["baseline", "contrastive-rotation", "to-all"], ["model_1"]) == {}
    # nor one that is at home on all data sets of the run
    here = ["contrastive-rotation-from-model_1"]
    assert transfers_of(here, ["model_1"]) == {}
    assert transfers_of(here, ["model_2"]) == {
        "contrastive-rotation": {"model_2": {"model_1": here[0]}}
    }


def test_a_frozen_encoder_is_no_transfer():
    moved = {"pretrained_on": "model_1"}
    for protocol in FROZEN:
        assert transfers_of(["to-all"], ["model_2"], protocol=protocol, **moved) == {}
    assert transfers_of(["to-all"], ["model_2"], **moved) == {
        "byol-dihedral": {"model_2": {"model_1": "to-all"}}
    }


# --- what a run is of -----------------------------------------------------------------------------


def test_a_run_is_told_without_what_is_only_defined():
    config = config_with("run.datasets", ["model_2"])
    config["run"]["arms"] = ["baseline-long", "probe-random"]
    told = settings.of_run(config)
    assert list(told["datasets"]) == ["model_2"]
    assert list(told["arms"]) == ["baseline-long", "probe-random"]
    # the pretraining that a baseline is as long as, and the pretexts of both
    assert list(told["pretrainings"]) == ["contrastive-rotation"]
    assert set(told["pretexts"]) == {"rotation", "rotation_flip"}
    assert set(config) - set(told) == set(settings.NO_RESULT)
    assert told["splits"] == config["splits"]


@pytest.mark.parametrize("arm", ["probe-random", "byol-dihedral"])
def test_a_baseline_is_fine_tuned_and_has_no_pretraining(arm):
    message = error_of(config_with("comparison.baseline", arm))
    assert message.startswith(f"comparison.baseline: {arm} is no baseline; name an arm that is")


def test_the_pages_of_a_run_and_their_settings():
    config = config_with("run.arms", ["baseline", "probe-random"])
    config["run"]["datasets"] = ["model_2"]
    assert settings.pages_of_run(config) == ["auc_table", "probe_table", "auc_summary", "shortcuts"]
    config["run"]["label_fractions"] = [1.0, 0.1]
    assert settings.pages_of_run(config)[4:] == ["label_efficiency_model_2"]
    shown = settings.page_settings(config)
    assert list(shown["rows"]) == ["baseline"] and list(shown["frozen"]) == ["probe-random"]
    assert list(shown["datasets"]) == ["model_2"] and shown["efficiency"] == ["model_2"]


# --- several mistakes -----------------------------------------------------------------------------


def keys_of(config):
    """The keys that the lines of the check name, in their order."""
    with pytest.raises(ConfigurationError) as error:
        check(config, SCHEMA)
    assert str(error.value) == "\n".join(error.value.lines)
    return [line.partition(": ")[0] for line in error.value.lines]


def test_all_mistakes_are_reported_at_once_in_the_order_of_the_configuration():
    config = config_with()
    config["run"]["datasets"] = ["model_1", "model_4"]  # is not there
    config["finetuning"]["epochs"] = "ten"  # not of this type
    config["planning"]["longest"] = 10  # an old key
    config["datasets"]["model_1"]["redshifts"] = {"lens": 2.0, "source": 1.0}  # do not fit
    config["pretexts"]["rotation"] = [{"rotation": {"max_degree": 3}}]  # misspelt
    assert keys_of(config) == [
        "datasets.model_1.redshifts",
        "run.datasets",
        "planning.longest",
        "pretexts.rotation.0.rotation",
        "finetuning.epochs",
    ]


def test_mistakes_in_one_section_are_reported_at_once():
    config = config_with("arms.mine", {"titel": "x", "pretraining": "byol", "pretrained_on": "m"})
    config["arms"]["baseline"] |= {"title": 3, "finetuning": {"augmentation": "flip"}}
    config["run"]["seeds"] = [1, "2", 2.5, 1]
    config["splits"]["test"] = {"images": 1, "shard": 750}
    assert keys_of(config) == [
        "run.seeds.1",
        "run.seeds.2",
        "splits.test.images",
        "splits.test",
        "arms.baseline.title",
        "arms.baseline.finetuning.augmentation",
        "arms.mine",
        "arms.mine.pretraining",
        "arms.mine.pretrained_on",
    ]


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        # values that other checks depend on
        ("preprocessing.bin", 3, "preprocessing"),
        ("preprocessing.bin", "2", "preprocessing.bin"),
        ("encoder", None, "encoder"),
        ("encoder.neck_dropout", [0.5], "encoder.neck_dropout"),
        ("arms", ["baseline"], "arms"),
        ("pretrainings", None, "pretrainings"),
        ("pretexts", 3, "pretexts"),
        ("datasets.model_1", {"title": True}, "datasets.model_1.source"),
        ("datasets.model_1.source", "simulator", "datasets.model_1.source"),
        ("datasets.model_1", 3, "datasets.model_1"),
        ("datasets.model_1.substructure.cdm.kind", "points", "datasets.model_1.substructure.cdm"),
        ("run.arms", ["baseline", "probe-byol-dihedral", "probe-randm"], "run.arms"),
        ("arms.probe-random.protocol", "probe", "arms.probe-random.protocol"),
        ("run.arms", ["probe-byol-dihedral", "probe-contrastive-rotation"], "run.arms"),
        ("pretraining.pairs", "same_lens", "pretraining.pairs"),
        ("pretraining.options", {"taus": 0.9}, "pretraining.options"),
        ("pretrainings.byol-dihedral.method", "boyl", "pretrainings.byol-dihedral.method"),
        # keys under a wrong name
        ("arms.mine", {"pretraning": "x", "pretrained_on": "model_1"}, "arms.mine"),
        ("arms.mine", {"pretrained_on": "model_4"}, "arms.mine.pretrained_on"),
        ("pretrainings.mine", {"methd": "byol", "pretext": "rotation"}, "pretrainings.mine"),
        ("datasets.mine", {"like": "model_4"}, "datasets.mine.like"),
    ],
)
def test_what_follows_from_a_mistake_is_no_mistake(path, value, key):
    config = config_with(path, value)
    if "mine" in config["arms"] and key.endswith("pretrained_on"):
        config["run"]["arms"] = ["mine"]
        config["arms"]["mine"]["pretraining"] = "byol-dihedral"
    if "mine" in config["datasets"]:
        config["run"]["datasets"] = ["mine", "other"]
        config["datasets"]["other"] = {"like": "mine"}
    found = keys_of(config)
    assert [found[0].startswith(key), len(found)] == [True, 1], found


def test_data_sets_under_a_misspelt_key_are_not_unknown_too():
    config = config_with("run.datasets", ["mine"])
    config["dataset"] = {"mine": config["datasets"]["model_1"]}
    assert keys_of(config) == ["top level"]
    del config["datasets"]
    assert keys_of(config) == ["top level"]


# --- tasks ----------------------------------------------------------------------------------------

MASS_OF_AXIONS = {
    "run": {"datasets": ["model_2"]},
    "task": {"name": "regression"},
    "datasets": {"model_2": {"class_shares": {"axion": 1, "cdm": 0, "no_sub": 0}}},
    "finetuning": {"augmentation": "dihedral"},
}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"task": {"name": "regresion"}}, "task.name: unknown task 'regresion'; did you mean"),
        ({"task": {"name": "classification", "beta": 1}}, "task: unknown key 'beta'"),
        ({"task": {"name": "regression", "beta": 2}}, "task.beta: 2 is greater than the maximum"),
        (
            {"task": {"name": "regression", "targets": ["axion_mass"]}},
            "task.targets.0: 'axion_mass' is not one of",
        ),
        (
            {"task": {"name": "regression", "targets": ["source_x", "log10_axion_mass"]}},
            "task.targets: source_x turns with the image into source_y: take both",
        ),
        (
            {
                "task": {"name": "regression", "targets": ["source_x", "source_y"]},
                "pretexts": {"moved": [{"shift": {"max_pixels": 2}}]},
                "finetuning": {"augmentation": "moved"},
            },
            "finetuning.augmentation: shift moves the source, which task.targets has; take another",
        ),
        (
            {"task": {"name": "regression", "targets": ["lens_e1", "lens_e2"], "head": "binned"}},
            "task.head: bins cannot be turned, and lens_e1 turns with the image; take gaussian",
        ),
        (
            {"task": {"name": "regression", "targets": ["gamma1", "gamma2"]}},
            "datasets.model_2.deflection_scale: the shear in the image is this times that of",
        ),
        (
            {"task": {"name": "regression", "bins": 20}},
            "task.bins: is of the head binned, but task.head is gaussian; remove one of the two",
        ),
        (
            {"task": {"name": "regression", "head": "binned", "beta": 0.5}},
            "task.beta: is of the head gaussian, but task.head is binned; remove one of the two",
        ),
        (
            {"task": {"name": "regression", "targets": ["shown_einstein_radius"]}},
            "datasets.model_2.substructure_mass: the substructure makes the ring larger than",
        ),
        (
            {"task": {"name": "regression"}, "finetuning": {"label_smoothing": 0.1}},
            "finetuning.label_smoothing: a regression has no labels to smooth; give 0.0",
        ),
        (
            {
                "task": {"name": "regression"},
                "datasets": {"model_2": {"class_shares": {"axion": 0, "cdm": 1, "no_sub": 1}}},
            },
            "datasets.model_2.class_shares: no images of axion, but task.targets has log10_axion",
        ),
        (
            {"datasets": {"model_2": {"class_shares": {"axion": 1, "cdm": 1, "no_sub": 0}}}},
            "datasets.model_2.class_shares: no images of no_sub, but a classification needs all",
        ),
    ],
)
def test_what_a_task_cannot_be_is_said(given, expected):
    # model_3 would be like model_2
    whole = {"run": {"datasets": ["model_2"]}, "finetuning": {"augmentation": "dihedral"}}
    config = load(ROOT / "config", merge(whole, given))
    assert error_of(config).startswith(expected)


@pytest.mark.parametrize(
    "layer", ["finetuning", "finetuning.for_dataset.model_2", "arms.baseline.finetuning"]
)
@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("augmentation", "rotation_flip", "rotation interpolates, which shifts the answers"),
        ("augmentation", "moved", "shift moves the source, which task.targets has"),
        ("augmentation", "smooth", "blur smooths, which shifts the answers"),
        ("label_smoothing", 0.1, "a regression has no labels to smooth"),
    ],
)
def test_no_fine_tuning_of_a_regression_shifts_its_answers(layer, key, value, problem):
    config = load(ROOT / "config", MASS_OF_AXIONS)
    config["task"]["targets"] = ["source_x", "source_y"]
    config["pretexts"]["moved"] = [{"shift": {"max_pixels": 2}}]
    config["pretexts"]["smooth"] = [{"blur": {"max_sigma": 1.5}}]
    section = config
    for name in layer.split("."):
        section = section.setdefault(name, {})
    section[key] = value
    assert error_of(config).startswith(f"{layer}.{key}: {problem}")
    config["task"] = {"name": "classification"}
    config["datasets"]["model_2"]["class_shares"] = {"axion": 1, "cdm": 1, "no_sub": 1}
    check(config, SCHEMA)


def test_a_method_that_learns_classes_needs_two():
    given = {"run": {"arms": ["supervised-contrastive"]}}
    config = load(ROOT / "config", merge(MASS_OF_AXIONS, given))
    place = "pretrainings.supervised_contrastive-rotation.method"
    problem = "supervised_contrastive learns classes, and model_2 has one alone"
    assert error_of(config).startswith(f"{place}: {problem}")


def test_a_regression_needs_axions_alone():
    config = load(ROOT / "config", MASS_OF_AXIONS)
    check(config, SCHEMA)
    task = settings.arm_settings(config, "baseline", "model_2")["task"]
    assert (task["targets"], task["head"]) == (["log10_axion_mass"], "gaussian")
    config["task"] |= {"head": "binned"}
    assert settings.arm_settings(config, "baseline", "model_2")["task"]["head"] == "binned"
    probe = settings.probe_settings(config, "probe-random", "model_2")
    assert probe["task"]["head"] == "gaussian", "which is what a ridge regression gives"
    figures = {name for name, _ in settings.figures_of_run(config)}
    assert figures >= {"predicted", "calibration", "intervals"} and "roc" not in figures
    assert settings.measure_name(config) == "error"


@pytest.mark.parametrize(
    ("dataset", "limit"), [("model_1", -22.16), ("model_2", -22.43), ("model_3", -22.12)]
)
def test_a_vortex_is_resolved_below_a_mass(dataset, limit):
    """Derived from the published recipes, where it is as long as the PSF is wide."""
    found = settings.resolution_limits(SHIPPED["datasets"][dataset])
    assert found["log10_axion_mass"] == pytest.approx(limit, abs=0.005)
