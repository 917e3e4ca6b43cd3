"""Files of every kind that is met become images; all else is told, and takes no memory."""

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

from sslens.archive import READERS, Unusable, as_image, read_images

SETTINGS = {"pixels": PIXELS, "channel": None, "keys": DEFAULTS["keys"]}
IMAGE = image(0)
IN_FLOAT32 = IMAGE.astype(np.float32)


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


@pytest.mark.parametrize("mass", [None, 0, -1e-23, np.nan, np.inf])
def test_a_missing_or_impossible_mass_is_a_missing_value(tmp_path, mass):
    assert np.isnan(read_one(saved(tmp_path, with_mass(IMAGE, mass))).mass)


def test_negative_pixels_are_kept(tmp_path):
    assert read_one(saved(tmp_path, IMAGE - 100)).image.max() < 0


def test_three_channels_that_differ_need_a_choice(tmp_path):
    bands = np.stack([image(k) for k in range(3)])
    path = saved(tmp_path, bands)
    assert "three channels differ: choose one" in why(path)
    np.testing.assert_array_equal(read_one(path, channel=2).image, bands[2].astype(np.float32))


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.full((PIXELS, PIXELS), 7.0), "all its pixels are 7"),
        (np.where(np.eye(PIXELS), np.nan, 1), f"{PIXELS} of its pixels are not finite"),
        (np.where(np.eye(PIXELS), 1e300, 1), f"{PIXELS} of its pixels are not finite"),
        (np.zeros((PIXELS, PIXELS + 1)), "an image of shape (12, 13), not of 12 x 12 pixels"),
        (np.zeros((2, PIXELS, PIXELS)), "an image of shape (2, 12, 12)"),
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
    assert "its head tells of" in why(path)


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


# --- many images in a file ------------------------------------------------------------------------

STACK = np.stack([image(k) for k in range(6)])
LABELS = np.array(["axion", "cdm", "no_sub"] * 2)
MASSES = np.array([1e-23, np.nan, np.nan] * 2)


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
    write(tmp_path / name)
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
    write(tmp_path / name, images=images)
    reasons = [one.reason for one in read_all(tmp_path / name)]
    assert reasons == ["", "", "1 of its pixels are not finite", "", "", "all its pixels are 1"]


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
    keys = {"images": "x", "labels": "y", "masses": "m"}
    assert "no array 'x' in it: set `keys.images`; there is images, y" in why(
        tmp_path / name, keys=keys
    )


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
    assert "its head tells of" in why(path)
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
    assert "chunks of 301989888 bytes" in why(tmp_path / "bomb.h5")


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
    assert len(read_all(path)) == 20_000


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


@pytest.mark.parametrize("name", ["one.fits", "one.FIT"])
@pytest.mark.parametrize("dtype", [">f4", ">f8", ">i2", ">i4", "u2"])
def test_a_fits_image(tmp_path, name, dtype):
    array = (100 * IMAGE).astype(dtype)
    fits.writeto(tmp_path / name, array)
    np.testing.assert_array_equal(read_one(tmp_path / name).image, array.astype(np.float32))


def test_a_fits_cube_and_an_image_in_an_extension(tmp_path):
    path = tmp_path / "cube.fits"
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(STACK)]).writeto(path)
    found = read_all(path)
    np.testing.assert_array_equal([one.image for one in found], STACK.astype(np.float32))
    assert [one.image_index for one in read_all(path, wanted={3})] == [3]


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


@pytest.mark.parametrize("dtype", ["i2", "u2", "u4", "u1", "i1"])
def test_blank_pixels_of_fits_integers_are_missing(tmp_path, dtype):
    """astropy takes blank pixels of unsigned integers, which have an offset, for the number 0."""
    pixels = (100 * IMAGE[None] % 10).astype(dtype)
    unit = fits.PrimaryHDU(np.concatenate([pixels, pixels + 1]))
    blank = 2 - int(unit.header.get("BZERO", 0))  # the number 2, as it is stored
    unit.header["BLANK"] = blank
    unit.writeto(tmp_path / "blank.fits")
    for index, found in enumerate(read_all(tmp_path / "blank.fits")):
        count = np.count_nonzero(pixels + index == 2)
        assert found.reason == f"{count} of its pixels are missing (BLANK)"
    assert count > 0


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
    reasons = [found.reason for found in read_all(tmp_path / "a.h5")]
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
    assert "torn: its head tells of" in why(path)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_a_packed_fits_file_is_not_unpacked(tmp_path, pack):
    """By astropy itself, to whatever size."""
    fits.writeto(tmp_path / "one.fits", IMAGE)
    (tmp_path / "packed.fits").write_bytes(pack((tmp_path / "one.fits").read_bytes()))
    assert why(tmp_path / "packed.fits") == "no FITS file, or a packed one: unpack it"


def test_a_fits_file_of_no_images_is_told(tmp_path):
    fits.writeto(tmp_path / "none.fits", STACK[:0])
    assert why(tmp_path / "none.fits") == "no image in it"


def test_a_fits_file_without_a_plain_image_is_told(tmp_path):
    table = fits.BinTableHDU.from_columns([fits.Column("a", "E", array=np.ones(3))])
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(tmp_path / "table.fits")
    assert why(tmp_path / "table.fits") == "no image in it"
    packed = fits.CompImageHDU(IMAGE.astype(np.float32))
    fits.HDUList([fits.PrimaryHDU(), packed]).writeto(tmp_path / "packed.fits")
    assert "unpack it" in why(tmp_path / "packed.fits")


def test_as_image_makes_a_copy_that_nobody_else_writes_to():
    array = IN_FLOAT32.copy()
    found = as_image(np.repeat(array[None], 3, axis=0), PIXELS)
    array[:] = 0
    np.testing.assert_array_equal(found, IN_FLOAT32)
