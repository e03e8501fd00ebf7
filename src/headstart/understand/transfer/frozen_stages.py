"""How many stages to freeze, read from a transferability curve: each choice trained, instead of probed."""

from collections.abc import Sequence

from headstart.understand.claims import Verdict
from headstart.understand.statistics import Interval
from headstart.understand.transfer.sweep_rows import Swept
from headstart.understand.transfer.transfer_curve import MARGIN


def against_tuning_all(swept: Swept, stages: int) -> list[Interval]:
    """By how much the accuracy with the first k stages frozen is above that of fine-tuning all, k from 0 to ``stages``.

    Args:
        swept: the curve.
        stages: of the network that is asked about.

    Returns:
        [] where the curve is of a network of another number of stages, or leaves a choice out.
    """
    if swept.curve.depths("finetuned")[-1:] != [stages]:
        return []
    found = [swept.curve.against_tuning_all(kept) for kept in range(stages + 1)]
    return [] if None in found else [one for one in found if one]


def stages_to_freeze(gains: Sequence[Interval]) -> int:
    """The most stages that lose the curve's margin at most, as measured; 0 where even one loses more."""
    return max((kept for kept, gain in enumerate(gains) if kept and gain.middle >= -MARGIN), default=0)


def verdict(count: int, gains: Sequence[Interval]) -> Verdict:
    """Of the advice to freeze up to a stage: holds where the runs that did surely lose the margin at most, fails where
    they surely lose more; else the seeds do not tell. To freeze nothing is right where even one stage loses more.

    Args:
        count: stages to freeze.
        gains: as :func:`against_tuning_all` gives them.
    """
    gain = gains[count or 1]
    little, much = gain.low >= -MARGIN, gain.high < -MARGIN
    holds, fails = (little, much) if count else (much, little)
    return "holds" if holds else "fails" if fails else "depends"


def advice(swept: Swept, names: Sequence[str], gains: Sequence[Interval]) -> str:
    """How many stages to freeze, with the runs that say so.

    Args:
        swept: the curve.
        names: of the stages.
        gains: as :func:`against_tuning_all` gives them.
    """
    count = stages_to_freeze(gains)
    source = (
        f"This rests on the transferability curve that was given ({swept.data}, {swept.labels_per_class or 'all'} "
        f"labels per class, {swept.seeds} {'seed' if swept.seeds == 1 else 'seeds'}): it trained each choice, which is "
        "stronger evidence than what probes read. Behind the frozen stages its runs begin at random weights, so "
        "pretrained ones may do better still."
    )
    if not count:
        least = max(gains[1:], key=lambda gain: gain.middle)
        return (
            f"Advice: freeze nothing on this data. However many stages are frozen, accuracy falls by more than "
            f"{100 * MARGIN:.0f} points against fine-tuning all; by the least {least.points()}. {source}"
        )
    sure = "" if verdict(count, gains) == "holds" else " The seeds are too few to exclude a larger loss."
    return (
        f"Advice: freeze up to stage {count} ({names[count - 1]}) on this data: the most stages that cost "
        f"{100 * MARGIN:.0f} points of accuracy at most against fine-tuning all, {gains[count].points()}."
        f"{sure} {source}"
    )


def put_to_the_test(count: int, gains: Sequence[Interval]) -> str:
    """What the curve says of the probes' advice.

    Args:
        count: stages to freeze, by the probes.
        gains: as :func:`against_tuning_all` gives them.
    """
    said = verdict(count, gains)
    outcome = "the seeds do not tell whether that is right" if said == "depends" else f"so their advice {said}"
    advised = f"freeze up to stage {count}" if count else "freeze nothing"
    return (
        f"The probes alone would advise: {advised}. The curve puts "
        f"that to the test: with {_stages(count or 1)} frozen its runs are {gains[count or 1].points()} against "
        f"fine-tuning all, and {100 * MARGIN:.0f} points may be lost: {outcome}."
    )


def _stages(count: int) -> str:
    return "one stage" if count == 1 else f"{count} stages"
