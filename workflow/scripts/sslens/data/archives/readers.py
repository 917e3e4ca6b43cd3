"""Files of an archive become images, by the reader that their suffix has."""

import stat
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

from sslens.data.archives.errors import Ambiguous, Unusable
from sslens.data.archives.fits import read_fits
from sslens.data.archives.hdf5 import read_hdf5
from sslens.data.archives.images import Found, RawImage, as_image
from sslens.data.archives.npy import read_npy, read_npz
from sslens.data.archives.pickles import UnsafePickle


def suffix_of(path: Path) -> str:
    """The suffix that says what a file holds, in lower case: of two parts if it is compressed."""
    parts = 2 if path.suffix.lower() in (".gz", ".fz") else 1
    return "".join(path.suffixes[-parts:]).lower()


def read_images(
    path: Path, settings: Mapping, wanted: Collection[int] | None = None
) -> Iterator[Found]:
    """Read the images of a file, one by one in their order.

    Args:
        path: a file with a suffix of `READERS`.
        settings: `pixels` along each side; the `axes` of its arrays, the `channel` to take of
            several bands and the `extension` of a FITS file, each None where there is no choice;
            `keys`, the names of `images`, `labels` and `masses` in .npz and HDF5 files; `where`,
            the path of these keys in the configuration, for messages.
        wanted: indices of the images to read; all if None.

    Yields:
        An entry for every image that the file holds, usable or not.

    Raises:
        Unusable: where nothing, or nothing more, can be read.
        Ambiguous: where the file has several readings, and the settings do not choose one.
    """
    reader = READERS[suffix_of(path)]
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise Unusable("no regular file")
        if path.stat().st_size == 0:
            raise Unusable("empty file")
        for raw in reader(path, settings, wanted):
            yield _found(raw)
    except Ambiguous as error:
        raise Ambiguous(f"{path}: {error}") from None
    except (Unusable, UnsafePickle) as error:
        raise Unusable(_short(error)) from None
    except PermissionError:
        raise Unusable("no permission to read it") from None
    except Exception as error:  # a torn file's parser fails in any way; it concerns this file alone
        raise Unusable(f"cannot be read ({type(error).__name__}: {_short(error)})") from None


def _short(error: Exception) -> str:
    """What an error says, in a line: it may quote names in a file, as many and long as they are."""
    text = " ".join(str(error).split())
    return text if len(text) <= 200 else f"{text[:200]}…"


def _found(raw: RawImage) -> Found:
    if raw.missing:
        return Found(raw.image_index, None, raw.label, raw.mass, raw.missing)
    try:
        image = as_image(raw.array)
    except Unusable as error:
        return Found(raw.image_index, None, raw.label, raw.mass, str(error))
    return Found(raw.image_index, image, raw.label, raw.mass, "")


#: Suffix -> generator of what a file with it holds.
READERS: dict[str, Callable[..., Iterator[RawImage]]] = {
    ".npy": read_npy,
    ".npz": read_npz,
    ".h5": read_hdf5,
    ".hdf5": read_hdf5,
    **{
        f"{name}{packed}": read_fits
        for name in (".fits", ".fit", ".fts")
        for packed in ("", ".gz", ".fz")
    },
}
