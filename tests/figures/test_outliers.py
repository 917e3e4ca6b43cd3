"""Which errors of a regression are shown, and what is said of them."""

import numpy as np
import pandas as pd

from sslens.figures.outliers import most_standardised, outliers_figure
from sslens.metrics.regression import columns_of

MASS = "log10_axion_mass"


def frame(means, deviations):
    true = np.array([-23.0, -22.0, np.nan, -22.5, -23.5])
    columns = dict(zip(columns_of(MASS), (true, means, deviations), strict=True))
    return pd.DataFrame({"image_id": list("abcde"), **columns})


FRAMES = [
    frame([-23.1, -22.5, 0, -22.5, -23.0], [0.1, 0.1, 0.1, 0.1, 1.0]),
    frame([-23.1, -22.3, 0, -22.5, -22.5], [0.1, 0.1, 0.1, 0.1, 1.0]),
]


def test_errors_count_in_deviations_and_images_without_the_target_do_not():
    table = most_standardised(FRAMES, MASS, 3)
    # 5 and 3; 1 and 1; 0.5 and 1; 0
    assert table["image_id"].tolist() == ["b", "a", "e"]
    np.testing.assert_allclose(table["errors"], [4, 1, 0.75])
    np.testing.assert_allclose(table.loc[0, ["mean", "deviation"]].astype(float), [-22.4, 0.1])


def test_captions_say_what_is_true_and_what_is_predicted():
    images = np.eye(16)[:4].reshape(4, 4, 4, 1).astype(np.float32)
    table = most_standardised(FRAMES, MASS)
    figure = outliers_figure(images, table, MASS, "Model II")
    titles = [panel.get_title() for panel in figure.axes]
    assert titles[0] == "true -22, predicted -22.4 ± 0.1\nb"
    assert [title != "" for title in titles] == [True] * 4 + [False] * 2
    assert figure.get_supxlabel() == "log10 axion mass (eV)"
