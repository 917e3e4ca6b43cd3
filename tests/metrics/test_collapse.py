"""When an encoder has collapsed."""

import pandas as pd

from sslens.metrics.collapse import ended_collapsed, has_collapsed


def measures(std=0.1, rank=20.0):
    return {"embedding_std": std, "embedding_std_uniform": 0.125, "effective_rank": rank}


def test_a_collapse_is_of_the_embeddings_or_of_the_features():
    assert not has_collapsed(measures())
    assert not has_collapsed(measures(std=0.013, rank=1.6))
    assert has_collapsed(measures(std=0.012))
    assert has_collapsed(measures(rank=1.4))


def test_the_last_epoch_counts():
    assert ended_collapsed(pd.DataFrame({"collapsed": [0, 0, 1]}))
    assert not ended_collapsed(pd.DataFrame({"collapsed": [1, 1, 0]}))
