"""An exported classifier predicts from raw images what the pipeline predicts, with Keras alone."""

import importlib.util
import json
import os
import subprocess
import sys
from unittest import mock

import numpy as np
import pytest
from astropy.io import fits
from paths import ROOT

from sslens.classes import CLASSES
from sslens.configuration.loading import load
from sslens.data.preprocessing import SCALINGS, measure, preprocess
from sslens.images import Images
from sslens.metrics.features import normalised
from sslens.metrics.predictions import PROBABILITY_COLUMNS, mean_logits, predictions_frame
from sslens.networks.classifiers import build_network, network_of_probe
from sslens.networks.encoders import resnet
from sslens.networks.export import exportable
from sslens.networks.inference import predict, predict_oriented
from sslens.protocols import FINE_TUNE, FROZEN, LINEAR_PROBE, NEAREST_NEIGHBOURS
from sslens.tasks.registry import load_task

ENCODER = load(ROOT / "config", {})["encoder"] | {"width": 2}
CASES = [
    ({"crop": 32, "bin": 1, "stretch": "asinh", "scaling": "standardise"}, {}),
    ({"crop": 35, "bin": 5, "stretch": "sqrt", "scaling": "standardise"}, {"stem": "small"}),
    (
        {"crop": None, "bin": 1, "stretch": "none", "scaling": "min_max"},
        {"neck": [8, 4], "neck_dropout": [0.5, 0.1]},
    ),
    ({"crop": 36, "bin": 2, "stretch": "none", "scaling": "none"}, {}),
]
CLASSIFICATION = load_task({"name": "classification"})
#: The protocol of each.
PROTOCOLS = [FINE_TUNE, LINEAR_PROBE, FINE_TUNE, NEAREST_NEIGHBOURS]
#: Whether the orientations of an image are averaged, of each.
AVERAGED = [False, True, True, False]
VOTERS = 12  # images that vote
PREDICT = """
import keras, numpy as np
images = np.load("images.npy")
for case in range(4):
    model = keras.models.load_model(f"{case}.keras")
    np.save(f"{case}.npy", model.predict_on_batch(images))
    np.save(f"called-{case}.npy", model(images))
"""


def recorded(size=5, pixels=37):
    images = np.random.default_rng(0).gamma(0.3, 1.0, (size, pixels, pixels, 1))
    images[0, :3] = -0.1  # as noise makes them
    return images.astype(np.float32)


def trained_classifier(encoder_settings, input_shape, protocol=FINE_TUNE):
    """One whose batch statistics are not those of a fresh one."""
    classifier, encoder = build_network(encoder_settings, input_shape, seed=1)
    rng = np.random.default_rng(1)
    classifier.set_weights(
        [
            w * rng.uniform(0.8, 1.2, w.shape) + rng.uniform(0, 0.02, w.shape)
            for w in classifier.get_weights()
        ]
    )
    if protocol == FINE_TUNE:
        return classifier
    features = encoder.output_shape[1]
    if protocol == LINEAR_PROBE:
        learning = {}
        probe = {"kernel": rng.normal(size=(features, 3)), "bias": rng.normal(size=3)}
    else:
        learning = {"neighbours": 5, "temperature": 0.07}
        unit = normalised(rng.normal(size=(VOTERS, features)))
        probe = {"features": unit, "labels": np.arange(VOTERS) % 3}
    return network_of_probe({"protocol": protocol, "learning": learning}, encoder, probe)


def evaluated(classifier, facts, images, average):
    """The probabilities of predictions.parquet, as the rule `evaluate` finds them."""
    images = Images.of(preprocess(images, facts))
    logits = mean_logits(predict_oriented(classifier, images, average))
    labels = [CLASSES[k % 3] for k in range(len(images))]
    frame = predictions_frame(range(len(images)), labels, logits)
    return frame[list(PROBABILITY_COLUMNS)].to_numpy()


