"""What a script's process has: a log, one thread count, readable errors."""

import pytest
from running import run_as_job

from sslens.jobs.status import USED


def test_messages_go_to_the_log_and_under_the_title_to_the_terminal(tmp_path):
    (tmp_path / "job.log").write_text("of the attempt before\n")
    done = run_as_job(
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
    done = run_as_job(
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
    done = run_as_job(
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
    done = run_as_job(
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
    done = run_as_job(
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
    done = run_as_job(
        tmp_path,
        """
        process.start("job.log", "job", 1)
        print("tensorflow" in sys.modules)
        """,
    )
    assert done.stdout == "False\n"
