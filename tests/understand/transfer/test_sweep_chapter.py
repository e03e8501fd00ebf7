import json
from dataclasses import replace

import pytest

from headstart.understand.transfer.sweep_chapter import SWEEP_CLAIMS, build_sweeps_chapter

ARCHITECTURE_CLAIM = "each-network-beat-the-last"


@pytest.fixture
def curve(run_row):
    """A function that builds the runs of a transfer curve."""

    def build(first=0.8):
        accuracies = {"frozen": [0.8, first, 0.4], "finetuned": [0.8, 0.805, 0.9], "random_frozen": [0.8, 0.5, 0.2]}
        return [
            run_row(
                "partial_transfer",
                seed,
                by_depth[depth] + 0.001 * (seed * depth % 2),
                settings={"model.num_stages": depth, "model.mode": mode},
            )
            for mode, by_depth in accuracies.items()
            for depth in range(3)
            for seed in range(3)
        ]

    return build


@pytest.fixture
def comparison(run_row):
    """A function that builds the runs of a comparison."""

    def build(scratch=1.5):
        losses = {"scratch_cnn": scratch, "finetune": 0.6, "frozen": 0.4}
        return [
            run_row(model, seed, test_loss=loss + 0.01 * (seed % 2))
            for model, loss in losses.items()
            for seed in range(3)
        ]

    return build


@pytest.fixture
def build(subject):
    """A function that builds the chapter of a sweep's runs, and its claims by name."""

    def build_chapter(rows, data="digits"):
        chapter = build_sweeps_chapter(replace(subject, sweep=rows, data_name=data), lambda text: None)
        json.dumps(chapter.numbers, allow_nan=False)
        return {claim.name: claim for claim in chapter.claims}, chapter

    return build_chapter


def other_verdicts(claims):
    """The verdicts of the claims but that on architectures."""
    return {claim.verdict for name, claim in claims.items() if name != ARCHITECTURE_CLAIM}


class TestClaims:
    def test_are_not_measured_without_a_sweep(self, build):
        claims, chapter = build(None)
        assert set(claims) == set(SWEEP_CLAIMS) and {claim.verdict for claim in claims.values()} == {"not measured"}
        assert "experiment=transferability" in claims["lower-layers-transfer"].command
        assert "experiment=compare" in claims["scratch-overfits"].command and "--sweep" in chapter.content[0]

    def test_hold_on_a_curve_and_a_comparison(self, build, curve, comparison):
        claims, chapter = build(curve() + comparison())
        assert other_verdicts(claims) == {"holds"}
        assert claims["lower-layers-transfer"].interval is not None and not claims["lower-layers-transfer"].command
        assert chapter.numbers["frozen"]["over_scratch"][0] == pytest.approx(0, abs=0.01)
        assert (chapter.numbers["cases"], chapter.numbers["overfit"]) == (1, 1)
        assert [round(gap["accuracy"][0], 3) for gap in chapter.numbers["gaps"]] == [0.8] * 3

    def test_fail_on_contrary_sweeps(self, build, curve, comparison):
        assert other_verdicts(build(curve(first=0.6) + comparison(scratch=0.2))[0]) == {"fails"}

    def test_depend_on_one_seed(self, build, curve, comparison):
        claims, _ = build([row for row in curve() + comparison() if row.seed == 0])
        assert other_verdicts(claims) == {"depends"} and claims["scratch-overfits"].interval is None

    def test_need_their_kind_of_sweep(self, build, curve, comparison):
        assert build(comparison())[0]["lower-layers-transfer"].verdict == "not measured"
        assert build(curve())[0]["scratch-overfits"].verdict == "not measured"
        assert {claim.verdict for claim in build([])[0].values()} == {"not measured"}

    def test_on_architectures_needs_all_three(self, build, run_row, curve, comparison):
        accuracies = {"lenet": 0.7, "alexnet": 0.8, "scratch_backbone": 0.9}
        rows = [run_row(model, seed, value + seed / 100) for model, value in accuracies.items() for seed in range(3)]
        assert build(rows)[0][ARCHITECTURE_CLAIM].verdict == "holds"
        assert build(curve() + comparison())[0][ARCHITECTURE_CLAIM].verdict == "not measured"

    def test_on_adaptation_needs_lower_depths(self, build, curve):
        rows = [row for row in curve() if row.settings["model.num_stages"] == 1]
        assert build(rows)[0]["only-higher-layers-adapt"].verdict == "not measured"

    def test_on_overfitting_needs_training_losses(self, build, comparison):
        rows = [replace(row, training_loss=None) for row in comparison()]
        assert build(rows)[0]["scratch-overfits"].verdict == "not measured"
        assert build(rows[:1] + comparison()[1:])[0]["scratch-overfits"].verdict == "holds"

    def test_use_the_smallest_budget_of_a_curve(self, build, curve):
        larger = [replace(row, labels_per_class=20) for row in curve(first=0.6)]
        assert build(larger + curve())[0]["lower-layers-transfer"].verdict == "holds"


class TestData:
    def test_runs_of_other_images_or_settings_are_left_out(self, build, run_row, curve, comparison):
        others = [replace(row, data="flowers") for row in comparison(scratch=0.2)]
        tuned = run_row("scratch_cnn", test_loss=0.1, settings={"model.lr": 1.0})
        claims, chapter = build([*curve(), *comparison(), *others, tuned])
        assert claims["scratch-overfits"].verdict == "holds"
        assert chapter.content[0].startswith("10 runs have other images or settings")

    def test_is_named_in_each_claim(self, build, curve, comparison):
        claims, chapter = build(curve() + comparison())
        values = [claim.value for claim in claims.values() if claim.verdict != "not measured"]
        assert len(values) == 3 and all(value.startswith("on digits: ") for value in values)
        assert not chapter.numbers["other_images"]

    @pytest.mark.parametrize(("data", "classes"), [("flowers", ()), ("digits", ("rose", "tulip"))])
    def test_other_images_are_named_as_such(self, build, curve, comparison, data, classes):
        rows = [replace(row, data=data, classes=classes) for row in curve() + comparison()]
        claims, chapter = build(rows)
        values = [claim.value for claim in claims.values() if claim.verdict != "not measured"]
        prefix = f"on {data}, not the images of this network: "
        assert len(values) == 3 and all(value.startswith(prefix) for value in values)
        assert "this network was trained on other images" in chapter.content[0] and chapter.numbers["other_images"]

    def test_the_networks_images_come_before_more_numerous_ones(self, build, curve, comparison):
        others = [replace(row, data="flowers") for row in curve() + comparison(scratch=0.2)]
        claim = build(others + comparison())[0]["scratch-overfits"]
        assert claim.value.startswith("on digits: ") and claim.verdict == "holds"

    def test_unknown_names_are_compared_by_classes(self, build, comparison):
        assert not build(comparison(), data="")[1].numbers["other_images"]
        others = [replace(row, classes=("rose",)) for row in comparison()]
        assert build(others, data="")[1].numbers["other_images"]
