"""What every script does before its work: logging, threads, the GPU, readable errors."""

import atexit
import gc
import logging
import os
import resource
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from sslens.jobs import environment
from sslens.jobs.gpus import VARIABLE, assign
from sslens.training.stopping import Stopped

log = logging.getLogger("sslens")
#: Precision -> Keras's name of layers that compute in it, with float32 weights.
POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}
#: Precision -> the least compute capability of an NVIDIA GPU that gains from it.
COMPUTE_CAPABILITY = {"float32": (0, 0), "bfloat16": (8, 0), "float16": (7, 0)}
#: Variable with the Python by which the workflow was read, and when, in seconds since 1970.
READ = "SSLENS_READ"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
#: Rules that make data, each by the script of its name and nothing that is loaded by name.
OF_DATA = (
    "catalogue",
    "records",
    "survey",
    "archive_catalogue",
    "archive_records",
    "preprocessing",
)
#: Variable of the tests: a folder where every job writes which modules it has loaded.
MODULES = "SSLENS_MODULES"
#: New objects between two collections of garbage. What a job imports lives as long as the job; to
#: look through it again and again, as Python does by default, takes a fifth of its start.
OBJECTS_BETWEEN_COLLECTIONS = 100_000
ONLY_LOG = {"only_log": True}  # of a message that the terminal need not show


