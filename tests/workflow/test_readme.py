"""README and docs: their examples run, and their commands, files, links and keys exist.

A comment above a block of code says how it is tested:

    <!-- file: PATH -->                  a file that the reader adds to a clone; runs with it follow
    <!-- append to: PATH -->             lines that the reader adds to the end of a file
    <!-- run in a finished run: NAME --> a program; what it prints is compared
    <!-- dry run: NAME -->               a Snakefile
"""

import functools
import importlib.util
import inspect
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import yaml
from archives import write_archive
from paths import ROOT
from running import TINY, copy_data, planned, run
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from sslens.comparison.publish import PLACE, publish
from sslens.data.catalogue import COLUMNS
from sslens.data.records import read_split
from sslens.formatting import read_csv

slow = pytest.mark.slow
pytestmark = pytest.mark.timeout(600)

DOCUMENTS = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
}
#: Documents without examples to run, whose commands and links are checked as well.
OTHERS = {
    name: (ROOT / name).read_text("utf-8") for name in ("CONTRIBUTING.md", "config/README.md")
}
ALL = DOCUMENTS | OTHERS
EXAMPLES = "\n".join(DOCUMENTS.values())
MARKED = r"<!-- {}: (\S+) -->\n```\w+\n(.*?)```\n"
FILES = re.findall(MARKED.format("file"), EXAMPLES, re.DOTALL)
APPENDED = re.findall(MARKED.format("append to"), EXAMPLES, re.DOTALL)
#: Paths of these stand for the reader's own files.
OWN_FILES = {"mine.yaml"}


@pytest.fixture(scope="module")
def extended(repository, tmp_path_factory):
    """A copy of the repository with the files of all examples."""
    copy = tmp_path_factory.mktemp("extended") / "sslens"
    shutil.copytree(repository, copy)
    for name, text in FILES:
        (copy / name).write_text(text, encoding="utf-8")
    for name, text in APPENDED:
        with open(copy / name, "a", encoding="utf-8") as stream:
            stream.write(text)
    return copy


# --- what is written ------------------------------------------------------------------------------


def test_the_readme_is_short():
    assert DOCUMENTS["README.md"].count("\n") <= 220


def test_the_examples_are_found():
    assert [name for name, _ in FILES] == [
        "shifted.yaml",
        "archive.yaml",
        "small.yaml",
        "workflow/scripts/sslens/methods/uniformity.py",
        "workflow/scripts/sslens/methods/uniformity.schema.yaml",
        "uniformity.yaml",
        "workflow/scripts/sslens/tasks/detection.py",
        "workflow/scripts/sslens/tasks/detection.schema.yaml",
        "detection.yaml",
        "survey.yaml",
        "compute.yaml",
        "own_images.yaml",
    ]
    assert [Path(name).name for name, _ in APPENDED] == [
        "augmentations.py",
        "augmentations.schema.yaml",
    ]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_block_of_code_says_how_it_is_tested(document):
    blocks = re.findall(r"(?:^|\n)([^\n]*)\n```(?:python|yaml)\n", DOCUMENTS[document])
    marks = ("file", "append to", "run in a finished run", "dry run")
    assert [
        above for above in blocks if not above.startswith(tuple(f"<!-- {m}: " for m in marks))
    ] == []


def slug(heading):
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("document", ALL)
def test_links_lead_somewhere(document):
    wrong = []
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", ALL[document]):
        path, _, anchor = link.partition("#")
        target = (ROOT / document).parent / path if path else ROOT / document
        if not target.exists():
            wrong.append(link)
        elif anchor:
            headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            wrong += [link] if anchor not in map(slug, headings) else []
    assert wrong == []


@pytest.mark.parametrize("document", ALL)
def test_files_that_it_names_are_there(document):
    folders = "config|envs|workflow|examples|tests|docs|benchmarks|profiles"
    named = set(re.findall(rf"`((?:{folders})/[\w./-]*)`", ALL[document]))
    added = {name for name, _ in FILES}
    assert [path for path in named - added if not (ROOT / path).exists()] == []


