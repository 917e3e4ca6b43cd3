"""Write the features of a folder of images by an exported encoder: one row of Parquet per image.

    python examples/features.py encoder.keras FOLDER features.parquet

The images are as for `predict.py`, which has to be in the same folder as this file. Needs pandas
and pyarrow besides.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from predict import load_model, read_folder


def main(model_path: str, folder: str, output: str) -> None:
    model = load_model(model_path, "results/features/…/encoder.keras")
    names, images = read_folder(folder, model.input_shape[1:3])
    batches = (images[start : start + 64] for start in range(0, len(images), 64))
    features = np.concatenate([model.predict_on_batch(batch) for batch in batches])
    frame = pd.DataFrame(features, columns=[str(number) for number in range(features.shape[1])])
    frame.insert(0, "file", names)
    temporary = Path(f"{output}.tmp")
    frame.to_parquet(temporary, index=False)
    temporary.replace(output)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
