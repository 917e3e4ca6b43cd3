"""Files of every layout become images; all others give one reason, and take no memory."""

import bz2
import gzip
import os
import tracemalloc
import zipfile

import h5py
import numpy as np
import pytest
from archives import DEFAULTS, PIXELS, image, with_mass
from astropy.io import fits

from sslens.data.archives.errors import Ambiguous, Unusable
from sslens.data.archives.images import as_image
from sslens.data.archives.label_names import parse_names
from sslens.data.archives.readers import READERS, read_images, suffix_of

SETTINGS = {key: DEFAULTS[key] for key in ("axes", "channel", "extension", "keys")}
SETTINGS |= {"pixels": PIXELS, "where": "datasets.mine"}
IMAGE = image(0)
IN_FLOAT32 = IMAGE.astype(np.float32)
STACK = np.stack([image(k) for k in range(6)])
LABELS = np.array(["axion", "cdm", "no_sub"] * 2)
MASSES = np.array([1e-23, np.nan, np.nan] * 2)


def read_all(path, wanted=None, **settings):
    return list(read_images(path, SETTINGS | settings, wanted))


def read_one(path, **settings):
    (found,) = read_all(path, **settings)
    assert not found.reason
    return found


def why(path, **settings):
    """Why a file, or its only image, cannot be used: one line."""
    try:
        (found,) = read_all(path, **settings)
    except Unusable as error:
        reason = str(error)
    else:
        assert found.image is None
        reason = found.reason
    assert reason and "\n" not in reason
    return reason


def saved(tmp_path, array, name="one.npy"):
    np.save(tmp_path / name, array)
    return tmp_path / name


def wrapped(array):
    """A 0-d object array."""
    whole = np.empty((), object)
    whole[()] = array
    return whole


# --- an image a file ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "array",
    [
        IMAGE,
        IMAGE[None],
        IMAGE[..., None],
        IMAGE[None, ..., None],
        np.repeat(IMAGE[None], 3, axis=0),
        np.repeat(IMAGE[..., None], 3, axis=-1),
        np.asfortranarray(IMAGE),
        IMAGE.astype(">f8"),
        IMAGE.astype("f4"),
        wrapped(IMAGE),
        wrapped(wrapped(IMAGE)),
        np.array([*with_mass(IMAGE, 1.0)[:1], None], dtype=object),
        IMAGE.astype(object),
    ],
)
def test_every_shape_that_is_met_is_an_image(tmp_path, array):
    found = read_one(saved(tmp_path, array))
    assert found.image.dtype == np.float32
    assert found.image.flags.c_contiguous
    np.testing.assert_array_equal(found.image, IN_FLOAT32)


@pytest.mark.parametrize("dtype", ["i8", "i4", ">i2", "u1", "u8", "f2", "f4", "f8"])
def test_every_type_of_number_is_read(tmp_path, dtype):
    array = np.arange(PIXELS**2).reshape(PIXELS, PIXELS).astype(dtype)
    np.testing.assert_array_equal(read_one(saved(tmp_path, array)).image, array.astype(np.float32))


@pytest.mark.parametrize("mass", [3e-23, np.float64(3e-23), np.array(3e-23), np.array([3e-23])])
def test_an_axion_comes_with_its_mass(tmp_path, mass):
    found = read_one(saved(tmp_path, with_mass(IMAGE, mass)))
    np.testing.assert_array_equal(found.image, IN_FLOAT32)
    assert found.mass == 3e-23


def test_a_mass_is_as_the_file_has_it(tmp_path):
    assert np.isnan(read_one(saved(tmp_path, with_mass(IMAGE, None))).mass)
    assert read_one(saved(tmp_path, with_mass(IMAGE, -23.5))).mass == -23.5


def test_negative_pixels_are_kept(tmp_path):
    assert read_one(saved(tmp_path, IMAGE - 100)).image.max() < 0


BANDS = np.stack([image(k) for k in range(4)])