def commands(text):
    """The commands of a document: the lines of its shell blocks, and those inside a sentence."""
    for block in re.findall(r"```bash\n(.*?)```", text, re.DOTALL):
        for line in block.splitlines():
            yield from line.split(" && ")
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    for span in re.findall(r"`([^`]+)`", prose):
        if re.match(r"(python|snakemake|pip) ", span):
            yield " ".join(span.split())


@functools.cache
def snakemake_parser():
    from snakemake.cli import get_argument_parser

    return get_argument_parser()


def check_snakemake(arguments):
    """Raises where Snakemake does not take these options, or a file that they name is missing."""
    try:
        given = snakemake_parser().parse_args(arguments)
    except SystemExit:
        raise AssertionError(f"not understood by Snakemake: {arguments}") from None
    added = {name for name, _ in FILES} | OWN_FILES
    files = {str(path) for path in given.configfile or ()} - added
    if profile := given.workflow_profile:
        files.add(str(profile).removeprefix("path/to/sslens/"))
    assert [file for file in files if not (ROOT / file).exists()] == []


def check_command(line):
    """Raises where a command of a document cannot work as it is written."""
    words = shlex.split(line, comments=True)
    if not words or words[0] in (".", "bash"):  # activates an environment; a script of ours
        return
    program, *arguments = words
    match program.removeprefix(".venv/bin/"), arguments:
        case "snakemake", _:
            check_snakemake(arguments)
        case "python" | "python3", ["-m", ("venv" | "pytest"), *_]:
            pass
        case "python", ["-X", *_]:
            pass
        case "python", [script, *options] if script.endswith("/plan.py"):
            assert (ROOT / script).is_file()
            check_snakemake(options)
        case "python", [script, *options]:
            source = (ROOT / script).read_text(encoding="utf-8")
            unknown = [o for o in options if o.startswith("--") and f'"{o}"' not in source]
            assert unknown == [], f"no options of {script}"
        case "pip", ["install", "--require-hashes", "-r", lock]:
            assert (ROOT / lock).is_file()
        case _:
            raise AssertionError(f"nothing is known of the command: {line}")


@pytest.mark.parametrize("document", ALL)
def test_its_commands_are_understood(document):
    for line in commands(ALL[document]):
        check_command(line)


@pytest.mark.parametrize(
    "line",
    [
        "snakemake --no-such-option",
        "snakemake --configfile missing.yaml",
        "snakemake --workflow-profile profiles/missing",
        "python workflow/scripts/status.py --no-such-option",
        "pip install --require-hashes -r envs/missing.lock",
        "unknown program",
    ],
)
def test_a_wrong_command_is_found(line):
    with pytest.raises(AssertionError):
        check_command(line)


@pytest.mark.parametrize("document", ALL)
def test_options_that_it_names_are_snakemakes(document):
    options = set(re.findall(r"`(--[a-z-]+)[ `]", ALL[document]))
    # options of apptainer, renew.py, kubectl, seeds.py and pytest
    others = {"--bind", "--keep", "--kubernetes-persistent-volumes"}
    others |= {"--finished-run", "--kills", "--marks", "--pdb"}
    assert options - others <= set(snakemake_parser()._option_string_actions)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_keys_that_it_names_are_documented(document):
    sections = "|".join(yaml.safe_load((ROOT / "config/config.yaml").read_text("utf-8")))
    keys = re.findall(rf"`((?:{sections})\.\w+(?:\.\w+)*)(?:: [^`]*)?`", DOCUMENTS[document])
    documented = set(re.findall(r"`([\w.]+)`", OTHERS["config/README.md"]))
    files = (".md", ".csv", ".json", ".yaml")
    assert [key for key in keys if key not in documented and not key.endswith(files)] == []