@pytest.fixture(scope="module", autouse=True)
def shallow():
    """A block in each of two stages, since most of the time is tracing."""
    with mock.patch.dict(resnet.DEPTHS, resnet18=(1, 1)):
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What the pipeline predicts, and what a process predicts that cannot see the library."""
    folder, images = tmp_path_factory.mktemp("export"), recorded()
    np.save(folder / "images.npy", images)
    for case, ((own, encoder), protocol) in enumerate(zip(CASES, PROTOCOLS, strict=True)):
        facts = measure(images, {"softening": 0.1} | own)
        classifier = trained_classifier(ENCODER | encoder, facts["input_shape"], protocol)
        for average in (False, True):
            expected = evaluated(classifier, facts, images, average)
            np.save(folder / f"expected-{case}-{average}.npy", expected)
        exported = exportable(classifier, facts, images.shape[1:], CLASSIFICATION, AVERAGED[case])
        exported.save(folder / f"{case}.keras")
    subprocess.run([sys.executable, "-c", PREDICT], cwd=folder, check=True)
    return folder


@pytest.mark.parametrize(("case", "average"), list(enumerate(AVERAGED)))
def test_raw_images_are_enough_and_keras_alone(folder, case, average):
    found = np.load(folder / f"{case}.npy")
    expected = np.load(folder / f"expected-{case}-{average}.npy")
    assert np.ptp(expected, axis=0).max() > 1e-3, "the images must differ"
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    # not as in a training, where batch statistics would be those of these images
    called = np.load(folder / f"called-{case}.npy")
    np.testing.assert_allclose(called, expected, rtol=1e-4, atol=1e-6)
    other = np.load(folder / f"expected-{case}-{not average}.npy")
    assert np.abs(expected - other).max() > 1e-3, "the average must matter"


def test_every_scaling_and_protocol_is_tested():
    assert set(PROTOCOLS) == {FINE_TUNE, *FROZEN}
    assert {own["scaling"] for own, _ in CASES} == set(SCALINGS)
    assert {own["stretch"] for own, _ in CASES} == {"asinh", "sqrt", "none"}


@pytest.mark.parametrize("protocol", [FINE_TUNE, *FROZEN])
def test_the_classifier_is_left_as_it_was(protocol):
    images = recorded()
    facts = measure(
        images, {"crop": 32, "bin": 1, "stretch": "none", "scaling": "none", "softening": 1.0}
    )
    classifier = trained_classifier(ENCODER, facts["input_shape"], protocol)
    before = predict(classifier, preprocess(images, facts))
    weights = classifier.get_weights()
    exported = exportable(classifier, facts, images.shape[1:], CLASSIFICATION)
    exported.set_weights([0 * weight for weight in exported.get_weights()])
    assert np.array_equal(predict(classifier, preprocess(images, facts)), before)
    for one, other in zip(classifier.get_weights(), weights, strict=True):
        assert np.array_equal(one, other)


@pytest.fixture(scope="module")
def example():
    """The example as a module of this process, which keeps its variables."""
    spec = importlib.util.spec_from_file_location("example", ROOT / "examples" / "predict.py")
    module = importlib.util.module_from_spec(spec)
    with mock.patch.dict(os.environ):
        spec.loader.exec_module(module)
    return module


def test_the_example_names_its_columns_by_the_outputs(example):
    assert example.columns((None, 3)) == list(CLASSES)
    assert example.columns((None, 1, 2)) == ["mean_1", "std_1"]
    assert example.columns((None, 2, 3)) == [f"bin_{n}_{t}" for t in (1, 2) for n in (1, 2, 3)]


@pytest.fixture
def classify(example, folder, capsys):
    """What the example prints of a folder of images, and what it says to the terminal."""

    def of(images, classifier="0.keras"):
        said = ""
        try:
            example.main(str(folder / classifier), str(images))
        except SystemExit as error:  # with a message, which Python prints before exit status 1
            said = f"{error}\n"
        printed = capsys.readouterr()
        return printed.out, printed.err + said

    return of


def classify_in_a_process(folder, images):
    """The same from a process of its own, with variables and files that a user may have."""
    home = folder / "home"
    (home / ".keras").mkdir(parents=True, exist_ok=True)
    configuration = {"backend": "jax", "floatx": "float16", "image_data_format": "channels_first"}
    (home / ".keras" / "keras.json").write_text(json.dumps(configuration))
    done = subprocess.run(
        [sys.executable, ROOT / "examples/predict.py", folder / "0.keras", images],
        capture_output=True,
        text=True,
        # as a user may have it, not as these tests do
        env={k: v for k, v in os.environ.items() if not k.startswith(("TF_", "KERAS_"))}
        | {"HOME": str(home), "MPLBACKEND": "module://matplotlib_inline.backend_inline"}
        | {"KERAS_MAX_STEPS_PER_EPOCH": "1"},
    )
    return done.returncode, done.stdout, done.stderr


def test_the_example_prints_a_line_an_image_and_nothing_else(folder, tmp_path):
    np.save(tmp_path / "a.npy", recorded(1))  # the axes of one image do not matter
    pixels = recorded(1)[0, ..., 0]
    np.save(tmp_path / "b.npy", pixels.astype(">f8"))
    for name in ("c.FITS", "d.fit", "e.Fts", "f.fits.gz"):
        fits.writeto(tmp_path / name, pixels)
    (tmp_path / "g.NPY").write_bytes((tmp_path / "b.npy").read_bytes())
    status, printed, said = classify_in_a_process(folder, tmp_path)
    assert (status, said) == (0, "")
    head, *lines = printed.splitlines()
    assert head == "file,axion,cdm,no_sub"
    names, answers = zip(*(line.split(",", 1) for line in lines), strict=True)
    assert names == ("a.npy", "b.npy", "c.FITS", "d.fit", "e.Fts", "f.fits.gz", "g.NPY")
    assert len(set(answers)) == 1


def test_the_example_names_what_it_skips(classify, tmp_path):
    np.save(tmp_path / "a.npy", recorded(1))
    for name in (".hidden", "b.png", "c.fits.bz2"):
        (tmp_path / name).write_bytes(b"x")
    printed, said = classify(tmp_path)
    assert len(printed.splitlines()) == 2
    assert said.count("\n") == 1
    assert "skipped 2 of 3 entries" in said and said.endswith(": b.png, c.fits.bz2\n")


def save_holed(path):
    holed = recorded(1)
    holed[0, 3, 4] = np.nan
    np.save(path, holed)


def save_blank(path):
    """A FITS file, whatever its name, of unsigned integers and one pixel without a value."""
    unit = fits.PrimaryHDU(recorded(1)[0, ..., 0].astype("u2"))
    unit.header["BLANK"] = int(unit.data[3, 4]) - 32768
    unit.writeto(path.with_suffix(".fits"))


def save_blank_zero(path):
    """Of signed integers, where astropy takes a BLANK of 0 for none."""
    unit = fits.PrimaryHDU(recorded(1)[0, ..., 0].astype("i2") + 1)
    unit.header["BLANK"] = 0
    unit.data[3, 4] = 0
    unit.writeto(path.with_suffix(".fits"))


@pytest.mark.parametrize(
    ("save", "expected"),
    [
        (save_blank, "pixels are not finite; fill them"),
        (save_blank_zero, "b.fits: 1 pixels are not finite; fill them"),
        (
            lambda path: np.save(path, np.zeros_like(recorded(1))),
            "b.npy: all pixels are 0; take",
        ),
        (save_holed, "b.npy: 1 pixels are not finite; fill them"),
        (
            lambda path: np.save(path, recorded(1, pixels=36)),
            "b.npy: an image of (36, 36), where the classifier takes (37, 37); cut it",
        ),
        (lambda path: path.write_bytes(b""), "b.npy: no image can be read (No data left in file)"),
        (lambda path: np.save(path, np.array(["x"])), "b.npy: no image can be read (could not con"),
    ],
)
def test_the_example_tells_of_an_image_that_it_cannot_take_before_it_prints(
    classify, tmp_path, save, expected
):
    np.save(tmp_path / "a.npy", recorded(1))
    save(tmp_path / "b.npy")
    printed, said = classify(tmp_path)
    assert printed == ""
    assert expected in said
    assert said.count("\n") == 1


def test_the_example_tells_of_what_is_not_there(classify, tmp_path):
    printed, said = classify(tmp_path / "images")
    assert (printed, said.count("\n")) == ("", 1)
    assert "images: no .npy or .fits file; give" in said
    np.save(tmp_path / "a.npy", recorded(1))
    printed, said = classify(tmp_path, "none.keras")
    assert (printed, said.count("\n")) == ("", 1)
    assert "none.keras: no such file; a run" in said


def test_a_card_that_cannot_be_parsed_hides_no_image(example, tmp_path):
    path = tmp_path / "card.fits"
    fits.PrimaryHDU(np.arange(16, dtype="f4").reshape(4, 4)).writeto(path)
    content = path.read_bytes()
    card = b"FOO     =   NaN".ljust(80)
    end = content.index(b"END".ljust(80))
    path.write_bytes(content[:end] + card + content[end : end + 80] + content[end + 160 :])
    assert example.read_image(path, (4, 4)).shape == (4, 4, 1)


def test_axes_and_extensions_of_an_example_are_not_guessed(example, tmp_path):
    pixels = np.random.default_rng(0).normal(size=(12, 12)).astype("f4")
    unit = fits.ImageHDU(pixels)
    files = {
        "good.fits": ([unit], None),
        "compressed.fits": ([fits.CompImageHDU(pixels, quantize_level=0)], None),
        "several.fits": ([unit, unit.copy()], "2 extensions with an image, not one"),
        "bands.fits": ([fits.ImageHDU(np.stack([pixels] * 3))], r"an image of \(3, 12, 12\)"),
    }
    for name, (units, reason) in files.items():
        fits.HDUList([fits.PrimaryHDU(), *units]).writeto(tmp_path / name)
        if reason is None:
            assert example.read_image(tmp_path / name, (12, 12)).shape == (12, 12, 1)
        else:
            with pytest.raises(SystemExit, match=reason):
                example.read_image(tmp_path / name, (12, 12))
