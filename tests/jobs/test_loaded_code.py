"""A job stops where its code is not that of the digest which is recorded with its results."""

import pytest
from paths import LIBRARY
from running import run_as_job

from sslens.jobs import loaded_code
from sslens.jobs.digest import code_of

SCRIPTS = str(LIBRARY.parent)
JUST_READ = f"{loaded_code.PYTHON} 0"  # before all files


def changed(code):
    digest, *words = code.split()
    return " ".join([digest[::-1], *words])


@pytest.mark.parametrize("names", [("records",), ("finetune", "tasks.regression"), ("roc",)])
@pytest.mark.parametrize(
    ("read", "is_compared"),
    [
        (JUST_READ, True),
        (f"{loaded_code.PYTHON} 1e12", False),  # after all files
        ("3.1 0", False),  # the digests of another Python are others
        ("", False),  # of a cluster, where jobs read the workflow themselves
    ],
)
def test_code_that_was_changed_after_its_digest_was_computed(names, read, is_compared, monkeypatch):
    monkeypatch.setenv(loaded_code.READ, read)
    code = code_of(*names)
    loaded_code.check(SCRIPTS, code)
    loaded_code.check(SCRIPTS, None)
    if not is_compared:
        loaded_code.check(SCRIPTS, changed(code))
        return
    with pytest.raises(RuntimeError, match="was changed while the workflow runs; run it again"):
        loaded_code.check(SCRIPTS, changed(code))


def test_every_script_looks_when_it_starts(tmp_path):
    fields = {"scriptdir": SCRIPTS, "params": {"code": changed(code_of("roc"))}}
    done = run_as_job(
        tmp_path,
        f"""
        from types import SimpleNamespace
        snakemake = SimpleNamespace(**{fields!r})
        process.start("job.log", "job", 1)
        """,
        **{loaded_code.READ: JUST_READ},
    )
    assert done.returncode == 1
    assert "job: RuntimeError: the code in" in done.stderr
