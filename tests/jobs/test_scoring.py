"""What `metrics.json` says besides the scores."""

import pandas as pd
import pytest

from sslens.jobs.scoring import collapsed, operations


@pytest.fixture
def history(tmp_path):
    def write(name, **columns):
        path = tmp_path / f"{name}.csv"
        pd.DataFrame(columns).to_csv(path, index=False)
        return str(path)

    return write


def test_the_cost_of_a_cell_is_that_of_both_trainings_to_their_ends(history):
    pretraining = history("pretraining", operations=[10, 20])
    finetuning = history("finetuning", operations=[1, 2, 3])
    assert operations(finetuning, pretraining, True) == {"pretraining": 20, "finetuning": 3}


@pytest.mark.parametrize(("is_pretrained", "cost"), [(False, 0), (True, None)])
@pytest.mark.parametrize("none", [None, []])  # as Snakemake gives an input that a job does not have
def test_the_cost_of_an_encoder_from_a_file_is_not_known(history, is_pretrained, cost, none):
    finetuning = history("finetuning", operations=[3])
    assert operations(finetuning, none, is_pretrained)["pretraining"] == cost


def test_the_end_of_a_pretraining_counts_and_without_one_nothing_collapsed(history):
    assert collapsed(history("healthy", collapsed=[1, 0])) is False
    assert collapsed(history("still", collapsed=[0, 1])) is True
    assert collapsed(None) is None
    assert collapsed([]) is None
