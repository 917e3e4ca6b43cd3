"""The catalogue of an archive: its files found, checked and hashed once, every reject explained.

An image belongs to the class that its folders name, or to the label that its file gives. Nothing
depends on the names or the order in which a file system hands files out: images are distinguished,
ordered and divided into splits by their content.
"""

import errno
import logging
import math
import stat
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from sslens.classes import CLASSES, MIN_IMAGES
from sslens.data.archives.class_names import (
    class_of,
    classes_of_folders,
    is_number,
    number_of,
    with_aliases,
)
from sslens.data.archives.errors import Ambiguous, Unusable
from sslens.data.archives.images import Found
from sslens.data.archives.paths import in_one_line, leads_above, split_path
from sslens.data.archives.readers import READERS, read_images, suffix_of
from sslens.data.plausibility import FACTS, image_facts, implausible, usual_values
from sslens.data.tracking import tracked
from sslens.digests import sha256, sha256_of
from sslens.orientations import ORIENTATIONS, oriented
from sslens.seeds import derive_seed

log = logging.getLogger(__name__)

#: Columns of a catalogue: what `records` needs, and where an image lies.
COLUMNS = [
    "image_id",
    "lens_id",
    "label",
    "log10_axion_mass",
    "found_in",  # the split whose path it lies in
    "file",  # below that path
    "image_index",  # of the image in the file
    "file_sha256",
    "image_sha256",  # of its float32 pixels
]
#: The least and the largest mass (eV) that is taken for an axion's: those of DeepLense's images are
#: 1e-24 to 1e-22, and the vortices of much heavier axions are too small to be seen.
AXION_MASSES = (1e-30, 1e-10)
#: The same of all flipped and turned copies of an image; networks learn to take them for one.
SHAPE = "shape_sha256"
REJECT_COLUMNS = ["found_in", "file", "image_index", "kind", "reason"]
IMAGE, REJECTED, IGNORED = "image", "rejected", "ignored"  # kinds of what is found
_JUNK = {"__MACOSX", "Thumbs.db", "desktop.ini"}
#: Suffixes of files that are not read, and may hold many images.
_OF_MANY = {
    ".zip .tar .tgz .7z .rar": "packed: unpack it",
    ".hdf .hdf4 .h4 .he4 .he5 .pkl .pickle .pt .pth .mat .asdf .nc .tfrecord .tfrecords .parquet "
    ".raw": "of a format that is not read: save its images as .npy, .npz, .h5 or .fits",
}
#: Suffixes of files that may well hold images, and are not read -> what to do about them.
UNREAD = _OF_MANY | {
    ".gz .bz2 .xz .z .zst .fz": "packed: unpack it",
    ".png .jpg .jpeg .tif .tiff .gif .bmp .webp": "a picture: save its numbers as .npy or .fits",
}
_UNREAD = {suffix: reason for suffixes, reason in UNREAD.items() for suffix in suffixes.split()}
#: Suffixes of files that are read, and may hold many images.
CONTAINERS = (".npz", ".h5", ".hdf5")
FOLDER = "a folder that cannot be read"


class Survey(NamedTuple):
    """What an archive holds: one row per image with `split`, `COLUMNS`, `SHAPE` and `FACTS`; and
    per reject.

    Rejects have `found_in`, `file`, `image_index` (empty for a whole file), `kind` (`rejected`, or
    `ignored` for what is no image by its name) and `reason`.
    """

    images: pd.DataFrame
    rejects: pd.DataFrame