def test_published_tables_stand_as_the_command_writes_them(tmp_path):
    shown = {}
    for text in DOCUMENTS.values():
        for place in PLACE.finditer(text):
            shown[place["name"]] = place[0].removeprefix(place[1])
    tables = [shown[f"auc_table.md, table {number}"] for number in (1, 2, 3, 4)]
    comparison = tmp_path / "comparison"
    comparison.mkdir()
    (comparison / "auc_table.md").write_text("\n".join(tables), "utf-8")
    (comparison / "probe_table.md").write_text(shown["probe_table.md"], "utf-8")
    shutil.copy(ROOT / "docs/README-roc_model_2.png", comparison / "roc_model_2.png")
    for name in ("README.md", "docs/results.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(DOCUMENTS[name], "utf-8")
        publish(comparison, tmp_path / name, {path.name for path in comparison.iterdir()})
        assert (tmp_path / name).read_text("utf-8") == DOCUMENTS[name]
    assert (tmp_path / "docs/README-roc_model_2.png").is_file()


@functools.cache
def words_of_the_sources():
    suffixes = {".py", ".smk", ".yaml", ".def"}
    folders = ("workflow", "config", "profiles", "envs", "benchmarks", "examples")
    files = (path for name in folders for path in (ROOT / name).rglob("*"))
    texts = (path.read_text(encoding="utf-8") for path in files if path.suffix in suffixes)
    return {word for text in texts for word in re.findall(r"\w+", text)}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_names_of_keys_and_code_are_those_of_the_sources(document):
    """Names with an underscore, or in capitals: what else stands in backquotes may be a word."""
    prose = re.sub(r"```.*?```", "", DOCUMENTS[document], flags=re.DOTALL)
    names = set(re.findall(r"`([A-Za-z]+_\w+|[A-Z]{5,})(?:: [^`]*)?`", prose))
    theirs = {"my_images", "missing_value", "flag_meanings"}  # the reader's, and of other formats
    theirs |= {"PENDING", "PYTHONPATH", "OPENBLAS_CORETYPE", "TF_XLA_FLAGS"}  # of other programs
    assert names - theirs <= words_of_the_sources()


def test_every_number_of_a_record_is_documented():
    _, text = DOCUMENTS["docs/records.md"].split("## Features of a record")
    features = set(re.findall(r"`(\w+)`(?=[^|]*\|[^|]*\|$)", text, re.MULTILINE))
    lists = {"subhalo_mass", "subhalo_einstein_radius", "subhalo_x", "subhalo_y", "noise_seed"}
    assert features == set(COLUMNS) - lists | {"image", "shape"}


# --- what runs ------------------------------------------------------------------------------------


@slow
def test_the_augmentation_works_and_has_a_schema(extended):
    folder = extended / "workflow/scripts/sslens/training"
    spec = importlib.util.spec_from_file_location("extended", folder / "augmentations.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    images = np.ones((8, 3, 3, 1), "float32")
    factors = module.brightness(images, (1, 2), max_change=0.25).numpy()
    assert factors.min() >= 0.75 and factors.max() <= 1.25
    assert len(np.unique(factors)) == 8 and np.ptp(factors, axis=(1, 2, 3)).max() == 0
    schema = yaml.safe_load((folder / "augmentations.schema.yaml").read_text("utf-8"))
    strengths = list(inspect.signature(module.brightness).parameters)[2:]
    assert list(schema["properties"]["brightness"]["properties"]) == strengths


@slow
@pytest.mark.parametrize("overlay", ["shifted.yaml", "uniformity.yaml"])
def test_an_overlay_is_four_rows(extended, tmp_path, overlay):
    jobs = planned(tmp_path, configs=(TINY, extended / overlay), repository=extended)
    assert sum(job.startswith("Learning the labels") for job in jobs) == 2
    assert sum(job.startswith("Probing features") for job in jobs) == 2
    assert "Comparing" in jobs


@slow
def test_an_archive_is_imported_as_it_says(extended, tmp_path, monkeypatch):
    archive = write_archive(tmp_path / "data", images=3, pixels=64)
    monkeypatch.setenv("HOME", str(tmp_path))
    for split, name in (("train", "Model_II"), ("test", "Model_II_test")):
        Path(archive["paths"][split]).rename(tmp_path / "data" / name)
    shared = tmp_path / "shared.yaml"  # an archive has no new images for a seed
    shared.write_text("run: {images_per_seed: null}\n")
    configs = (TINY, shared, extended / "archive.yaml")
    jobs = planned(tmp_path / "run", configs=configs, repository=extended)
    assert "Finding and checking the images of my_archive" in jobs
    assert sum(job.startswith("Importing shard") for job in jobs) == 24
    run(
        tmp_path / "run",
        "results/data/my_archive/rejects.csv",
        configs=configs,
        repository=extended,
    )


@slow
def test_the_method_and_the_data_set_run(extended, finished, tmp_path):
    """In one run, since most of its time is the start of its processes."""
    history = "results/pretrain/model_2/uniformity-rotation/seed-1/history.csv"
    shard = "results/data/my_survey/test/00000.tfrecord"
    configs = (TINY, extended / "survey.yaml", extended / "uniformity.yaml")
    directory = tmp_path / "run"
    copy_data(finished, directory)
    run(directory, history, shard, configs=configs, repository=extended)
    loss = pd.read_csv(directory / history)["loss"]
    assert loss.iloc[-1] < loss.iloc[0]
    assert (directory / shard).stat().st_size > 15 * 4 * 48 * 48


@slow
def test_the_task_runs_from_its_two_files_and_the_configuration(extended, finished, tmp_path):
    directory, small = tmp_path / "run", tmp_path / "small.yaml"
    copy_data(finished, directory)
    small.write_text("finetuning: {epochs: 2}\nrun: {arms: [baseline]}\n")
    where = {"configs": (TINY, extended / "detection.yaml", small), "repository": extended}
    comparison = directory / "results/comparison"
    tables = [f"results/comparison/auc_table.{kind}" for kind in ("md", "html")]
    run(directory, *tables, "results/comparison/intervals_fine_tune.png", **where)
    (cell,) = (directory / "results/evaluate").glob("*/*/*/*")
    predictions = pd.read_parquet(cell / "predictions.parquet")
    truth, logits = predictions["substructure"], predictions["logit"]
    assert (truth.sum(), len(truth)) == (10, 15)
    expected = roc_auc_score(truth, logits)
    (table,) = read_csv(comparison / "auc_summary.csv", ["arm"]).to_dict("records")
    assert table["auc"] == pytest.approx(expected, abs=1e-12)
    assert f"| {expected:.3f} [" in (comparison / "auc_table.md").read_text()
    images = read_split(directory / "results/data/model_2/manifest.json", "test").images[:]
    model = keras.models.load_model(cell / "classifier.keras")
    np.testing.assert_allclose(model.predict(images)[:, 0], expit(logits), rtol=1e-4)
    planned_figures = planned(directory, configs=where["configs"][:2], repository=extended)
    assert "Drawing ROC curves" not in planned_figures


def printed_by(name, folder):
    """The lines that an example prints in the folder of a finished run."""
    pattern = rf"<!-- run in a finished run: {name} -->\n```python\n(.*?)```"
    (code,) = re.findall(pattern, EXAMPLES, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


@slow
def test_the_whole_table_is_recomputed_from_the_predictions(finished):
    _, *lines = printed_by("aucs", finished)
    found = {}
    for dataset, arm, labels, *aucs in map(str.split, lines):
        found[dataset, arm, float(labels.removeprefix("labels-"))] = [float(auc) for auc in aucs]
    table = pd.read_csv(finished / "results/comparison/auc_summary.csv")
    measures = [f"auc_{name}" for name in ("axion", "cdm", "no_sub", "macro")]
    assert len(found) == len(table) == 5
    for _, cell in table.iterrows():
        expected = cell[measures].to_list()
        key = cell["dataset"], cell["arm"], cell["labels"]
        assert found[key] == pytest.approx(expected, abs=1e-6)


@slow
def test_the_records_are_read_as_it_says(finished):
    lines = [line.split() for line in printed_by("records", finished)]
    assert len(lines) == 15
    assert [int(label) for _, label, _, _ in lines[:3]] == [0, 1, 2]
    axion, cdm = (float(line[3]) for line in lines[:2])
    assert -24 <= axion <= -22
    assert cdm != cdm, "an image without an axion has no axion mass"


@slow
def test_the_module_is_planned(tmp_path):
    ((name, text),) = re.findall(MARKED.format("dry run"), EXAMPLES, re.DOTALL)
    assert name == "module"
    (tmp_path / "Snakefile").write_text(text.replace("path/to/sslens", str(ROOT)), "utf-8")
    profile = ["--workflow-profile", ROOT / "profiles/default"]
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", *profile, "--cores", "1", "--dry-run"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert re.search(r"^sslens_pretrain +3$", done.stdout + done.stderr, re.MULTILINE)
