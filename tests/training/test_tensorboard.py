"""The logs of TensorBoard: read back as what was reported, each epoch once."""

import numpy as np
import tensorflow as tf

from sslens.training.tensorboard import reporter, silent

ROWS = [{"epoch": k, "loss": 1 / k, "collapsed": 0} for k in (1, 2, 3)]


def read(folder):
    """(tag, step, value) of every scalar in a folder."""
    found = []
    for path in sorted(map(str, folder.glob("*"))):
        for record in tf.data.TFRecordDataset(path):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                assert value.metadata.plugin_data.plugin_name == "scalars"
                found.append((value.tag, event.step, float(tf.make_ndarray(value.tensor))))
    return sorted(found)


def expected(rows):
    return sorted(
        (name, row["epoch"], float(np.float32(value)))
        for row in rows
        for name, value in row.items()
    )


def test_rows_are_scalars_over_the_epochs(tmp_path):
    report = reporter(tmp_path / "new" / "folder", True)
    report([])
    report(ROWS[:1])
    assert read(tmp_path / "new" / "folder") == expected(ROWS[:1])
    report(ROWS[1:])
    assert read(tmp_path / "new" / "folder") == expected(ROWS)


def test_a_training_that_goes_on_has_every_epoch_once(tmp_path):
    reporter(tmp_path, True)(ROWS)  # killed before its last checkpoint
    again = reporter(tmp_path, True)
    again(ROWS[:2])
    again(ROWS[2:])
    assert read(tmp_path) == expected(ROWS)


def test_nothing_is_touched_where_it_is_not_wanted(tmp_path):
    reporter(tmp_path, True)(ROWS)
    assert reporter(tmp_path, False) is silent
    silent(ROWS)
    assert read(tmp_path) == expected(ROWS)
