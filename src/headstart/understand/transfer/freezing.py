"""How many stages to freeze: verdicts and advice from linear probes, CKA and weight change, or a transfer curve."""

import math
from collections.abc import Sequence

from headstart.understand.claims import ClaimVerdict
from headstart.understand.decision import decide, decide_by
from headstart.understand.statistics import Estimate
from headstart.understand.transfer.sweep_rows import TransferSweep
from headstart.understand.transfer.transfer_curve import CURVE_MARGIN

PROBE_MARGIN = 0.05  # of accuracy: a smaller gain of a probe counts as none
CKA_MARGIN = 0.05  # of CKA between two stages: a smaller difference counts as none


def universality_verdict(trained_over_pretrained: Estimate, random_over_pretrained: Estimate) -> ClaimVerdict:
    """Whether the pretrained first stage is universal.

    Holds if training on these images gained at most the margin and random weights do worse; fails if training gained
    more; otherwise depends.

    Args:
        trained_over_pretrained: gain in probe accuracy of the first stage by training on these images.
        random_over_pretrained: gain in probe accuracy by random weights.
    """
    return decide_by(
        holds=trained_over_pretrained.high <= PROBE_MARGIN and random_over_pretrained.high < 0,
        fails=trained_over_pretrained.low > PROBE_MARGIN,
    )


def first_stage_transfer_verdict(pretrained_over_random: Estimate) -> ClaimVerdict:
    """Whether pretraining improved the first stage: holds above 0, fails if the gain is at most the margin."""
    return decide(pretrained_over_random, margin=0.0, failure_margin=PROBE_MARGIN)


def stage_change_verdict(cka_drop: Estimate, weight_changes: Sequence[float]) -> ClaimVerdict:
    """Whether higher stages changed more.

    Holds if CKA drops by more than the margin and the last stage's weights changed more; fails if neither is true;
    otherwise depends.

    Args:
        cka_drop: drop of CKA with the beginning, from the first stage to the last.
        weight_changes: relative weight change of each stage.
    """
    last_changed_more = weight_changes[-1] > weight_changes[0]
    return decide_by(
        holds=cka_drop.low > CKA_MARGIN and last_changed_more,
        fails=cka_drop.high <= CKA_MARGIN and not last_changed_more,
    )


def explain_undecided_stage_change(cka_drop: Estimate) -> str:
    """Why :func:`stage_change_verdict` is "depends"."""
    if cka_drop.low > CKA_MARGIN or cka_drop.high <= CKA_MARGIN:
        return "CKA and weights disagree on which changed more"
    return f"there are too few images to decide whether CKA dropped by more than {CKA_MARGIN}"


def count_stages_to_freeze_from_probes(trained_over_pretrained: Sequence[Estimate]) -> int:
    """Number of stages before the first whose probe accuracy training raised by more than the margin.

    The estimate decides, not its interval. So no stage is frozen for which :func:`universality_verdict` would fail.

    Args:
        trained_over_pretrained: gain in probe accuracy of each stage by training on these images.
    """
    exceeding = (stage for stage, gain in enumerate(trained_over_pretrained) if gain.value > PROBE_MARGIN)
    return next(exceeding, len(trained_over_pretrained))


def format_probe_advice(
    stage_names: Sequence[str], trained_over_pretrained: Sequence[Estimate], similarity: Sequence[Estimate]
) -> str:
    """How many stages to freeze on this data, with the evidence from probes.

    Args:
        stage_names: of all stages.
        trained_over_pretrained: gain in probe accuracy of each stage by training on these images.
        similarity: CKA of each stage with its beginning.
    """
    count = count_stages_to_freeze_from_probes(trained_over_pretrained)
    frozen, trainable = trained_over_pretrained[:count], trained_over_pretrained[count:]
    if not frozen:
        return (
            "Advice: freeze nothing on this data. Training on these images raised the probe accuracy even of the first "
            f"stage: {trainable[0].format_points()}."
        )
    sentences = [
        f"Advice: freeze up to stage {count} ({stage_names[count - 1]}) on this data.",
        "Up to there probes read the pretrained features about as well as those trained here: the largest gain by "
        f"training is {max(frozen).format_points()}.",
    ]
    least = min(estimate.value for estimate in similarity[:count])
    if not math.isnan(least):
        sentences.append(f"Their CKA with the pretrained stages is {least:.2f} or more.")
    if trainable:
        sentences.append(f"In later stages training gained up to {max(trainable).format_points()}: train those.")
    else:
        sentences.append("These are all stages: keep the backbone as it is and train a new last layer.")
    if any(estimate.high > PROBE_MARGIN for estimate in frozen):
        sentences.append(
            f"There are too few images to exclude that a frozen stage would gain more than {100 * PROBE_MARGIN:.0f} "
            "points."
        )
    return " ".join(sentences)


