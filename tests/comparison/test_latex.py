"""The main table as LaTeX."""

import re

import numpy as np
import pandas as pd
from summaries import ARMS, DATASETS, small

from sslens.comparison.compared import Comparison
from sslens.comparison.latex import latex_footer, latex_table
from sslens.formatting import latex_number, latex_text


def test_latex_table_literally():
    summary = pd.concat([small(labels=0.1), small()])
    better = (summary["arm"] == "byol") & (summary["dataset"] == "model_2")
    summary.loc[better & (summary["labels"] == 1), "p_macro_holm"] = 0.01
    summary["collapsed_seeds"] = np.where(better, "1, 2", None)
    table = latex_table(Comparison(summary, ARMS | {"none": "100 % of A & B_1"}, DATASETS))
    comments, rest = re.match(r"((?:%[^\n]*\n)+)(.*)", table, re.DOTALL).groups()
    assert "over 3 seeds" in comments and '"Baseline"' in comments
    few = Comparison(small(labels=0.1), ARMS, DATASETS)
    assert ", 0.1 of the labels;" in latex_table(few) and "of the labels" not in comments
    assert "% **Collapsed**: Bootstrap Your Own Latent on Model II (seeds 1, 2)." in comments
    assert rest == (
        "\\begin{tabular}{lcc}\n"
        "\\toprule\n"
        "Method & Model I & Model II \\\\\n"
        "\\midrule\n"
        "Baseline & \\textbf{0.97, 0.96, 1.00} & \\textbf{0.98, 0.92, 0.98} \\\\\n"
        "Bootstrap Your Own Latent & 0.95, 0.93, 1.00$^{-}$ & "
        "\\textbf{0.98, 0.93, 0.98}$^{+}$ \\\\\n"
        "100 \\% of A \\& B\\_1 & — & — \\\\\n"
        "\\bottomrule\n"
        "\\end{tabular}\n"
    )


def test_latex_is_balanced_whatever_titles_hold():
    awkward = "{_}} \\ 50 % & #1 $x^2$ ~|"
    datasets = {"model_1": awkward, "model_2": "\\end{tabular}"}
    table = latex_table(Comparison(small(), {"baseline": awkward, "byol": awkward}, datasets))
    lines = [line for line in table.splitlines() if not line.startswith("%")]
    code = "\n".join(lines)
    unescaped = re.sub(r"\\[\\{}$&%#_]", "", code)
    assert unescaped.count("{") == unescaped.count("}")
    assert unescaped.count("$") == 2  # one mark
    assert not set("%#") & set(unescaped)
    assert re.findall(r"\\(?:begin|end)\{\w+\}", code) == ["\\begin{tabular}", "\\end{tabular}"]
    rows = [line for line in lines if line.endswith(r" \\")]
    assert len(rows) == 3
    assert [len(re.findall(r"(?<!\\)&", row)) for row in rows] == [2, 2, 2]
    assert [len(re.findall(r"(?<!\\)%", line)) for line in lines] == [0] * len(lines)


def test_latex_has_powers_of_ten():
    assert latex_number(2.9996e9, ".3e") == r"3.000\times10^{9}"
    assert latex_number(-1.25e-7, ".1e") == r"-1.2\times10^{-7}"
    assert latex_number(0.1234, ".3f") == "0.123"


def test_latex_text_writes_commands_out():
    assert latex_text("a_b & 5 % \\x ^~ #{}$") == (
        r"a\_b \& 5 \% \textbackslash{}x \textasciicircum{}\textasciitilde{} \#\{\}\$"
    )


def test_the_footer_is_a_comment():
    assert latex_footer([]) == ""
    assert latex_footer(["one thing"]) == (
        "% **Inconsistent provenance**, so these numbers cannot be compared:\n% - one thing\n"
    )
