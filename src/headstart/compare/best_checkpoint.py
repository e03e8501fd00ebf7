"""The model in the hand: which checkpoint of a sweep its verdict speaks for."""

from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from headstart.compare.arm_names import RunResult, arm_names
from headstart.compare.collect.missing_runs import find_unfinished_sweeps
from headstart.compare.inference.analysis import SweepAnalysis, analyze_sweep
from headstart.compare.report import text
from headstart.errors import HeadstartError
from headstart.runs.checkpoint import resolve_checkpoint

LoadedRun = tuple[Path, RunResult]


@dataclass(frozen=True)
class BestCheckpoint:
    """A run's chosen model, and in a line why it is this one."""

    path: Path
    reason: str


def find_best_checkpoint(sweep: str | Path) -> BestCheckpoint:
    """The arm that nothing beat at the largest budget (of a tie the cheapest to train, of several that are undecided
    the most accurate so far), and of its runs the one most accurate on validation images, or the lowest seed where
    nothing validates. No test image chooses between runs.

    Raises:
        HeadstartError: there is no such sweep, it holds several data sets, or no arm can be compared.
    """
    told = analyze_sweep(sweep)
    finished = told.runs.finished
    names = arm_names([result for _, result in finished])
    if len(data := sorted({result["data"] for _, result in finished})) > 1:
        raise HeadstartError(f"{sweep}: holds runs of {' and '.join(data)}; name a sweep of one data set")
    if not finished:
        raise HeadstartError(f"{sweep}: no run has come to its end; give its command again")
    budgets = {result["labels_per_class"] for _, result in finished}
    largest = None if None in budgets else max(budgets)
    arms: dict[str, list[LoadedRun]] = {}
    for name, (directory, result) in zip(names, finished, strict=True):
        if result["labels_per_class"] == largest:
            arms.setdefault(name, []).append((directory, result))
    at = "all labels" if largest is None else f"{largest} labels per class"
    arm, why = _choose_arm(arms, told, largest, at)
    (directory, result), how = _choose_run(arms[arm])
    without = "".join(
        f"; {other} is refused as evidence there: {reason}"
        for verdict in told.verdicts
        if verdict.table.labels_per_class == largest
        for other, reason in verdict.table.exclusions.items()
    )
    lacks = "".join(f". {text.describe_unfinished_sweep(state)}" for state in find_unfinished_sweeps(told.runs))
    right = f"{mean(r['metrics']['test/accuracy'] for _, r in arms[arm]):.1%} of the test images over all its runs"
    said = f"{arm} at {at}: {why}; right on {right}; seed {result['seed']}, {how}{without}{lacks}"
    return BestCheckpoint(resolve_checkpoint(directory), said)


def _choose_arm(
    arms: dict[str, list[LoadedRun]], analysis: SweepAnalysis, largest: int | None, budget_text: str
) -> tuple[str, str]:
    at_largest = [verdict for verdict in analysis.verdicts if verdict.table.labels_per_class == largest]
    refused = at_largest[0].table.exclusions if at_largest else {}
    if len(arms) == 1 and not arms.keys() & refused.keys():
        others = "the only arm there" if not refused else "no other arm there is fit to be compared"
        return next(iter(arms)), others
    trouble = at_largest[0].table.error if at_largest else analysis.error
    if trouble:
        raise HeadstartError(f"no verdict at {budget_text}: {trouble}")
    if not at_largest or not at_largest[0].unbeaten:
        why = text.missing_verdict_reason(at_largest[0]) if at_largest else "its runs do not say what they are"
        reasons = f" ({'; '.join(refused.values())})" if refused else ""
        raise HeadstartError(f"no verdict at {budget_text}: {why}{reasons}")
    left = [arm for arm in at_largest[0].unbeaten if arm in arms]
    if len(left) == 1:
        others = (
            "no other arm is fit to be compared" if len(at_largest[0].table.correct) == 1 else "every other was beaten"
        )
        return left[0], f"nothing beat it, and {others}"
    if at_largest[0].is_tie:
        chosen = min(left, key=lambda arm: mean(result["cost"]["seconds"] for _, result in arms[arm]))
        word, most = "a tie of", "trains fastest"
    else:  # the cheapest could be far behind, where few images or seeds leave much open
        chosen = left[0]
        word, most = f"undecided {text.between_or_among(left)}", "was right most often so far, which may be luck"
    others = text.join_with_and([arm for arm in left if arm != chosen])
    return chosen, f"{word} it and {others}, of which it {most}"


def _choose_run(runs_of_arm: list[LoadedRun]) -> tuple[LoadedRun, str]:
    validated = [run for run in runs_of_arm if run[1]["metrics"].get("val/accuracy") is not None]
    if validated:
        chosen = max(validated, key=lambda run: (run[1]["metrics"]["val/accuracy"], -run[1]["seed"]))
        return chosen, f"the best on validation images ({chosen[1]['metrics']['val/accuracy']:.1%})"
    return min(runs_of_arm, key=lambda run: run[1]["seed"]), "the lowest, since nothing validates at this budget"
