"""Object arrays are read as NumPy reads them, and nothing else is; nothing is ever executed."""

import contextlib
import io
import os
import pickle
import struct
import tracemalloc

import numpy as np
import pytest

from sslens.data.archives.pickles import UnsafePickle, leaves, read_pickle

IMAGE = np.arange(12, dtype=float).reshape(3, 4)


def objects(*parts):
    array = np.empty(len(parts), object)
    for place, part in enumerate(parts):
        array[place] = part
    return array


def flat(tree):
    return list(leaves(tree, most=10_000))


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize(
    "dtype", ["f8", ">f4", "<f2", "i8", ">i2", "u1", "u4", "?", np.dtype("longdouble").str]
)
def test_arrays_are_what_they_were(protocol, dtype):
    for image in (IMAGE.astype(dtype), np.asfortranarray(IMAGE.astype(dtype))):
        found, mass = flat(read_pickle(pickle.dumps(objects(image, 1e-23), protocol)))
        assert found.dtype == image.dtype
        np.testing.assert_array_equal(found, image)
        assert mass == 1e-23


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("number", [3, 2**40, -1.5, True, np.float32(0.25), np.int64(7)])
def test_numbers_are_what_they_were(protocol, number):
    (found,) = flat(read_pickle(pickle.dumps(number, protocol)))
    assert found == number


def test_what_np_save_writes_is_read():
    stream = io.BytesIO()
    np.save(stream, objects(IMAGE, np.float64(2e-23)))
    stream.seek(0)
    np.lib.format.read_magic(stream)
    np.lib.format.read_array_header_1_0(stream)
    image, mass = flat(read_pickle(stream.read()))
    np.testing.assert_array_equal(image, IMAGE)
    assert mass == 2e-23


@pytest.mark.parametrize(
    "nested",
    [
        objects(IMAGE),
        objects(objects(IMAGE)),
        objects([IMAGE, None], ()),
        np.array(objects(IMAGE)[0], dtype=object),
    ],
)
def test_nested_objects_are_taken_apart(nested):
    found = [leaf for leaf in flat(read_pickle(pickle.dumps(nested))) if leaf is not None]
    assert len(found) == 1
    np.testing.assert_array_equal(found[0], IMAGE)


def test_an_object_array_of_numbers_is_an_array():
    for order in "CF":
        array = np.array(IMAGE.astype(object), order=order)
        np.testing.assert_array_equal(read_pickle(pickle.dumps(array)), IMAGE)


# --- what is refused ------------------------------------------------------------------------------


class Exploit:
    def __init__(self, function, *arguments):
        self._call = function, arguments

    def __reduce__(self):
        return self._call


@pytest.mark.parametrize("protocol", range(6))
def test_an_exploit_is_refused_and_not_executed(protocol, tmp_path):
    marker = tmp_path / "executed"
    payload = pickle.dumps(objects(IMAGE, Exploit(os.system, f"touch {marker}")), protocol)
    with pytest.raises(UnsafePickle, match="not executed"):
        read_pickle(payload)
    assert not marker.exists()
    pickle.loads(payload)
    assert marker.exists(), "the exploit is a real one"


@pytest.mark.parametrize(
    "payload",
    [
        b"cos\nsystem\n(S'true'\ntR.",
        b"cbuiltins\neval\n(V1\ntR.",
        b"(ios\nsystem\n.",  # INST
        b"\x80\x02c__builtin__\ngetattr\n.",
        b"\x80\x04\x8c\x02os\x8c\x06system\x93.",
        pickle.dumps(Exploit(np.load, "x.npy")),
        pickle.dumps(Exploit(np.memmap, "x")),
        b"\x80\x02\x82\x01.",  # an extension's code
        b"Pname\n.",  # a persistent id
        b"\x80\x05\x97.",  # a buffer from outside
        pickle.dumps({"a": 1}),
        pickle.dumps("text"),
        pickle.dumps(b"bytes"),
        pickle.dumps(1j),
        pickle.dumps(np.array(["text"])),
        pickle.dumps(np.array([1j])),
        pickle.dumps(np.zeros(2, "M8[s]")),
        pickle.dumps(np.zeros(2, [("a", "f8")])),
        pickle.dumps(np.dtype("f8")),
    ],
)
def test_anything_but_arrays_and_numbers_is_refused(payload):
    with pytest.raises(UnsafePickle):
        flat(read_pickle(payload))


def test_a_dtype_with_objects_in_it_is_refused():
    """NumPy itself would take the bytes for the addresses of objects."""
    payload = pickle.dumps(np.array([1.0]), 2)
    state = pickle.dumps((3, "<", None, ("a",), {"a": (np.dtype("O"), 0)}, 8, 1, 27), 2)[2:-1]
    place = payload.index(b"(K\x03X\x01\x00\x00\x00<")
    end = payload.index(b"b", place)
    with pytest.raises(UnsafePickle):
        read_pickle(payload[:place] + state + payload[end:])


