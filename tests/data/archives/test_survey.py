"""An archive's images are found whatever it looks like; every reject is told; nothing is lost."""

import os
import random
import shutil
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from archives import CELLS, DEFAULTS, PIXELS, image, with_mass, write_archive
from astropy.io import fits

from sslens.classes import CLASSES
from sslens.data.archives.errors import Ambiguous
from sslens.data.archives.paths import watched
from sslens.data.archives.survey import COLUMNS, check_classes, read_rows, shard_rows, survey
from sslens.data.catalogue import read_catalogue, write_catalogue
from sslens.data.records import describe, read_split, write_shard
from sslens.digests import sha256_of
from sslens.files import write_json


@pytest.fixture
def archive(tmp_path):
    """The folder of an archive, and its entry of the configuration."""
    folder = tmp_path / "archive"
    return folder, write_archive(folder)


#: Of labels that are numbers, as these tests write them.
NUMBERS = {0: "axion", 1: "cdm", 2: "no_sub"}


def rejected(found, kind="rejected"):
    """File -> reason."""
    rows = found.rejects[found.rejects["kind"] == kind]
    return {f"{row.found_in}/{row.file}": row.reason for row in rows.itertuples()}


def survey_all(entry):
    """Whatever is rejected."""
    return survey("mine", entry | {"max_rejected": 1.0})


# --- a good archive -------------------------------------------------------------------------------


def pixels_of(rows, entry):
    """The images of rows of an archive, as they are read into the records."""
    return [each["image"] for each in read_rows(rows, entry)]


def test_every_image_is_found_with_its_class_and_mass(archive):
    folder, entry = archive
    images, rejects = survey("mine", entry)
    assert rejects.empty
    assert len(images) == images["image_id"].nunique() == images["image_sha256"].nunique() == 120
    assert set(images["split"]) == {"train", "validation", "test"}
    for row in images.itertuples():
        path = folder / row.found_in / row.file
        assert path.parent.name == row.label
        assert row.file_sha256 == sha256_of(path)
        assert row.image_id == f"mine-{row.split}-{row.file}"
        assert row.found_in == ("test" if row.split == "test" else "train")
    axions = images[images["label"] == "axion"]
    number = axions["file"].str.extract(r"_(\d+)\.npy$")[0].astype(int)
    np.testing.assert_allclose(axions["log10_axion_mass"], -24 + number / 20)
    assert images.loc[images["label"] != "axion", "log10_axion_mass"].isna().all()


def test_shards_hold_every_image_of_a_split_once(archive):
    _, entry = archive
    images = survey("mine", entry).images
    for split, count in images["split"].value_counts().items():
        shards = [shard_rows(images, split, shard, 3) for shard in range(3)]
        assert all(list(rows.columns) == COLUMNS for rows in shards)
        assert max(map(len, shards)) - min(map(len, shards)) <= 1
        ids = pd.concat(shards)["image_id"]
        assert sorted(ids) == sorted(images.loc[images["split"] == split, "image_id"])
        assert len(ids) == count
        assert all(rows["label"].nunique() > 1 for rows in shards), "classes are mixed"


def test_images_are_read_as_they_were_written(archive):
    folder, entry = archive
    rows = shard_rows(survey("mine", entry).images, "train", 0, 1)
    for row, found in zip(rows.itertuples(), pixels_of(rows, entry), strict=True):
        content = np.load(folder / "train" / row.file, allow_pickle=True)
        expected = content[0] if row.label == "axion" else content
        np.testing.assert_array_equal(found, expected.astype(np.float32))


def test_neither_names_nor_order_of_the_file_system_matter(archive, tmp_path, monkeypatch):
    folder, entry = archive
    expected = survey("mine", entry).images
    iterdir = Path.iterdir

    def shuffled(path):
        entries = list(iterdir(path))
        random.Random(1).shuffle(entries)
        return iter(entries)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "iterdir", shuffled)
        pd.testing.assert_frame_equal(survey("mine", entry).images, expected)
    for path in list(folder.rglob("*.npy")):
        path.rename(path.with_stem(f"{random.Random(path.stem).random()}"))
    renamed = survey("mine", entry).images
    same = ["split", "label", "log10_axion_mass", "image_sha256"]
    pd.testing.assert_frame_equal(renamed[same], expected[same])


def test_validation_is_the_same_part_of_every_class(archive):
    _, entry = archive
    images = survey("mine", entry).images
    for split, count in {"validation": 4, "train": 16, "test": 20}.items():
        labels = images.loc[images["split"] == split, "label"]
        assert labels.value_counts().to_dict() == dict.fromkeys(CLASSES, count)
    other = survey("mine", entry | {"seed": 2}).images
    chosen = [set(found.loc[found["split"] == "validation", "file"]) for found in (images, other)]
    assert chosen[0] != chosen[1]


