"""The digest of the code: what reruns a rule, and what does not."""

import shutil
import subprocess
import sys

import pytest

from sslens.jobs import digest
from sslens.jobs.digest import code_digest, script_digest

ORIGINAL = digest.PACKAGE
MODULES = {
    "used": '''
"""Doc."""
import numpy as np
from sslens import plain
from sslens.named import number

def function(x):
    """What it does."""
    from sslens.inside import late
    return late(x) + plain.f(x) + number

class Thing:
    """A thing."""

    def method(self):
        """Doc."""
        return 1
''',
    "plain": "import sslens.deep\n\ndef f(x):\n    return sslens.deep.g(x)\n",
    "named": "number = 3\n",
    "inside": "def late(x):\n    return x\n",
    "deep": "from sslens.folder import h\n\ndef g(x):\n    return h(x)\n",
    "folder/__init__": "def h(x):\n    return x\n",
    "folder/member": "from sslens import deep\nk = 1\n",
    "unused": "from sslens import used\nz = 1\n",
    "parts": """
import math as m
from sslens import plain

LIMIT = 3
LIMIT += 1
table, other = {}, 5

def first(x):
    return second(x) + m.pi * plain.f(x).real

def second(x):
    return x < LIMIT

def third(x):
    return other
""",
}
SCRIPT = """
from sslens import parts
from sslens.named import number
x = number
parts.second(x).imag
"""


@pytest.fixture(autouse=True)
def fresh_caches():
    forget()
    yield
    forget()