def ambiguity_of(path, **settings):
    """The error of a file with several readings: one line that names the file."""
    with pytest.raises(Ambiguous) as error:
        read_all(path, **settings)
    message = str(error.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    return message.removeprefix(f"{path}: ")


def write_npy(path, images):
    np.save(path, images)


def write_objects(path, images):
    np.save(path, wrapped(images))


def write_one_npz(path, images):
    np.savez(path, images=images)


def write_one_hdf5(path, images):
    with h5py.File(path, "w") as file:
        file["images"] = images


def write_cube(path, images):
    fits.writeto(path, images)


def write_compressed_cube(path, images):
    unit = fits.CompImageHDU(images, compression_type="GZIP_2", quantize_level=0)
    fits.HDUList([fits.PrimaryHDU(), unit]).writeto(path)


def write_fits_gz(path, images):
    fits.writeto(path.with_suffix(""), images)
    path.write_bytes(gzip.compress(path.with_suffix("").read_bytes()))


#: Every format, with a way to write an array that nothing comes with.
FORMATS = [
    ("a.npy", write_npy),
    ("objects.npy", write_objects),
    ("a.npz", write_one_npz),
    ("a.h5", write_one_hdf5),
    ("a.fits", write_cube),
    ("a.fits.fz", write_compressed_cube),
    ("a.fits.gz", write_fits_gz),
]
every_format = pytest.mark.parametrize(("name", "write"), FORMATS)


@every_format
def test_a_first_axis_is_of_images_or_bands_as_a_key_states(tmp_path, name, write):
    path = tmp_path / name
    write(path, BANDS)
    assert ambiguity_of(path) == (
        "an array of shape (4, 12, 12) may be 4 images: set datasets.mine.axes to [image, y, x]; "
        "or one image in 4 bands: set datasets.mine.axes to [band, y, x], and "
        "datasets.mine.channel to the band to take"
    )
    found = read_all(path, axes=["image", "y", "x"])
    np.testing.assert_array_equal([one.image for one in found], BANDS.astype(np.float32))
    (third,) = read_all(path, {2}, axes=["image", "y", "x"])
    np.testing.assert_array_equal(third.image, BANDS[2].astype(np.float32))
    for settings in ({"channel": 3}, {"channel": 3, "axes": ["band", "y", "x"]}):
        found = read_one(path, **settings)
        np.testing.assert_array_equal(found.image, BANDS[3].astype(np.float32))
    assert "choose one by `channel`" in why(path, axes=["band", "y", "x"])
    assert "`channel` 4 of an image in 4 bands, counted from 0" in why(path, channel=4)


@every_format
def test_bands_that_are_all_the_same_are_one_image_without_a_key(tmp_path, name, write):
    grey = np.where(np.arange(PIXELS) == 0, np.nan, IMAGE) if name == "a.h5" else IMAGE
    write(tmp_path / name, np.stack([grey] * 3))
    if name == "a.h5":  # a pixel that is missing in all of them makes no bands
        assert why(tmp_path / name) == "12 of its pixels are not finite"
    else:
        np.testing.assert_array_equal(read_one(tmp_path / name).image, IN_FLOAT32)


@every_format
def test_bands_along_the_last_axis(tmp_path, name, write):
    write(tmp_path / name, np.moveaxis(BANDS, 0, -1).copy())
    assert why(tmp_path / name) == "its 4 bands differ: choose one by `channel`"
    found = read_one(tmp_path / name, channel=1)
    np.testing.assert_array_equal(found.image, BANDS[1].astype(np.float32))


@every_format
@pytest.mark.parametrize("order", ["image band", "band image", "image last"])
def test_many_images_in_many_bands(tmp_path, name, write, order):
    stack = np.random.default_rng(0).normal(10, 1, (5, 4, PIXELS, PIXELS))
    axes, array = {
        "image band": (["image", "band", "y", "x"], stack),
        "band image": (["band", "image", "y", "x"], stack.swapaxes(0, 1).copy()),
        "image last": (["image", "y", "x", "band"], np.moveaxis(stack, 1, -1).copy()),
    }[order]
    write(tmp_path / name, array)
    expected = stack[:, 2].astype(np.float32)
    found = read_all(tmp_path / name, channel=2, axes=axes)
    np.testing.assert_array_equal([one.image for one in found], expected)
    found = read_all(tmp_path / name, {1, 4}, channel=2, axes=axes)
    np.testing.assert_array_equal([one.image for one in found], expected[[1, 4]])
    if order != "image last":
        assert "axes to [image, band, y, x]; or" in ambiguity_of(tmp_path / name, channel=2)


@every_format
def test_a_channel_of_an_image_without_bands_is_an_error(tmp_path, name, write):
    write(tmp_path / name, IMAGE)
    assert "(12, 12) has no axis of bands to take `channel` 1 of" in why(tmp_path / name, channel=1)


@every_format
def test_many_bands_are_not_compared(tmp_path, name, write):
    write(tmp_path / name, np.zeros((PIXELS, PIXELS, 20)) + np.arange(20))
    assert "an image in 20 bands: choose one by `channel`" in why(tmp_path / name)


def test_an_axis_of_length_one_may_be_the_bands(tmp_path):
    path = saved(tmp_path, BANDS[:, None])
    assert len(read_all(path, axes=["image", "band", "y", "x"], channel=0)) == 4
    assert (
        "4 images: set datasets.mine.axes to [image, y, x], and leave datasets.mine.channel out; or"
    ) in ambiguity_of(path, channel=0)
    assert "1 bands, counted from 0" in why(saved(tmp_path, IMAGE[None]), channel=1)


def test_an_image_with_a_mass_is_one_image(tmp_path):
    path = saved(tmp_path, with_mass(BANDS, 1e-23))
    assert "4 bands differ" in why(path)
    found = read_one(path, channel=2)
    np.testing.assert_array_equal(found.image, BANDS[2].astype(np.float32))
    assert found.mass == 1e-23


def test_a_stack_is_not_read_as_a_whole(tmp_path):
    path = saved(tmp_path, np.random.default_rng(0).normal(size=(2000, 3, PIXELS, PIXELS)))
    tracemalloc.start()
    for found in read_images(path, SETTINGS | {"channel": 1, "axes": ["image", "band", "y", "x"]}):
        assert not found.reason
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.image_index == 1999
    assert peak < 1e6


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.full((PIXELS, PIXELS), 7.0), "all its pixels are 7"),
        (np.where(np.eye(PIXELS), np.nan, 1), f"{PIXELS} of its pixels are not finite"),
        (np.where(np.eye(PIXELS), 1e300, 1), f"{PIXELS} of its pixels are not finite"),
        (np.zeros((PIXELS, PIXELS + 1)), "an image of shape (12, 13), not of 12 x 12 pixels"),
        (np.zeros((2, PIXELS, PIXELS)), "all its pixels are 0"),
        (np.zeros((2, 2, 3, PIXELS, PIXELS)), "an image of shape (2, 2, 3, 12, 12)"),
        (np.zeros(0), "an image of shape (0,)"),
        (np.float64(1), "an image of shape ()"),
        (np.full((PIXELS, PIXELS), 1j), "values of type complex128, not numbers"),
        (np.full((PIXELS, PIXELS), "a"), "values of type <U1, not numbers"),
        (np.zeros((PIXELS, PIXELS), [("a", "f8")]), "not numbers"),
        (np.zeros((PIXELS, PIXELS), [("a", "O")]), "not numbers"),
        (with_mass(IMAGE, IMAGE), "objects with 2 images and 0 numbers"),
        (np.array([*with_mass(IMAGE, 1.0), 2.0], object), "objects with 1 images and 2 numbers"),
        (np.array([None], object), "objects with 0 images"),
        (np.array([{}], object), "not executed"),
    ],
)
def test_what_is_no_image_is_told(tmp_path, array, reason):
    assert reason in why(saved(tmp_path, array))


class Exploit:
    """A pickle of this makes the unpickler run a command."""

    def __init__(self, marker):
        self._command = f"touch {marker}"

    def __reduce__(self):
        return os.system, (self._command,)


def test_an_exploit_is_rejected_and_not_executed(tmp_path):
    marker = tmp_path / "executed"
    path = saved(tmp_path, with_mass(IMAGE, Exploit(marker)))
    assert "system', which no array needs; not executed" in why(path)
    assert not marker.exists()
    np.load(path, allow_pickle=True)
    assert marker.exists(), "the exploit is a real one"