def test_a_validation_folder_is_used_as_it_is(archive, tmp_path):
    folder, entry = archive
    for cell, label in enumerate(CLASSES):
        (folder / "val" / label).mkdir(parents=True)
        for k in range(3):
            np.save(folder / "val" / label / f"{k}.npy", image(90_000 + 10 * cell + k))
    images = survey("mine", entry | {"paths": entry["paths"] | {"validation": str(folder / "val")}})
    assert images.images["split"].value_counts().to_dict() == {
        "train": 60,
        "test": 60,
        "validation": 9,
    }


def test_a_limit_takes_some_images_by_chance(archive):
    _, entry = archive
    whole = survey("mine", entry).images
    few = survey("mine", entry | {"limit": {"train": 20}}).images
    assert (few["split"] == "train").sum() == 20
    assert (few["split"] == "test").sum() == 60
    train = whole[whole["split"] == "train"].reset_index(drop=True)
    pd.testing.assert_frame_equal(few[few["split"] == "train"], train.head(20))


@pytest.mark.parametrize(
    "names",
    [("vort", "sphere", "no"), ("Vortex", "Subhalo", "No Sub"), ("AXION", "sub", "nosub")],
)
def test_folders_have_the_names_that_are_met(archive, names):
    folder, entry = archive
    for split in ("train", "test"):
        for label, name in zip(CLASSES, names, strict=True):
            (folder / split / label).rename(folder / split / name)
    images = survey("mine", entry).images
    assert images["label"].value_counts().to_dict() == dict.fromkeys(CLASSES, 40)


def test_a_folder_of_another_name_is_told_and_can_be_named(archive):
    folder, entry = archive
    for split in ("train", "test"):
        (folder / split / "cdm").rename(folder / split / "wdm")
    with pytest.raises(ValueError, match="20 of 60 images of test cannot be.*wdm.*class's name"):
        survey("mine", entry)
    found = survey("mine", entry | {"max_rejected": 1.0}).images
    with pytest.raises(ValueError, match="^mine: train: no image of cdm$"):
        check_classes("mine", entry, found)
    images = survey("mine", entry | {"classes": {"WDM": "cdm"}}).images
    assert images["label"].value_counts().to_dict() == dict.fromkeys(CLASSES, 40)


def test_a_file_with_labels_is_a_split(tmp_path):
    paths = {}
    for split in ("train", "test"):
        stack = [image(k + 100 * (split == "test")) for k in range(30)]
        paths[split] = str(tmp_path / f"{split}.h5")
        with h5py.File(paths[split], "w") as file:
            file["images"], file["labels"] = stack, np.arange(30) % 3
            file["axion_mass"] = np.where(np.arange(30) % 3 == 0, 1e-23, np.nan)
    entry = DEFAULTS | {"paths": paths}
    with pytest.raises(ValueError) as error:
        survey("mine", entry)
    assert str(error.value) == (
        "mine: labels that are numbers without names: 0 (20 images), 1 (20 images), 2 (20 images); "
        "say which class each is, by datasets.mine.classes: {0: axion, 1: cdm, 2: no_sub}, or "
        "{0: no_sub, 1: cdm, 2: axion}, or in another order, as the archive's authors say"
    )
    entry["classes"] = NUMBERS
    images = survey("mine", entry).images
    assert images["label"].value_counts().to_dict() == dict.fromkeys(CLASSES, 20)
    other = survey("mine", entry | {"classes": {0: "no_sub", 1: "cdm", "2": "axion"}}).images
    labels = [found.set_index("image_id")["label"].sort_index() for found in (images, other)]
    assert labels[1].equals(labels[0].replace({"axion": "no_sub", "no_sub": "axion"}))
    assert images["image_id"].str.fullmatch(r"mine-\w+-(train|test)\.h5#\d+").all()
    rows = shard_rows(images, "test", 1, 2)
    assert list(rows["image_index"]) == sorted(rows["image_index"])
    for row, found in zip(rows.itertuples(), pixels_of(rows, entry), strict=True):
        np.testing.assert_array_equal(found, image(row.image_index + 100).astype(np.float32))


def test_numbers_of_folders_below_a_class_are_no_labels(archive):
    folder, entry = archive
    (folder / "train" / "no_sub" / "1").mkdir()
    np.save(folder / "train" / "no_sub" / "1" / "part.npy", image(83_000))
    (folder / "train" / "2").mkdir()
    np.save(folder / "train" / "2" / "number.npy", image(83_001))
    with pytest.raises(ValueError, match=r"numbers without names: 2 \(1 images\); say which"):
        survey_all(entry)
    labels = survey("mine", entry | {"classes": NUMBERS}).images.set_index("file")["label"]
    assert labels["no_sub/1/part.npy"] == labels["2/number.npy"] == "no_sub"


