"""What a script's process is given: a log, one thread count, readable errors."""

import signal
import subprocess
import sys
import textwrap
from importlib import metadata
from pathlib import Path

import pytest

import sslens
from sslens.jobs import process
from sslens.jobs.digest import script_digest
from sslens.jobs.status import USED

LIBRARY = Path(sslens.__file__).parent.parent


def run(tmp_path, code, **environment):
    """Run a script that starts as the workflow's do."""
    header = f"import sys\nsys.path.insert(0, {str(LIBRARY)!r})\nfrom sslens.jobs import process\n"
    script = tmp_path / "script.py"
    script.write_text(header + textwrap.dedent(code))
    return subprocess.run(
        [sys.executable, script],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ("records", script_digest("records")),
        (
            "finetune",
            f"{script_digest('finetune', 'tasks.regression')} finetune@x tasks.regression",
        ),
    ],
)
def test_a_job_does_not_run_code_that_was_changed_after_its_digest_was_taken(tmp_path, rule, code):
    digest, *words = code.split()
    changed = " ".join([digest[::-1], *words])
    for given, read, is_right in (
        (code, f"{process.PYTHON} 0", True),
        (changed, f"{process.PYTHON} 0", False),
        (changed, f"{process.PYTHON} 1e12", True),  # not looked at, since no file is newer
        (changed, "3.1 0", True),  # the digests of another Python are others
        (changed, "", True),  # of a cluster, where jobs read the workflow themselves
    ):
        fields = {"scriptdir": str(LIBRARY), "params": {"code": given}, "rule": rule}
        text = f"""
        from types import SimpleNamespace
        snakemake = SimpleNamespace(**{fields!r})
        process.start("job.log", "job", 1)
        """
        done = run(tmp_path, text, SSLENS_READ=read)
        assert (done.returncode == 0) == is_right, done.stderr
        assert is_right or "was changed while the workflow runs; run it again" in done.stderr


def test_messages_go_to_the_log_and_under_the_title_to_the_terminal(tmp_path):
    (tmp_path / "job.log").write_text("of the attempt before\n")
    done = run(
        tmp_path,
        """
        process.start("job.log", "pretrain model_1", 1)
        import logging, warnings
        process.log.info("epoch %d", 1)
        logging.getLogger("sslens.training.engine").info("τ 0.97")
        process.log.debug("too much")
        warnings.warn("careful")
        """,
    )
    assert done.returncode == 0
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[:2] == ["pretrain model_1: epoch 1", "pretrain model_1: τ 0.97"]
    logged = (tmp_path / "job.log").read_text(encoding="utf-8")
    assert "INFO epoch 1\n" in logged
    assert "INFO τ 0.97\n" in logged
    assert "UserWarning: careful" in logged
    assert "too much" not in logged
    assert "before" not in logged
    assert "started as process" in logged.splitlines()[0]
    used, end = logged.splitlines()[-2:]
    assert USED.search(used) and end.endswith("INFO finished")


@pytest.mark.parametrize(
    "message", ["the loss is nan: lower the rate", "first line\n\n  second line\n"]
)
def test_an_uncaught_error_is_one_line_that_names_the_log(tmp_path, message):
    done = run(
        tmp_path,
        f"""
        process.start("job.log", "finetune model_2", 1)
        def inner():
            raise FloatingPointError({message!r})
        inner()
        """,
    )
    assert done.returncode == 1
    told = " ".join(message.split())
    assert done.stderr == f"finetune model_2: FloatingPointError: {told} (log: job.log)\n"
    logged = (tmp_path / "job.log").read_text()
    assert "Traceback (most recent call last)" in logged
    assert "in inner" in logged
    assert "FloatingPointError: " + message.strip() in logged
    assert f"ERROR failed: FloatingPointError: {told}\nTraceback" in logged


def test_stopped_work_is_one_line_without_a_traceback_and_counts_as_failed(tmp_path):
    done = run(
        tmp_path,
        """
        process.start("job.log", "pretrain model_1", 1)
        from sslens.training.stopping import Stopped
        raise Stopped("stopped by SIGTERM after step 37 of 120; the same command goes on")
        """,
    )
    assert done.returncode == 1
    told = "stopped by SIGTERM after step 37 of 120; the same command goes on"
    assert done.stderr == f"pretrain model_1: {told}\n"
    started, last = (tmp_path / "job.log").read_text().splitlines()
    assert "started as process" in started
    assert last.endswith(f"WARNING {told}")


