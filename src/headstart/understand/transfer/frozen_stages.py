"""How many stages to freeze, read from a transferability curve: each choice trained, instead of probed."""

from collections.abc import Sequence

from headstart.understand.claims import ClaimVerdict
from headstart.understand.statistics import Estimate
from headstart.understand.transfer.sweep_rows import TransferSweep
from headstart.understand.transfer.transfer_curve import CURVE_MARGIN


def gains_over_full_finetuning(sweep: TransferSweep, num_stages: int) -> list[Estimate]:
    """By how much the accuracy with the first k stages frozen is above that of fine-tuning all, k from 0 to ``stages``.

    Args:
        swept: the curve.
        stages: of the network that is asked about.

    Returns:
        [] where the curve is of a network of another number of stages, or leaves a choice out.
    """
    if sweep.curve.depths("finetuned")[-1:] != [num_stages]:
        return []
    found = [sweep.curve.gain_over_full_finetuning(kept) for kept in range(num_stages + 1)]
    return [] if None in found else [one for one in found if one]


def count_stages_to_freeze_from_curve(gains: Sequence[Estimate]) -> int:
    """The most stages that lose the curve's margin at most, as measured; 0 where even one loses more."""
    return max((kept for kept, gain in enumerate(gains) if kept and gain.value >= -CURVE_MARGIN), default=0)


def freezing_verdict(count: int, gains: Sequence[Estimate]) -> ClaimVerdict:
    """Of the advice to freeze up to a stage: holds where the runs that did surely lose the margin at most, fails where
    they surely lose more; else the seeds do not tell. To freeze nothing is right where even one stage loses more.

    Args:
        count: stages to freeze.
        gains: as :func:`against_tuning_all` gives them.
    """
    gain = gains[count or 1]
    little, much = gain.low >= -CURVE_MARGIN, gain.high < -CURVE_MARGIN
    holds, fails = (little, much) if count else (much, little)
    return "holds" if holds else "fails" if fails else "depends"


def format_curve_advice(sweep: TransferSweep, stage_names: Sequence[str], gains: Sequence[Estimate]) -> str:
    """How many stages to freeze, with the runs that say so.

    Args:
        swept: the curve.
        names: of the stages.
        gains: as :func:`against_tuning_all` gives them.
    """
    count = count_stages_to_freeze_from_curve(gains)
    source = (
        f"This rests on the transferability curve that was given ({sweep.data}, {sweep.labels_per_class or 'all'} "
        f"labels per class, {sweep.num_seeds} {'seed' if sweep.num_seeds == 1 else 'seeds'}): it trained each choice, which is "
        "stronger evidence than what probes read. Behind the frozen stages its runs begin at random weights, so "
        "pretrained ones may do better still."
    )
    if not count:
        least = max(gains[1:], key=lambda gain: gain.value)
        return (
            f"Advice: freeze nothing on this data. However many stages are frozen, accuracy falls by more than "
            f"{100 * CURVE_MARGIN:.0f} points against fine-tuning all; by the least {least.format_points()}. {source}"
        )
    sure = "" if freezing_verdict(count, gains) == "holds" else " The seeds are too few to exclude a larger loss."
    return (
        f"Advice: freeze up to stage {count} ({stage_names[count - 1]}) on this data: the most stages that cost "
        f"{100 * CURVE_MARGIN:.0f} points of accuracy at most against fine-tuning all, {gains[count].format_points()}."
        f"{sure} {source}"
    )


def format_advice_check(count: int, gains: Sequence[Estimate]) -> str:
    """What the curve says of the probes' advice.

    Args:
        count: stages to freeze, by the probes.
        gains: as :func:`against_tuning_all` gives them.
    """
    said = freezing_verdict(count, gains)
    outcome = "the seeds do not tell whether that is right" if said == "depends" else f"so their advice {said}"
    advised = f"freeze up to stage {count}" if count else "freeze nothing"
    return (
        f"The probes alone would advise: {advised}. The curve puts "
        f"that to the test: with {_format_stage_count(count or 1)} frozen its runs are {gains[count or 1].format_points()} against "
        f"fine-tuning all, and {100 * CURVE_MARGIN:.0f} points may be lost: {outcome}."
    )


def _format_stage_count(count: int) -> str:
    return "one stage" if count == 1 else f"{count} stages"