def forget():
    script_digest.cache_clear()
    digest._units.cache_clear()
    digest._find.cache_clear()


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A little package of that name in place of the library."""
    folder = tmp_path / "sslens"
    for module, text in MODULES.items():
        path = folder / f"{module}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "script.py").write_text(SCRIPT)
    monkeypatch.setattr(digest, "PACKAGE", folder)
    return folder


def digest_of(*modules):
    forget()
    return code_digest(*modules)


def edit(package, module, old, new):
    path = package / f"{module}.py"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_it_is_sixteen_hexadecimal_digits_and_the_same_twice(package):
    first = digest_of("used")
    assert len(first) == 16
    assert int(first, 16) >= 0
    assert digest_of("used") == first


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("used", "+ number", "- number"),
        ("used", "return 1", "return 2"),
        ("used", "def function(x):", "def function(x, y=0):"),
        ("plain", "g(x)", "g(-x)"),
        ("named", "3", "4"),
        ("inside", "return x", "return 2 * x"),
        ("deep", "h(x)\n", "h(x + 1)\n"),
        ("folder/__init__", "return x", "return not x"),
    ],
)
def test_a_change_of_what_is_used_changes_it(package, module, old, new):
    before = digest_of("used")
    edit(package, module, old, new)
    assert digest_of("used") != before


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("used", '"""Doc."""\nimport', '"""Another."""\nimport'),
        ("used", '"""Doc."""\nimport', "import"),
        ("used", '"""What it does."""', '"""What it\n    now does."""'),
        ("used", '    """What it does."""\n', ""),
        ("used", '"""A thing."""', '"""Something."""'),
        ("used", "import numpy as np\n", "# why\nimport numpy as np  # what for\n\n\n"),
        ("used", "late(x) + plain.f(x)", "(late( x )\n        + plain.f(x))"),
        ("deep", "\ndef g", "\n\n# a comment\ndef g"),
        ("unused", "z = 1", "z = 2"),
        ("folder/member", "k = 1", "k = 2"),
    ],
)
def test_words_layout_and_what_is_not_used_do_not(package, module, old, new):
    before = digest_of("used")
    edit(package, module, old, new)
    assert digest_of("used") == before


def test_a_text_that_is_no_docstring_counts(package):
    edit(package, "named", "number = 3", "number = 'three'")
    before = digest_of("used")
    edit(package, "named", "'three'", "'four'")
    assert digest_of("used") != before


def test_a_module_named_beside_it_counts(package):
    alone = digest_of("used")
    both = digest_of("used", "folder.member")
    assert both != alone
    assert digest_of("folder.member", "used") == both
    edit(package, "folder/member", "k = 1", "k = 2")
    assert digest_of("used", "folder.member") != both
    assert digest_of("used") == alone


def test_a_definition_that_is_used_from_now_on_counts(package):
    before = digest_of("named")
    edit(package, "named", "number = 3", "from sslens.unused import z\nnumber = z")
    with_import = digest_of("named")
    assert with_import != before
    edit(package, "unused", "z = 1", "z = 2")
    assert digest_of("named") != with_import


@pytest.mark.parametrize(
    ("module", "old", "new", "changed"),
    [
        ("parts", "x < LIMIT", "x > LIMIT", {"first", "second"}),
        # what runs at the import concerns everybody, and so does what it uses
        ("parts", "LIMIT += 1", "LIMIT += 2", {"first", "second", "third"}),
        ("parts", "LIMIT = 3", "LIMIT = 4", {"first", "second", "third"}),
        ("parts", "m.pi", "m.e", {"first"}),
        ("parts", "import math as m", "import cmath as m", {"first"}),
        ("plain", "g(x)", "g(-x)", {"first"}),
        ("deep", "h(x)\n", "h(x + 1)\n", {"first"}),
        ("parts", "{}, 5", "{}, 6", {"third"}),
        ("parts", "table, other", "new = 1\ntable, other", set()),
        ("plain", "def f", "def new():\n    pass\n\ndef f", set()),
    ],
)
def test_a_definition_concerns_those_who_reach_it(package, module, old, new, changed):
    definitions = {"first", "second", "third"}
    before = {name: digest_of(f"parts.{name}") for name in definitions}
    edit(package, module, old, new)
    after = {name: digest_of(f"parts.{name}") for name in definitions}
    assert {name for name in definitions if after[name] != before[name]} == changed


def test_names_that_change_places_count(package):
    edit(
        package, "parts", "from sslens import plain\n", "from sslens import plain as p, deep as d\n"
    )
    edit(package, "parts", "plain.f(x).real", "p.f(x) - d.g(x)")
    (package / "plain.py").write_text("def f(x):\n    return x\n\ndef g(x):\n    return x\n")
    (package / "deep.py").write_text("def f(x):\n    return x\n\ndef g(x):\n    return x\n")
    edit(package, "parts", "p.f(x) - d.g(x)", "p.f(x) + p.g(x) + d.f(x) - d.g(x)")
    before = digest_of("parts.first")
    edit(package, "parts", "plain as p, deep as d", "plain as d, deep as p")
    assert digest_of("parts.first") != before


@pytest.mark.parametrize(
    "branches",
    [
        "if 1:\n    def chosen(x):\n        return x\nelse:\n    chosen = None\n",
        "try:\n    chosen = 1\nexcept ValueError:\n    chosen = 2\n",
    ],
)
def test_a_definition_in_a_branch_counts(package, branches):
    edit(package, "named", "number = 3", branches)
    before = digest_of("named.chosen")
    edit(package, "named", "chosen = ", "chosen = 10 + ")
    assert digest_of("named.chosen") != before


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("from sslens.named import *", "import by the full name"),
        ("from .named import number", "import by the full name"),
        ("from sslens.named import number as plain", "plain is sslens.plain elsewhere"),
    ],
)
def test_an_import_that_cannot_be_followed_is_refused(package, statement, message):
    edit(package, "used", "return 1", f"{statement}\n        return 1")
    with pytest.raises(ValueError, match=rf"used\.py:\d+: .*{message}"):
        digest_of("used")


def test_a_definition_is_found_where_it_was_imported_to(package):
    edit(package, "parts", "import math as m", "import math as m\nfrom sslens.named import number")
    before = digest_of("parts.number")
    edit(package, "named", "3", "4")
    assert digest_of("parts.number") != before


@pytest.mark.parametrize(
    ("module", "old", "new", "changes"),
    [
        ("parts", "x < LIMIT", "x > LIMIT", True),
        ("named", "3", "4", True),
        ("parts", "m.pi", "m.e", False),
        ("inside", "return x", "return -x", False),
    ],
)
def test_a_scripts_digest_is_of_what_it_uses(package, module, old, new, changes):
    def of_script():
        forget()
        return script_digest("script")

    before = of_script()
    edit(package, module, old, new)
    assert (of_script() != before) == changes


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ("x = number", "x = -number", True),
        ("import parts", "import plain as parts", True),
        ("x = number", "# a comment\nx  =  number", False),
        ("\nfrom", '"""Doc."""\nfrom', False),
    ],
)
def test_a_script_counts_itself_without_its_words(package, old, new, changes):
    script = package.parent / "script.py"
    (package / "plain.py").write_text("def second(x):\n    return x\n")
    before = script_digest("script")
    forget()
    assert old in SCRIPT
    script.write_text(SCRIPT.replace(old, new, 1))
    assert (script_digest("script") != before) == changes


def test_what_a_script_loads_by_name_counts(package):
    before = script_digest("script", "folder.member")
    assert before != script_digest("script")
    edit(package, "folder/member", "k = 1", "k = 2")
    forget()
    assert script_digest("script", "folder.member") != before


@pytest.mark.parametrize("module", ["nothing", "folder.nothing", "methods.moco", "parts.fourth"])
def test_an_unknown_module_is_told(package, module):
    with pytest.raises(ValueError, match=f"no (module )?'{module}'|no .*'{module}'"):
        digest_of(module)


# --- the library itself ---------------------------------------------------------------------------


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A copy of the library, to be edited."""
    folder = tmp_path / "sslens"
    shutil.copytree(ORIGINAL, folder, ignore=shutil.ignore_patterns("__pycache__"))
    for script in ORIGINAL.parent.glob("*.py"):
        shutil.copy(script, tmp_path)
    monkeypatch.setattr(digest, "PACKAGE", folder)
    return folder