def survey(dataset: str, entry: Mapping) -> Survey:
    """Find, check and hash every image of an archive.

    Args:
        dataset: name, used in the image ids and in errors.
        entry: the data set's entry of the configuration, with its defaults.

    Raises:
        Ambiguous: where a file has several readings.
        ValueError: where labels are numbers without names, more is rejected than `max_rejected`
            allows, images are identical across splits, those of one are in other units than those
            of another, or a split has none.
    """
    aliases = with_aliases(entry["classes"])
    findings: list[dict] = []
    for found_in in entry["paths"]:
        root = split_path(entry, found_in)
        files = list(_files(root))
        for file, kind, reason in tracked(files, len(files), f"files of {found_in}"):
            rows = [{"kind": kind, "reason": reason}]
            if kind == IMAGE:
                rows = _read_file(_path(root, file), file, _reading(entry, dataset), aliases)
            findings += [{"found_in": found_in, "file": file, **one} for one in rows]
    columns = ["kind", "reason", "several", "begun", "number", SHAPE, *COLUMNS[2:], *FACTS]
    frame = pd.DataFrame(findings, columns=columns)
    frame = frame.sort_values(["found_in", "file", "image_index"], ignore_index=True)
    _check_numbers(dataset, entry, frame)
    frame = _reject_implausible(frame)
    _check_units(dataset, entry, frame)
    _check_across_splits(dataset, frame)
    frame = _reject_repeats(frame)
    _log_rejects(frame)
    _check_rejects(dataset, entry, frame)
    images = frame[frame["kind"] == IMAGE].astype({"image_index": int, "several": bool})
    rejects = frame.loc[frame["kind"] != IMAGE, REJECT_COLUMNS].reset_index(drop=True)
    return Survey(_in_splits(dataset, entry, images), rejects.astype({"image_index": "Int64"}))


def check_classes(dataset: str, entry: Mapping, images: pd.DataFrame) -> None:
    """Raise ValueError where a split has too few images of a class for a classification.

    Args:
        dataset, entry: as of `survey`.
        images: of a `Survey`.
    """
    for split, needed in MIN_IMAGES.items():
        labels = images.loc[images["split"] == split, "label"]
        counts = {name: int((labels == name).sum()) for name in CLASSES}
        if not (few := [name for name, count in counts.items() if count < needed]):
            continue
        limit = entry["limit"].get(split)
        found = f"{counts[few[0]] or 'no'} image of {' and '.join(few)}"
        remedy = f" among the {limit} of limit.{split}: raise it" if limit else ""
        if counts[few[0]]:
            remedy += "; the interval of an AUC needs 2 test images of each class"
        raise ValueError(f"{dataset}: {split}: {found}{remedy}")


