"""A checkpoint is whole or set aside, belongs to one training, and has one writer."""

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import sslens
from sslens.training import checkpoints
from sslens.training.checkpoints import Checkpoint

LIBRARY = Path(sslens.__file__).parent.parent
ARRAYS = [
    np.arange(5000, dtype=np.float32).reshape(50, 100) / 7,
    np.float32(0.1),
    np.array([2**62, -1], np.int64),
    np.array([[True], [False]]),
    np.random.default_rng(0).normal(size=3),
    np.zeros((0, 4), np.float16),
]
FACTS = {"history": [{"epoch": 1, "loss": 0.1 + 0.2}, {"epoch": 2, "loss": 1 / 3}], "best": None}


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def assert_is_what_was_saved(loaded):
    arrays, facts = loaded
    assert facts == FACTS
    assert len(arrays) == len(ARRAYS)
    for array, saved in zip(arrays, ARRAYS, strict=True):
        assert array.dtype == saved.dtype
        assert array.shape == saved.shape
        assert array.tobytes() == saved.tobytes()


@pytest.fixture
def checkpoint(tmp_path):
    made = Checkpoint(tmp_path / "a" / "b", "mine")
    made.save(ARRAYS, FACTS)
    return made


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a" / "b" / "checkpoint.npz"


# --- in and out -----------------------------------------------------------------------------------


def test_round_trip_keeps_every_bit_dtype_and_shape(checkpoint, path):
    assert_is_what_was_saved(checkpoint.load())
    assert files(path.parent) == ["checkpoint.npz", "lock"]


def test_order_holds_for_many_arrays(tmp_path):
    checkpoint = Checkpoint(tmp_path, "mine")
    checkpoint.save([np.array(index) for index in range(1100)], {})
    arrays, _ = checkpoint.load()
    assert [int(array) for array in arrays] == list(range(1100))


def test_without_a_checkpoint_there_is_none(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        assert Checkpoint(tmp_path, "mine").load() is None
    assert not caplog.records


def test_saving_replaces(checkpoint):
    checkpoint.save(ARRAYS[:1], {"history": []})
    arrays, facts = checkpoint.load()
    assert len(arrays) == 1
    assert facts == {"history": []}


def test_remove_leaves_nothing_and_frees_the_lock(checkpoint, path):
    checkpoint.remove()
    assert not path.parent.exists()
    assert Checkpoint(path.parent, "mine").load() is None


# --- whose it is ----------------------------------------------------------------------------------


def test_of_another_training_it_is_set_aside_with_a_line_in_the_log(path, caplog):
    Checkpoint(path.parent, "mine").save(ARRAYS, FACTS)
    other = Checkpoint(path.parent, "other")
    assert other.load() is None
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "other parameters, data or code" in record.getMessage()
    assert str(path.parent / "set-aside.npz") in record.getMessage()
    assert files(path.parent) == ["lock", "set-aside.npz"]
    caplog.clear()
    assert other.load() is None  # told once
    assert not caplog.records
    other.save(ARRAYS, FACTS)
    assert_is_what_was_saved(other.load())


# --- damage ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.3, 0.9, 0.999])
def test_truncated_it_is_set_aside(checkpoint, path, caplog, kept):
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    assert checkpoint.load() is None
    assert files(path.parent) == ["lock", "set-aside.npz"]
    (record,) = caplog.records
    assert "is damaged" in record.getMessage()
    assert "\n" not in record.getMessage()


def test_a_flipped_bit_anywhere_is_set_aside_or_harmless(checkpoint, path, caplog):
    content = path.read_bytes()
    aside = 0
    # the small arrays, their names and the directory densely, the large array here and there
    ends = {*range(0, 600, 2), *range(len(content) - 3000, len(content), 2)}
    for place in sorted(ends | {*range(0, len(content), 501)}):
        damaged = bytearray(content)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        loaded = checkpoint.load()
        if loaded is None:
            aside += 1
        else:  # a date, a permission: nothing that is read
            assert_is_what_was_saved(loaded)
    assert aside > 1000
    path.write_bytes(content)
    assert_is_what_was_saved(checkpoint.load())


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"'<f4'", b"'<f2'"), (b"(50, 100)", b"(50,  10)"), (b"array00002", b"array00003")],
)
def test_damage_that_could_still_be_read_is_set_aside(checkpoint, path, old, new):
    """NumPy alone reads half of an array without a word."""
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))
    assert checkpoint.load() is None
    assert files(path.parent) == ["lock", "set-aside.npz"]