def gains_over_full_finetuning(sweep: TransferSweep, num_stages: int) -> list[Estimate]:
    """Accuracy with the first k stages frozen minus accuracy with all fine-tuned, for k from 0 to ``num_stages``.

    Args:
        sweep: the transfer curve.
        num_stages: of the network in question.

    Returns:
        [] if the curve is of a network with another number of stages or lacks a k.
    """
    if sweep.curve.depths("finetuned")[-1:] != [num_stages]:
        return []
    gains = [sweep.curve.gain_over_full_finetuning(count) for count in range(num_stages + 1)]
    return [] if None in gains else [gain for gain in gains if gain]


def count_stages_to_freeze_from_curve(gains: Sequence[Estimate]) -> int:
    """The largest number of stages that loses at most the curve's margin; 0 if one stage loses more."""
    return max((count for count, gain in enumerate(gains) if count and gain.value >= -CURVE_MARGIN), default=0)


def freezing_verdict(count: int, gains: Sequence[Estimate]) -> ClaimVerdict:
    """Whether the advice to freeze so many stages is right by a curve.

    Holds if the runs with them frozen lose at most the margin, fails if they lose more, otherwise depends. The advice
    to freeze nothing is right if freezing one stage loses more.

    Args:
        count: of stages to freeze.
        gains: by :func:`gains_over_full_finetuning`.
    """
    gain = gains[count or 1]
    is_small_loss, is_large_loss = gain.low >= -CURVE_MARGIN, gain.high < -CURVE_MARGIN
    if count:
        return decide_by(holds=is_small_loss, fails=is_large_loss)
    return decide_by(holds=is_large_loss, fails=is_small_loss)


def format_curve_advice(sweep: TransferSweep, stage_names: Sequence[str], gains: Sequence[Estimate]) -> str:
    """How many stages to freeze on this data, with the evidence from a curve.

    Args:
        sweep: the transfer curve.
        stage_names: of all stages.
        gains: by :func:`gains_over_full_finetuning`.
    """
    count = count_stages_to_freeze_from_curve(gains)
    source = (
        f"This rests on the given transferability curve ({sweep.data}, {sweep.labels_per_class or 'all'} labels per "
        f"class, {sweep.num_seeds} {'seed' if sweep.num_seeds == 1 else 'seeds'}). It trained each choice, which is "
        "stronger evidence than probes. In its runs the stages that are not frozen begin at random weights, so "
        "pretrained ones may do better still."
    )
    margin = f"{100 * CURVE_MARGIN:.0f} points"
    if not count:
        smallest_loss = max(gains[1:], key=lambda gain: gain.value)
        return (
            "Advice: freeze nothing on this data. Any number of frozen stages loses more than "
            f"{margin} of accuracy against fine-tuning all; the smallest loss is {smallest_loss.format_points()}. "
            f"{source}"
        )
    doubt = "" if freezing_verdict(count, gains) == "holds" else " There are too few seeds to exclude a larger loss."
    return (
        f"Advice: freeze up to stage {count} ({stage_names[count - 1]}) on this data: the most stages that lose at "
        f"most {margin} of accuracy against fine-tuning all, {gains[count].format_points()}.{doubt} {source}"
    )


def format_advice_check(count: int, gains: Sequence[Estimate]) -> str:
    """Whether a curve confirms the probes' advice.

    Args:
        count: of stages to freeze, by the probes.
        gains: by :func:`gains_over_full_finetuning`.
    """
    outcomes = {
        "holds": "so their advice holds",
        "fails": "so their advice fails",
        "depends": "there are too few seeds to decide whether that is right",
    }
    advice = f"freeze up to stage {count}" if count else "freeze nothing"
    frozen = "one stage" if (count or 1) == 1 else f"{count} stages"
    return (
        f"The probes alone would advise: {advice}. The curve tests that: with {frozen} frozen its runs are "
        f"{gains[count or 1].format_points()} against fine-tuning all, and a loss of {100 * CURVE_MARGIN:.0f} points "
        f"is allowed: {outcomes[freezing_verdict(count, gains)]}."
    )
