"""Web pages of the tables, and the report's landing page, without a browser."""

import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from docutils.core import publish_parts
from jinja2 import Environment
from paths import ROOT

from sslens.comparison.measures import Aucs
from sslens.comparison.pages import page
from sslens.comparison.summary import read_summary
from sslens.comparison.tables import summary_table
from sslens.data.shortcut_table import read_audits
from sslens.files import write_text
from sslens.formatting import Cell, Table, csv_text
from sslens.jobs.outdated import outdated_figure

LANDING = ROOT / "workflow" / "report" / "workflow.rst"
SETTINGS = {"rows": {"byol": "BYOL"}, "seeds": [1]}
THIRD = Cell("**0.33** ▲", 1 / 3, "auc_macro 0.3333333333333333\nauc_axion 0.1")


def made(rows, notes=(), problems=()):
    table = Table("AUC", ["Method", "Model I"], rows, notes)
    return page("Comparison", [table], problems, SETTINGS)


class Reader(HTMLParser):
    """Every tag of a page with its attributes; `of` gives those of one name."""

    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def of(self, name):
        return [attributes for tag, attributes in self.tags if tag == name]


def test_a_cell_has_its_text_its_key_and_its_numbers_in_full():
    text = made([("BYOL", [THIRD]), ("None", [Cell("—")])])
    assert Reader(text).of("td") == [{"data-key": str(1 / 3), "title": THIRD.exact}, {}]
    assert re.search(r">\s*<strong>0.33</strong> ▲\s*<span class=\"exact\">auc_macro 0.3333", text)
    assert '<th scope="row">BYOL</th>' in text and '<th scope="col">Model I</th>' in text


def test_titles_and_notes_are_text_and_no_markup():
    text = made([("<b>A & B</b>", [THIRD])], ["**One** <seed>"], ["x <y>"])
    assert "&lt;b&gt;A &amp; B&lt;/b&gt;" in text and "<b>" not in text
    assert re.search(r"<p>\s*<strong>One</strong> &lt;seed&gt;\s*</p>", text)
    assert "Not made alike" in text and "<li>x &lt;y&gt;</li>" in text
    assert "Not made alike" not in made([("A", [THIRD])])


def test_a_page_needs_no_other_file():
    tags = Reader(made([("BYOL", [THIRD])])).tags
    assert [a for _, a in tags if {"src", "href"} & set(a)] == []
    assert "url(" not in made([("BYOL", [THIRD])]) and "@import" not in made([("A", [THIRD])])


def test_a_page_without_a_table_has_its_note():
    text = page("Probes", [Table("Probes", [], [], ["No frozen encoder was probed."])], [], {})
    assert "No frozen encoder was probed." in text and Reader(text).of("table") == []


def test_a_page_holds_the_digest_of_its_settings(tmp_path):
    path = tmp_path / "auc_table.html"
    write_text(path, made([("BYOL", [THIRD])]))
    assert not outdated_figure(path, SETTINGS)
    assert outdated_figure(path, SETTINGS | {"seeds": [2]})


# --- the CSV files --------------------------------------------------------------------------------


def test_a_summary_is_read_back_to_the_same_bits(tmp_path):
    summary = pd.DataFrame(
        {
            "labels": [1.0, 0.1],
            "dataset": ["1", "NA"],
            "title": ["None", "null"],
            "pretraining": [None, "byol"],
            "collapsed_seeds": [None, "1"],
            "seeds": [1, 2],
            "auc_macro": [1 / 3, 0.1 + 0.2],
            "auc_macro_std": [np.nan, 0.5],
            "best": [True, False],
        }
    )
    (tmp_path / "summary.csv").write_text(csv_text(summary))
    back = read_summary(tmp_path / "summary.csv")
    pd.testing.assert_frame_equal(back, summary, check_exact=True, check_dtype=False)
    assert list(back["best"][back["best"]]) == [True]
    (title, cells), _ = summary_table(back, Aucs()).rows
    assert title == "None"
    assert cells[-3:] == [Cell("0.3333", 1 / 3, repr(1 / 3)), Cell(""), Cell("True", 1)]


def test_audits_of_other_data_sets_are_refused(tmp_path):
    path = tmp_path / "shortcuts.csv"
    path.write_text("dataset,measure,auc_axion\nmodel_1,total_flux,0.5\n")
    assert list(read_audits(path, {"model_1": "Model I"})) == ["Model I"]
    with pytest.raises(ValueError, match="has the data sets model_1, and not .* run, model_2; del"):
        read_audits(path, {"model_2": "Model II"})


# --- the report's landing page --------------------------------------------------------------------


def landing(*paths: Path) -> str:
    """The landing page with these files in the report, rendered as Snakemake does it."""
    files = [SimpleNamespace(path=path, target=path.name) for path in paths]
    template = Environment(trim_blocks=True, lstrip_blocks=True).from_string(LANDING.read_text())
    links = "".join(f"\n.. _{file.target}: javascript:show()" for file in files)
    text = template.render(files=files) + "\n" + links
    return publish_parts(text, writer="html")["html_body"]


def test_the_landing_page_shows_the_table_and_the_first_roc_figure(tmp_path):
    table = tmp_path / "auc_table.html"
    write_text(table, made([("BYOL", [THIRD])], ["A cell is an AUC."]))
    figures = [tmp_path / f"roc_model_{number}.png" for number in (1, 2)]
    figures[0].with_suffix(".svg").write_text('<?xml version="1.0"?>\n<svg a="#">é</svg>\n' * 2000)
    text = landing(table, *figures)
    assert "<strong>0.33</strong>" in text and "A cell is an AUC." in text
    (image,) = Reader(text).of("img")
    assert image["src"].startswith("data:image/svg+xml,%3C%3Fxml%20version")
    assert "System Message" not in text and "<script" not in text
    assert "roc_model_2" not in text


def test_the_landing_page_of_a_run_without_results():
    text = landing()
    assert "sslens" in text and "System Message" not in text


def test_the_landing_page_without_the_figure_as_svg(tmp_path):
    text = landing(tmp_path / "roc_model_1.png")
    assert "roc_model_1.png" in text and "System Message" not in text
    assert Reader(text).of("img") == []
