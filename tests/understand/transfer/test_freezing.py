import pytest

from headstart.understand.statistics import Estimate
from headstart.understand.transfer.freezing import (
    count_stages_to_freeze_from_curve,
    count_stages_to_freeze_from_probes,
    explain_undecided_stage_change,
    first_stage_transfer_verdict,
    format_advice_check,
    format_curve_advice,
    format_probe_advice,
    freezing_verdict,
    gains_over_full_finetuning,
    stage_change_verdict,
    universality_verdict,
)
from headstart.understand.transfer.sweep_rows import build_transfer_sweep

LIKELY, POSSIBLE = Estimate(0.06, -0.02, 0.14), Estimate(0.04, 0.01, 0.08)
NOTHING, SMALL, LARGE = Estimate(0.0, -0.02, 0.02), Estimate(0.01, 0.005, 0.03), Estimate(0.2, 0.1, 0.3)
UNKNOWN = Estimate(0.02, -0.1, 0.14)
LOSS = Estimate(-0.1, -0.2, -0.01)
CKA_DROPS = {"large": Estimate(0.4, 0.3, 0.5), "none": NOTHING, "unknown": Estimate(0.04, -0.1, 0.2)}
SIMILARITY = [Estimate(0.99, 0.98, 1.0), Estimate(0.9, 0.8, 1.0), Estimate(0.4, 0.3, 0.5)]
SMALL_LOSS, LARGE_LOSS, UNKNOWN_LOSS = (
    Estimate(-0.01, -0.015, 0.0),
    Estimate(-0.2, -0.25, -0.15),
    Estimate(-0.01, -0.2, 0.18),
)


class TestUniversalityVerdict:
    @pytest.mark.parametrize(
        ("gain", "verdict"),
        [
            (NOTHING, "holds"),
            (SMALL, "holds"),
            (LARGE, "fails"),
            (UNKNOWN, "depends"),
            (POSSIBLE, "depends"),
            (LIKELY, "depends"),
        ],
    )
    def test_depends_on_the_gain_by_training(self, gain, verdict):
        assert universality_verdict(gain, LOSS) == verdict

    @pytest.mark.parametrize(
        ("gain", "random", "verdict"),
        [(NOTHING, UNKNOWN, "depends"), (NOTHING, LARGE, "depends"), (LARGE, UNKNOWN, "fails")],
    )
    def test_never_holds_if_random_weights_may_do_as_well(self, gain, random, verdict):
        assert universality_verdict(gain, random) == verdict


class TestFirstStageTransferVerdict:
    @pytest.mark.parametrize(
        ("gain", "verdict"),
        [(LARGE, "holds"), (POSSIBLE, "holds"), (NOTHING, "fails"), (SMALL, "fails"), (UNKNOWN, "depends")],
    )
    def test_compares_with_the_margin(self, gain, verdict):
        assert first_stage_transfer_verdict(gain) == verdict


class TestStageChangeVerdict:
    @pytest.mark.parametrize(
        ("drop", "changes", "verdict"),
        [
            ("large", [0.1, 0.5], "holds"),
            ("none", [0.5, 0.1], "fails"),
            ("large", [0.5, 0.1], "depends"),
            ("none", [0.1, 0.5], "depends"),
            ("unknown", [0.5, 0.1], "depends"),
            ("unknown", [0.1, 0.5], "depends"),
        ],
    )
    def test_needs_cka_and_weights_to_agree(self, drop, changes, verdict):
        assert stage_change_verdict(CKA_DROPS[drop], changes) == verdict

    @pytest.mark.parametrize(
        ("drop", "text"), [("large", "disagree"), ("none", "disagree"), ("unknown", "too few images")]
    )
    def test_undecided_verdict_is_explained(self, drop, text):
        assert text in explain_undecided_stage_change(CKA_DROPS[drop])


class TestCountStagesToFreezeFromProbes:
    @pytest.mark.parametrize(
        ("gains", "count"),
        [
            ([NOTHING, UNKNOWN, LARGE, NOTHING], 2),
            ([LARGE, NOTHING], 0),
            ([NOTHING, NOTHING], 2),
            ([SMALL, POSSIBLE, LIKELY], 2),
        ],
    )
    def test_stops_at_the_first_stage_that_gained(self, gains, count):
        assert count_stages_to_freeze_from_probes(gains) == count

    @pytest.mark.parametrize("high", [0.01, 0.03, 0.049, 0.051, 0.07, 0.2])
    @pytest.mark.parametrize("low", [-0.2, -0.01, 0.005, 0.049, 0.051, 0.06])
    def test_never_contradicts_the_universality_verdict(self, low, high):
        if low > high:
            return
        is_frozen = count_stages_to_freeze_from_probes([Estimate((low + high) / 2, low, high)]) == 1
        verdict = universality_verdict(Estimate(0, low, high), LOSS)
        assert {"holds": is_frozen, "fails": not is_frozen, "depends": True}[verdict]


