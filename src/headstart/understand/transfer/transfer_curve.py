"""The transferability curve: accuracy by how many stages are kept from pretraining (Yosinski et al. 2014)."""

from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

from headstart.reporting.charts import INK_COLOR, PALETTE, render_svg
from headstart.understand.claims import ClaimVerdict
from headstart.understand.statistics import Estimate, t_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MODE_LABELS = {
    "frozen": "pretrained, frozen",
    "finetuned": "pretrained, fine-tuned",
    "random_frozen": "random, frozen",
}
CURVE_MARGIN = 0.02  # of accuracy: what counts as no loss

CurveRow = dict[str, Any]
AccuracyBySeed = dict[int, float]


class TransferCurve:
    """Accuracies by way, number of stages kept, and seed.

    Args:
        rows: a dict a run: ``num_stages``, ``mode`` (one of ``WAYS``), ``seed`` and ``accuracy`` (of 1). Where
            nothing is kept, the ways are one and the same, and one of them is enough. Runs that differ in none of
            these (folds) are averaged.
    """

    def __init__(self, rows: Sequence[CurveRow]) -> None:
        runs: dict[tuple[str, int], dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
        for row in rows:
            for way in MODE_LABELS if row["num_stages"] == 0 else (row["mode"],):
                runs[way, row["num_stages"]][row["seed"]].append(row["accuracy"])
        self._runs = {at: {seed: fmean(some) for seed, some in by.items()} for at, by in runs.items()}

    def depths(self, mode: str) -> list[int]:
        """How many stages were kept, in order."""
        return sorted(kept for other, kept in self._runs if other == mode)

    def accuracies(self, mode: str) -> list[Estimate]:
        """Mean and interval over seeds, for each of :meth:`depths`."""
        return [t_interval(list(self._runs[mode, kept].values())).clip_to_unit_interval() for kept in self.depths(mode)]

    def difference(self, mode: str, baseline: str, depths: Sequence[int]) -> Estimate | None:
        """By how much one way is above another, the mean of these depths, over the seeds that have all of them.

        Args:
            other: a way, or ``"scratch"``: where nothing is kept.
        """
        pairs = [(self._accuracy_by_seed(mode, kept), self._accuracy_by_seed(baseline, kept)) for kept in depths]
        seeds = set.intersection(*(set(a) & set(b) for a, b in pairs)) if pairs else set()
        means = [fmean(a[seed] - b[seed] for a, b in pairs) for seed in sorted(seeds)]
        return t_interval(means) if means else None

    def gain_over_full_finetuning(self, num_stages: int) -> Estimate | None:
        """By how much the first stages, kept frozen, are above the deepest ones fine-tuned, over the seeds of both."""
        frozen, tuned = (
            self._accuracy_by_seed("frozen", num_stages),
            self._accuracy_by_seed("finetuned", self.depths("finetuned")[-1]),
        )
        gains = [frozen[seed] - tuned[seed] for seed in sorted(set(frozen) & set(tuned))]
        return t_interval(gains) if gains else None

    def lower_depths(self) -> list[int]:
        """The depths that keep something, and half as much as the deepest at most."""
        depths = self.depths("frozen")
        return [kept for kept in depths if 0 < 2 * kept <= depths[-1]]

    def _accuracy_by_seed(self, mode: str, num_stages: int) -> AccuracyBySeed:
        return self._runs.get(("frozen", 0) if mode == "scratch" else (mode, num_stages), {})


def lower_stage_transfer_verdict(over_scratch: Estimate, over_random: Estimate) -> ClaimVerdict:
    """Of the lower stages, kept frozen: fails where they surely lose more than the margin against training from
    scratch, or are surely above random ones by the margin at most; holds where they surely lose no more than it and are
    surely above random ones; else the seeds do not tell.
    """
    if over_scratch.high < -CURVE_MARGIN or over_random.high <= CURVE_MARGIN:
        return "fails"
    return "holds" if over_scratch.low >= -CURVE_MARGIN and over_random.low > 0 else "depends"


def higher_stage_adaptation_verdict(lower_stages: Estimate, all_stages: Estimate) -> ClaimVerdict:
    """Of frozen against fine-tuned: holds where freezing the lower stages surely loses no more than the margin and
    freezing all surely loses more; fails where freezing the lower ones surely loses more; else it depends."""
    if lower_stages.high < -CURVE_MARGIN:
        return "fails"
    return "holds" if lower_stages.low >= -CURVE_MARGIN and all_stages.high < -CURVE_MARGIN else "depends"


def explain_undecided_adaptation(all_stages: Estimate) -> str:
    """Of :func:`only_higher_adapt`: whether nothing had to adapt, or the seeds do not tell.

    Args:
        every: freezing all stages against fine-tuning them.
    """
    if all_stages.low >= -CURVE_MARGIN:
        return "freezing all loses no more either: nothing had to adapt"
    return f"the seeds are too few to tell, with a margin of {100 * CURVE_MARGIN:.0f} points"


def render_transfer_curve(curve: TransferCurve, name: str) -> str:
    """The curve as an inline SVG."""
    found = {way: (curve.depths(way), curve.accuracies(way)) for way in MODE_LABELS if curve.depths(way)}
    words = "; ".join(
        f"{MODE_LABELS[way]}: {', '.join(_format_point(*pair) for pair in zip(*of, strict=True))}"
        for way, of in found.items()
    )

    def draw(axes: "Axes") -> None:
        for i, (way, (depths, accuracies)) in enumerate(found.items()):
            means = [100 * one.value for one in accuracies]
            axes.plot(depths, means, color=PALETTE[i], marker="osD"[i], label=MODE_LABELS[way])
            runs = [
                (kept, 100 * accuracy) for kept in depths for accuracy in curve._accuracy_by_seed(way, kept).values()
            ]
            axes.plot(*zip(*runs, strict=True), ".", color=PALETTE[i], markersize=3)
        if scratch := curve._accuracy_by_seed("scratch", 0):
            axes.axhline(100 * fmean(scratch.values()), color=INK_COLOR, linestyle=":", linewidth=1)
        axes.set_xticks(sorted({kept for depths, _ in found.values() for kept in depths}))
        axes.set_xlabel("stages kept")
        axes.set_ylabel("accuracy, %")
        axes.legend(frameon=False)

    return render_svg(name, draw, f"Accuracy in per cent by stages kept. {words}.")


def _format_point(kept: int, accuracy: Estimate) -> str:
    return f"{100 * accuracy.value:.1f} at {kept}"
