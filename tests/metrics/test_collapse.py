"""When an encoder has collapsed."""

import pandas as pd

from sslens.metrics.collapse import ended_collapsed, signs_of_collapse


def measures(std=0.1, rank=20.0):
    return {"embedding_std": std, "embedding_std_uniform": 0.125, "effective_rank": rank}


def test_a_collapse_is_of_the_embeddings_or_of_the_features():
    assert signs_of_collapse(measures()) == []
    assert signs_of_collapse(measures(std=0.013, rank=1.6)) == []
    assert signs_of_collapse(measures(std=0.012)) == [
        "the embeddings' standard deviation is 0.012 (0.12 where they are spread evenly)"
    ]
    assert signs_of_collapse(measures(rank=1.4)) == [
        "the features' effective rank is 1.4 (1 is a single direction)"
    ]
    assert len(signs_of_collapse(measures(std=0.0, rank=1.0))) == 2


def test_the_last_epoch_counts():
    assert ended_collapsed(pd.DataFrame({"collapsed": [0, 0, 1]}))
    assert not ended_collapsed(pd.DataFrame({"collapsed": [1, 1, 0]}))
