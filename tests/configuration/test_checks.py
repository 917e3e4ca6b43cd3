"""Every mistake in the configuration is one line that names the key."""

import jsonschema
import pytest
import yaml
from configurations import SCHEMA, SHIPPED, config_with, error_of
from paths import ROOT

from sslens.configuration import settings
from sslens.configuration.checks import check
from sslens.configuration.files import ConfigurationError
from sslens.configuration.loading import load, merge
from sslens.networks.encoders.registry import encoder_schema
from sslens.protocols import FINE_TUNE, FROZEN

NAN, INF = float("nan"), float("inf")


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
            "pretrainings.byol-dihedral",
            {"method": "dino", "pretext": "dihedral", "options": {"temperature": 0.05}},
            [
                "pretrainings.byol-dihedral.options.temperature: teacher_temperature of 0.07 is ",
                "0.05",
            ],
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


def test_checking_changes_nothing():
    config = config_with()
    check(config, SCHEMA)
    assert config == SHIPPED


@pytest.mark.parametrize("arm", ["probe-random", "byol-dihedral"])
def test_a_baseline_is_fine_tuned_and_has_no_pretraining(arm):
    message = error_of(config_with("comparison.baseline", arm))
    assert message.startswith(f"comparison.baseline: {arm} is no baseline; name an arm that is")


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