def test_a_torn_file_is_told_wherever_it_ends(tmp_path):
    for array in (IMAGE, with_mass(IMAGE, 1e-23)):
        content = saved(tmp_path, array).read_bytes()
        path = tmp_path / "torn.npy"
        for length in [*range(0, 200), *range(200, len(content), 37), len(content) - 1]:
            path.write_bytes(content[:length])
            why(path)
    path.write_bytes(b"")
    assert why(path) == "empty file"
    path.write_bytes(os.urandom(500))
    assert "no .npy file" in why(path)


@pytest.mark.parametrize(
    "shape", [(10**6, 10**6), (PIXELS, PIXELS, 10**12), (2**62, 4), (-1, PIXELS), (10**30,)]
)
def test_a_head_that_claims_terabytes_is_told(tmp_path, shape):
    path = saved(tmp_path, IMAGE)
    head = {"descr": "<f8", "fortran_order": False, "shape": shape}
    with open(path, "wb") as stream:
        np.lib.format.write_array_header_2_0(stream, head)
        stream.write(bytes(800))
    assert "its header announces" in why(path)


def test_a_large_file_of_objects_is_not_read(tmp_path):
    path = saved(tmp_path, with_mass(IMAGE, 1.0))
    with open(path, "r+b") as stream:
        stream.truncate(2**33)  # takes no room on the disk
    assert "bytes of objects, more than" in why(path)


def test_what_is_no_file_is_told(tmp_path):
    os.mkfifo(tmp_path / "pipe.npy")
    assert why(tmp_path / "pipe.npy") == "no regular file"
    assert "No such file" in why(tmp_path / "gone.npy")