def test_minus_one_is_no_label(archive):
    folder, entry = archive
    images = [image(83_100 + k) for k in range(4)]
    np.savez(folder / "train" / "some.npz", images=images, labels=[1, -1, -2, 2])
    with pytest.raises(ValueError, match=r"-2 \(1 images\), -1 \(1 images\), 1 \(1 images\), 2"):
        survey_all(entry)
    found = survey_all(entry | {"classes": NUMBERS})
    assert list(found.rejects["image_index"]) == [1, 2]
    assert found.rejects["reason"].str.contains("is no class").all()


def test_a_year_in_a_folders_name_is_no_label(archive):
    folder, entry = archive
    (folder / "train" / "2019").mkdir()
    np.save(folder / "train" / "2019" / "one.npy", image(83_300))
    reason = "in no folder with a class's name, and without a label of its own"
    assert rejected(survey_all(entry)) == {"train/2019/one.npy": reason}


def test_a_file_with_several_readings_stops_and_names_them(archive):
    """A survey's cutout in three bands: no three images, some of them in another split."""
    folder, entry = archive
    cutout = folder / "train" / "cdm" / "cutout.fits"
    fits.writeto(cutout, np.stack([image(83_400 + k) for k in range(3)]))
    with pytest.raises(ValueError) as error:
        survey_all(entry)
    message = str(error.value)
    assert message.startswith(f"{cutout}: an array of shape (3, 12, 12) may be 3 images: ")
    assert "datasets.mine.axes to [image, y, x]" in message and "\n" not in message
    files = survey("mine", entry | {"axes": ["image", "y", "x"]}).images["file"]
    assert (files == "cdm/cutout.fits").sum() == 3


def test_a_band_of_every_cutout_is_one_image(tmp_path):
    paths = {split: str(tmp_path / split) for split in ("train", "test")}
    for cell, (split, label) in enumerate(CELLS):
        (tmp_path / split / label).mkdir(parents=True)
        for k in range(3):
            bands = np.stack([image(1000 * cell + 10 * k + band) for band in range(3)])
            fits.writeto(tmp_path / split / label / f"{k}.fits", bands)
    entry = DEFAULTS | {"paths": paths, "channel": 1}
    found = survey("mine", entry)
    assert len(found.images) == 18
    assert found.rejects.empty
    rows = shard_rows(found.images, "test", 0, 1)
    for row, pixels in zip(rows.itertuples(), pixels_of(rows, entry), strict=True):
        expected = fits.getdata(tmp_path / "test" / row.file)[1]
        np.testing.assert_array_equal(pixels, expected.astype(np.float32))


def test_a_copy_alone_is_rejected(archive):
    """In an archive where nothing else is."""
    folder, entry = archive
    shutil.copy(folder / "train" / "cdm" / "cdm_sim_1.npy", folder / "train" / "cdm" / "copy.npy")
    found = survey_all(entry)
    assert rejected(found) == {"train/cdm/copy.npy": "identical to train/cdm/cdm_sim_1.npy"}


def turned(path, quarters=1):
    return np.rot90(np.load(path)[::-1], quarters)


def test_turned_copies_of_training_images_are_no_validation_images(archive):
    folder, entry = archive
    entry = entry | {"paths": {key: entry["paths"][key] for key in ("train", "test")}}
    alone = survey("mine", entry).images
    others = folder / "train" / "cdm"
    for file in list(others.glob("*.npy")):
        for quarters in range(3):
            np.save(file.with_name(f"{file.stem}-turned-{quarters}.npy"), turned(file, quarters))
    images = survey("mine", entry).images
    images["original"] = images["file"].str.replace(r"(-turned-\d)?\.npy$", "", regex=True)
    assert len(images) == len(alone) + 3 * 20
    learned = images[(images["label"] == "cdm") & (images["split"] != "test")]
    assert set(learned["split"]) == {"train", "validation"}
    assert (learned.groupby("original")["split"].nunique() == 1).all()
    # where there are no copies, the order is that of the content as before
    orders = [frame[frame["label"] == "axion"]["image_sha256"] for frame in (alone, images)]
    assert list(orders[0]) == list(orders[1])


def test_turned_copies_of_test_images_are_rejected_or_an_error(archive):
    folder, entry = archive
    file = folder / "test" / "cdm" / "turned.npy"
    (original, *_) = sorted((folder / "test" / "cdm").glob("*.npy"))
    np.save(file, turned(original))
    found = survey_all(entry)
    assert rejected(found) == {"test/cdm/turned.npy": f"identical to test/cdm/{original.name}"}
    np.save(file, turned(folder / "train" / "cdm" / "cdm_sim_1.npy"))
    with pytest.raises(ValueError, match="are identical but for a flip or a quarter turn"):
        survey("mine", entry)


