"""Which environment variables of its user a process obeys, and which ones are recorded.

Numerical libraries read dozens of variables, and some change results without a trace: another
instruction set, fused arithmetic, a compiler that is switched on. A job takes over none of those.
What it keeps (logging, memory, GPUs) is recorded with its result.
"""

import os
import re
from collections.abc import MutableMapping

#: Beginnings of the variables that may change numbers on a CPU: all of them are removed, except
#: those of `KEPT`, so that a variable that a later version of a library reads is removed too.
NUMERICAL = (
    "DNNL_",
    "KERAS_",
    "KMP_",
    "MKL_",
    "NPY_",
    "NUMBA_",
    "OMP_",
    "ONEDNN_",
    "OPENBLAS_",
    "SKLEARN_",
    "TF2_",
    "TF_",
    "XLA_",
)
#: Those of them that change no number on a CPU.
KEPT = frozenset(
    {
        # what is logged
        *("DNNL_VERBOSE", "KMP_SETTINGS", "KMP_WARNINGS", "MKL_VERBOSE", "OMP_DISPLAY_ENV"),
        *("ONEDNN_VERBOSE", "OPENBLAS_VERBOSE"),
        *("TF_CPP_MAX_VLOG_LEVEL", "TF_CPP_MIN_LOG_LEVEL", "TF_CPP_VMODULE"),
        # where threads run and how they wait, not how many there are
        *("KMP_AFFINITY", "KMP_BLOCKTIME", "OMP_PLACES", "OMP_PROC_BIND", "OMP_STACKSIZE"),
        "OMP_WAIT_POLICY",
        # which copy of a library is loaded: without them, some environments do not start
        *("KMP_DUPLICATE_LIB_OK", "MKL_INTERFACE_LAYER", "MKL_THREADING_LAYER"),
        # memory of GPUs
        *("TF_FORCE_GPU_ALLOW_GROWTH", "TF_FORCE_UNIFIED_MEMORY", "TF_GPU_ALLOCATOR"),
        *("TF_GPU_HOST_MEM_LIMIT_IN_MB", "TF_PER_DEVICE_MEMORY_LIMIT_MB"),
        # how many threads there are: Snakemake sets these, and `process.start` sets them anew
        *("MKL_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"),
    }
)
#: What is set whatever the user has. Keras and Matplotlib find no configuration file: `os.devnull`
#: is no folder that could hold one, and as a file it is empty. TensorFlow switches oneDNN on by
#: itself only on some CPUs; without it the gradients of its convolutions are up to twenty times
#: slower, and the numbers are different ones.
OWN = {
    "KERAS_BACKEND": "tensorflow",
    "KERAS_HOME": os.devnull,
    "MATPLOTLIBRC": os.devnull,
    "MPLBACKEND": "agg",
    "TF_ENABLE_ONEDNN_OPTS": "1",
}
#: The only one of XLA's options that is kept: where CUDA is installed.
CUDA_FOLDER = re.compile(r"--xla_gpu_cuda_data_dir=\S+")
#: Recorded besides: what chooses GPUs and their arithmetic, and the C library's own instructions.
RECORDED = (*NUMERICAL, "CUBLAS_", "CUDA_", "CUDNN_", "GLIBC_TUNABLES", "NVIDIA_")
SECRET = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL")


def settle(variables: MutableMapping[str, str]) -> list[str]:
    """Give a process its variables, before it imports any numerical library.

    Args:
        variables: those of the process, `os.environ`; changed in place.

    Returns:
        Names of the variables whose values are not used, since they could change numbers: removed,
        or set to another value.
    """
    found = dict(variables)
    for name in found:
        if name.startswith(NUMERICAL) and name not in KEPT:
            del variables[name]
    if folder := CUDA_FOLDER.search(found.get("XLA_FLAGS", "")):
        variables["XLA_FLAGS"] = folder[0]
    variables.update(OWN)
    return sorted(
        name
        for name, value in found.items()
        if name.startswith(NUMERICAL) and variables.get(name) != value
    )


def threads(number: int) -> dict[str, str]:
    """The variables by which libraries of linear algebra, when they are loaded, take so many."""
    return {f"{library}_NUM_THREADS": str(number) for library in ("OMP", "OPENBLAS", "MKL")}


def recorded() -> dict[str, str]:
    """The variables of this process that concern numbers or GPUs, as they are now, by name.

    The value of one whose name says that it is a secret is withheld.
    """
    return {
        name: "(withheld)" if SECRET.search(name) else value
        for name, value in sorted(os.environ.items())
        if name.startswith(RECORDED)
    }
