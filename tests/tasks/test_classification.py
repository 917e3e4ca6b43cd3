"""Which dark-matter class an image is of."""

import numpy as np
import pytest

from sslens.tasks.classification import Task

TASK = Task({"name": "classification"})


def test_a_classification_needs_training_images_of_all_classes():
    assert TASK.learning_from(np.array([2, 0, 1, 1])) is TASK
    with pytest.raises(ValueError, match="^no training image of axion and no_sub, but a class"):
        TASK.learning_from(np.array([1, 1]))