def test_a_file_that_may_not_be_read_is_told(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    path = saved(tmp_path, IMAGE)  # root may read everything
    monkeypatch.setitem(READERS, ".npy", refuse)
    assert why(path) == "no permission to read it"


# --- rows of objects, and flat rows ---------------------------------------------------------------

ROWS = [(image(k), 10.0**-k) for k in range(20, 24)]


def rows_of_two():
    array = np.empty((len(ROWS), 2), object)
    for k, (pixels, mass) in enumerate(ROWS):
        array[k] = pixels, mass
    return array


def nested(pack):
    array = np.empty(len(ROWS), object)
    for k, (pixels, mass) in enumerate(ROWS):
        array[k] = pack(pixels, mass)
    return array


@pytest.mark.parametrize(
    "array",
    [
        rows_of_two(),
        nested(lambda *row: row),
        nested(lambda *row: [*row]),
        nested(with_mass),
        nested(lambda pixels, mass: with_mass(np.stack([pixels] * 3), np.array([mass]))),
    ],
)
def test_an_object_array_of_rows(tmp_path, array):
    path = saved(tmp_path, array)
    found = read_all(path)
    expected = [pixels.astype(np.float32) for pixels, _ in ROWS]
    np.testing.assert_array_equal([one.image for one in found], expected)
    assert [one.mass for one in found] == [mass for _, mass in ROWS]
    assert [one.image_index for one in read_all(path, {1, 3})] == [1, 3]


def test_a_row_without_a_mass_and_rows_that_are_none(tmp_path):
    array = rows_of_two()
    array[2, 1] = None
    masses = [one.mass for one in read_all(saved(tmp_path, array))]
    assert np.isnan(masses[2]) and not np.isnan([*masses[:2], masses[3]]).any()
    for wrong in (array.T.copy(), array[:, ::-1].copy(), array[:, :1].copy()):
        assert "nor rows of both" in why(saved(tmp_path, wrong))


def test_an_exploit_in_a_row_is_not_executed(tmp_path):
    array = rows_of_two()
    array[3, 1] = Exploit(tmp_path / "executed")
    assert "not executed" in why(saved(tmp_path, array))
    assert not (tmp_path / "executed").exists()


def test_more_objects_than_images_of_that_size_are_not_read(tmp_path):
    path = saved(tmp_path, rows_of_two())
    with open(path, "r+b") as stream:
        stream.truncate(2**30)
    assert "bytes of objects, more than" in why(path)


def flat_rows(labels, dtype="f8"):
    return np.column_stack([STACK.reshape(len(STACK), -1), labels]).astype(dtype)


@pytest.mark.parametrize("rows", [1, 6, 50])
@pytest.mark.parametrize("dtype", ["f8", ">f4", "i4", object])
def test_flat_rows_of_pixels_and_a_label(tmp_path, rows, dtype):
    stack = 100 * np.stack([image(k) for k in range(rows)])
    array = np.column_stack([stack.reshape(rows, -1), np.arange(rows) % 3]).astype(dtype)
    path = saved(tmp_path, array)
    found = read_all(path)
    expected = array[:, :-1].reshape(stack.shape).astype(np.float32)
    np.testing.assert_array_equal([one.image for one in found], expected)
    assert [one.label for one in found] == [str(k % 3) for k in range(rows)]
    assert [one.image_index for one in read_all(path, {rows - 1})] == [rows - 1]


def test_flat_rows_that_end_in_no_label_are_told(tmp_path):
    path = saved(tmp_path, flat_rows([0, 1, 2, 1.5, 0, 1]))
    with pytest.raises(Unusable, match="flat rows, but 1.5 at the end of row 3 is no label"):
        read_all(path)
    assert "no axis of bands" in why(saved(tmp_path, flat_rows([0] * 6)), channel=0)
    assert "an image of shape (6, 144)" in why(saved(tmp_path, flat_rows([0] * 6)[:, :-1]))


# --- many images in a file ------------------------------------------------------------------------


def write_npz(path, images=STACK, **others):
    np.savez(path, images=images, **others)


def write_packed_npz(path, images=STACK, **others):
    np.savez_compressed(path, images=images, **others)


def write_hdf5(path, images=STACK, **others):
    with h5py.File(path, "w") as file:
        for name, array in {"images": images, **others}.items():
            array = np.asarray(array)
            file[name] = array.astype(h5py.string_dtype()) if array.dtype.kind == "U" else array


def write_packed_hdf5(path, images=STACK, **others):
    write_hdf5(path, images[:0], **others)
    with h5py.File(path, "r+") as file:
        del file["images"]
        file.create_dataset("images", data=images, chunks=True, compression="gzip")


CONTAINERS = [
    ("many.npz", write_npz),
    ("packed.npz", write_packed_npz),
    ("many.h5", write_hdf5),
    ("packed.HDF5", write_packed_hdf5),
]


@pytest.mark.parametrize(("name", "write"), CONTAINERS)
@pytest.mark.parametrize("labels", [LABELS, LABELS.astype("S"), np.arange(6) % 3])
def test_images_with_their_labels_and_masses(tmp_path, name, write, labels):
    write(tmp_path / name, labels=labels, axion_mass=MASSES)
    found = read_all(tmp_path / name)
    assert [one.image_index for one in found] == list(range(6))
    np.testing.assert_array_equal([one.image for one in found], STACK.astype(np.float32))
    told = [str(label) for label in np.asarray(labels).astype("U")]
    assert [one.label for one in found] == told
    np.testing.assert_array_equal([one.mass for one in found], MASSES)


@pytest.mark.parametrize(("name", "write"), CONTAINERS)
def test_wanted_images_alone_are_read(tmp_path, name, write):
    write(tmp_path / name, labels=LABELS)
    found = read_all(tmp_path / name, wanted={1, 4})
    assert [one.image_index for one in found] == [1, 4]
    np.testing.assert_array_equal([one.image for one in found], STACK[[1, 4]].astype(np.float32))


@pytest.mark.parametrize(("name", "write"), CONTAINERS)
@pytest.mark.parametrize("axis", [1, -1])
def test_channels_of_many_images(tmp_path, name, write, axis):
    write(tmp_path / name, images=np.stack([STACK] * 3, axis=axis))
    np.testing.assert_array_equal(
        [one.image for one in read_all(tmp_path / name)], STACK.astype(np.float32)
    )


@pytest.mark.parametrize(("name", "write"), CONTAINERS)
def test_an_unusable_image_among_others_is_told_by_its_place(tmp_path, name, write):
    images = STACK.copy()
    images[2, 0, 0], images[5] = np.nan, 1.0
    write(tmp_path / name, images=images, labels=LABELS)
    reasons = [one.reason for one in read_all(tmp_path / name)]
    assert reasons == ["", "", "1 of its pixels are not finite", "", "", "all its pixels are 1"]


@pytest.mark.parametrize(("name", "write"), CONTAINERS)
def test_labels_tell_images_from_bands(tmp_path, name, write):
    write(tmp_path / name, axion_mass=MASSES)
    assert len(read_all(tmp_path / name)) == 6
    for label in (np.array("cdm"), np.array(["cdm"])):
        write(tmp_path / name, labels=label)
        found = read_one(tmp_path / name, channel=4)
        np.testing.assert_array_equal(found.image, STACK[4].astype(np.float32))
        assert found.label == "cdm"
    write(tmp_path / name, labels=LABELS)
    assert "has no axis of bands to take `channel` 4 of" in why(tmp_path / name, channel=4)


@pytest.mark.parametrize("dtype", ["i8", "u1"])
def test_the_names_of_an_enumeration_are_labels(tmp_path, dtype):
    members = {"no_sub": 0, "cdm": 1, "axion": 2}
    with h5py.File(tmp_path / "enum.h5", "w") as file:
        file["images"] = STACK
        kind = h5py.enum_dtype(members, basetype=dtype)
        file.create_dataset("labels", data=[0, 1, 2, 2, 1, 0], dtype=kind)
    labels = [one.label for one in read_all(tmp_path / "enum.h5")]
    assert labels == ["no_sub", "cdm", "axion", "axion", "cdm", "no_sub"]


@pytest.mark.parametrize(
    "attributes",
    [
        {"classes": ["no_sub", "cdm", "axion"]},
        {"class_names": np.array(["no_sub", "cdm", "axion"], "S")},
        {"Label_Names": "no_sub, cdm, axion"},
        {"names": '{"0": "no_sub", "1": "cdm", "2": "axion"}'},
        {"classes": '{"no_sub": 0, "axion": 2, "cdm": 1}'},
        {"classes": [0, 1, 2], "names": '["no_sub", "cdm", "axion"]'},
        {"flag_values": [2, 0, 1], "flag_meanings": "axion no_sub cdm"},
    ],
)
def test_the_names_in_the_attributes_of_labels_are_used(tmp_path, attributes):
    write_hdf5(tmp_path / "named.h5", labels=[0.0, 1.0, 2.0, 2.0, 1.0, 7.0])
    with h5py.File(tmp_path / "named.h5", "r+") as file:
        file["labels"].attrs.update(attributes)
    labels = [one.label for one in read_all(tmp_path / "named.h5")]
    assert labels == ["no_sub", "cdm", "axion", "axion", "cdm", "7"]


def test_names_of_two_words_are_one():
    """ "no" and "sub" are names of two classes, too."""
    assert parse_names("no sub, axion, cdm") == {"0": "no sub", "1": "axion", "2": "cdm"}
    assert parse_names("no,sub,vort") == {"0": "no", "1": "sub", "2": "vort"}
    assert parse_names("no sub axion cdm") == parse_names("vort no substructure") == {}


@pytest.mark.parametrize(
    "value", ["", "{", "3", "[[1]]", '{"a": "b"}', '{"0": 1}', "[" * 10**4, 5, np.arange(3), None]
)
def test_what_names_no_labels_is_passed_over(value):
    assert set(parse_names(value)) <= {"0"}


@pytest.mark.parametrize(("name", "write"), CONTAINERS)
@pytest.mark.parametrize("labels", [LABELS[:5], np.zeros((6, 3)), np.zeros(6, "V4")])
def test_labels_that_are_no_value_an_image_are_told(tmp_path, name, write, labels):
    write(tmp_path / name, labels=labels)
    assert "'labels' has shape" in why(tmp_path / name)


@pytest.mark.parametrize(("name", "write"), CONTAINERS)
def test_arrays_of_other_names(tmp_path, name, write):
    write(tmp_path / name, images=STACK, y=LABELS)
    keys = {"images": "images", "labels": "y", "masses": "m"}
    assert [one.label for one in read_all(tmp_path / name, keys=keys)] == list(LABELS)
    # or the class of the folder would be taken
    keys = {"images": "images", "labels": "z", "masses": "m"}
    assert "no array 'z' in it, which `keys.labels` names; there is images, y" in why(
        tmp_path / name, keys=keys
    )
    keys = {"images": "x", "labels": "y", "masses": "m"}
    assert "no array 'x' in it, which `keys.images` names; there is images, y" in why(
        tmp_path / name, keys=keys
    )
    write(tmp_path / name, images=STACK)  # the only ones, and perhaps not those that are meant
    assert "no array 'x' in it, which `keys.images` names; there is images" in why(
        tmp_path / name, keys=keys
    )


@pytest.mark.parametrize(("name", "write"), CONTAINERS)
def test_masses_under_another_name_than_the_one_that_is_given_are_told(tmp_path, name, write):
    keys = {"images": "images", "labels": "labels", "masses": "m"}
    write(tmp_path / name, labels=LABELS, m_axion=MASSES)
    assert "no array 'm' in it, which `keys.masses` names, but m_axion" in why(
        tmp_path / name, keys=keys
    )
    # but a file of another class need not have any
    write(tmp_path / name, labels=LABELS)
    assert all(np.isnan(one.mass) for one in read_all(tmp_path / name, keys=keys))


def test_the_only_array_holds_images_whatever_its_name(tmp_path):
    np.savez(tmp_path / "one.npz", IMAGE)
    np.testing.assert_array_equal(read_one(tmp_path / "one.npz").image, IN_FLOAT32)


def test_a_torn_npz_is_told(tmp_path):
    write_packed_npz(tmp_path / "whole.npz", labels=LABELS)
    content = (tmp_path / "whole.npz").read_bytes()
    path = tmp_path / "torn.npz"
    for length in range(1, len(content), 97):
        path.write_bytes(content[:length])
        why(path)
    for place in range(60, len(content) // 2, 211):  # in the images; their check sum tells
        changed = bytearray(content)
        changed[place] ^= 16
        path.write_bytes(changed)
        why(path)


def test_an_npz_whose_head_claims_more_than_it_holds_is_told(tmp_path):
    path = tmp_path / "claims.npz"
    head = {"descr": "<f8", "fortran_order": False, "shape": (10**9, PIXELS, PIXELS)}
    with zipfile.ZipFile(path, "w") as file, file.open("images.npy", "w") as stream:
        np.lib.format.write_array_header_2_0(stream, head)
    assert "its header announces" in why(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as file:
        file.writestr("images.npy", bytes(1000))
    assert "packed in a way" in why(path)


@pytest.mark.timeout(20)
def test_an_npz_that_packs_much_of_nothing_is_not_unpacked(tmp_path):
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, images=np.zeros((10**5, PIXELS, PIXELS)))
    assert "nearly all empty" in why(path)


def test_a_head_of_gigabytes_is_not_read(tmp_path):
    path = saved(tmp_path, IMAGE)
    with open(path, "wb") as stream:
        stream.write(b"\x93NUMPY\x02\0" + (2**26).to_bytes(4, "little"))
        stream.truncate(2**27)
    tracemalloc.start()
    assert "torn head" in why(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1e6


def test_a_reason_is_one_short_line_whatever_the_names(tmp_path):
    path = tmp_path / "names.npz"
    with zipfile.ZipFile(path, "w") as file:
        for k in range(1000):
            file.writestr(f"line\n{k}.npy", b"")
    assert len(why(path)) < 250


def test_an_exploit_in_an_npz_is_not_executed(tmp_path):
    marker = tmp_path / "executed"
    write_npz(tmp_path / "bad.npz", images=with_mass(IMAGE, Exploit(marker)))
    assert "not numbers" in why(tmp_path / "bad.npz")
    write_npz(tmp_path / "bad.npz", labels=np.array([Exploit(marker)] * 6, object))
    assert "'labels' has shape" in why(tmp_path / "bad.npz")
    assert not marker.exists()


def test_an_hdf5_file_that_points_elsewhere_is_told(tmp_path):
    write_hdf5(tmp_path / "other.h5")
    path = tmp_path / "points.h5"
    with h5py.File(path, "w") as file:
        file["images"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "images")
    assert "no array 'images'" in why(path)
    layout = h5py.VirtualLayout(STACK.shape, "f8")
    layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "images", STACK.shape)
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("images", layout)
    assert "its content is in other files" in why(path)
    (tmp_path / "raw").write_bytes(STACK.tobytes())
    with h5py.File(path, "w") as file:
        file.create_dataset("images", STACK.shape, "f8", external=str(tmp_path / "raw"))
    assert "its content is in other files" in why(path)


@pytest.mark.parametrize("chunks", [(2**18, PIXELS, PIXELS), (2**18, 2, 2)])
def test_an_hdf5_file_of_huge_parts_is_told(tmp_path, chunks):
    with h5py.File(tmp_path / "bomb.h5", "w") as file:
        file.create_dataset("images", STACK.shape, "f8", chunks=chunks, maxshape=(None,) * 3)
    for settings in ({"axes": ["image", "y", "x"]}, {}):
        assert "chunks of 301989888 bytes" in why(tmp_path / "bomb.h5", **settings)


@pytest.mark.timeout(20)
def test_an_hdf5_file_that_claims_more_than_it_holds_is_told(tmp_path):
    path = tmp_path / "claims.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("images", (10**9, PIXELS, PIXELS), "f8", chunks=(1, PIXELS, PIXELS))
    assert "nearly all empty" in why(path)
    with h5py.File(path, "w") as file:
        file["images"] = STACK
        file.create_dataset("labels", (6,), "S200000000")
    assert "nearly all empty" in why(path)
    with h5py.File(path, "w") as file:
        file["images"] = STACK
        file.create_dataset("labels", (6,), "S2000")
    assert "'labels' has shape (6,) and type |S2000" in why(path)


@pytest.mark.timeout(60)
def test_a_chunk_of_many_images_is_unpacked_once(tmp_path):
    path = tmp_path / "large.h5"
    images = np.random.default_rng(0).integers(0, 2, (20_000, PIXELS, PIXELS)).astype("f8")
    with h5py.File(path, "w") as file:
        file.create_dataset("images", data=images, chunks=images.shape, compression="gzip")
    assert len(read_all(path, axes=["image", "y", "x"])) == 20_000


@pytest.mark.parametrize(("name", "write"), CONTAINERS)
def test_a_file_without_an_image_is_told(tmp_path, name, write):
    write(tmp_path / name, images=STACK[:0])
    assert why(tmp_path / name) == "no image in it"


@pytest.mark.parametrize(("name", "write"), CONTAINERS)
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_labels_that_are_whole_numbers_are_written_as_such(tmp_path, name, write, dtype):
    write(tmp_path / name, labels=np.array([0, 1, 2, -1, 0.5, np.nan], dtype))
    labels = [one.label for one in read_all(tmp_path / name)]
    assert labels == ["0", "1", "2", "-1", "0.5", "nan"]


def test_a_torn_hdf5_file_is_told(tmp_path):
    write_hdf5(tmp_path / "whole.h5")
    content = (tmp_path / "whole.h5").read_bytes()
    (tmp_path / "torn.h5").write_bytes(content[: len(content) // 2])
    assert "cannot be read" in why(tmp_path / "torn.h5")


# --- FITS -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["one.fits", "one.FIT", "one.fts"])
@pytest.mark.parametrize("dtype", [">f4", ">f8", ">i2", ">i4", "u2"])
def test_a_fits_image(tmp_path, name, dtype):
    array = (100 * IMAGE).astype(dtype)
    fits.writeto(tmp_path / name, array)
    np.testing.assert_array_equal(read_one(tmp_path / name).image, array.astype(np.float32))


def test_a_fits_cube_and_an_image_in_an_extension(tmp_path):
    path = tmp_path / "cube.fits"
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(STACK)]).writeto(path)
    settings = {"axes": ["image", "y", "x"]}
    found = read_all(path, **settings)
    np.testing.assert_array_equal([one.image for one in found], STACK.astype(np.float32))
    assert [one.image_index for one in read_all(path, wanted={3}, **settings)] == [3]


def test_a_scaled_fits_image_has_its_units(tmp_path):
    path = tmp_path / "scaled.fits"
    unit = fits.PrimaryHDU(IMAGE.copy())  # scaled in place
    unit.scale("int16", bzero=10, bscale=0.01)
    unit.writeto(path)
    np.testing.assert_allclose(read_one(path).image, IMAGE, atol=0.006)


def test_a_blank_pixel_of_fits_is_missing(tmp_path):
    path = tmp_path / "blank.fits"
    fits.writeto(path, (100 * IMAGE).astype(">i2"), fits.Header({"BLANK": -1}))
    with fits.open(path, "update", do_not_scale_image_data=True) as units:
        units[0].data[0, :2] = -1
    assert why(path) == "2 of its pixels are missing (BLANK)"


STACKED = ["image", "y", "x"]


@pytest.mark.parametrize("number", [0, 2])
@pytest.mark.parametrize("dtype", ["i2", "u2", "u4", "u1", "i1"])
def test_blank_pixels_of_fits_integers_are_missing(tmp_path, dtype, number):
    """astropy takes blank pixels of unsigned integers, which have an offset, for the number 0."""
    pixels = (100 * IMAGE[None] % 10).astype(dtype)
    unit = fits.PrimaryHDU(np.concatenate([pixels, pixels]))
    offset = int(unit.header.get("BZERO", 0))
    # the number 2, as it is stored; or what is stored as 0, which astropy takes for no BLANK
    unit.header["BLANK"] = blank = number and number - offset
    unit.data[:, 0, 1] = blank + offset
    unit.writeto(tmp_path / "blank.fits")
    for found in read_all(tmp_path / "blank.fits", axes=STACKED):
        count = np.count_nonzero(unit.data[0] == blank + offset)
        assert found.reason == f"{count} of its pixels are missing (BLANK)"
    assert count > 0


@pytest.mark.parametrize("number", [0, 2])
@pytest.mark.parametrize("dtype", ["i2", "u2"])
def test_blank_pixels_of_compressed_integers_are_missing(tmp_path, dtype, number):
    pixels = (100 * IMAGE % 10).astype(dtype)
    unit = fits.CompImageHDU(pixels, compression_type="RICE_1")
    offset = int(unit.header.get("BZERO", 0))
    unit.header["BLANK"] = blank = number and number - offset
    unit.data[0, 1] = blank + offset
    fits.HDUList([fits.PrimaryHDU(), unit]).writeto(tmp_path / "blank.fits.fz")
    count = np.count_nonzero(unit.data == blank + offset)
    assert why(tmp_path / "blank.fits.fz") == f"{count} of its pixels are missing (BLANK)"


def test_a_blank_that_is_no_whole_number_is_refused_and_of_real_numbers_has_no_meaning(tmp_path):
    unit = fits.PrimaryHDU((100 * IMAGE).astype("i2"))
    unit.header["BLANK"] = -1.0
    unit.writeto(tmp_path / "blank.fits", output_verify="ignore")
    assert why(tmp_path / "blank.fits") == "its BLANK -1.0 is no whole number"
    pixels = np.where(np.median(IMAGE) < IMAGE, IMAGE, 0).astype("f4")
    fits.writeto(tmp_path / "real.fits", pixels, fits.Header({"BLANK": 0}), output_verify="ignore")
    assert np.array_equal(read_one(tmp_path / "real.fits").image, pixels)


def test_a_blank_that_no_pixel_has_changes_nothing(tmp_path):
    pixels = np.arange(PIXELS**2, dtype="u2").reshape(PIXELS, PIXELS)
    unit = fits.PrimaryHDU(pixels)
    unit.header["BLANK"] = 32767
    unit.writeto(tmp_path / "good.fits")
    assert np.array_equal(read_one(tmp_path / "good.fits").image, pixels)


@pytest.mark.parametrize("dtype", ["f4", "f8", "i4", "u2"])
@pytest.mark.parametrize("name", ["_FillValue", "missing_value"])
def test_fill_values_of_hdf5_are_missing(tmp_path, name, dtype):
    value = 1e20 if dtype.startswith("f") else 65535
    stack = np.abs(STACK * 100).astype(dtype)
    stack[1, 3, :2] = value
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["images"] = stack
        file["images"].attrs[name] = [value]
        file["images"].attrs["scale_factor"] = 1.0
    reasons = [found.reason for found in read_all(tmp_path / "a.h5", axes=STACKED)]
    assert reasons[1] == f"2 of its pixels are missing ({name})"
    assert not any(reasons[:1] + reasons[2:])


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("missing_value", "none", "its attribute missing_value is no number"),
        ("_FillValue", np.zeros(5000), "its attribute _FillValue is no number"),
        ("scale_factor", 0.1, "packed by scale_factor and add_offset: write the"),
        ("add_offset", 7, "packed by scale_factor and add_offset: write the"),
        ("_FillValue", -1, None),  # no unsigned integer
    ],
)
def test_attributes_of_hdf5_that_cannot_be_heeded_are_told(tmp_path, name, value, reason):
    path = tmp_path / "one.h5"
    with h5py.File(path, "w") as file:
        file["images"] = np.arange(PIXELS**2, dtype="u2").reshape(1, PIXELS, PIXELS)
        file["images"].attrs[name] = value
    if reason is None:
        read_one(path)
    else:
        assert why(path).startswith(f"/images: {reason}")