def test_identical_axions_have_one_mass(archive):
    """Of different ones none is the true one; where one has none, the other's is."""
    folder, entry = archive
    axions = folder / "train" / "axion"
    for name, seed, mass in (("a", 1, 1e-24), ("b", 1, 1e-22), ("c", 2, 0.0), ("d", 2, 1e-23)):
        np.save(axions / f"{name}.npy", with_mass(image(90_000 + seed), mass))
    found = survey("mine", entry | {"max_rejected": 0.5})
    both = "train/axion/a.npy (-24), train/axion/b.npy (-22)"
    assert rejected(found) == {
        **dict.fromkeys(
            ("train/axion/a.npy", "train/axion/b.npy"),
            f"identical images with different masses: {both}",
        ),
        "train/axion/c.npy": "identical to train/axion/d.npy",
    }
    images = found.images.set_index("file")
    assert images.loc["axion/d.npy", "log10_axion_mass"] == -23


def test_zeros_of_either_sign_are_identical(archive):
    folder, entry = archive
    for split, zero in (("train", 0.0), ("test", -0.0)):
        array = image(83_200)
        array[0, 0] = zero
        np.save(folder / split / "cdm" / "zero.npy", array)
    with pytest.raises(ValueError, match="are identical"):
        survey("mine", entry)


# --- a hostile one --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mass", "reading"),
    [
        (-23.5, "log10 of it?"),
        (23.5, "log10 of it without the sign, or another unit?"),
        (0.3, "another unit?"),  # 1e-22 eV
    ],
)
def test_a_mass_that_is_not_in_ev_stops_with_its_readings(archive, mass, reading):
    folder, entry = archive
    path = folder / "train" / "axion" / "one more.npy"
    np.save(path, with_mass(image(80_000), mass))
    with pytest.raises(Ambiguous) as error:
        survey("mine", entry)
    message = str(error.value)
    assert message.startswith(
        f"{path}: an axion's mass of {mass} is not between 1e-30 and 1e-10 eV"
    )
    assert reading in message and message.endswith(
        "Save masses in eV, and 0 or NaN where one is not known"
    )


@pytest.mark.parametrize("mass", [0, -1e-23, -1, -9, -99, np.nan, np.inf])
def test_a_mass_that_is_missing_or_a_fill_value_is_missing(archive, mass):
    folder, entry = archive
    np.save(folder / "train" / "axion" / "one more.npy", with_mass(image(80_000), mass))
    images = survey("mine", entry).images.set_index("file")
    assert np.isnan(images.loc["axion/one more.npy", "log10_axion_mass"])


class Exploit:
    def __init__(self, marker):
        self._command = f"touch {marker}"

    def __reduce__(self):
        return os.system, (self._command,)


