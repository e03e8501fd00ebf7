"""Looks at a sweep while it trains: when its verdict is computed, at which share of the level, and which arms stop."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from headstart.compare.declaration import Comparison
from headstart.compare.inference.correctness import CorrectnessTable
from headstart.compare.inference.futility import is_futile
from headstart.compare.inference.verdict import Verdict, compute_verdict, find_standing_findings
from headstart.runs.sweep_file import Look

# Most of the level goes to five and eight seeds: later ones repeat the same test images, and cost most of the time.
LOOKS = (Look(3, 0.10), Look(5, 0.30), Look(8, 0.25), Look(12, 0.15), Look(20, 0.20))


@dataclass(frozen=True)
class LookState:
    """What the looks at a table have decided so far.

    Args:
        verdict: of the last look whose runs are all there; None before the first.
        running: the arms that train on.
        next_look: None where the sweep is over.
    """

    verdict: Verdict | None
    running: tuple[str, ...]
    next_look: Look | None


def plan_looks(max_seeds: int) -> tuple[Look, ...]:
    """Plans the looks of a sweep of at most ``max_seeds`` seeds; the last look takes all of the level that is left.

    The shares add up to one. Whatever the looks decide, the chance of a false answer is therefore at most the level
    (Bonferroni's inequality).

    Example:
        >>> [look.seeds for look in plan_looks(10)]
        [3, 5, 8, 10]
    """
    earlier = [look for look in LOOKS[:-1] if look.seeds < max_seeds]
    return (*earlier, Look(max_seeds, round(1 - sum(look.share for look in earlier), 10)))


def take_looks(table: CorrectnessTable, alpha: float, comparison: Comparison) -> LookState:
    """Takes the looks of a table in their order, up to one whose runs are not all there.

    A look judges the runs of its seeds alone, whichever others have ended. Beaten arms stop training; the two arms of
    the declared contrast go on until that is answered. Findings of an earlier look stand. The sweep is over once the
    order that matters is known, or more seeds are unlikely to show it.

    Args:
        table: with a schedule.
        alpha: level of all looks together.
        comparison: what is declared.
    """
    verdict: Verdict | None = None
    dropped: dict[str, int] = {}
    exclusions: dict[str, str] = {}
    for number, look in enumerate(table.schedule):
        bad = {arm: reason for arm, (row, reason) in table.bad_rows.items() if row < dropped.get(arm, look.seeds)}
        if verdict and (bad or exclusions):  # what an arm that is no evidence had beaten trains on
            standing = find_standing_findings(verdict, table.correct.keys() - exclusions.keys() - bad.keys())
            dropped = {arm: seeds for arm, seeds in dropped.items() if arm in standing}
            verdict = replace(verdict, dropped=dict(dropped))
        running = tuple(arm for arm in table.correct if arm not in dropped and arm not in bad)
        if table.lacks_arms or any(len(table.correct[arm]) < look.seeds for arm in running):
            still = tuple(arm for arm in table.models if arm not in dropped and arm not in exclusions)
            return LookState(verdict, still, look)
        exclusions |= bad
        verdict = replace(
            compute_verdict(
                _select_rows(table, look, dropped, exclusions),
                alpha * look.share,
                comparison.margin,
                comparison.metric,
                comparison.contrast,
                verdict,
            ),
            looks=table.schedule[: number + 1],
        )
        stopped = () if _is_over(verdict) else _arms_to_stop(verdict)
        dropped |= {arm: look.seeds for arm in stopped if arm not in dropped}
        verdict = replace(verdict, dropped=dict(dropped))
        if _is_over(verdict) or (look != table.schedule[-1] and is_futile(verdict, table.schedule[-1])):
            break
    return LookState(verdict, (), None)


def _select_rows(
    table: CorrectnessTable, look: Look, dropped: dict[str, int], exclusions: dict[str, str]
) -> CorrectnessTable:
    """The runs that a look judges: of an arm that has dropped out those up to then."""
    correct = {
        arm: rows[: dropped.get(arm, look.seeds)] for arm, rows in table.correct.items() if arm not in exclusions
    }
    # Of the images those that these runs test: others may be there from runs of a later look.
    is_tested = np.any([~np.isnan(rows).all(axis=0) for rows in correct.values()], axis=0) if correct else slice(0)
    return replace(
        table,
        correct={arm: rows[:, is_tested] for arm, rows in correct.items()},
        labels=table.labels[is_tested],
        groups=None if table.groups is None else table.groups[is_tested],
        seeds=table.seeds[: look.seeds],
        exclusions=dict(exclusions),
        constant_seeds={
            arm: kept
            for arm, seeds in table.constant_seeds.items()
            if (kept := [seed for seed in seeds if seed in table.seeds[: look.seeds]])
        },
    )


def _arms_to_stop(verdict: Verdict) -> Sequence[str]:
    is_open = verdict.declared_pair is not None and not _is_answered(verdict)
    needed = verdict.declared_pair if is_open else ()
    return [arm for arm in verdict.beaten_by if arm not in (needed or ())]


def _is_answered(verdict: Verdict) -> bool:
    """Whether the declared contrast is decided, or its arms are equal within the margin."""
    return verdict.is_first_better is not None or verdict.is_within_margin


def _is_over(verdict: Verdict) -> bool:
    """Whether the order that matters is known: one arm is left or all that are left are equal, and the declared
    contrast is answered or missing."""
    is_ordered = len(verdict.unbeaten) < 2 or verdict.is_tie
    return is_ordered and (verdict.declared_pair is None or _is_answered(verdict))
