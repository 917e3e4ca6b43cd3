"""The rules: short, and each with what it requests."""

import re
from statistics import median

from paths import ROOT

FILES = [ROOT / "Snakefile", *sorted((ROOT / "workflow" / "rules").glob("*.smk"))]
#: A rule's name, and the lines of its block.
BLOCK = re.compile(r"^rule (\w+):\n((?:(?:[ \t].*)?\n)+)", re.MULTILINE)
RULES = {
    name: [line for line in block.splitlines() if line]
    for file in FILES
    for name, block in BLOCK.findall(file.read_text(encoding="utf-8"))
}
MEDIAN, LONGEST = 20, 35


def test_rules_are_short():
    lengths = {name: len(lines) + 1 for name, lines in RULES.items()}
    assert len(lengths) > 20
    assert median(lengths.values()) <= MEDIAN
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


def test_a_rule_requests_the_resources_of_its_own_name():
    requested = {name: re.findall(r"of_job\(\"(\w+)\"\)", "\n".join(RULES[name])) for name in RULES}
    assert [name for name, found in requested.items() if found not in ([], [name])] == []