def test_a_hostile_archive_ends_with_every_reject_explained(archive, tmp_path):
    folder, entry = archive
    cdm = folder / "train" / "cdm"
    marker = tmp_path / "executed"
    good = {
        "train/cdm/with space ü 星.npy": image(80_000),
        "train/cdm/deeper/one.npy": image(80_001)[None],
        "train/axion/no mass.npy": with_mass(image(80_002), 0.0),
        "train/cdm/.npy.npy": None,  # hidden
    }
    for name, array in good.items():
        if array is not None:
            (folder / name).parent.mkdir(exist_ok=True)
            np.save(folder / name, array)
    np.save(cdm / "exploit.npy", with_mass(image(81_000), Exploit(marker)))
    (cdm / "empty.npy").write_bytes(b"")
    (cdm / "torn.npy").write_bytes((cdm / "cdm_sim_0.npy").read_bytes()[:300])
    np.save(cdm / "nan.npy", np.where(np.eye(PIXELS), np.nan, 1.0))
    np.save(cdm / "constant.npy", np.zeros((PIXELS, PIXELS)))
    np.save(cdm / "five.npy", np.zeros((2, 2, 3, PIXELS, PIXELS)))
    with open(cdm / "terabytes.npy", "wb") as stream:
        head = {"descr": "<f8", "fortran_order": False, "shape": (10**6, 10**6)}
        np.lib.format.write_array_header_1_0(stream, head)
    shutil.copy(cdm / "cdm_sim_1.npy", cdm / "copy.npy")
    shutil.copy(cdm / "cdm_sim_2.npy", folder / "train" / "no_sub" / "contradicts.npy")
    np.save(folder / "train" / "in no class.npy", image(81_001))
    (cdm / "leads nowhere.npy").symlink_to(cdm / "gone.npy")
    (cdm / "in circles.npy").symlink_to(cdm / "in circles.npy")
    os.mkfifo(cdm / "pipe.npy")
    (cdm / "loop").symlink_to(folder / "train")
    with open(os.fsencode(cdm) + b"/latin \xfc.npy", "wb") as stream:
        np.save(stream, image(81_002))
    for name in ("._cdm_sim_0.npy", ".DS_Store", "readme.txt", "Thumbs.db"):
        (cdm / name).write_bytes(b"junk")
    (folder / "train" / "__MACOSX").mkdir()

    found = survey_all(entry)

    assert not marker.exists(), "nothing is executed"
    reasons = rejected(found)
    expected = {
        "exploit.npy": "not executed",
        "empty.npy": "empty file",
        "torn.npy": "its header announces",
        "nan.npy": "12 of its pixels are not finite",
        "constant.npy": "all its pixels are 0",
        "five.npy": "an image of shape (2, 2, 3, 12, 12), not of 12 x 12 pixels",
        "terabytes.npy": "its header announces 8000000000000 bytes, and 0 follow",
        "copy.npy": "identical to train/cdm/cdm_sim_1.npy",
        "cdm_sim_2.npy": "identical images with different labels",
        "leads nowhere.npy": "leads nowhere",
        "in circles.npy": "leads nowhere",
        "pipe.npy": "no regular file",
        "latin \\xfc.npy": "is not in UTF-8: rename it",
    }
    expected = {f"train/cdm/{name}": reason for name, reason in expected.items()}
    expected["train/no_sub/contradicts.npy"] = "train/cdm/cdm_sim_2.npy (cdm)"
    expected["train/in no class.npy"] = "in no folder with a class's name"
    assert set(reasons) == set(expected)
    for file, reason in expected.items():
        assert reason in reasons[file], file
    ignored = rejected(found, "ignored")
    junk = ["._cdm_sim_0.npy", ".DS_Store", "readme.txt", "Thumbs.db", "loop"]
    assert set(ignored) == {*(f"train/cdm/{name}" for name in junk), "train/__MACOSX"}
    assert ignored["train/cdm/loop"] == "a link to a folder that the archive lies in"
    # nothing is lost: 120 images, one of them in the rejects, and three good ones among the bad
    kept = set(found.images["found_in"] + "/" + found.images["file"])
    assert len(kept) == 122
    assert {name for name, array in good.items() if array is not None} <= kept
    odd = found.images.set_index("file").loc["axion/no mass.npy"]
    assert np.isnan(odd["log10_axion_mass"])
    rows = shard_rows(found.images, "train", 0, 1)
    assert len(list(read_rows(rows, entry))) == len(rows)


def test_images_with_implausible_values_are_rejected_by_name(archive):
    folder, entry = archive
    cdm = folder / "train" / "cdm"
    expected = survey("mine", entry).images
    spoilt = {"fill.npy": -9.223372e18, "hot.npy": 65535.0}
    for number, (name, value) in enumerate(spoilt.items()):
        array = image(85_000 + number)
        array[3, 3] = value
        np.save(cdm / name, array)
    whole = np.full((PIXELS, PIXELS), 1e30)  # of test images too: they are not compared
    whole[0] = 0
    for split in ("train", "test"):
        np.save(folder / split / "cdm" / "whole.npy", whole)
    found = survey("mine", entry | {"max_rejected": 3 / 63})
    reasons = rejected(found)
    files = {f"train/cdm/{name}" for name in [*spoilt, "whole.npy"]} | {"test/cdm/whole.npy"}
    assert set(reasons) == files
    assert "its minimum -9.223372e+18 is" in reasons["train/cdm/fill.npy"]
    assert "its maximum 65535 is" in reasons["train/cdm/hot.npy"]
    pd.testing.assert_frame_equal(found.images, expected)
    for row in found.images.head(3).itertuples():
        content, *_ = pixels_of(found.images[found.images["file"] == row.file], entry)
        assert (row.minimum, row.maximum) == (content.min(), content.max())
    with pytest.raises(ValueError, match=r"3 of 63 images of train cannot be.*train/cdm/fill\.npy"):
        (folder / "test" / "cdm" / "whole.npy").unlink()
        survey("mine", entry)


def test_a_folder_has_the_class_of_where_it_is_not_of_a_link_to_it(archive):
    folder, entry = archive
    expected = survey("mine", entry).images
    (folder / "train" / "no_sub" / "link").symlink_to("../cdm")
    (folder / "train" / "zzz").symlink_to("cdm")
    (folder / "train" / "cdm" / "up").symlink_to("../..")  # where the test images are, too
    found = survey("mine", entry)
    pd.testing.assert_frame_equal(found.images, expected)
    assert rejected(found, "ignored") == {
        "train/no_sub/link": "a folder that is read already",
        "train/zzz": "a folder that is read already",
        "train/cdm/up": "a link to a folder that the archive lies in",
    }