def test_whole_files_in_another_order_are_no_checkpoint(checkpoint, path, caplog):
    """Every CRC is right, and the arrays are those of other variables."""
    with np.load(path) as content:
        stored = dict(content)
    stored["array00000"], stored["array00004"] = stored["array00004"], stored["array00000"]
    np.savez(path, **stored)
    assert checkpoint.load() is None
    assert "is damaged (its content is not what its digest says)" in caplog.text


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x93NUMPY\x01\x00"])
def test_what_is_no_checkpoint_is_set_aside(checkpoint, path, content):
    path.write_bytes(content)
    assert checkpoint.load() is None
    assert not path.exists()


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_full_disk_leaves_the_former_checkpoint_and_no_other_file(
    checkpoint, path, monkeypatch, error
):
    def half(temporary, **arrays):
        Path(temporary).write_bytes(path.read_bytes()[:3000])
        raise error

    monkeypatch.setattr(np, "savez", half)
    with pytest.raises(type(error)):
        checkpoint.save(ARRAYS[:2], {"history": ["new"]})
    assert files(path.parent) == ["checkpoint.npz", "lock"]
    assert_is_what_was_saved(checkpoint.load())


FILLS_THE_DISK = """
import resource, sys
sys.path.insert(0, sys.argv[1])
from sslens.jobs import process
process.start(sys.argv[3], "pretrain model_1", 1)
import numpy as np
from sslens.training.checkpoints import Checkpoint
checkpoint = Checkpoint(sys.argv[2], "mine")
resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
checkpoint.save([np.zeros(100_000)], {})
"""


def test_a_write_that_the_system_refuses_is_one_line_and_the_former_stays(path, tmp_path):
    """The kernel ends the write in the middle of the file, as on a full disk."""
    Checkpoint(path.parent, "mine").save(ARRAYS, FACTS)
    words = [sys.executable, "-c", FILLS_THE_DISK, LIBRARY, path.parent, tmp_path / "log"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "no checkpoint could be written (File too large); the last good one stays." in line
    assert "Make room, then run again" in line
    assert str(path.parent) in line
    assert files(path.parent) == ["checkpoint.npz", "lock"]
    assert_is_what_was_saved(Checkpoint(path.parent, "mine").load())


# --- one writer -----------------------------------------------------------------------------------

HOLDER = """
import sys, time
sys.path.insert(0, sys.argv[1])
from sslens.training.checkpoints import Checkpoint
checkpoint = Checkpoint(sys.argv[2], "mine")
print("held", flush=True)
time.sleep(60)
"""


def test_a_second_writer_is_refused_while_the_first_lives_and_admitted_after_its_kill(tmp_path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(LIBRARY), str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(RuntimeError) as refused:
            Checkpoint(tmp_path, "mine")
        message = str(refused.value)
        assert f"process {holder.pid} " in message
        assert str(tmp_path) in message
        assert "\n" not in message
    finally:
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        holder.stdout.close()
    Checkpoint(tmp_path, "mine").save(ARRAYS, FACTS)
    # the new holder's number stands where the old one's was
    assert (tmp_path / "lock").read_text() == str(os.getpid())


def test_two_trainings_have_two_folders(tmp_path):
    first, second = Checkpoint(tmp_path / "a", "mine"), Checkpoint(tmp_path / "b", "mine")
    first.save(ARRAYS, FACTS)
    assert second.load() is None


def test_the_lock_of_a_deleted_file_is_none(tmp_path, monkeypatch):
    """A writer that is done deletes the file between another's opening and locking it."""
    first = Checkpoint(tmp_path / "a", "mine")
    lock = checkpoints.fcntl.flock

    def finish_first(stream, how):
        monkeypatch.setattr(checkpoints.fcntl, "flock", lock)
        first.remove()
        lock(stream, how)

    monkeypatch.setattr(checkpoints.fcntl, "flock", finish_first)
    second = Checkpoint(tmp_path / "a", "mine")
    assert files(tmp_path / "a") == ["lock"]
    with pytest.raises(RuntimeError, match="is writing this checkpoint"):
        Checkpoint(tmp_path / "a", "mine")
    second.remove()
