"""What an arm said of the test images, read from its runs."""

import numpy as np
import pytest

from headstart.compare.evaluation.predictions import load_predictions


def test_the_mean_is_over_the_runs_even_where_two_are_of_one_seed(fake_run):
    places = [((0, 0), fake_run(seed=0, sweep=name)) for name in ("one", "two")] + [((0, 1), fake_run(seed=1))]
    assert load_predictions(places).probabilities.sum(axis=1) == pytest.approx(np.ones(60), abs=1e-5)
