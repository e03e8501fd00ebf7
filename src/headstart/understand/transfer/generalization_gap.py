"""Whether training from scratch overfits small data more than training from a pretrained network does."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from headstart.understand.claims import ClaimVerdict
from headstart.understand.statistics import Estimate, t_interval

GAP_MARGIN = 0.05  # nats: what a gap may be and still count as none

GapRow = dict[str, Any]


@dataclass(frozen=True)
class GeneralizationGap:
    """How much worse an arm knows test images than those that trained it, in nats of cross-entropy.

    Args:
        arm: its name.
        pretrained: whether its network was.
        labels_per_class: the budget; None: all.
        gap: over seeds.
        more: by how much it is above that of the pretrained arm whose gap is largest, seed by seed; None for a
            pretrained arm, and where there is none beside it.
        accuracy: on test images, over seeds.
    """

    arm: str
    is_pretrained: bool
    labels_per_class: int | None
    loss_gap: Estimate
    excess: Estimate | None
    accuracy: Estimate

    @property
    def is_overfitting(self) -> bool:
        return self.excess is not None and self.loss_gap.low > 0 and self.excess.low > 0 and not self.is_contrary

    @property
    def is_contrary(self) -> bool:
        """Whether it surely has no gap, or one that is larger by the margin at most."""
        return self.excess is not None and (self.excess.high <= GAP_MARGIN or self.loss_gap.high <= GAP_MARGIN)


def generalization_gaps(rows: Sequence[GapRow]) -> list[GeneralizationGap]:
    """Each arm at each budget, the smallest first.

    Args:
        rows: a dict a run: ``arm``, ``pretrained``, ``labels_per_class``, ``seed``, ``train_loss`` and ``test_loss``
            (cross-entropy in nats), ``accuracy`` (on test images). Several of one arm, budget and seed (folds) are
            averaged.
    """
    found = []
    for budget in sorted({row["labels_per_class"] for row in rows}, key=lambda labels: labels or float("inf")):
        arms: dict[tuple[str, bool], dict[int, list[GapRow]]] = defaultdict(lambda: defaultdict(list))
        for row in rows:
            if row["labels_per_class"] == budget:
                arms[row["arm"], row["pretrained"]][row["seed"]].append(row)
        gap = {arm: {seed: _mean_gap(some) for seed, some in seeds.items()} for arm, seeds in arms.items()}
        for (arm, pretrained), own in sorted(gap.items()):
            others = [seeds for (_, other), seeds in gap.items() if other]
            largest = {
                seed: max(seeds[seed] for seeds in others if seed in seeds) for seeds in others for seed in seeds
            }
            more = [] if pretrained else [own[seed] - largest[seed] for seed in own if seed in largest]
            accuracy = [fmean(row["accuracy"] for row in some) for some in arms[arm, pretrained].values()]
            over = t_interval(more) if more else None
            found.append(
                GeneralizationGap(
                    arm,
                    pretrained,
                    budget,
                    t_interval([*own.values()]),
                    over,
                    t_interval(accuracy).clip_to_unit_interval(),
                )
            )
    return found


def overfitting_verdict(gaps: Sequence[GeneralizationGap]) -> ClaimVerdict:
    """Holds where every arm from scratch, at every budget, surely has a gap and a larger one than every pretrained arm;
    fails where every one surely has not; not measured where no seed has both kinds; else it depends."""
    compared = [gap for gap in gaps if gap.excess is not None]
    if not compared:
        return "not measured"
    if all(gap.is_overfitting for gap in compared):
        return "holds"
    return "fails" if all(gap.is_contrary for gap in compared) else "depends"


def _mean_gap(rows: Sequence[GapRow]) -> float:
    return fmean(row["test_loss"] - row["train_loss"] for row in rows)
