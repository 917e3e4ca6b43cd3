"""Whether a pretrained encoder has collapsed, by the measures of its history."""

from collections.abc import Mapping

import pandas as pd

#: Below this share of an even spread's standard deviation, embeddings have collapsed. It is 1 where
#: they are spread evenly, and falls to 0 as they collapse (Chen & He 2021, arXiv:2011.10566, figure
#: 2); in the default run it stays above 0.8.
COLLAPSED_STD = 0.1
#: Features below this effective rank have collapsed, whatever a head makes of them: 1 is a single
#: direction (Jing et al. 2022, arXiv:2110.09348). In the default run it stays above 10.
COLLAPSED_RANK = 1.5


def signs_of_collapse(measures: Mapping[str, float]) -> list[str]:
    """In words, what in an epoch's measures is that of a collapsed network; empty if nothing."""
    signs = []
    spread, even = measures["embedding_std"], measures["embedding_std_uniform"]
    if spread < COLLAPSED_STD * even:
        signs.append(
            f"the embeddings' standard deviation is {spread:.2g} ({even:.2g} where they are spread "
            "evenly)"
        )
    if (rank := measures["effective_rank"]) < COLLAPSED_RANK:
        signs.append(f"the features' effective rank is {rank:.3g} (1 is a single direction)")
    return signs


def ended_collapsed(history: pd.DataFrame) -> bool:
    """Whether the last epoch of a pretraining's history, which its encoder is of, has collapsed."""
    return bool(history["collapsed"].iloc[-1])
