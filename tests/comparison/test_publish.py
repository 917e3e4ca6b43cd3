"""Results in a document: only what stands between markers changes, and all of it or nothing."""

import subprocess
import sys
from pathlib import Path

import pytest
from paths import ROOT

from sslens.comparison.publish import publish
from sslens.configuration import outputs
from sslens.configuration.loading import load
from sslens.figures.style import new_figure, save_figure
from sslens.files import write_json

DOCUMENT = """# Title

<!-- sslens: auc_table.md -->
old
<!-- sslens: end -->
between `<!-- sslens: auc_table.md -->` and `<!-- sslens: end -->`

<!-- sslens: roc_model_2.png -->
<!-- sslens: end -->
the end"""
CURRENT = {"auc_table.md", "auc_table.csv", "roc_model_2.png"}


@pytest.fixture
def comparison(tmp_path):
    folder = tmp_path / "run/results/comparison"
    folder.mkdir(parents=True)
    (folder / "auc_table.md").write_text("| a \\1 |\n|---|\n", encoding="utf-8")
    (folder / "roc_model_2.png").write_bytes(b"pixels")
    return folder


@pytest.fixture
def document(tmp_path):
    path = tmp_path / "README.md"
    path.write_text(DOCUMENT, encoding="utf-8")
    return path


def test_files_are_put_between_their_markers_and_nothing_else_changes(comparison, document):
    for _ in range(2):  # the second time finds what the first one wrote
        assert publish(comparison, document, CURRENT) == ["auc_table.md", "roc_model_2.png"]
        image = "![roc model 2](docs/README-roc_model_2.png)\n"
        expected = DOCUMENT.replace("\nold\n", "\n| a \\1 |\n|---|\n").replace(
            "roc_model_2.png -->\n", f"roc_model_2.png -->\n{image}"
        )
        assert document.read_text(encoding="utf-8") == expected
        assert (document.parent / "docs/README-roc_model_2.png").read_bytes() == b"pixels"


def test_all_outside_is_left_byte_for_byte(comparison, document):
    """Line ends, a mark of the encoding, a last line that does not end."""
    (comparison / "auc_table.md").write_text("no line end")
    opening, end = b"<!-- sslens: auc_table.md -->\r\n", b"<!-- sslens: end -->"
    before, after = b"\xef\xbb\xbf# One\r\ntwo\n\r\n", "\r\n — \n\n\nlast \r\nline".encode()
    document.write_bytes(before + opening + b"old\r\n" + end + after)
    for _ in range(2):
        publish(comparison, document, CURRENT)
        assert document.read_bytes() == before + opening + b"no line end\n" + end + after


def test_a_document_in_docs_has_its_images_beside_it(comparison, tmp_path, monkeypatch):
    (tmp_path / "docs").mkdir()
    monkeypatch.chdir(tmp_path / "docs")
    document = Path("results.md")
    document.write_text(DOCUMENT)
    publish(comparison, document, CURRENT)
    assert "![roc model 2](results-roc_model_2.png)\n" in document.read_text()
    assert Path("results-roc_model_2.png").read_bytes() == b"pixels"
    assert not Path("docs").exists()


WARNING = "\n**Inconsistent provenance**, so these numbers cannot be compared:\n\n- one\n"


@pytest.mark.parametrize("warning", ["", WARNING])
def test_one_table_of_a_file_comes_with_its_caption_and_the_warning(comparison, document, warning):
    text = "| a |\n|---|\n\nOne.\n\n**Collapsed**: b\n\n| c |\n|---|\n\nTwo.\n" + warning
    (comparison / "auc_table.md").write_text(text)
    end = "<!-- sslens: end -->\n"
    names = ["auc_table.md, table 2", "auc_table.md, table 1"]
    second, first = (f"<!-- sslens: {name} -->\n" for name in names)
    document.write_text(f"{second}old\n{end}{first}{end}")
    for _ in range(2):
        assert publish(comparison, document, CURRENT) == names
        assert document.read_text() == (
            f"{second}| c |\n|---|\n\nTwo.\n{warning}{end}"
            f"{first}| a |\n|---|\n\nOne.\n\n**Collapsed**: b\n{warning}{end}"
        )


def test_a_table_that_is_not_in_the_file_changes_nothing(comparison, document):
    text = DOCUMENT.replace("auc_table.md -->\nold", "auc_table.md, table 2 -->\nold")
    document.write_text(text)
    with pytest.raises(ValueError, match=r"auc_table.md: no table 2; it has 1, counted from 1$"):
        publish(comparison, document, CURRENT)
    image = "<!-- sslens: roc_model_2.png, table 1 -->\n<!-- sslens: end -->\n"
    document.write_text(image)
    with pytest.raises(ValueError, match="roc_model_2.png: an image has no table 1; name the file"):
        publish(comparison, document, CURRENT)
    assert document.read_text() == image
    assert not (document.parent / "docs").exists()


def test_only_tables_and_images_can_be_published(comparison, document):
    (comparison / "auc_table.csv").touch()
    document.write_text("<!-- sslens: auc_table.csv -->\n<!-- sslens: end -->\n")
    with pytest.raises(ValueError, match="auc_table.csv: only .md, .png and .svg can be published"):
        publish(comparison, document, CURRENT)


def test_a_document_without_a_place_is_left_as_it_is(comparison, document):
    document.write_text("a line\n<!-- sslens: end -->\n")
    with pytest.raises(ValueError, match="README.md: no place for results; put <!-- sslens: auc"):
        publish(comparison, document, CURRENT)
    assert document.read_text() == "a line\n<!-- sslens: end -->\n"


def test_a_place_without_an_end_does_not_reach_into_the_next(comparison, document):
    broken = DOCUMENT.replace("old\n<!-- sslens: end -->\n", "old\n")
    document.write_text(broken)
    with pytest.raises(ValueError, match="the place of auc_table.md has no end; put <!-- sslens: "):
        publish(comparison, document, CURRENT)
    assert document.read_text() == broken
    assert not (document.parent / "docs").exists()


def test_a_missing_file_changes_nothing(comparison, document):
    (comparison / "roc_model_2.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"no roc_model_2.png; has the run finished\?"):
        publish(comparison, document, CURRENT)
    assert document.read_text(encoding="utf-8") == DOCUMENT


def test_what_an_earlier_configuration_left_is_not_published(comparison, document):
    with pytest.raises(ValueError, match="roc_model_2.png: not of the configuration that the tabl"):
        publish(comparison, document, {"auc_table.md"})
    assert document.read_text(encoding="utf-8") == DOCUMENT
    assert not (document.parent / "docs").exists()


def test_the_command_tells_what_it_did_or_what_is_wrong(comparison, document):
    script = ROOT / "workflow/scripts/publish.py"
    settings = outputs.comparison_settings(load(ROOT / "config", {}))
    write_json(comparison / "provenance.json", {"settings": settings})
    config, image = settings["configuration"], comparison / "roc_model_2.png"
    save_figure(new_figure(1, 1, ""), [image], outputs.figure_settings(config, "roc", "model_2"))
    command = [sys.executable, script, document, "--run", comparison.parent.parent]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"{document}: auc_table.md, roc_model_2.png\n"
    save_figure(new_figure(1, 1, ""), [image], {"title": "of an earlier configuration"})
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "roc_model_2.png: not of the configuration" in done.stderr
    document.write_text("nothing here")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{document}: no place for results; put <!-- sslens: ")
    assert done.stderr.count("\n") == 1
    document.unlink()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert str(document) in done.stderr and done.stderr.count("\n") == 1