class TestFormatProbeAdvice:
    def test_names_stage_and_evidence(self):
        text = format_probe_advice(["stem", "layer1", "layer2"], [NOTHING, UNKNOWN, LARGE], SIMILARITY)
        assert "freeze up to stage 2 (layer1) on this data" in text and "+2.0 points (−10.0 to +14.0)" in text
        assert "CKA with the pretrained stages is 0.90 or more" in text
        assert "+20.0 points (+10.0 to +30.0): train those" in text
        assert "too few images to exclude" in text and "keep the backbone" not in text

    def test_freezes_all_stages(self):
        text = format_probe_advice(["stem"], [NOTHING], SIMILARITY)
        assert "keep the backbone as it is" in text and "too few" not in text and "train those" not in text

    def test_freezes_nothing(self):
        assert format_probe_advice(["stem"], [LARGE], SIMILARITY).startswith("Advice: freeze nothing")


class TestGainsOverFullFinetuning:
    def test_pairs_by_seed(self, curve_rows):
        gains = gains_over_full_finetuning(build_transfer_sweep(curve_rows()), 2)
        assert [round(gain.value, 3) for gain in gains] == [-0.3, -0.005, -0.2]
        assert all(gain.high - gain.low < 0.01 for gain in gains)

    def test_is_empty_for_another_number_of_stages(self, curve_rows):
        assert gains_over_full_finetuning(build_transfer_sweep(curve_rows()), 3) == []

    def test_is_empty_for_an_incomplete_curve(self, curve_rows):
        missing = {"model.num_stages": 1, "model.mode": "frozen"}
        rows = [row for row in curve_rows() if row.settings != missing]
        assert gains_over_full_finetuning(build_transfer_sweep(rows), 2) == []


class TestCountStagesToFreezeFromCurve:
    @pytest.mark.parametrize(
        ("gains", "count"),
        [
            ([LARGE_LOSS, SMALL_LOSS, LARGE_LOSS], 1),
            ([LARGE_LOSS, LARGE_LOSS, SMALL_LOSS], 2),
            ([SMALL_LOSS, LARGE_LOSS, LARGE_LOSS], 0),
        ],
    )
    def test_is_the_largest_number_with_a_small_loss(self, gains, count):
        assert count_stages_to_freeze_from_curve(gains) == count


class TestFreezingVerdict:
    @pytest.mark.parametrize(
        ("count", "gain", "verdict"),
        [
            (1, SMALL_LOSS, "holds"),
            (1, LARGE_LOSS, "fails"),
            (1, UNKNOWN_LOSS, "depends"),
            (0, SMALL_LOSS, "fails"),
            (0, LARGE_LOSS, "holds"),
            (0, UNKNOWN_LOSS, "depends"),
        ],
    )
    def test_compares_the_loss_with_the_margin(self, count, gain, verdict):
        assert freezing_verdict(count, [LARGE_LOSS, gain]) == verdict


class TestFormatCurveAdvice:
    @staticmethod
    def advise(rows):
        sweep = build_transfer_sweep(rows)
        return format_curve_advice(sweep, ["stem", "layer1"], gains_over_full_finetuning(sweep, 2))

    def test_names_stage_and_source(self, curve_rows):
        text = self.advise(curve_rows())
        assert "freeze up to stage 1 (stem)" in text and "digits, 5 labels per class, 3 seeds" in text
        assert "stronger evidence" in text and "too few" not in text

    def test_doubts_one_seed(self, curve_rows):
        assert "too few seeds" in self.advise(curve_rows(seeds=1))

    def test_freezes_nothing(self, curve_rows):
        assert self.advise(curve_rows(frozen=(0.5, 0.7, 0.6))).startswith("Advice: freeze nothing")


class TestFormatAdviceCheck:
    @pytest.mark.parametrize(
        ("count", "gain", "text"),
        [
            (2, LARGE_LOSS, "so their advice fails"),
            (2, LARGE_LOSS, "2 stages frozen its runs are −20.0 points"),
            (0, SMALL_LOSS, "so their advice fails"),
            (1, UNKNOWN_LOSS, "too few seeds"),
        ],
    )
    def test_tells_the_outcome(self, count, gain, text):
        gains = [LARGE_LOSS] * 3
        gains[count or 1] = gain
        assert text in format_advice_check(count, gains)
