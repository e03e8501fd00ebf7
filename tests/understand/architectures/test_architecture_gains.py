import pytest

from headstart.understand.architectures.architecture_gains import (
    add_architecture_claim,
    architecture_gains,
    architecture_gains_verdict,
    collect_paired_accuracies,
)
from headstart.understand.claims import Chapter
from headstart.understand.statistics import Estimate

RISING = {"lenet": [0.7, 0.71, 0.9], "alexnet": [0.8, 0.81], "scratch_backbone": [0.9, 0.92]}
FALLING = RISING | {"alexnet": [0.5, 0.51]}
BETTER, OPEN, WORSE = Estimate(1.0, 0.5, 1.5), Estimate(0.5, -0.5, 1.5), Estimate(-1.0, -1.5, -0.5)


@pytest.fixture
def build_rows(run_row):
    """A function that builds runs with the accuracies of each model by seed."""

    def build(budget=5, **accuracies):
        return [
            run_row(model, seed, accuracy, labels_per_class=budget)
            for model, by_seed in accuracies.items()
            for seed, accuracy in enumerate(by_seed)
        ]

    return build


class TestCollectPairedAccuracies:
    def test_takes_the_common_seeds(self, build_rows):
        rows = build_rows(**RISING, plain_resnet=[0.1, 0.1])
        assert collect_paired_accuracies(rows) == [[0.7, 0.71], [0.8, 0.81], [0.9, 0.92]]

    def test_takes_the_largest_budget_with_all_three(self, build_rows):
        rows = build_rows(5, **RISING) + build_rows(10, **FALLING)
        assert collect_paired_accuracies(rows + build_rows(20, lenet=[0.7, 0.7]))[1] == [0.5, 0.51]
        assert collect_paired_accuracies(rows + build_rows(None, **RISING))[1] == [0.8, 0.81]

    def test_is_empty_without_all_three(self, build_rows):
        assert collect_paired_accuracies(build_rows(lenet=[0.7, 0.7])) == []


class TestArchitectureGains:
    def test_are_paired_by_seed(self, build_rows):
        gains = architecture_gains(collect_paired_accuracies(build_rows(**RISING)))
        assert [gain.value for gain in gains] == pytest.approx([0.1, 0.105])
        assert gains[0].low == pytest.approx(gains[0].high)

    @pytest.mark.parametrize(
        ("gains", "verdict"),
        [([BETTER, BETTER], "holds"), ([BETTER, OPEN], "depends"), ([BETTER, WORSE], "fails")],
    )
    def test_verdict_fails_if_one_is_worse(self, gains, verdict):
        assert architecture_gains_verdict(gains) == verdict


class TestAddArchitectureClaim:
    @pytest.fixture
    def chapter(self):
        return Chapter("sweeps", "", sentences={"gains": "Each is better."})

    def test_names_the_accuracies(self, chapter):
        add_architecture_claim(chapter, "gains", [[0.7, 0.71], [0.8, 0.81], [0.9, 0.92]])
        assert chapter.claims[0].verdict == "holds"
        assert chapter.claims[0].value == "lenet 70.5 %, alexnet 80.5 %, scratch_backbone 91.0 %"

    def test_is_not_measured_without_accuracies(self, chapter):
        add_architecture_claim(chapter, "gains", [])
        assert chapter.claims[0].verdict == "not measured"
        assert "experiment=architectures" in chapter.claims[0].command
