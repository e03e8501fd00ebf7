from dataclasses import replace

import pytest

from headstart.understand.transfer.sweep_rows import build_transfer_sweep, select_comparable_runs


@pytest.fixture
def curve_row(run_row):
    """A function that builds a run of a transfer curve."""

    def build(num_stages=1, seed=0, data="digits", labels=5, **settings):
        settings = {"model.num_stages": num_stages, "model.mode": "frozen"} | settings
        return run_row("partial_transfer", seed, data=data, labels_per_class=labels, settings=settings)

    return build


def select(rows, data=""):
    return select_comparable_runs(rows, lambda row: data in ("", row.data))


class TestSelectComparableRuns:
    def test_selects_the_most_common_data_and_settings(self, curve_row):
        rows = [curve_row(num_stages) for num_stages in (0, 1, 2)]
        others = [curve_row(**{"model.lr": 1.0}), curve_row(data="flowers")]
        assert select(rows + others) == rows

    def test_prefers_the_images_in_question(self, run_row):
        digits, flowers = [run_row()], [run_row(seed=seed, data="flowers") for seed in (0, 1)]
        assert select(flowers + digits, "digits") == digits
        assert select(flowers, "digits") == flowers

    def test_tells_classes_apart(self, run_row):
        rows = [run_row(seed=seed, classes=("a",)) for seed in (0, 1)]
        assert select([replace(rows[0], classes=("b",)), *rows]) == rows


class TestBuildTransferSweep:
    def test_takes_the_smallest_budget(self, curve_row, run_row):
        rows = [curve_row(1, seed, labels=labels) for seed in (0, 1) for labels in (None, 20, 5)]
        sweep = build_transfer_sweep([*rows, run_row(labels_per_class=1)])
        assert (sweep.data, sweep.labels_per_class, sweep.num_runs, sweep.num_seeds) == ("digits", 5, 2, 2)
        assert sweep.curve.depths("frozen") == [1]

    def test_is_none_without_runs_of_a_curve(self, run_row):
        assert build_transfer_sweep([]) is build_transfer_sweep([run_row()]) is None
