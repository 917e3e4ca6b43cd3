"""Two archives between which an encoder is transferred have no image in common that tests it."""

import pandas as pd

from sslens.data.archives.survey import SHAPE


def check_apart(dataset: str, images: pd.DataFrame, source: str, learned: pd.DataFrame) -> dict:
    """Check that no test image of a data set is one that an encoder from another has learned from.

    Args:
        dataset, images: name and images (of a `Survey`) of the data set that is tested on.
        source, learned: of the one that the encoder was pretrained on.

    Returns:
        How many `test_images` were compared with how many `learned_images`.

    Raises:
        ValueError: naming two such images, which may be flipped or turned by quarters.
    """
    tested, learned = images[images["split"] == "test"], learned[learned["split"] != "test"]
    shared = tested.merge(learned, on=SHAPE, suffixes=("", "_learned"))
    if len(shared):
        one = shared.iloc[0]
        count = shared["image_id"].nunique()
        raise ValueError(
            f"{count} test images of {dataset} are images that encoders from {source} have learned "
            f"from, also flipped or turned: {one['image_id']} is {one['image_id_learned']}, say; "
            f"take them out of one of the two, or the transfers from {source} out of the run"
        )
    return {"test_images": len(tested), "learned_images": len(learned)}
