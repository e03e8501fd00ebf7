"""The generalization gap of arms trained from scratch against that of pretrained arms."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from headstart.understand.claims import ClaimVerdict
from headstart.understand.decision import decide_by
from headstart.understand.run_row import RunRow
from headstart.understand.statistics import Estimate, t_interval

GAP_MARGIN = 0.05  # nats: a smaller gap, or difference of gaps, counts as none


@dataclass(frozen=True)
class GeneralizationGap:
    """Loss on test images minus loss on training images of an arm at a budget, in nats of cross-entropy.

    Args:
        arm: name of its model.
        is_pretrained: whether training began with pretrained weights.
        labels_per_class: the budget; None: all labels.
        loss_gap: over seeds.
        excess: the gap minus the largest gap of a pretrained arm, paired by seed; None for a pretrained arm and
            without a pretrained arm of the same budget and seeds.
        accuracy: on test images, over seeds.

    Example:
        >>> [gap.arm for gap in generalization_gaps(rows) if gap.is_overfitting]
    """

    arm: str
    is_pretrained: bool
    labels_per_class: int | None
    loss_gap: Estimate
    excess: Estimate | None
    accuracy: Estimate

    @property
    def is_overfitting(self) -> bool:
        """Whether it has a gap, larger than every pretrained arm's."""
        return self.excess is not None and self.loss_gap.low > 0 and self.excess.low > 0 and not self.is_contrary

    @property
    def is_contrary(self) -> bool:
        """Whether it has no gap, or one that exceeds the pretrained arms' by at most the margin."""
        return self.excess is not None and (self.excess.high <= GAP_MARGIN or self.loss_gap.high <= GAP_MARGIN)


def generalization_gaps(rows: Sequence[RunRow]) -> list[GeneralizationGap]:
    """The gap of each arm at each budget, smallest budget first.

    Args:
        rows: of runs; those without a training loss are ignored. Runs of one arm, budget and seed (folds) are averaged.
    """
    rows = [row for row in rows if row.training_loss is not None]
    budgets = sorted({row.labels_per_class for row in rows}, key=lambda labels: labels or float("inf"))
    return [
        gap
        for budget in budgets
        for gap in _compute_budget_gaps([row for row in rows if row.labels_per_class == budget], budget)
    ]


def _compute_budget_gaps(rows: Sequence[RunRow], budget: int | None) -> list[GeneralizationGap]:
    runs: dict[tuple[str, bool], dict[int, list[RunRow]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        runs[row.model, row.is_pretrained][row.seed].append(row)
    gaps = {arm: {seed: _mean_gap(folds) for seed, folds in seeds.items()} for arm, seeds in runs.items()}
    largest: dict[int, float] = {}
    for (_, is_pretrained), by_seed in gaps.items():
        if is_pretrained:
            largest |= {seed: max(gap, largest.get(seed, gap)) for seed, gap in by_seed.items()}
    results = []
    for (arm, is_pretrained), by_seed in sorted(gaps.items()):
        excess = [] if is_pretrained else [by_seed[seed] - largest[seed] for seed in by_seed if seed in largest]
        accuracies = [fmean(row.accuracy for row in folds) for folds in runs[arm, is_pretrained].values()]
        results.append(
            GeneralizationGap(
                arm,
                is_pretrained,
                budget,
                t_interval([*by_seed.values()]),
                t_interval(excess) if excess else None,
                t_interval(accuracies).clip_to_unit_interval(),
            )
        )
    return results


def overfitting_verdict(gaps: Sequence[GeneralizationGap]) -> ClaimVerdict:
    """Whether training from scratch overfits more than training from pretrained weights.

    Holds if every arm from scratch overfits at every budget; fails if the contrary is true of each; not measured
    without seeds that have both kinds; otherwise depends.
    """
    compared = [gap for gap in gaps if gap.excess is not None]
    if not compared:
        return "not measured"
    return decide_by(holds=all(gap.is_overfitting for gap in compared), fails=all(gap.is_contrary for gap in compared))


def _mean_gap(rows: Sequence[RunRow]) -> float:
    return fmean(row.test_loss - (row.training_loss or 0.0) for row in rows)
