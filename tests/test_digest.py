"""The digest of the code: what reruns a rule, and what does not."""

import shutil
import subprocess
import sys

import pytest

from sslens import digest
from sslens.digest import code_digest

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
}


@pytest.fixture(autouse=True)
def fresh_caches():
    forget()
    yield
    forget()


def forget():
    code_digest.cache_clear()
    digest._tree.cache_clear()


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A little package of that name in place of the library."""
    folder = tmp_path / "sslens"
    for module, text in MODULES.items():
        path = folder / f"{module}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
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


def test_an_import_counts_that_was_added(package):
    before = digest_of("named")
    edit(package, "named", "number", "from sslens import unused\nnumber")
    with_import = digest_of("named")
    assert with_import != before
    edit(package, "deep", "h(x)\n", "h(x + 1)\n")  # by way of unused, used and plain
    assert digest_of("named") != with_import


@pytest.mark.parametrize("module", ["nothing", "folder.nothing", "methods.moco"])
def test_an_unknown_module_is_told(package, module):
    with pytest.raises(ValueError, match=f"no module '{module}'"):
        digest_of(module)


# --- the library itself ---------------------------------------------------------------------------


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A copy of the library, to be edited."""
    folder = tmp_path / "sslens"
    shutil.copytree(ORIGINAL, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(digest, "PACKAGE", folder)
    return folder


def append(package, module, text):
    with open(package.joinpath(*module.split(".")).with_suffix(".py"), "a") as stream:
        stream.write(text)


def test_a_copy_elsewhere_has_the_same_digest(library, monkeypatch):
    copied = digest_of("classification", "records")
    monkeypatch.setattr(digest, "PACKAGE", ORIGINAL)
    assert digest_of("classification", "records") == copied


def test_every_process_finds_the_same():
    code = (
        f"import sys; sys.path.insert(0, {str(ORIGINAL.parent)!r})\n"
        "from sslens.digest import code_digest; print(code_digest('classification', 'records'))"
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
    assert found == {digest_of("classification", "records") + "\n"}


def test_a_method_concerns_itself_alone(library):
    rules = {
        "contrastive": ["pretraining", "methods.contrastive"],
        "byol": ["pretraining", "methods.byol"],
        "finetune": ["classification", "records", "runtime"],
        "compare": ["comparison"],
    }
    before = {rule: digest_of(*modules) for rule, modules in rules.items()}
    append(library, "methods.byol", "\nchanged = True\n")
    after = {rule: digest_of(*modules) for rule, modules in rules.items()}
    assert [rule for rule in rules if after[rule] != before[rule]] == ["byol"]


def test_a_room_concerns_those_who_use_it(library):
    def digests():
        rules = [
            "catalogue",
            "simulation",
            "records",
            "pretraining",
            "classification",
            "evaluation",
        ]
        return {rule: digest_of(rule) for rule in rules}

    before = digests()
    append(library, "views", "\nchanged = True\n")
    after = digests()
    assert [r for r in before if after[r] != before[r]] == ["pretraining", "classification"]