def test_what_hdf5_says_of_masses_is_heeded(tmp_path):
    path = tmp_path / "one.h5"
    with h5py.File(path, "w") as file:
        file["images"], file["axion_mass"] = STACK, MASSES
        file["axion_mass"].attrs["_FillValue"] = MASSES[1]
    found = [one.mass for one in read_all(path)]
    np.testing.assert_array_equal(found, np.where(MASSES[1] == MASSES, np.nan, MASSES))
    with h5py.File(path, "a") as file:
        file["axion_mass"].attrs["scale_factor"] = 10.0
    assert why(path).startswith("/axion_mass: packed by scale_factor and add_offset")


@pytest.mark.filterwarnings("ignore:.*(truncated|validating header).*")
def test_a_torn_or_claiming_fits_file_is_told(tmp_path):
    path = tmp_path / "torn.fits"
    fits.writeto(path, STACK)
    content = path.read_bytes()
    for length in (10, 2000, 2880, 3000, len(content) // 2):
        path.write_bytes(content[:length])
        why(path)
    claim = b"NAXIS3  =           9999999999"
    path.write_bytes(content.replace(b"NAXIS3  =                    6", claim))
    assert "torn: its header announces" in why(path)


def test_a_fits_file_packed_in_another_way_is_not_unpacked(tmp_path):
    """By astropy itself, to whatever size."""
    fits.writeto(tmp_path / "one.fits", IMAGE)
    (tmp_path / "packed.fits").write_bytes(bz2.compress((tmp_path / "one.fits").read_bytes()))
    assert why(tmp_path / "packed.fits").startswith("no FITS file, or one packed in another way")


def test_a_fits_file_of_no_images_is_told(tmp_path):
    fits.writeto(tmp_path / "none.fits", STACK[:0])
    assert why(tmp_path / "none.fits") == "no image in it"


def test_a_fits_file_without_a_plain_image_is_told(tmp_path):
    table = fits.BinTableHDU.from_columns([fits.Column("a", "E", array=np.ones(3))])
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(tmp_path / "table.fits")
    assert why(tmp_path / "table.fits") == "no image in it"


def write_extensions(path, **extensions):
    units = [fits.ImageHDU(array, name=name) for name, array in extensions.items()]
    fits.HDUList([fits.PrimaryHDU(), *units]).writeto(path)


def test_of_several_extensions_one_is_named(tmp_path):
    """The Hubble telescope's images come with their errors and flags."""
    path = tmp_path / "hst.fits"
    write_extensions(path, SCI=IMAGE, ERR=IMAGE + 1, DQ=IMAGE.astype("i2"), TINY=IMAGE[:3])
    assert ambiguity_of(path) == (
        "3 extensions hold an image: 1 SCI (12, 12), 2 ERR (12, 12), 3 DQ (12, 12); set "
        "datasets.mine.extension to the number or the name of one"
    )
    for extension in ("SCI", "sci", 1):
        np.testing.assert_array_equal(read_one(path, extension=extension).image, IN_FLOAT32)
    np.testing.assert_array_equal(read_one(path, extension=2).image, (IMAGE + 1).astype("f4"))
    assert "no `extension` 'WHT' with an image in it; there is 1 SCI" in why(path, extension="WHT")
    assert "an image of shape (3, 12)" in why(path, extension="TINY")


def test_the_only_extension_with_an_image_of_its_size_is_taken(tmp_path):
    path = tmp_path / "two.fits"
    write_extensions(path, PREVIEW=IMAGE[:5, :5], SCI=IMAGE)
    np.testing.assert_array_equal(read_one(path).image, IN_FLOAT32)
    path = tmp_path / "none.fits"
    write_extensions(path, PREVIEW=IMAGE[:5, :5], ICON=IMAGE[:3])
    assert "no extension has an image of 12 x 12 pixels: 1 PREVIEW (5, 5), 2" in why(path)


def test_one_band_per_extension_and_extensions_of_one_name(tmp_path):
    units = [fits.ImageHDU(band, name="SCI", ver=k + 1) for k, band in enumerate(BANDS)]
    path = tmp_path / "bands.fits"
    fits.HDUList([fits.PrimaryHDU(), *units]).writeto(path)
    assert "4 extensions hold an image: 1 SCI" in ambiguity_of(path, extension="SCI")
    found = read_one(path, extension=3)
    np.testing.assert_array_equal(found.image, BANDS[2].astype("f4"))


# --- FITS, compressed -----------------------------------------------------------------------------


def test_the_suffix_has_two_parts_where_a_file_is_compressed(tmp_path):
    names = {
        "a.b.FITS.gz": ".fits.gz",
        "a.fts": ".fts",
        "x.fit.FZ": ".fit.fz",
        "a.tar.gz": ".tar.gz",
    }
    assert {name: suffix_of(tmp_path / name) for name in names} == names


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [("RICE_1", "i2"), ("RICE_1", "i4"), ("GZIP_1", "f4"), ("GZIP_2", "f8"), ("NOCOMPRESS", "i4")],
)
@pytest.mark.parametrize("tile", [None, (4, PIXELS, PIXELS), (1, 5, 7)])
def test_a_tile_compressed_cube(tmp_path, kind, dtype, tile):
    stack = (100 * STACK).astype(dtype)
    unit = fits.CompImageHDU(stack, compression_type=kind, tile_shape=tile, quantize_level=0)
    path = tmp_path / "cube.fits.fz"
    fits.HDUList([fits.PrimaryHDU(), unit]).writeto(path)
    found = read_all(path, axes=["image", "y", "x"])
    np.testing.assert_array_equal([one.image for one in found], stack.astype(np.float32))