def test_odd_paths_are_told_in_a_line(archive, monkeypatch):
    folder, entry = archive
    cdm = folder / "train" / "cdm"
    np.save(cdm / "line\nbreak.npy", image(84_000))
    (cdm / "long link.npy").symlink_to("x" * 300)
    latin = cdm / os.fsdecode(b"latin \xfc")
    latin.mkdir()
    np.save(latin / "one.npy", image(84_001))
    with monkeypatch.context() as patch:
        patch.chdir(cdm)
        for _ in range(30):  # more letters than a path may have
            Path("d" * 200).mkdir()
            os.chdir("d" * 200)
    reasons = rejected(survey_all(entry))
    name = "its name or a folder's has line breaks or is not in UTF-8: rename it"
    expected = {
        "line\\nbreak.npy": name,
        "latin \\xfc/one.npy": name,
        "long link.npy": "out of reach (File name too long)",
    }
    expected = {f"train/cdm/{file}": reason for file, reason in expected.items()}
    (long,) = set(reasons) - set(expected)
    assert reasons == expected | {long: "out of reach (File name too long)"}


def test_a_path_to_a_file_of_another_kind_is_told(archive, tmp_path):
    _, entry = archive
    (tmp_path / "images.tar").write_bytes(b"x")
    entry = entry | {"paths": entry["paths"] | {"train": str(tmp_path / "images.tar")}}
    with pytest.raises(ValueError, match=r"images\.tar: packed: unpack it$"):
        survey("mine", entry)


def test_files_that_may_be_images_and_are_not_read_are_rejected(archive, caplog):
    folder, entry = archive
    train = folder / "train" / "cdm"
    packed = ["a.fits.bz2", "a.FITS.Z", "a.npy.gz", "a.zip", "a.tar.gz", "a.tgz", "a.7z"]
    pictures = ["a.png", "A.JPG", "a.tiff", "a.webp"]
    others = ["a.pkl", "a.pt", "a.mat", "a.nc", "a.tfrecord", "a.parquet"]
    text = ["notes.txt", "more.TXT", "table.csv", "README", ".npy"]
    for name in [*packed, *pictures, *others, *text]:
        (train / name).write_bytes(b"x")
    with caplog.at_level("INFO"):
        found = survey_all(entry)
    reasons = {Path(file).name: reason for file, reason in rejected(found).items()}
    assert set(reasons) == {*packed, *pictures, *others}
    assert all(reasons[name] == "packed: unpack it" for name in packed)
    assert all("save its numbers as .npy" in reasons[name] for name in pictures)
    assert all("save its images as .npy, .npz" in reasons[name] for name in others)
    assert {Path(file).name for file in rejected(found, "ignored")} == set(text)
    assert "ignored: 2 .txt, 1 hidden, 1 without a suffix, 1 .csv" in caplog.messages
    with pytest.raises(ValueError, match="17 of 77 images of train cannot be used"):
        survey("mine", entry)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("part.zip", "packed: unpack it"),
        ("part.tar.gz", "packed: unpack it"),
        ("part.pt", "of a format that is not read"),
        ("part", "a symbolic link that leads nowhere"),
        ("part.npz", "cannot be read"),
        ("stack.npy", "its header announces"),
    ],
)
def test_what_may_hold_many_images_stops_however_much_may_be_rejected(archive, name, reason):
    folder, entry = archive
    cdm = folder / "train" / "cdm"
    stack = np.stack([image(86_000 + k) for k in range(4)])
    entry = entry | {"axes": ["image", "y", "x"], "max_rejected": 0.9}
    np.save(cdm / "whole.npy", stack)
    if name == "stack.npy":
        np.save(cdm / name, stack + 1)
        (cdm / name).write_bytes((cdm / name).read_bytes()[:-80])
    elif name == "part":
        (cdm / name).symlink_to(folder / "not mounted")
    else:
        (cdm / name).write_bytes(b"PK\x03\x04")
    with pytest.raises(ValueError) as error:
        survey("mine", entry)
    message = str(error.value)
    assert message.startswith(f"mine: train/cdm/{name}: {reason}") and "\n" not in message
    assert "it may hold many images, which max_rejected cannot allow for" in message
    assert rejected(survey_all(entry)).keys() == {f"train/cdm/{name}"}
    (cdm / name).unlink()
    assert len(survey("mine", entry).images) == 124


def test_one_file_of_an_archive_of_single_images_is_one_image(archive):
    folder, entry = archive
    for path in list((folder / "train" / "cdm").glob("*.npy")):
        np.savez(path.with_suffix(".npz"), images=np.load(path)[None])
        path.unlink()
    torn = folder / "train" / "cdm" / "torn.npz"
    torn.write_bytes(b"PK\x03\x04")
    for name in ("whole.zip", "masses.parquet"):  # beside the classes
        (folder / "train" / name).write_bytes(b"x")
    (folder / "train" / "notes.txt").symlink_to(folder / "gone.txt")
    entry = entry | {"axes": ["image", "y", "x"], "max_rejected": 0.1}
    assert len(survey("mine", entry).images) == 120