def shard_rows(images: pd.DataFrame, split: str, shard: int, shards: int) -> pd.DataFrame:
    """The catalogue of a shard: its part of a split, in the order of the files; it may be empty.

    Args:
        images: of a `Survey`.
        split: the shard's.
        shard, shards: which one of how many.
    """
    rows = images[images["split"] == split]
    first, end = (len(rows) * k // shards for k in (shard, shard + 1))
    part = rows.iloc[first:end].sort_values(["found_in", "file", "image_index"])
    return part[COLUMNS].reset_index(drop=True)


def read_rows(rows: pd.DataFrame, entry: Mapping) -> Iterator[dict[str, np.ndarray]]:
    """Read the images of a shard's catalogue, one by one, and check that they are as they were.

    Args:
        rows: of `shard_rows`.
        entry: as it was surveyed.

    Yields:
        For each row its `image`, float32 (pixels, pixels).

    Raises:
        ValueError: where a file is gone or holds something else by now.
    """
    for (found_in, file), group in groupby(
        rows.itertuples(), key=lambda row: (row.found_in, row.file)
    ):
        path = _path(split_path(entry, found_in), file)
        wanted = {row.image_index: row.image_sha256 for row in group}
        try:
            for found in read_images(path, _reading(entry), wanted):
                if found.image is None or _sha256(found.image) != wanted.pop(found.image_index):
                    raise Unusable("changed")
                yield {"image": found.image}
            if wanted:
                raise Unusable("fewer images")
        except (Unusable, Ambiguous, KeyError) as error:
            raise ValueError(
                f"{path}: not what it was when the archive was catalogued ({error}); run again "
                "with --forcerun survey"
            ) from None


# --- finding --------------------------------------------------------------------------------------


def _files(root: Path) -> Iterator[tuple[str, str, str]]:
    """Paths of all files below `root`, what kind they are by their names, and why."""
    if not root.is_dir():
        kind, reason = _kind(root, root.parent)
        if kind != IMAGE:
            raise ValueError(f"{root}: {reason}")
        yield root.name, IMAGE, ""
        return
    seen: set[tuple[int, int]] = set()
    waiting, links = [root], list[Path]()
    while waiting or links:
        # links last: a folder has the name, and so the class, of where it really is
        folder = waiting.pop() if waiting else links.pop()
        try:
            facts = folder.stat()
            entries = sorted(folder.iterdir())
        except OSError as error:
            reason = f"{FOLDER} ({error.strerror})"
            log.warning("%s: %s", folder, reason)
            yield _relative_name(folder, root), REJECTED, reason
            continue
        if (facts.st_dev, facts.st_ino) in seen:  # by way of a symbolic link
            yield _relative_name(folder, root), IGNORED, "a folder that is read already"
            continue
        seen.add((facts.st_dev, facts.st_ino))
        for path in entries:
            kind, reason = _kind(path, root)
            if kind == IMAGE and path.is_dir():
                (links if path.is_symlink() else waiting).append(path)
            else:
                yield _relative_name(path, root), kind, reason


def _kind(path: Path, root: Path) -> tuple[str, str]:
    """What a file or folder is by its name, and why."""
    if path.name.startswith(".") or path.name in _JUNK:
        return IGNORED, "no image by its name"
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP):
            return REJECTED, "a symbolic link that leads nowhere"
        return REJECTED, f"out of reach ({error.strerror})"
    if is_folder:
        if leads_above(path, root):
            return IGNORED, "a link to a folder that the archive lies in"
        return IMAGE, ""
    if suffix_of(path) not in READERS:
        if (suffix := path.suffix.lower()) in _UNREAD:
            return REJECTED, _UNREAD[suffix]
        return IGNORED, f"no image by its name (known are {', '.join(READERS)})"
    if _relative_name(path, root) != str(path.relative_to(root)):
        return REJECTED, "its name or a folder's has line breaks or is not in UTF-8: rename it"
    return IMAGE, ""


def _relative_name(path: Path, root: Path) -> str:
    """A path below the root in one line that every file can hold, whatever bytes it is made of."""
    return in_one_line(str(path.relative_to(root)))


def _path(root: Path, file: str) -> Path:
    return root if root.is_file() else root / file


# --- reading --------------------------------------------------------------------------------------


def _reading(entry: Mapping, dataset: str = "NAME") -> dict:
    """Settings of `read_images`."""
    settings = {key: entry[key] for key in ("axes", "channel", "extension", "keys")}
    return settings | {"pixels": entry["instrument"]["pixels"], "where": f"datasets.{dataset}"}


def _read_file(path: Path, file: str, reading: Mapping, aliases: Mapping[str, str]) -> list[dict]:
    """One row for every image of a file, or of the file if nothing can be read."""
    folders, rows = classes_of_folders(file, aliases), list[dict]()
    try:
        for found in read_images(path, reading):
            rows.append(_describe(path, found, folders, aliases))
        digest = sha256_of(path)  # not before: reading it has shown that it is a file
    except (Unusable, OSError) as error:
        return [{"kind": REJECTED, "reason": str(error), "begun": bool(rows)}]
    return [one | {"several": len(rows) > 1, "file_sha256": digest} for one in rows]


def _describe(path: Path, found: Found, folders: list[str], aliases: Mapping[str, str]) -> dict:
    """An image as a row: its class, its axion's mass, its digest; or why it is rejected."""
    label, reason = class_of(found.label, folders, aliases)
    if found.image is None or label is None:
        return {
            "kind": REJECTED,
            "reason": found.reason or reason,
            "image_index": found.image_index,
            "number": number_of(found.label, folders, aliases),
        }
    digests = [_sha256(oriented(found.image[None], *turn)[0]) for turn in ORIENTATIONS]
    return {
        "kind": IMAGE,
        "reason": "",
        "image_index": found.image_index,
        "label": label,
        "log10_axion_mass": _log10_mass(path, found.mass) if label == "axion" else np.nan,
        "image_sha256": digests[0],
        SHAPE: min(digests),
        **image_facts(found.image),
    }