def test_a_quantized_image_is_what_astropy_reads(tmp_path):
    path = tmp_path / "lossy.fits.fz"
    unit = fits.CompImageHDU(IMAGE.astype("f4"), quantize_level=4)
    fits.HDUList([fits.PrimaryHDU(), unit]).writeto(path)
    np.testing.assert_array_equal(read_one(path).image, fits.getdata(path, 1))


def tampered(path, **changes):
    """Change keywords of the compressed image in a file."""
    with fits.open(path, "update", disable_image_compression=True) as units:
        for key, value in changes.items():
            units[1].header[key] = value


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"ZCMPTYPE": "HCOMPRESS_1"}, "compressed by HCOMPRESS_1: unpack it (funpack)"),
        ({"ZTILE1": 0}, "tiles of an impossible size"),
        ({"ZVAL1": 0}, "tiles of an impossible size"),  # RICE_1's blocks: it would never end
        ({"ZNAXIS3": 10**9}, "nearly all empty"),
        ({"ZNAXIS3": 10**9, "ZTILE3": 10**9}, "tiles of 96000000000 bytes"),
        ({"ZTILE2": 5}, "torn: 72 tiles of 18"),
        ({"ZNAXIS1": PIXELS + 1}, "an image of shape (6, 12, 13)"),
    ],
)
def test_a_compressed_image_that_claims_the_impossible_is_told(tmp_path, changes, reason):
    path = tmp_path / "claims.fits.fz"
    unit = fits.CompImageHDU((100 * STACK).astype("i4"))
    fits.HDUList([fits.PrimaryHDU(), unit]).writeto(path)
    tampered(path, **changes)
    assert reason in why(path, axes=["image", "y", "x"])


