"""TensorFlow's threads, GPUs and precision in a job."""

import signal
from importlib import metadata

import pytest
from running import run_as_job

from sslens.jobs.tensorflow_setup import _check_precision, gpus_of_a_job


def test_tensorflow_gets_its_threads_and_no_gpu(tmp_path):
    done = run_as_job(
        tmp_path,
        """
        import os
        process.start("job.log", "job", 1)
        set_up_tensorflow(1, gpus=0)
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
    done = run_as_job(
        tmp_path,
        """
        process.start("job.log", "job", 1)
        set_up_tensorflow(1, gpus=0)
        """,
    )
    assert done.returncode == -signal.SIGABRT
    assert done.stderr == ""
    first, *others = (tmp_path / "job.log").read_text().splitlines()
    assert "started as process" in first
    assert others[0] == "no AVX here"


@pytest.mark.parametrize(
    ("packages", "elsewhere", "requested"),
    [
        ({"tensorflow-cpu"}, False, 0),
        ({"tensorflow-cpu"}, True, 1),
        ({"tensorflow"}, False, 1),
        ({"tensorflow-cpu", "tensorflow"}, False, 1),
        (set(), False, 1),
    ],
)
def test_a_job_requests_no_gpu_that_it_cannot_use(monkeypatch, packages, elsewhere, requested):
    def version(name):
        if name not in packages:
            raise metadata.PackageNotFoundError(name)
        return "2.21.0"

    monkeypatch.setattr(metadata, "version", version)
    assert gpus_of_a_job(elsewhere) == requested


def test_a_training_has_its_precision_and_its_threads_for_an_operation(tmp_path):
    done = run_as_job(
        tmp_path,
        """
        process.start("job.log", "job", 3)
        set_up_tensorflow(3, gpus=1, precision="bfloat16", each=2)
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
        _check_precision(precision, details)
        return
    with pytest.raises(RuntimeError) as error:
        _check_precision(precision, details)
    expected = f"precision: Tesla T4 does not compute in {precision}; set {remedy}"
    assert str(error.value) == expected
