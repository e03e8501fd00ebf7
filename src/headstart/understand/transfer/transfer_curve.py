"""The transfer curve: accuracy by number of transferred stages (Yosinski et al. 2014, arXiv:1411.1792)."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from headstart.reporting.charts import INK_COLOR, PALETTE, ChartLine, render_line_chart
from headstart.understand.claims import ClaimVerdict
from headstart.understand.decision import decide_by
from headstart.understand.statistics import Estimate, t_interval

MODE_LABELS = {
    "frozen": "pretrained, frozen",
    "finetuned": "pretrained, fine-tuned",
    "random_frozen": "random, frozen",
}
CURVE_MARGIN = 0.02  # of accuracy: a smaller loss counts as none


@dataclass(frozen=True)
class CurveRow:
    """A run of a transfer curve.

    Args:
        num_stages: the number of transferred stages.
        mode: a key of ``MODE_LABELS``. Without transferred stages all modes are the same.
        seed: of the run.
        accuracy: on test images, of 1.

    Example:
        >>> CurveRow(num_stages=2, mode="frozen", seed=0, accuracy=0.81)
    """

    num_stages: int
    mode: str
    seed: int
    accuracy: float


class TransferCurve:
    """Accuracies by mode, number of transferred stages, and seed.

    Args:
        rows: one for each run. Runs that are equal but for their accuracy (folds) are averaged. A run without
            transferred stages counts in every mode.

    Example:
        >>> TransferCurve([CurveRow(0, "frozen", 0, 0.7), CurveRow(1, "frozen", 0, 0.8)]).depths("frozen")
        [0, 1]
    """

    def __init__(self, rows: Sequence[CurveRow]) -> None:
        runs: dict[tuple[str, int], dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
        for row in rows:
            for mode in MODE_LABELS if row.num_stages == 0 else (row.mode,):
                runs[mode, row.num_stages][row.seed].append(row.accuracy)
        self._accuracies = {
            key: {seed: fmean(accuracies) for seed, accuracies in by_seed.items()} for key, by_seed in runs.items()
        }

    def depths(self, mode: str) -> list[int]:
        """The numbers of transferred stages in ascending order."""
        return sorted(num_stages for key_mode, num_stages in self._accuracies if key_mode == mode)

    def accuracies(self, mode: str) -> list[Estimate]:
        """Mean and interval over seeds for each of :meth:`depths`."""
        return [
            t_interval([*self.accuracy_by_seed(mode, depth).values()]).clip_to_unit_interval()
            for depth in self.depths(mode)
        ]

    def accuracy_by_seed(self, mode: str, num_stages: int) -> dict[int, float]:
        """Accuracy by seed; {} without runs. The mode ``"scratch"`` transfers no stage."""
        return self._accuracies.get(("frozen", 0) if mode == "scratch" else (mode, num_stages), {})

    def difference(self, mode: str, baseline: str, depths: Sequence[int]) -> Estimate | None:
        """Accuracy of one mode minus another, averaged over depths, paired by seed; None without common seeds.

        Args:
            mode: a mode.
            baseline: another mode, or ``"scratch"``: no transferred stages.
            depths: numbers of transferred stages.
        """
        pairs = [(self.accuracy_by_seed(mode, depth), self.accuracy_by_seed(baseline, depth)) for depth in depths]
        seeds = set.intersection(*(set(a) & set(b) for a, b in pairs)) if pairs else set()
        means = [fmean(a[seed] - b[seed] for a, b in pairs) for seed in sorted(seeds)]
        return t_interval(means) if means else None

    def gain_over_full_finetuning(self, num_stages: int) -> Estimate | None:
        """Accuracy with the first stages frozen minus that with all fine-tuned, paired by seed."""
        frozen = self.accuracy_by_seed("frozen", num_stages)
        finetuned = self.accuracy_by_seed("finetuned", self.depths("finetuned")[-1])
        gains = [frozen[seed] - finetuned[seed] for seed in sorted(set(frozen) & set(finetuned))]
        return t_interval(gains) if gains else None

    def lower_depths(self) -> list[int]:
        """The depths above 0 and up to half of the largest."""
        depths = self.depths("frozen")
        return [depth for depth in depths if 0 < 2 * depth <= depths[-1]]


def lower_stage_transfer_verdict(over_scratch: Estimate, over_random: Estimate) -> ClaimVerdict:
    """Whether frozen lower stages transfer.

    Holds if they lose at most the margin against training from scratch and beat random stages; fails if they lose
    more, or are better than random ones by at most the margin; otherwise depends.

    Args:
        over_scratch: accuracy with frozen lower stages minus that of training from scratch.
        over_random: accuracy with them minus that with frozen random stages.
    """
    return decide_by(
        holds=over_scratch.low >= -CURVE_MARGIN and over_random.low > 0,
        fails=over_scratch.high < -CURVE_MARGIN or over_random.high <= CURVE_MARGIN,
    )


def higher_stage_adaptation_verdict(lower_stages: Estimate, all_stages: Estimate) -> ClaimVerdict:
    """Whether only higher stages must adapt.

    Holds if freezing the lower stages loses at most the margin and freezing all loses more; fails if freezing the
    lower ones loses more; otherwise depends.

    Args:
        lower_stages: accuracy with the lower stages frozen minus that with them fine-tuned.
        all_stages: the same for all stages.
    """
    return decide_by(
        holds=lower_stages.low >= -CURVE_MARGIN and all_stages.high < -CURVE_MARGIN,
        fails=lower_stages.high < -CURVE_MARGIN,
    )


def explain_undecided_adaptation(all_stages: Estimate) -> str:
    """Why :func:`higher_stage_adaptation_verdict` is "depends".

    Args:
        all_stages: accuracy with all stages frozen minus that with all fine-tuned.
    """
    if all_stages.low >= -CURVE_MARGIN:
        return "freezing all stages loses no more either: nothing had to adapt"
    return f"there are too few seeds to decide, with a margin of {100 * CURVE_MARGIN:.0f} points"


def render_transfer_curve(curve: TransferCurve, name: str) -> str:
    """The curve as an inline SVG: means, runs as points, training from scratch as a dotted line.

    Args:
        curve: to draw.
        name: of the chart, unique within a page.
    """
    lines, words = [], []
    modes = [mode for mode in MODE_LABELS if curve.depths(mode)]
    all_depths = sorted({depth for mode in modes for depth in curve.depths(mode)})
    for i, mode in enumerate(modes):
        depths, means = curve.depths(mode), [100 * estimate.value for estimate in curve.accuracies(mode)]
        points = [(d, 100 * accuracy) for d in depths for accuracy in curve.accuracy_by_seed(mode, d).values()]
        lines.append(ChartLine(depths, means, MODE_LABELS[mode], "-" + "osD"[i], PALETTE[i]))
        point_depths, accuracies = zip(*points, strict=True)
        lines.append(ChartLine(point_depths, accuracies, style=".", color=PALETTE[i]))
        figures = ", ".join(f"{mean:.1f} at {depth}" for depth, mean in zip(depths, means, strict=True))
        words.append(f"{MODE_LABELS[mode]}: {figures}")
    if scratch := curve.accuracy_by_seed("scratch", 0):
        level = 100 * fmean(scratch.values())
        lines.append(ChartLine([all_depths[0], all_depths[-1]], [level, level], "from scratch", ":", INK_COLOR))
    return render_line_chart(
        name,
        lines,
        f"Accuracy in per cent by number of transferred stages. {'; '.join(words)}.",
        x_label="transferred stages",
        y_label="accuracy, %",
        x_ticks=all_depths,
    )