def test_tiles_outside_of_a_file_are_told(tmp_path):
    path = tmp_path / "torn.fits.fz"
    unit = fits.CompImageHDU((100 * STACK).astype("i4"), compression_type="GZIP_1")
    fits.HDUList([fits.PrimaryHDU(), unit]).writeto(path)
    content = path.read_bytes()
    with fits.open(path, disable_image_compression=True) as units:
        place = units[1].fileinfo()["datLoc"]
    for claim in (2**30, -1):
        packed = claim.to_bytes(4, "big", signed=True)
        path.write_bytes(content[:place] + packed + content[place + 4 :])
        assert why(path, axes=["image", "y", "x"]) == "torn: tiles outside of it"
    for length in range(3000, len(content) - 2880, 501):  # what follows is empty
        path.write_bytes(content[:length])
        why(path, axes=["image", "y", "x"])


@pytest.mark.timeout(20)
def test_a_tile_that_unpacks_to_gigabytes_is_not_unpacked(tmp_path):
    path = tmp_path / "bomb.fits.fz"
    array = np.random.default_rng(0).integers(0, 2**15, (PIXELS, PIXELS)).astype("i4")
    unit = fits.CompImageHDU(array, compression_type="GZIP_1")
    fits.HDUList([fits.PrimaryHDU(), unit]).writeto(path)
    bomb = gzip.compress(bytes(2**27))
    with fits.open(path, disable_image_compression=True) as units:
        place, head = units[1].fileinfo()["datLoc"], units[1].header
        row = len(bomb).to_bytes(4, "big") + bytes(4)
    content = path.read_bytes()[:place].replace(
        f"PCOUNT  = {head['PCOUNT']:>20}".encode(), f"PCOUNT  = {len(bomb):>20}".encode()
    )
    path.write_bytes(content + row * PIXELS + bomb + bytes(2880))
    assert why(path) == "a tile that does not unpack to 96 bytes"