@pytest.mark.parametrize("given", ["1", "8"])
def test_threads_are_those_asked_for_whatever_the_scheduler_says(tmp_path, given):
    done = run(
        tmp_path,
        """
        import numpy  # loaded before
        process.start("job.log", "job", 2)
        import scipy.linalg  # loaded after
        import sklearn.linear_model
        from threadpoolctl import threadpool_info
        print(*(f"{pool['internal_api']} {pool['num_threads']}" for pool in threadpool_info()))
        """,
        OMP_NUM_THREADS=given,
        OPENBLAS_NUM_THREADS=given,
    )
    assert done.returncode == 0, done.stderr
    words = done.stdout.split()
    assert words[::2].count("openblas") == 2
    assert "openmp" in words
    assert set(words[1::2]) == {"2"}


def test_one_thread_is_one_thread(tmp_path):
    done = run(
        tmp_path,
        """
        process.start("job.log", "job", 1)
        import numpy
        from threadpoolctl import threadpool_info
        print(*(pool["num_threads"] for pool in threadpool_info()))
        """,
    )
    assert done.stdout.split() == ["1"]


def test_starting_imports_no_tensorflow(tmp_path):
    done = run(
        tmp_path,
        """
        process.start("job.log", "job", 1)
        print("tensorflow" in sys.modules)
        """,
    )
    assert done.stdout == "False\n"


def test_tensorflow_gets_its_threads_and_no_gpu(tmp_path):
    done = run(
        tmp_path,
        """
        import os
        process.start("job.log", "job", 1)
        process.start_tensorflow(1, gpus=0)
        import tensorflow as tf
        print(tf.config.threading.get_intra_op_parallelism_threads())
        print(tf.config.threading.get_inter_op_parallelism_threads())
        print(len(tf.config.list_logical_devices("GPU")))
        print(os.environ["TF_ENABLE_ONEDNN_OPTS"], os.environ["CUDA_VISIBLE_DEVICES"])
        """,
    )
    assert done.stdout.split() == ["1", "1", "0", "1", "-1"], done.stderr


def test_what_its_libraries_write_while_it_loads_is_in_the_log(tmp_path):
    (tmp_path / "tensorflow.py").write_text(
        "import os\nos.write(2, b'no AVX here\\n')\nos.abort()\n"
    )
    done = run(
        tmp_path,
        """
        process.start("job.log", "job", 1)
        process.start_tensorflow(1, gpus=0)
        """,
    )
    assert done.returncode == -signal.SIGABRT
    assert done.stderr == ""
    first, *others = (tmp_path / "job.log").read_text().splitlines()
    assert "started as process" in first
    assert others[0] == "no AVX here"


@pytest.mark.parametrize(
    ("packages", "elsewhere", "asked"),
    [
        ({"tensorflow-cpu"}, False, 0),
        ({"tensorflow-cpu"}, True, 1),
        ({"tensorflow"}, False, 1),
        ({"tensorflow-cpu", "tensorflow"}, False, 1),
        (set(), False, 1),
    ],
)
def test_a_job_asks_for_no_gpu_that_it_cannot_use(monkeypatch, packages, elsewhere, asked):
    def version(name):
        if name not in packages:
            raise metadata.PackageNotFoundError(name)
        return "2.21.0"

    monkeypatch.setattr(metadata, "version", version)
    assert process.gpus_of_a_job(elsewhere) == asked


def test_a_training_has_its_precision_and_its_threads_for_an_operation(tmp_path):
    done = run(
        tmp_path,
        """
        process.start("job.log", "job", 3)
        process.start_tensorflow(3, gpus=1, precision="bfloat16", each=2)
        import keras
        import tensorflow as tf
        layer = keras.layers.Dense(2)
        layer.build((1, 3))
        print(layer.compute_dtype, layer.kernel.dtype)
        print(tf.config.threading.get_intra_op_parallelism_threads())
        print(tf.config.threading.get_inter_op_parallelism_threads())
        """,
    )
    assert done.stdout == "bfloat16 float32\n2\n3\n", done.stderr
    assert "on CPU in bfloat16, 3 threads, 2 for an operation" in (tmp_path / "job.log").read_text()


@pytest.mark.parametrize(
    ("precision", "capability", "remedy"),
    [
        ("bfloat16", (7, 5), "float32 or float16"),
        ("bfloat16", (6, 1), "float32"),
        ("float16", (6, 1), "float32"),
        ("bfloat16", (8, 0), None),
        ("float16", (7, 0), None),
        ("float32", (3, 5), None),
    ],
)
def test_a_gpu_that_cannot_says_so(precision, capability, remedy):
    details = {"device_name": "Tesla T4", "compute_capability": capability}
    if remedy is None:
        process._check_precision(precision, details)
        return
    with pytest.raises(RuntimeError) as error:
        process._check_precision(precision, details)
    expected = f"precision: Tesla T4 does not compute in {precision}; set {remedy}"
    assert str(error.value) == expected
