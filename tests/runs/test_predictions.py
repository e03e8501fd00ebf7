"""Predictions are read as they were written, with groups and without."""

import numpy as np
import pytest

from headstart.errors import HeadstartError
from headstart.runs.predictions import read_predictions, read_probabilities, write_predictions
from headstart.runs.run_directory import PREDICTIONS_FILE

NAMES, LABELS = ["a", "b", "c"], np.array([0, 1, 1])
PROBABILITIES = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]], dtype=np.float32)


class TestReadPredictions:
    def test_has_what_was_written(self, tmp_path):
        write_predictions(tmp_path, NAMES, LABELS, PROBABILITIES)
        predictions = read_predictions(tmp_path)
        assert predictions.images == NAMES and predictions.groups is None
        assert predictions.labels.tolist() == [0, 1, 1] and predictions.predicted.tolist() == [0, 0, 1]
        np.testing.assert_array_equal(read_probabilities(tmp_path), PROBABILITIES)

    def test_has_the_groups_where_there_are_some(self, tmp_path):
        write_predictions(tmp_path, NAMES, LABELS, PROBABILITIES, groups=["p1", "p1", "p2"])
        assert read_predictions(tmp_path).groups == ["p1", "p1", "p2"]
        np.testing.assert_array_equal(read_probabilities(tmp_path), PROBABILITIES)

    def test_names_a_damaged_file(self, tmp_path):
        (tmp_path / PREDICTIONS_FILE).write_bytes(b"damage")
        with pytest.raises(HeadstartError, match="cannot be read; remove that run"):
            read_predictions(tmp_path)