@pytest.mark.timeout(20)
def test_a_gzip_file_that_unpacks_to_gigabytes_is_not_unpacked(tmp_path):
    path = tmp_path / "bomb.fits.gz"
    fits.writeto(tmp_path / "one.fits", IMAGE)
    whole = (tmp_path / "one.fits").read_bytes()
    path.write_bytes(gzip.compress(whole + bytes(2**28)))
    other = tmp_path / "zeros.fits.gz"
    other.write_bytes(gzip.compress(bytes(2**28)))
    tracemalloc.start()
    assert "are packed in it: nearly all empty" in why(path)
    assert "no FITS file" in why(other)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5e7
    path.write_bytes(gzip.compress(whole)[:-500])
    assert "cannot be read" in why(path)


def test_a_large_gzip_file_is_unpacked_as_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr("sslens.data.archives.compressed_fits.MAX_UNPACKED_IN_MEMORY", 100)
    for k, write in enumerate((write_cube, write_compressed_cube)):
        write(tmp_path / "plain", STACK)
        path = tmp_path / f"{k}.fits.gz"
        path.write_bytes(gzip.compress((tmp_path / "plain").read_bytes()))
        (tmp_path / "plain").unlink()
        found = read_all(path, axes=["image", "y", "x"])
        np.testing.assert_array_equal([one.image for one in found], STACK.astype(np.float32))


def test_as_image_makes_a_copy_that_nobody_else_writes_to():
    array = IN_FLOAT32.copy()
    found = as_image(np.repeat(array[None], 3, axis=0))
    array[:] = 0
    np.testing.assert_array_equal(found, IN_FLOAT32)
