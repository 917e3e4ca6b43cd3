"""What an encoder has learned of one archive is no test image of another."""

import numpy as np
import pytest
from archives import image, write_archive

from sslens.data.archives.apart import check_apart
from sslens.data.archives.survey import survey


def test_an_image_of_two_archives_is_learned_from_or_tested_on(tmp_path):
    entries = {name: write_archive(tmp_path / name) for name in ("one", "other")}
    for path in (tmp_path / "other").rglob("*.npy"):  # of the same numbers as those of `one`
        if path.parent.name != "axion":
            np.save(path, np.load(path) + 1)
        else:
            path.unlink()
    shared = tmp_path / "other/train/cdm/shared.npy"

    def check():
        found = [survey(name, entry).images for name, entry in entries.items()]
        return check_apart("one", found[0], "other", found[1])

    assert check() == {"test_images": 60, "learned_images": 40}
    np.save(shared, np.load(tmp_path / "one/train/cdm/cdm_sim_0.npy"))  # both learn from it
    assert check() == {"test_images": 60, "learned_images": 41}
    np.save(shared, np.rot90(np.load(tmp_path / "one/test/cdm/cdm_sim_0.npy")))
    with pytest.raises(ValueError) as error:
        check()
    message = str(error.value)
    assert message.startswith("1 test images of one are images that encoders from other have ")
    assert "one-test-cdm/cdm_sim_0.npy is other-" in message and "\n" not in message
    shared.unlink()
    np.save(tmp_path / "other/test/cdm/shared.npy", image(99_000))
    assert check()["learned_images"] == 40
