"""What encoders from one data set are worth on another: the numbers of a transfer figure."""

from collections.abc import Mapping

import pandas as pd

from sslens.comparison.compared import by_labels


def transfer_matrix(
    summary: pd.DataFrame,
    sources: Mapping[str, Mapping[str, str]],
    baselines: Mapping[str, str],
    datasets: Mapping[str, str],
    column: str = "auc_macro",
) -> tuple[pd.DataFrame, pd.Series | None]:
    """Macro AUCs of one pretraining with the most labels, by where its encoder is from.

    Args:
        summary: see `sslens.comparison.summary`.
        sources: data set -> data set the encoder is from -> arm, of `rows.transfers`.
        baselines: data set -> arm without a pretraining.
        datasets: names to titles.
        column: of the summary, which has another measure.

    Returns:
        Rows the titles of where encoders are from, columns those of where they were fine-tuned,
        missing where not run; and the baseline's by column, or None where it was not run.
    """
    part = next(by_labels(summary)).set_index(["arm", "dataset"])[column]
    names = {name: datasets.get(name, name) for table in sources.values() for name in table}
    matrix = pd.DataFrame(
        {
            datasets[dataset]: {
                names[source]: part.get((arm, dataset)) for source, arm in table.items()
            }
            for dataset, table in sources.items()
        }
    )
    # data sets of the run in its order, then others
    order = [datasets[name] for name in datasets if name in names]
    matrix = matrix.reindex(index=[*order, *(t for t in names.values() if t not in order)])
    own = {datasets[d]: part[a, d] for d, a in baselines.items() if (a, d) in part.index}
    return matrix.astype(float), pd.Series(own).reindex(matrix.columns) if own else None