def _log10_mass(path: Path, mass: float) -> float:
    """log10 of an axion's mass in eV; NaN where it is missing, zero, or a negative fill value.

    Raises:
        Ambiguous: for a number that is no mass in eV.
    """
    low, high = AXION_MASSES
    if low <= mass <= high:
        return math.log10(mass)
    is_log10 = math.log10(low) <= mass <= math.log10(high)
    if math.isfinite(mass) and (mass > 0 or is_log10):
        reading = "log10 of it" if is_log10 else "log10 of it without the sign, or another unit"
        raise Ambiguous(
            f"{path}: an axion's mass of {mass:.6g} is not between {low:g} and {high:g} eV; is it "
            f"{reading}? Save masses in eV, and 0 or NaN where one is not known"
        )
    return math.nan


def _sha256(image: np.ndarray) -> str:
    equal = image + np.float32(0)  # -0 is 0
    return sha256(equal.astype("<f4").tobytes())


# --- what images have to do with one another ------------------------------------------------------


def _place(row) -> str:
    """Where an image lies, for people."""
    return f"{row.found_in}/{row.file}" + (f"#{row.image_index:.0f}" if row.several is True else "")


def _reject_implausible(frame: pd.DataFrame) -> pd.DataFrame:
    """Every image is judged beside those that its split was found with."""
    frame = frame.copy()
    for _, group in frame[frame["kind"] == IMAGE].groupby("found_in"):
        reasons = implausible(group[list(FACTS)].astype(float))
        frame.loc[reasons.index, "kind"] = REJECTED
        frame.loc[reasons.index, "reason"] = reasons
    return frame


def _check_units(dataset: str, entry: Mapping, frame: pd.DataFrame) -> None:
    """Stop where the images of a split are usually much brighter or fainter than those of train.

    All are preprocessed by what was measured on the training images, so that a network would be
    tested on images of another scale than it has learned from.
    """
    limit, groups = entry["max_contrast_ratio"], frame[frame["kind"] == IMAGE].groupby("found_in")
    usual = {found_in: usual_values(group[list(FACTS)].astype(float)) for found_in, group in groups}
    if "train" not in usual:
        return
    mean, contrast = usual.pop("train")
    for found_in, (other_mean, other) in usual.items():
        away = abs(other_mean - mean) / max(contrast, other)
        if max(other / contrast, contrast / other, away) > limit:
            raise ValueError(
                f"{dataset}: images of {found_in} have a usual contrast of {other:.3g} and mean of "
                f"{other_mean:.3g}, those of train {contrast:.3g} and {mean:.3g}: are they in "
                f"other units, or without the same background? If that is intended, raise "
                f"datasets.{dataset}.max_contrast_ratio (now {limit:g})"
            )


def _check_numbers(dataset: str, entry: Mapping, frame: pd.DataFrame) -> None:
    """Stop where labels are numbers, and nothing says which class each of them is.

    Public loaders of the same archives have 0 for axion as well as for no_sub.
    """
    if frame["number"].isna().all() or any(is_number(name) for name in entry["classes"]):
        return
    counts = frame["number"].value_counts()
    numbers = sorted(counts.index, key=int)
    usual = [
        ", ".join(f"{number}: {name}" for number, name in zip(numbers, names, strict=False))
        for names in (CLASSES, CLASSES[::-1])
    ]
    raise ValueError(
        f"{dataset}: labels that are numbers without names: "
        f"{', '.join(f'{number} ({counts[number]} images)' for number in numbers[:20])}; say which "
        f"class each is, by datasets.{dataset}.classes: {{{usual[0]}}}, or {{{usual[1]}}}, or in "
        "another order, as the archive's authors say"
    )