def start(log_path: str | Path, title: str, threads: int) -> None:
    """Prepare a script's process; to be called before anything imports TensorFlow.

    Messages go to the log file and, headed by the title, to the terminal. An uncaught error
    becomes one line that names the log, where its traceback stands; work that was stopped is no
    error and has none. The log begins with the process and ends with what it used and how it ended,
    for `status` and `benchmarks/pipeline.py` to read.

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
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    logging.raiseExceptions = False  # on a full disk every line would bring a traceback otherwise
    unused = environment.settle(os.environ)
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
        used = resource.getrusage(resource.RUSAGE_SELF)
        facts = (used.ru_utime + used.ru_stime, used.ru_maxrss / 1e6)
        log.info("used %.1f s of CPU time, %.2f GB of memory", *facts, extra=ONLY_LOG)
        log.info("finished", extra=ONLY_LOG)
        gc.freeze()  # or Python would look through all of TensorFlow once more before it ends
        if folder := os.environ.get(MODULES):
            _list_modules(Path(folder))

    log.info("started as process %d on %s", os.getpid(), socket.gethostname(), extra=ONLY_LOG)
    sys.excepthook = report
    atexit.register(finish)
    job = getattr(sys.modules["__main__"], "snakemake", None)
    if job is not None:  # no benchmark or test
        _check_library(job)
        _check_code(job)
    if unused:
        line = "variables not used, since they can change results: %s"
        log.warning(line, ", ".join(unused), extra=ONLY_LOG)


def _list_modules(folder: Path) -> None:
    """Write which modules this process has loaded, beside those of other jobs of its rule."""
    rule = getattr(sys.modules["__main__"], "snakemake").rule  # noqa: B009 (unknown to mypy)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{rule}-{os.getpid()}.txt").write_text("\n".join(sorted(sys.modules)))


def _check_library(job: Any) -> None:
    """Stop where Python had loaded another checkout's library before the job's own was imported.

    The digests of the code, which decide about reruns and are recorded, are of the job's own.
    """
    loaded, own = Path(__file__).resolve().parent.parent, Path(job.scriptdir, "sslens").resolve()
    if loaded != own:
        raise RuntimeError(
            f"Python loaded the library {loaded} before this job could load its own, {own}; remove "
            "what does so when Python starts: a sitecustomize or usercustomize module, a .pth file"
        )


def _check_code(job: Any) -> None:
    """Stop where the code was changed after its digest was taken, which would be recorded for it.

    A job on this machine gets its digest from the process that has read the workflow, and imports
    the code when it starts. A digest is that of one version of Python.
    """
    version, _, read = os.environ.get(READ, "").partition(" ")
    if version != PYTHON or not any(_is_newer(file, float(read)) for file in _code(job.scriptdir)):
        return
    from sslens.jobs.digest import script_digest

    expected, *words = str(job.params.get("code", "")).split()
    script, loaded = (words[0].partition("@")[0], words[1:]) if words else (job.rule, [])
    is_known = words or script in OF_DATA  # what another rule loads by name is not known here
    if is_known and script_digest(script, *loaded) != expected:
        raise RuntimeError(
            f"the code in {job.scriptdir} was changed while the workflow runs; run it again, and "
            "use another clone to change code meanwhile"
        )


def _code(folder: str) -> Iterator[Path]:
    """The files of the library and of the scripts beside it, without hidden ones of an editor."""
    return (file for file in Path(folder).rglob("*.py") if not file.name.startswith("."))


def _is_newer(file: Path, read: float) -> bool:
    """Whether a file was changed since then; one that is just being replaced has no time."""
    try:
        return file.stat().st_mtime > read
    except FileNotFoundError:
        return False


def mark_as_read() -> None:
    """Note when the workflow was read, for the jobs that it starts on this machine."""
    os.environ[READ] = f"{PYTHON} {time.time()}"


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


def start_tensorflow(
    threads: int,
    gpus: int,
    each: int | None = None,
    precision: str = "float32",
) -> None:
    """Set TensorFlow up; to be called after `start`, before anything else imports it.

    On a GPU, memory is taken as it is needed, and operations are deterministic ones.

    Args:
        threads: operations that run at a time on the CPU.
        gpus: how many GPUs the job may use, of its own; the others are hidden from it.
        each: threads of one operation, as many as of all if None. Their number changes the last
            bits of a sum, so it comes from the configuration.
        precision: of the layers between the images and the losses, a key of `POLICIES`. Weights
            are float32 in any case.

    Raises:
        RuntimeError: where a GPU cannot compute in this precision.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if not gpus:
        os.environ[VARIABLE] = "-1"
    assign(gpus)
    with _stderr_to_log(), _hidden("matplotlib", "sklearn"):
        import keras
        import tensorflow as tf

    tf.get_logger().setLevel(logging.ERROR)
    tf.config.threading.set_intra_op_parallelism_threads(each or threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    visible = tf.config.list_physical_devices("GPU")[:gpus]
    tf.config.set_visible_devices(visible, "GPU")
    for device in visible:
        tf.config.experimental.set_memory_growth(device, True)
        _check_precision(precision, tf.config.experimental.get_device_details(device))
    if visible:
        tf.config.experimental.enable_op_determinism()
    elif precision == "float16":
        log.warning("precision: float16 is very slow without a GPU; bfloat16 or float32 is not")
    if precision != "float32":
        keras.config.set_dtype_policy(POLICIES[precision])
    names = ", ".join(d.name for d in tf.config.list_logical_devices("GPU")) or "CPU"
    facts = (tf.__version__, names, precision, threads, each or threads)
    line = "TensorFlow %s on %s in %s, %d threads, %d for an operation"
    log.info(line, *facts, extra=ONLY_LOG)


def _check_precision(precision: str, details: dict) -> None:
    """Stop where a GPU, by its details from TensorFlow, has no arithmetic of a precision."""
    capability = details.get("compute_capability", (0, 0))
    if capability < COMPUTE_CAPABILITY[precision]:
        able = [name for name, least in COMPUTE_CAPABILITY.items() if capability >= least]
        raise RuntimeError(
            f"precision: {details.get('device_name', 'this GPU')} does not compute in {precision}; "
            f"set {' or '.join(able)}"
        )


@contextmanager
def _hidden(*packages: str) -> Iterator[None]:
    """Hide packages that Keras loads where it finds them, for wrappers that no job uses."""
    hidden = [name for name in packages if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


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
