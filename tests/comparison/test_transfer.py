"""The matrix of a transfer figure."""

import numpy as np
import pandas as pd
from summaries import DATASETS, cell

from sslens.comparison.transfer import transfer_matrix


def test_transfer_matrix_by_where_encoders_are_from():
    rows = [
        cell("baseline", "model_1", 0.5),
        cell("baseline", "model_2", 0.625),
        cell("byol", "model_1", 0.75),
        cell("byol", "model_2", 0.875),
        cell("from_1", "model_2", 0.8125),
        cell("from_1", "model_2", 0.1875, labels=0.1),
        cell("from_9", "model_1", 0.4375),
    ]
    sources = {
        "model_2": {"model_2": "byol", "model_1": "from_1"},
        "model_1": {"model_1": "byol", "model_9": "from_9", "model_2": "from_2"},
    }
    baselines = dict.fromkeys(sources, "baseline")
    matrix, baseline = transfer_matrix(pd.DataFrame(rows), sources, baselines, DATASETS)
    assert list(matrix.index) == ["Model I", "Model II", "model_9"]
    found = matrix[["Model I", "Model II"]].to_numpy()
    np.testing.assert_array_equal(found, [[0.75, 0.8125], [np.nan, 0.875], [0.4375, np.nan]])
    assert (matrix.dtypes == "float64").all()
    assert baseline.to_dict() == {"Model I": 0.5, "Model II": 0.625}
    assert list(baseline.index) == list(matrix.columns)
    _, baseline = transfer_matrix(pd.DataFrame(rows[2:]), sources, baselines, DATASETS)
    assert baseline is None


def test_it_is_of_the_column_of_another_measure():
    frame = pd.DataFrame([cell("byol", "model_1", 0.5) | {"mae_log10_axion_mass": 0.25}])
    sources, titles = {"model_1": {"model_1": "byol"}}, {"model_1": "Model I"}
    matrix, _ = transfer_matrix(frame, sources, {}, titles, "mae_log10_axion_mass")
    assert matrix.loc["Model I", "Model I"] == 0.25