def _check_across_splits(dataset: str, frame: pd.DataFrame) -> None:
    """An image of two splits, flipped or turned or not, would be learned from and tested on."""
    frame = frame[frame["kind"] == IMAGE]
    splits = frame.groupby(SHAPE)["found_in"].transform("nunique")
    shared = frame[splits > 1]
    if shared.empty:
        return
    group = shared[shared[SHAPE] == shared[SHAPE].iloc[0]]
    one, other = group.drop_duplicates("found_in").head(2).itertuples()
    is_same = one.image_sha256 == other.image_sha256
    alike = "identical" if is_same else "identical but for a flip or a quarter turn"
    more = shared[SHAPE].nunique() - 1
    raise ValueError(
        f"{dataset}: {_place(one)} and {_place(other)} are {alike}"
        + (f", and so are {more} more images of different splits" if more else "")
        + ": take them out of one of the splits"
    )


def _reject_repeats(frame: pd.DataFrame) -> pd.DataFrame:
    """Every image once; not at all where its labels, or its axion's masses, contradict each other.

    Of identical images the first one is kept, or the first that has a mass. Among test images,
    flipped and turned copies count as identical, since intervals take images for independent. Their
    labels and masses are compared in every split, since networks learn to take them for one image.
    """
    frame = frame.copy()
    images = frame[frame["kind"] == IMAGE]
    for _, group in images[images[SHAPE].duplicated(keep=False)].groupby(SHAPE, sort=False):
        if reason := _contradiction(group):
            frame.loc[group.index, ["kind", "reason"]] = REJECTED, reason
    images = frame[frame["kind"] == IMAGE]
    content = images["image_sha256"].where(images["found_in"] != "test", images[SHAPE])
    repeated = images[content.duplicated(keep=False)]
    for _, group in repeated.groupby(content, sort=False):
        masses = group["log10_axion_mass"].dropna()
        first = masses.index[0] if len(masses) else group.index[0]
        kept = list(group.itertuples())[group.index.get_loc(first)]
        rejected = group.index.drop(first)
        frame.loc[rejected, ["kind", "reason"]] = REJECTED, f"identical to {_place(kept)}"
    return frame


def _contradiction(group: pd.DataFrame) -> str:
    """How the labels, or the masses, of copies of one image contradict each other; "" if not."""
    rows = list(group.itertuples())
    if group["label"].nunique() > 1:
        what, values = "labels", [row.label for row in rows]
    elif group["log10_axion_mass"].nunique() > 1:
        what, values = "masses", [f"{row.log10_axion_mass:.6g}" for row in rows]
    else:
        return ""
    turned = " but for flips or quarter turns" if group["image_sha256"].nunique() > 1 else ""
    listed = [f"{_place(row)} ({value})" for row, value in zip(rows, values, strict=True)]
    return f"identical images{turned} with different {what}: {', '.join(listed)}"


def _log_rejects(frame: pd.DataFrame) -> None:
    """Every reject in the log; on the terminal, how many there are."""
    for row in frame[frame["kind"] != IMAGE].itertuples():
        log.info("%s: %s: %s", row.kind, _place(row), row.reason, extra={"only_log": True})
    counts = frame["kind"].value_counts()
    log.info(
        "%s", ", ".join(f"{counts.get(kind, 0)} {kind}" for kind in (IMAGE, REJECTED, IGNORED))
    )
    if ignored := Counter(map(_suffix, frame.loc[frame["kind"] == IGNORED, "file"])):
        log.info("ignored: %s", ", ".join(f"{n} {name}" for name, n in ignored.most_common()))


def _suffix(file: str) -> str:
    """What to count an ignored file or folder under."""
    name = Path(file).name
    if name.startswith("."):
        return "hidden"
    return Path(name).suffix.lower() or "without a suffix"


