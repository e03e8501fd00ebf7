"""Whether training from scratch overfits small data more than training from a pretrained network does."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from headstart.understand.claims import Verdict
from headstart.understand.statistics import Interval, of_seeds

MARGIN = 0.05  # nats: what a gap may be and still count as none

Row = dict[str, Any]


@dataclass(frozen=True)
class Gap:
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
    pretrained: bool
    labels_per_class: int | None
    gap: Interval
    more: Interval | None
    accuracy: Interval

    @property
    def overfits(self) -> bool:
        return self.more is not None and self.gap.low > 0 and self.more.low > 0 and not self.contrary

    @property
    def contrary(self) -> bool:
        """Whether it surely has no gap, or one that is larger by the margin at most."""
        return self.more is not None and (self.more.high <= MARGIN or self.gap.high <= MARGIN)


def gaps(rows: Sequence[Row]) -> list[Gap]:
    """Each arm at each budget, the smallest first.

    Args:
        rows: a dict a run: ``arm``, ``pretrained``, ``labels_per_class``, ``seed``, ``train_loss`` and ``test_loss``
            (cross-entropy in nats), ``accuracy`` (on test images). Several of one arm, budget and seed (folds) are
            averaged.
    """
    found = []
    for budget in sorted({row["labels_per_class"] for row in rows}, key=lambda labels: labels or float("inf")):
        arms: dict[tuple[str, bool], dict[int, list[Row]]] = defaultdict(lambda: defaultdict(list))
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
            over = of_seeds(more) if more else None
            found.append(Gap(arm, pretrained, budget, of_seeds([*own.values()]), over, of_seeds(accuracy).of_shares()))
    return found


def overfits(found: Sequence[Gap]) -> Verdict:
    """Holds where every arm from scratch, at every budget, surely has a gap and a larger one than every pretrained arm;
    fails where every one surely has not; not measured where no seed has both kinds; else it depends."""
    compared = [gap for gap in found if gap.more is not None]
    if not compared:
        return "not measured"
    if all(gap.overfits for gap in compared):
        return "holds"
    return "fails" if all(gap.contrary for gap in compared) else "depends"


def _mean_gap(rows: Sequence[Row]) -> float:
    return fmean(row["test_loss"] - row["train_loss"] for row in rows)
