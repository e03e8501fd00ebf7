"""Which runs may be evidence at all, and how often one has looked at them."""

import math
from collections.abc import Sequence

from headstart.compare.arm_names import RunResult

MAX_LOSS_TO_ENTROPY = (
    0.95  # of the entropy of the training labels: whose loss stays above has learned little but their shares
)


def exclusion_reason(results: Sequence[RunResult]) -> str | None:
    """Why an arm with these runs at a budget is no evidence there; None where it is.

    One run suffices: dropping a seed for how it ended would choose among the arm's results.

    Args:
        results: what the ``result.json`` of each run says, failed ones among them.
    """
    return next((reason for result in results if (reason := _run_exclusion_reason(result))), None)


def _run_exclusion_reason(result: RunResult) -> str | None:
    which = f"seed {result['seed']}" + (f", fold {result['fold']}," if (result.get("folds") or 1) > 1 else "")
    if result.get("status") == "failed":
        return f"{which} failed: {result.get('error', 'it says no reason')}"
    training = result.get("training")
    if not training:
        return None
    loss, entropy = training.get("loss"), training.get("label_entropy")
    if loss is None or not math.isfinite(loss):
        return f"{which} never learned: its loss is no number"
    if entropy is not None and loss > MAX_LOSS_TO_ENTROPY * entropy:
        return f"{which} never learned: a loss of {loss:.3f} on its training images, where guessing has {entropy:.3f}"
    return None


def count_looks(results: Sequence[RunResult], superseded: Sequence[Sequence[RunResult]] = ()) -> int:
    """How often seeds were added to those asked for before, the first time included; those of superseded runs as well.

    A command that goes on after a kill asks for nothing new. Results of older versions do not say what was asked.

    Args:
        results: those that count.
        superseded: those whose place others have taken, a time that all was trained anew after the other.
    """
    return sum(map(_count_seed_additions, [results, *superseded]))


def _count_seed_additions(results: Sequence[RunResult]) -> int:
    asked = [(result.get("started") or "", result["asked_seeds"]) for result in results if result.get("asked_seeds")]
    dated = all(started for started, _ in asked)
    count = 0
    seen: set[int] = set()
    for _, seeds in sorted(asked, key=lambda one: (one[0] if dated else "", len(one[1]), one[1])):
        count += not seen.issuperset(seeds)
        seen.update(seeds)
    return max(count, 1)