def _check_rejects(dataset: str, entry: Mapping, frame: pd.DataFrame) -> None:
    """Stop where more of a split is rejected than is allowed, or something of unknown size is."""
    limit, candidates = entry["max_rejected"], frame[frame["kind"] != IGNORED]
    if candidates.empty:
        raise ValueError(f"{dataset}: no image in {', '.join(entry['paths'].values())}")
    for found_in, part in candidates.groupby("found_in", sort=False):
        rejected = part[part["kind"] == REJECTED]
        if len(rejected) > limit * len(part):
            first = next(rejected.itertuples())
            raise ValueError(
                f"{dataset}: {len(rejected)} of {len(part)} images of {found_in} cannot be used, "
                f"more than max_rejected {limit:g} allows; the first is {_place(first)}: "
                f"{first.reason}. All are in the log; mend or remove them, or raise max_rejected"
            )
        large = None if limit == 1 else next(_large(part, with_aliases(entry["classes"])), None)
        if large is not None:
            raise ValueError(
                f"{dataset}: {_place(large)}: {large.reason}; it may hold many images, which "
                "max_rejected cannot allow for: mend it, or take it out of the archive"
            )


def _large(part: pd.DataFrame, aliases: Mapping[str, str]) -> Iterator:
    """The rejects of a split that may hold any number of its images.

    These are folders, files that could be read in part, those like other files of several images,
    and in the folder of a class also packed ones and those of a format that is not read.
    """
    images = part[part["kind"] == IMAGE]
    several = images["several"].eq(True)
    of_one, of_several = (
        {suffix_of(Path(file)) for file in set(files)}
        for files in (images.loc[~several, "file"], images.loc[several, "file"])
    )
    of_many = {suffix for suffixes in _OF_MANY for suffix in suffixes.split()}
    for row in part[(part["kind"] == REJECTED) & part["image_index"].isna()].itertuples():
        path = Path(row.file)
        suffix, suffixes = suffix_of(path), {suffix.lower() for suffix in path.suffixes[-2:]}
        is_unread = bool(suffixes & of_many) and bool(classes_of_folders(row.file, aliases))
        if suffix in READERS:  # as the others of its kind, if there are any
            is_large = suffix in of_several or (suffix in CONTAINERS and suffix not in of_one)
        else:
            is_large = is_unread or row.reason.startswith(FOLDER) or not path.suffix
        if row.begun is True or is_large:
            yield row


def _in_splits(dataset: str, entry: Mapping, frame: pd.DataFrame) -> pd.DataFrame:
    """Images in the order of a keyed hash of their content, with their split and ids.

    Where the validation split has no path of its own, it is the same part of every class of the
    training images, or a little more, as flipped and turned copies of an image stay together.
    """
    order = [derive_seed(entry["seed"], "order", image) for image in frame["image_sha256"]]
    first: dict[str, tuple[int, int]] = {}  # of the copies of an image
    for shape, own in zip(frame[SHAPE], order, strict=True):
        first[shape] = min(own, first.get(shape, own))
    frame = frame.assign(order=order, first=frame[SHAPE].map(first), split=frame["found_in"])
    frame = frame.sort_values(["first", "order"])
    if "validation" not in entry["paths"]:
        for label in CLASSES:
            rows = frame.index[(frame["split"] == "train") & (frame["label"] == label)]
            count = math.ceil(entry["validation_fraction"] * len(rows))
            chosen = frame[SHAPE].isin(frame.loc[rows[:count], SHAPE])
            frame.loc[rows[chosen[rows]], "split"] = "validation"
    parts = [_split(dataset, entry, frame, split) for split in ("train", "validation", "test")]
    return pd.concat(parts, ignore_index=True)[["split", *COLUMNS, SHAPE, *FACTS]]


def _split(dataset: str, entry: Mapping, frame: pd.DataFrame, split: str) -> pd.DataFrame:
    """A split's images, as many as are wanted, with their ids."""
    rows = frame[frame["split"] == split].head(entry["limit"].get(split))
    counts = {name: int((rows["label"] == name).sum()) for name in CLASSES}
    log.info("%s: %s", split, ", ".join(f"{count} {name}" for name, count in counts.items()))
    if rows.empty:
        raise ValueError(f"{dataset}: {split}: no image")
    several = np.where(rows["several"], "#" + rows["image_index"].astype(str), "")
    ids = f"{dataset}-{split}-" + rows["file"] + several
    return rows.assign(image_id=ids, lens_id=ids)