def test_the_rejects_of_each_split_are_few(archive):
    folder, entry = archive
    for k in range(2):
        (folder / "test" / "cdm" / f"empty_{k}.npy").write_bytes(b"")
    with pytest.raises(ValueError, match="2 of 62 images of test cannot be used"):
        survey("mine", entry | {"max_rejected": 2 / 100})


@pytest.mark.parametrize(("factor", "offset"), [(255, 0), (1 / 255, 0), (1, 300)])
def test_a_split_in_other_units_stops_with_both_scales(archive, factor, offset):
    folder, entry = archive
    for path in (folder / "test").rglob("*.npy"):
        content = np.load(path, allow_pickle=True)
        if content.dtype == object:
            content[0] = content[0] * factor + offset
        else:
            content = content * factor + offset
        np.save(path, content)
    with pytest.raises(ValueError) as error:
        survey("mine", entry)
    message = str(error.value)
    assert message.startswith("mine: images of test have a usual contrast of ")
    assert "raise datasets.mine.max_contrast_ratio (now 5)" in message and "\n" not in message
    assert len(survey("mine", entry | {"max_contrast_ratio": 1000}).images) == 120


def test_folders_are_watched_however_deep(archive):
    folder, entry = archive
    (folder / "train" / "cdm" / "a" / "b").mkdir(parents=True)
    (folder / "train" / "cdm" / "line\nbreak").mkdir()
    (folder / "train" / os.fsdecode(b"latin \xfc")).mkdir()
    (folder / "train" / "loop").symlink_to(folder)
    (folder.parent / "elsewhere" / "more").mkdir(parents=True)
    (folder / "train" / "link").symlink_to(folder.parent / "elsewhere")
    (folder / "train" / "zzz").symlink_to(folder.parent / "elsewhere")  # read once
    below = ["", "/axion", "/cdm", "/cdm/a", "/cdm/a/b", "/link", "/link/more", "/loop", "/no_sub"]
    below.append("/zzz")
    expected = {f"{folder}/train{path}" for path in below}
    expected |= {f"{folder}/test{path}" for path in ("", "/axion", "/cdm", "/no_sub")}
    assert set(watched("mine", entry)) == expected


def test_a_folder_that_cannot_be_read_is_told(archive, monkeypatch):
    folder, entry = archive
    shutil.copytree(folder / "train" / "cdm", folder / "train" / "locked" / "cdm")
    iterdir = Path.iterdir

    def refuse(path):  # root may read every folder
        if "locked" in str(path):
            raise PermissionError(13, "Permission denied")
        return iterdir(path)

    monkeypatch.setattr(Path, "iterdir", refuse)
    found = survey_all(entry)
    reason = "a folder that cannot be read (Permission denied)"
    assert rejected(found) == {"train/locked": reason}
    assert len(found.images) == 120


def test_more_rejects_than_allowed_stop_with_one_line(archive):
    folder, entry = archive
    for k in range(3):
        (folder / "train" / "cdm" / f"empty_{k}.npy").write_bytes(b"")
    assert len(survey("mine", entry | {"max_rejected": 3 / 63}).images) == 120
    with pytest.raises(ValueError) as error:
        survey("mine", entry | {"max_rejected": 2.9 / 63})
    message = str(error.value)
    assert "\n" not in message
    assert "mine: 3 of 63 images of train cannot be used" in message
    assert "train/cdm/empty_0.npy: empty file" in message


def test_identical_images_across_splits_are_an_error_that_names_both(archive):
    folder, entry = archive
    # in another form, and in another class
    np.save(
        folder / "test" / "no_sub" / "leak.npy", np.load(folder / "train/cdm/cdm_sim_5.npy")[None]
    )
    with pytest.raises(ValueError) as error:
        survey_all(entry)
    message = str(error.value)
    assert "test/no_sub/leak.npy and train/cdm/cdm_sim_5.npy are identical" in message
    assert "\n" not in message


def test_a_label_against_its_folder_is_told(archive):
    folder, entry = archive
    np.savez(folder / "train" / "cdm" / "odd.npz", images=[image(82_000 + k) for k in range(3)],
             labels=["cdm", "axion", "wimp"])  # fmt: skip
    reasons = survey_all(entry).rejects.set_index("image_index")["reason"]
    assert reasons[1] == "its label is axion, and its folder's cdm"
    assert "its label 'wimp' is no class" in reasons[2]


