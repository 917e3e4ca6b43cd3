"""TensorFlow as a job uses it: its threads, its GPUs, its precision."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module, metadata

from sslens.jobs.gpus import VARIABLE, assign
from sslens.jobs.process import ONLY_LOG

log = logging.getLogger("sslens")
#: Precision -> Keras's name of layers that compute in it, with float32 weights.
POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}
#: Precision -> the least compute capability of an NVIDIA GPU that gains from it.
COMPUTE_CAPABILITY = {"float32": (0, 0), "bfloat16": (8, 0), "float16": (7, 0)}


def gpus_of_a_job(elsewhere: bool) -> int:
    """How many GPUs a job with a network requests of Snakemake.

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


def load_tensorflow() -> None:
    """Import TensorFlow and Keras, and nothing that they do not need."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with _hidden("matplotlib", "sklearn"):
        import_module("keras")
        import_module("tensorflow")
    os.environ["TF2_BEHAVIOR"] = "1"  # so does TensorFlow when it is imported, not in a copy


def set_up_tensorflow(
    threads: int,
    gpus: int,
    each: int | None = None,
    precision: str = "float32",
) -> None:
    """Set TensorFlow up; to be called after `process.start`, before anything computes.

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
    if not gpus:
        os.environ[VARIABLE] = "-1"
    assign(gpus)
    if "tensorflow" in sys.modules:
        log.info("TensorFlow was loaded before this job began", extra=ONLY_LOG)
    with _stderr_to_log():
        load_tensorflow()
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
