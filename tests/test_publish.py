"""Results in a document: only what stands between markers changes, and all of it or nothing."""

import subprocess
import sys

import pytest
from paths import ROOT

from sslens.publish import publish

DOCUMENT = """# Title

<!-- sslens: auc_table.md -->
old
<!-- sslens: end -->
between `<!-- sslens: auc_table.md -->` and `<!-- sslens: end -->`

<!-- sslens: roc_model_2.png -->
<!-- sslens: end -->
the end"""


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
        assert publish(comparison, document) == ["auc_table.md", "roc_model_2.png"]
        image = "![roc model 2](docs/roc_model_2.png)\n"
        expected = DOCUMENT.replace("\nold\n", "\n| a \\1 |\n|---|\n").replace(
            "roc_model_2.png -->\n", f"roc_model_2.png -->\n{image}"
        )
        assert document.read_text(encoding="utf-8") == expected
        assert (document.parent / "docs/roc_model_2.png").read_bytes() == b"pixels"


def test_a_missing_file_changes_nothing(comparison, document):
    (comparison / "roc_model_2.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"no roc_model_2.png; has the run finished\?"):
        publish(comparison, document)
    assert document.read_text(encoding="utf-8") == DOCUMENT


def test_the_command_tells_what_it_did_or_what_is_wrong(comparison, document):
    script = ROOT / "workflow/scripts/publish.py"
    told = [sys.executable, script, document, "--run", comparison.parent.parent]
    done = subprocess.run(told, capture_output=True, text=True, check=True)
    assert done.stdout == f"{document}: auc_table.md, roc_model_2.png\n"
    document.write_text("nothing here")
    done = subprocess.run(told, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{document}: no place for results; put <!-- sslens: ")
    assert done.stderr.count("\n") == 1
