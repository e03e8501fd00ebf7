"""The transferability curve: accuracy by how many stages are kept from pretraining (Yosinski et al. 2014)."""

from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

from headstart.reporting.charts import COLOURS, INK, drawn
from headstart.understand.claims import Verdict
from headstart.understand.statistics import Interval, of_seeds

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WAYS = {
    "frozen": "pretrained, frozen",
    "finetuned": "pretrained, fine-tuned",
    "random_frozen": "random, frozen",
}
MARGIN = 0.02  # of accuracy: what counts as no loss

Row = dict[str, Any]
BySeed = dict[int, float]


class Curve:
    """Accuracies by way, number of stages kept, and seed.

    Args:
        rows: a dict a run: ``kept`` (stages), ``kept_as`` (one of ``WAYS``), ``seed`` and ``accuracy`` (of 1). Where
            nothing is kept, the ways are one and the same, and one of them is enough. Runs that differ in none of
            these (folds) are averaged.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        runs: dict[tuple[str, int], dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
        for row in rows:
            for way in WAYS if row["kept"] == 0 else (row["kept_as"],):
                runs[way, row["kept"]][row["seed"]].append(row["accuracy"])
        self._runs = {at: {seed: fmean(some) for seed, some in by.items()} for at, by in runs.items()}

    def depths(self, way: str) -> list[int]:
        """How many stages were kept, in order."""
        return sorted(kept for other, kept in self._runs if other == way)

    def accuracies(self, way: str) -> list[Interval]:
        """Mean and interval over seeds, for each of :meth:`depths`."""
        return [of_seeds(list(self._runs[way, kept].values())).of_shares() for kept in self.depths(way)]

    def difference(self, way: str, other: str, depths: Sequence[int]) -> Interval | None:
        """By how much one way is above another, the mean of these depths, over the seeds that have all of them.

        Args:
            other: a way, or ``"scratch"``: where nothing is kept.
        """
        pairs = [(self._of(way, kept), self._of(other, kept)) for kept in depths]
        seeds = set.intersection(*(set(a) & set(b) for a, b in pairs)) if pairs else set()
        means = [fmean(a[seed] - b[seed] for a, b in pairs) for seed in sorted(seeds)]
        return of_seeds(means) if means else None

    def against_tuning_all(self, kept: int) -> Interval | None:
        """By how much the first stages, kept frozen, are above the deepest ones fine-tuned, over the seeds of both."""
        frozen, tuned = self._of("frozen", kept), self._of("finetuned", self.depths("finetuned")[-1])
        gains = [frozen[seed] - tuned[seed] for seed in sorted(set(frozen) & set(tuned))]
        return of_seeds(gains) if gains else None

    def lower(self) -> list[int]:
        """The depths that keep something, and half as much as the deepest at most."""
        depths = self.depths("frozen")
        return [kept for kept in depths if 0 < 2 * kept <= depths[-1]]

    def _of(self, way: str, kept: int) -> BySeed:
        return self._runs.get(("frozen", 0) if way == "scratch" else (way, kept), {})


def transfers(over_scratch: Interval, over_random: Interval) -> Verdict:
    """Of the lower stages, kept frozen: fails where they surely lose more than the margin against training from
    scratch, or are surely above random ones by the margin at most; holds where they surely lose no more than it and are
    surely above random ones; else the seeds do not tell.
    """
    if over_scratch.high < -MARGIN or over_random.high <= MARGIN:
        return "fails"
    return "holds" if over_scratch.low >= -MARGIN and over_random.low > 0 else "depends"


def only_higher_adapt(lower: Interval, every: Interval) -> Verdict:
    """Of frozen against fine-tuned: holds where freezing the lower stages surely loses no more than the margin and
    freezing all surely loses more; fails where freezing the lower ones surely loses more; else it depends."""
    if lower.high < -MARGIN:
        return "fails"
    return "holds" if lower.low >= -MARGIN and every.high < -MARGIN else "depends"


def why_it_depends(every: Interval) -> str:
    """Of :func:`only_higher_adapt`: whether nothing had to adapt, or the seeds do not tell.

    Args:
        every: freezing all stages against fine-tuning them.
    """
    if every.low >= -MARGIN:
        return "freezing all loses no more either: nothing had to adapt"
    return f"the seeds are too few to tell, with a margin of {100 * MARGIN:.0f} points"


def drawing(curve: Curve, name: str) -> str:
    """The curve as an inline SVG."""
    found = {way: (curve.depths(way), curve.accuracies(way)) for way in WAYS if curve.depths(way)}
    words = "; ".join(
        f"{WAYS[way]}: {', '.join(_at(*pair) for pair in zip(*of, strict=True))}" for way, of in found.items()
    )

    def draw(axes: "Axes") -> None:
        for i, (way, (depths, accuracies)) in enumerate(found.items()):
            means = [100 * one.middle for one in accuracies]
            axes.plot(depths, means, color=COLOURS[i], marker="osD"[i], label=WAYS[way])
            runs = [(kept, 100 * accuracy) for kept in depths for accuracy in curve._of(way, kept).values()]
            axes.plot(*zip(*runs, strict=True), ".", color=COLOURS[i], markersize=3)
        if scratch := curve._of("scratch", 0):
            axes.axhline(100 * fmean(scratch.values()), color=INK, linestyle=":", linewidth=1)
        axes.set_xticks(sorted({kept for depths, _ in found.values() for kept in depths}))
        axes.set_xlabel("stages kept")
        axes.set_ylabel("accuracy, %")
        axes.legend(frameon=False)

    return drawn(name, draw, f"Accuracy in per cent by stages kept. {words}.")


def _at(kept: int, accuracy: Interval) -> str:
    return f"{100 * accuracy.middle:.1f} at {kept}"