TENSORFLOW = {"contrastive", "byol", "finetune", "evaluate"}


def digests():
    """Of the scripts, with what they load by name."""
    loaded = {
        "contrastive": ("pretrain", "methods.contrastive", "training.augmentations.rotation"),
        "byol": ("pretrain", "methods.byol", "training.augmentations.dihedral"),
        "finetune": (
            "finetune",
            "training.augmentations.rotation",
            "training.augmentations.dihedral",
            "tasks.classification",
        ),
        "evaluate": ("evaluate", "tasks.classification"),
        **{name: (name,) for name in ("catalogue", "records", "compare", "roc")},
    }
    forget()
    return {rule: script_digest(*names) for rule, names in loaded.items()}


@pytest.fixture(scope="module")
def unedited():
    """Digests of the library, which a copy of it has as well."""
    return digests()


@pytest.mark.parametrize(
    ("module", "old", "new", "changed"),
    [
        ("methods/byol", "2 - 2 * ", "3 - 2 * ", {"byol"}),
        ("training/augmentations", "stddev * ", "2 * stddev * ", set()),
        ("training/augmentations", "tf.cos(angle)", "tf.cos(-angle)", {"contrastive", "finetune"}),
        ("training/augmentations", "coins[2]", "coins[1]", {"byol", "finetune"}),
        ("training/views", "own_seed = ", "own_seed = 1 + ", {"contrastive", "byol", "finetune"}),
        ("figures/style", "dpi=150", "dpi=151", {"roc"}),
        ("figures/roc", "DRAWS = 200", "DRAWS = 201", {"roc"}),
        ("figures/training_curves", "linewidth=1.4", "linewidth=1.5", set()),
        ("metrics/auc", "return 0.5", "return 0.4", {*TENSORFLOW, "compare", "roc"}),
        (
            "metrics/collapse",
            "COLLAPSED_RANK = 1.5",
            "COLLAPSED_RANK = 1.6",
            {"contrastive", "byol"},
        ),
        (
            "jobs/tensorflow_setup",
            "set_memory_growth(device, True)",
            "set_memory_growth(device, False)",
            TENSORFLOW,
        ),
        (
            "jobs/process",
            "level=logging.INFO",
            "level=logging.DEBUG",
            {*TENSORFLOW, "catalogue", "records", "compare", "roc"},
        ),
        ("jobs/process", "log = logging", "# a comment\nlog = logging", set()),
    ],
)
def test_an_edit_concerns_those_who_use_what_was_edited(
    unedited, library, module, old, new, changed
):
    edit(library, module, old, new)
    found = digests()
    assert {rule for rule in unedited if found[rule] != unedited[rule]} == changed


def test_a_copy_elsewhere_has_the_same_digest(library, monkeypatch):
    copied = digest_of("training.labels", "data.records")
    monkeypatch.setattr(digest, "PACKAGE", ORIGINAL)
    assert digest_of("training.labels", "data.records") == copied


def test_every_process_finds_the_same():
    code = (
        f"import sys; sys.path.insert(0, {str(ORIGINAL.parent)!r})\n"
        "from sslens.jobs.digest import code_digest\n"
        "print(code_digest('training.labels', 'data.records'))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert found == {digest_of("training.labels", "data.records") + "\n"}
