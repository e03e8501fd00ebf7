"""When a sweep's verdict is computed, and which arms stop training."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from headstart.compare.declaration import Comparison
from headstart.compare.inference.correctness import CorrectnessTable
from headstart.compare.inference.looks import plan_looks, take_looks
from headstart.compare.inference.sweep_verdicts import compute_verdicts

EQUAL = {"scratch_cnn": 0.8, "scratch_backbone": 0.8, "frozen": 0.8, "finetune": 0.8}
CLEAR = {"scratch_cnn": 0.4, "scratch_backbone": 0.6, "frozen": 0.8, "finetune": 0.95}


def draw_table(seeds=20, images=400, rng=0, max_seeds=20, **accuracies):
    draw = np.random.default_rng(rng)
    correct = {arm: (draw.random((seeds, images)) < accuracy).astype(float) for arm, accuracy in accuracies.items()}
    return CorrectnessTable(
        "flowers",
        None,
        tuple(range(max_seeds)),
        correct,
        {arm: arm for arm in correct},
        np.arange(images) % 2,
        schedule=plan_looks(max_seeds),
    )


def keep_rows(table, **rows):
    return replace(table, correct={arm: array[: rows.get(arm, len(array))] for arm, array in table.correct.items()})


class TestPlanLooks:
    @pytest.mark.parametrize("max_seeds", [1, 2, 3, 4, 5, 8, 13, 20, 21, 50])
    def test_spends_the_level_by_the_last_seed(self, max_seeds):
        looks = plan_looks(max_seeds)
        assert all(look.share > 0 for look in looks)
        assert sum(look.share for look in looks) == pytest.approx(1) and looks[-1].seeds == max_seeds
        assert all(earlier.seeds < later.seeds for earlier, later in pairwise(looks))

    def test_has_the_shares_of_the_protocol(self):
        assert [look.seeds for look in plan_looks(20)] == [3, 5, 8, 12, 20]
        assert [look.share for look in plan_looks(20)] == pytest.approx([0.10, 0.30, 0.25, 0.15, 0.20])


class TestTakeLooks:
    def test_ends_once_the_order_is_known(self):
        state = take_looks(draw_table(**CLEAR), 0.05, Comparison())
        assert state.next_look is None and state.running == ()
        assert state.verdict.unbeaten == ["finetune"] and len(state.verdict.looks) < 5

    def test_has_no_verdict_before_the_first_look(self):
        state = take_looks(keep_rows(draw_table(**CLEAR), finetune=2), 0.05, Comparison())
        assert state.verdict is None and state.next_look.seeds == 3 and set(state.running) == set(CLEAR)

    def test_waits_for_arms_without_a_run(self):
        state = take_looks(replace(draw_table(**CLEAR), lacks_arms=True), 0.05, Comparison())
        assert state.verdict is None and state.next_look.seeds == 3

    def test_judges_the_seeds_of_the_look_alone(self):
        table = draw_table(**EQUAL)
        later = keep_rows(table, scratch_cnn=4, scratch_backbone=4, frozen=7, finetune=20)
        first = take_looks(keep_rows(table, **dict.fromkeys(EQUAL, 3)), 0.05, Comparison()).verdict
        second = take_looks(later, 0.05, Comparison()).verdict
        assert second.contrasts == first.contrasts and second.levels == first.levels
        assert second.table.seeds == (0, 1, 2) and [len(rows) for rows in second.table.correct.values()] == [3] * 4

    def test_stops_beaten_arms_outside_the_contrast(self):
        table = draw_table(scratch_cnn=0.2, scratch_backbone=0.8, frozen=0.8, finetune=0.8)
        state = take_looks(keep_rows(table, **dict.fromkeys(EQUAL, 3)), 0.05, Comparison())
        assert state.verdict.dropped == {"scratch_cnn": 3}
        assert set(state.running) == {"scratch_backbone", "frozen", "finetune"} and state.next_look.seeds == 5
        # It has no later runs, and does not hold the sweep up.
        later = take_looks(keep_rows(table, scratch_cnn=3), 0.05, Comparison())
        assert len(later.verdict.looks) > 1 and len(later.verdict.table.correct["scratch_cnn"]) == 3

    def test_trains_the_declared_arms_until_their_answer(self):
        table = draw_table(scratch_cnn=0.2, scratch_backbone=0.5, frozen=0.95, finetune=0.5)
        state = take_looks(keep_rows(table, **dict.fromkeys(EQUAL, 3)), 0.05, Comparison())
        assert {"scratch_backbone", "finetune"} <= set(state.verdict.beaten_by)
        assert {"scratch_backbone", "finetune"} <= set(state.running)

    def test_keeps_what_an_earlier_look_found(self):
        table = draw_table(scratch_cnn=0.2, scratch_backbone=0.8, frozen=0.8, finetune=0.8)
        turned = {
            arm: np.concatenate([rows[:3], 1 - rows[3:]]) if arm == "scratch_cnn" else rows
            for arm, rows in table.correct.items()
        }
        verdict = take_looks(replace(table, correct=turned), 0.05, Comparison()).verdict
        early = take_looks(keep_rows(table, **dict.fromkeys(EQUAL, 3)), 0.05, Comparison()).verdict
        assert verdict.dropped["scratch_cnn"] == 3
        pair = ("scratch_cnn", "finetune")
        assert verdict.contrasts[pair] == early.contrasts[pair] and verdict.levels[pair] == early.levels[pair]

    def test_excludes_an_arm_from_the_look_of_its_bad_run_on(self):
        table = replace(keep_rows(draw_table(**EQUAL), frozen=6), bad_rows={"frozen": (6, "seed 6 failed")})
        at_five = take_looks(keep_rows(table, **dict.fromkeys(EQUAL, 5)), 0.05, Comparison())
        assert "frozen" in at_five.verdict.table.correct and not at_five.verdict.table.exclusions
        at_eight = take_looks(table, 0.05, Comparison())
        assert at_eight.verdict.table.exclusions == {"frozen": "seed 6 failed"}
        assert "frozen" not in at_eight.verdict.table.correct and len(at_eight.verdict.looks) >= 3

    def test_releases_what_an_arm_without_evidence_had_beaten(self):
        table = draw_table(scratch_cnn=0.7, scratch_backbone=0.7, frozen=0.98, finetune=0.7)
        early = take_looks(keep_rows(table, **dict.fromkeys(EQUAL, 3)), 0.05, Comparison())
        assert early.verdict.dropped == {"scratch_cnn": 3}
        failed = replace(keep_rows(table, scratch_cnn=3, frozen=4), bad_rows={"frozen": (4, "seed 4 failed")})
        waiting = take_looks(failed, 0.05, Comparison())
        assert waiting.next_look.seeds == 5 and "scratch_cnn" in waiting.running and not waiting.verdict.dropped
        state = take_looks(
            replace(failed, correct=failed.correct | {"scratch_cnn": table.correct["scratch_cnn"]}), 0.05, Comparison()
        )
        assert state.next_look is None and set(state.verdict.table.exclusions) == {"frozen"}
        assert set(state.verdict.unbeaten) == {"scratch_cnn", "scratch_backbone", "finetune"}

    def test_counts_the_images_of_its_runs_alone(self):
        table = draw_table(images=100, **EQUAL)
        rotated = {}
        for arm, rows in table.correct.items():
            fold = np.arange(100) % 5
            rotated[arm] = np.where(fold == np.arange(len(rows))[:, None] % 5, rows, np.nan)
        table = replace(table, correct=rotated, folds=5, rotates=True)
        verdict = take_looks(keep_rows(table, **dict.fromkeys(EQUAL, 4)), 0.05, Comparison()).verdict
        assert verdict.table.num_images == 60 and verdict.table.tested_share == pytest.approx(0.6)

    def test_ends_where_more_seeds_are_unlikely_to_decide(self):
        table = draw_table(images=150, scratch_backbone=0.7, finetune=0.7)
        same = {arm: np.repeat(rows[:1], 20, axis=0) for arm, rows in table.correct.items()}  # each training is alike
        state = take_looks(replace(table, correct=same), 0.05, Comparison())
        assert (
            state.next_look is None and state.verdict.looks == table.schedule[:2] and state.verdict.stopped_for_futility
        )
        again = take_looks(replace(table, correct=same, schedule=plan_looks(40)), 0.05, Comparison())
        assert again.verdict.looks == table.schedule[:2] and again.verdict.contrasts == state.verdict.contrasts

    def test_is_not_futile_while_a_look_is_left(self):
        decided = take_looks(draw_table(**CLEAR), 0.05, Comparison()).verdict
        (waiting,) = compute_verdicts([keep_rows(draw_table(**EQUAL), **dict.fromkeys(EQUAL, 4))])
        assert waiting.next_look and not decided.stopped_for_futility and not waiting.stopped_for_futility

    def test_shows_intervals_that_agree_with_the_findings(self):
        for rng in range(15):
            arms = dict(zip(EQUAL, (0.72, 0.75, 0.8, 0.8), strict=True))
            verdict = take_looks(draw_table(rng=rng, images=150, **arms), 0.05, Comparison()).verdict
            for first, second in verdict.contrasts:
                low, high = verdict.interval((first, second))
                assert (low > 0) == (first in verdict.beaten_by.get(second, []))
                assert (high < 0) == (second in verdict.beaten_by.get(first, []))


class TestComputeVerdicts:
    def test_takes_the_looks_of_a_schedule(self):
        (verdict,) = compute_verdicts([keep_rows(draw_table(**EQUAL), **dict.fromkeys(EQUAL, 5))])
        assert [look.seeds for look in verdict.looks] == [3, 5] and verdict.alpha == pytest.approx(0.05 * 0.30)

    def test_compares_nothing_before_the_first_look(self):
        (verdict,) = compute_verdicts([keep_rows(draw_table(**EQUAL), frozen=1)])
        assert not verdict.table.correct and not verdict.unbeaten and not verdict.looks