def test_folders_of_two_classes_are_told(archive):
    """`smooth` may be a source, `no` a word: none of the two is taken."""
    folder, entry = archive
    for name in ("axion/smooth", "cdm/Sub-halo"):
        (folder / "train" / name).mkdir()
        np.save(folder / "train" / name / "one.npy", image(87_000 + len(name)))
    found = survey_all(entry)
    reason = "its folders name axion and no_sub: rename or move one"
    assert rejected(found) == {"train/axion/smooth/one.npy": reason}
    assert (found.images["file"] == "cdm/Sub-halo/one.npy").sum() == 1  # both are cdm


def test_turned_copies_contradict_each_other_in_every_split(archive):
    folder, entry = archive
    for split in ("train", "test"):
        (original, *_) = sorted((folder / split / "cdm").glob("*.npy"))
        np.save(folder / split / "no_sub" / "copy.npy", turned(original))
    axion = image(88_000)
    for name, mass in (("a", 1e-24), ("b", 1e-22)):
        np.save(folder / "train" / "axion" / f"{name}.npy", with_mass(axion, mass))
        axion = axion[::-1]
    reasons = rejected(survey_all(entry))
    alike = "identical images but for flips or quarter turns with different"
    for split in ("train", "test"):
        for file in ("cdm/cdm_sim_0.npy", "no_sub/copy.npy"):
            assert reasons[f"{split}/{file}"].startswith(f"{alike} labels: {split}/cdm/cdm_sim_0")
    for name in ("a", "b"):
        assert f"{alike} masses: train/axion/a.npy (-24)" in reasons[f"train/axion/{name}.npy"]
    assert len(reasons) == 6


def test_unbalanced_classes_are_kept(archive):
    folder, entry = archive
    for k in range(15):
        (folder / "train" / "cdm" / f"cdm_sim_{k}.npy").unlink()
    images = survey("mine", entry).images
    assert images["label"].value_counts().to_dict() == {"axion": 40, "no_sub": 40, "cdm": 25}


def test_an_archive_without_an_image_is_told(archive):
    folder, entry = archive
    (folder / "empty").mkdir()
    nothing = {"paths": {"train": str(folder / "empty"), "test": str(folder / "empty")}}
    with pytest.raises(ValueError, match="^mine: no image in"):
        survey("mine", entry | nothing)
    with pytest.raises(ValueError, match="^mine: test: no image$"):
        survey("mine", entry | {"paths": entry["paths"] | {"test": str(folder / "empty")}})


def test_an_archive_of_one_class_serves_a_regression_and_no_classification(archive):
    folder, entry = archive
    for split in ("train", "test"):
        for label in ("cdm", "no_sub"):
            shutil.rmtree(folder / split / label)
    images = survey("mine", entry).images
    assert set(images["label"]) == {"axion"}
    with pytest.raises(ValueError, match="^mine: train: no image of cdm and no_sub$"):
        check_classes("mine", entry, images)


def test_a_single_test_image_of_a_class_is_too_few(archive):
    folder, entry = archive
    paths = sorted((folder / "test" / "cdm").glob("*.npy"))
    for path in paths[2:]:
        path.unlink()
    check_classes("mine", entry, survey("mine", entry).images)
    paths[1].unlink()
    with pytest.raises(ValueError) as error:
        check_classes("mine", entry, survey("mine", entry).images)
    assert str(error.value) == (
        "mine: test: 1 image of cdm; the interval of an AUC needs 2 test images of each class"
    )


def test_there_may_be_more_shards_than_images(archive, tmp_path):
    _, entry = archive
    images = survey("mine", entry).images
    facts = {}
    for shard in range(25):
        write_catalogue(shard_rows(images, "validation", shard, 25), tmp_path / "rows.parquet", {})
        rows = read_catalogue(tmp_path / "rows.parquet")
        path = tmp_path / "validation" / f"{shard:05d}.tfrecord"
        facts[str(path)] = write_shard(path, rows, read_rows(rows, entry))
    write_json(tmp_path / "manifest.json", describe("mine", facts))
    found = read_split(tmp_path / "manifest.json", "validation")
    assert len(found.images[:]) == 12
    assert set(found.columns["image_id"]) == set(
        images.loc[images["split"] == "validation", "image_id"]
    )


@pytest.mark.parametrize("how", ["changed", "gone", "grown"])
def test_a_file_that_changed_since_is_told(archive, how):
    folder, entry = archive
    rows = shard_rows(survey("mine", entry).images, "test", 0, 1)
    path = folder / "test" / rows.loc[rows["label"] == "cdm", "file"].iloc[3]
    if how == "changed":
        np.save(path, image(1))
    elif how == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes() + b"more")
    with pytest.raises(
        ValueError, match="not what it was when the archive was catalogued"
    ) as error:
        list(read_rows(rows, entry))
    assert str(path) in str(error.value)
    assert "--forcerun survey" in str(error.value)