@pytest.mark.filterwarnings("ignore:invalid escape sequence:DeprecationWarning")
def test_a_torn_or_changed_pickle_is_refused_or_read_as_numbers():
    payload = pickle.dumps(objects(IMAGE, 1e-23), 3)
    for length in range(len(payload)):
        with pytest.raises(UnsafePickle):
            read_pickle(payload[:length])
    rng = np.random.default_rng(0)
    for _ in range(3000):
        changed = bytearray(payload)
        changed[rng.integers(len(payload))] = rng.integers(256)
        try:
            parts = flat(read_pickle(bytes(changed)))
        except UnsafePickle:
            continue
        assert all(part is None or isinstance(part, np.ndarray | int | float) for part in parts)


@pytest.mark.parametrize(
    "payload",
    [
        b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"x.",  # bytes of a terabyte
        b"\x80\x04\x8d" + struct.pack("<Q", 2**62) + b"x.",
        b"\x80\x04B" + struct.pack("<I", 2**32 - 1) + b"x.",
        b"\x80\x02Nr" + struct.pack("<I", 2**31 - 1) + b".",  # a large index into the memo
        b"\x80\x04\x96" + struct.pack("<Q", 2**40) + b".",
        pickle.dumps(np.zeros(4), 3).replace(b"K\x04", b"J\xff\xff\xff\x7f"),  # a large shape
        # a number where the bytes are expected: bytes(2**24) are so many zeros
        b"\x80\x05cnumpy.core.numeric\n_frombuffer\n(J\0\0\0\x01cnumpy\ndtype\n\x8c\x02u1\x85R"
        b"J\0\0\0\x01\x85\x8c\x01CtR.",
        # one text, encoded again and again
        b"\x80\x02(c_codecs\nencode\nq\0X\x10\x27\0\0"
        + b"a" * 10_000
        + b"q\x01X\6\0\0\0latin1q\x02"
        + b"h\0h\x01h\x02\x86R" * 1000
        + b"t.",
        # one list, the content of one object array after the other
        b"\x80\x04(cnumpy.core.multiarray\n_reconstruct\nq\0cnumpy\nndarray\nq\x01K\0\x85K\0\x87q\x02"
        b"(K\x01M\x10\x27\x85cnumpy\ndtype\n\x8c\x01O\x85R\x89]("
        + b"N" * 10_000
        + b"etq\x05"
        + b"h\0h\x02Rh\x05b" * 1000
        + b"t.",
    ],
)
def test_a_small_pickle_takes_little_memory(payload):
    tracemalloc.start()
    with contextlib.suppress(UnsafePickle):
        read_pickle(payload)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1e6


def test_a_pickle_that_repeats_itself_is_refused():
    bomb = []
    for _ in range(40):
        bomb = [bomb, bomb]
    with pytest.raises(UnsafePickle, match="more than 1000 parts"):
        list(leaves(read_pickle(pickle.dumps(bomb)), most=1000))
    endless = []
    endless.append(endless)
    with pytest.raises(UnsafePickle, match="parts"):
        list(leaves(read_pickle(pickle.dumps(endless)), most=1000))


def test_parts_that_wait_are_counted():
    endless = []
    endless.extend([endless, *[None] * 10_000])
    tree = read_pickle(pickle.dumps(endless))
    tracemalloc.start()
    with pytest.raises(UnsafePickle, match="parts"):
        list(leaves(tree, most=50_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2e6


_DOUBLED = b"]\x94" + b"".join(b"](h%ch%ce\x94" % (k, k) for k in range(25))  # 2**25 parts
_LONG = b"\x8a\xff" + b"\x7f" * 255 + b"\x94"  # a number of 2040 bits


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "payload",
    [
        b"\x80\x04" + _DOUBLED + b"cnumpy\ndtype\nh\x19\x85R.",
        b"\x80\x04" + _DOUBLED + b"\x8c\x01a\x93.",
        b"\x80\x04cnumpy.core.multiarray\n_reconstruct\n\x94cnumpy\nndarray\n\x94K\0\x85K\0\x87R(K\x01("
        + _LONG + b"h\x02" * 100_000 + b"tcnumpy\ndtype\n\x8c\x02f8\x85R\x89C\x08aaaaaaaatb.",
        b"\x80\x04c" + b"a" * 100_000 + b"\nb\n.",
    ],
    ids=["type", "name", "shape", "long name"],
)  # fmt: skip
def test_the_reason_is_short_and_there_at_once(payload):
    with pytest.raises(UnsafePickle) as error:
        read_pickle(payload)
    assert len(str(error.value)) < 200
