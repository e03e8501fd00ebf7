"""The predictions of an arm, over its runs."""

import numpy as np
import pytest

from headstart.compare.collect.sweep_runs import collect_runs
from headstart.compare.evaluation.predictions import load_predictions
from headstart.errors import HeadstartError


class TestLoadPredictions:
    def test_averages_runs_of_one_seed_too(self, fake_run, tmp_path):
        for sweep, seed in (("one", 0), ("two", 0), ("one", 1)):
            fake_run(seed=seed, sweep=sweep)
        predictions = load_predictions(collect_runs(tmp_path / "one", tmp_path / "two").finished)
        assert predictions.probabilities.sum(axis=1) == pytest.approx(np.ones(60), abs=1e-5)

    def test_rejects_other_images(self, fake_run):
        fake_run()
        run = fake_run(seed=1, names=[f"other{i}.png" for i in range(60)])
        with pytest.raises(HeadstartError, match="tested on other images"):
            load_predictions(collect_runs(run.parent).finished)
