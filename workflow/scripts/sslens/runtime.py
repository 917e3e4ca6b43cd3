"""What every script does before its work: logging, threads, the GPU, readable errors."""

import atexit
import logging
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

from threadpoolctl import threadpool_limits

from sslens.stopping import Stopped

log = logging.getLogger("sslens")
ONLY_LOG = {"only_log": True}  # of a message that the terminal need not show


def start(log_path: str | Path, title: str, threads: int) -> None:
    """Prepare a script's process; to be called before anything imports TensorFlow.

    Messages go to the log file and, headed by the title, to the terminal. An uncaught error
    becomes one line that names the log, where its traceback stands; work that was stopped is no
    error and has none. The log begins with the process and ends with how it ended, for `progress`
    to read.

    Args:
        log_path: of the rule's log file.
        title: what the job is, for people who read several jobs' lines at once.
        threads: of linear algebra. From the configuration and never from the scheduler: their
            number changes the last bits of a sum.
    """
    to_file = logging.FileHandler(log_path, mode="w", encoding="utf-8")
    to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    to_terminal = logging.StreamHandler(sys.stderr)
    to_terminal.setFormatter(logging.Formatter(f"{title}: %(message)s"))
    to_terminal.addFilter(lambda record: not hasattr(record, "only_log"))
    logging.basicConfig(level=logging.INFO, handlers=[to_file, to_terminal], force=True)
    logging.captureWarnings(True)
    logging.raiseExceptions = False  # on a full disk every line would bring a traceback otherwise
    for library in ("OMP", "OPENBLAS", "MKL"):  # of those that are loaded from now on
        os.environ[f"{library}_NUM_THREADS"] = str(threads)
    threadpool_limits(threads)  # of those that are loaded already

    def report(kind, error, trace):
        atexit.unregister(finish)
        if isinstance(error, Stopped):
            log.warning("%s", error)
            return
        message = " ".join(f"{kind.__name__}: {error}".split())
        log.error("failed: %s", message, exc_info=(kind, error, trace), extra=ONLY_LOG)
        print(f"{title}: {message} (log: {log_path})", file=sys.stderr)

    def finish():
        log.info("finished", extra=ONLY_LOG)

    log.info("started as process %d on %s", os.getpid(), socket.gethostname(), extra=ONLY_LOG)
    sys.excepthook = report
    atexit.register(finish)


def gpus_of_a_job(elsewhere: bool) -> int:
    """How many GPUs a job with a network asks Snakemake for.

    0 where it runs by the package tensorflow-cpu, which can use none: such jobs then share the
    cores. 1 otherwise, also where TensorFlow is not installed, as beside a cluster.

    Args:
        elsewhere: whether jobs have environments of their own (conda, containers).
    """
    without_gpu = installed("tensorflow-cpu") and not installed("tensorflow")
    return 0 if without_gpu and not elsewhere else 1


def installed(package: str) -> bool:
    """Whether a package is installed in this environment."""
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def start_tensorflow(threads: int, gpu: bool, each: int | None = None) -> None:
    """Set TensorFlow up; to be called after `start`, before anything else imports it.

    Args:
        threads: operations that run at a time on the CPU.
        gpu: whether the job may use a GPU; hidden from it otherwise.
        each: threads of one operation, as many as of all if None. Their number changes the last
            bits of a sum, so it comes from the configuration.
    """
    # TensorFlow switches oneDNN on by itself only on some CPUs. Without it the gradients of its
    # convolutions are up to twenty times slower, and the numbers are different ones.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if not gpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    with _stderr_to_log():
        import tensorflow as tf

    tf.get_logger().setLevel(logging.ERROR)
    tf.config.threading.set_intra_op_parallelism_threads(each or threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    for device in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(device, True)
    if gpu:
        devices = ", ".join(d.name for d in tf.config.list_logical_devices("GPU")) or "CPU"
        told = (tf.__version__, devices, threads, each or threads)
        log.info("TensorFlow %s on %s, %d threads, %d for an operation", *told)


@contextmanager
def _stderr_to_log() -> Iterator[None]:
    """Keep from the terminal what C++ writes: TensorFlow greets before its log level counts."""
    (file,) = (
        handler.stream
        for handler in logging.getLogger().handlers
        if isinstance(handler, logging.FileHandler) and handler.stream
    )
    terminal = os.dup(2)
    os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
