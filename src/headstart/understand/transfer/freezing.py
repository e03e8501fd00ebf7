"""What probes, likeness and weight change say of freezing: the rules of the verdicts, and the advice."""

import math
from collections.abc import Sequence

from headstart.understand.claims import ClaimVerdict
from headstart.understand.statistics import Estimate

PROBE_MARGIN = 0.05  # of accuracy: what a probe may read more of one stage and still count as reading as much

CKA_MARGIN = 0.05  # of likeness (CKA), from one stage to another, that still counts as none


def universality_verdict(trained_over_pretrained: Estimate, random_over_pretrained: Estimate) -> ClaimVerdict:
    """Of the first stage: holds where training on these images surely bettered it by the margin at most, and what it
    had learned elsewhere surely does more than random weights; fails where training surely bettered it by more; else
    these images do not tell."""
    if trained_over_pretrained.low > PROBE_MARGIN:
        return "fails"
    return "holds" if trained_over_pretrained.high <= PROBE_MARGIN and random_over_pretrained.high < 0 else "depends"


def first_stage_transfer_verdict(pretrained_over_random: Estimate) -> ClaimVerdict:
    """Of the first stage: fails where it is surely better by the margin at most for having been pretrained; holds where
    it is surely better, and may be so by more; else these images do not tell."""
    if pretrained_over_random.high <= PROBE_MARGIN:
        return "fails"
    return "holds" if pretrained_over_random.low > 0 else "depends"


def stage_change_verdict(cka_drop: Estimate, weight_changes: Sequence[float]) -> ClaimVerdict:
    """Holds where likeness to the beginning is surely lower in the last stage than in the first by more than a margin,
    and its weights moved further; fails where it is surely lower by the margin at most, and they moved no further.

    Args:
        fall: of the likeness, from the first stage to the last.
        changes: relative weight change of each stage.
    """
    further = weight_changes[-1] > weight_changes[0]
    if cka_drop.high <= CKA_MARGIN:
        return "depends" if further else "fails"
    return "holds" if cka_drop.low > CKA_MARGIN and further else "depends"


def explain_undecided_stage_change(cka_drop: Estimate) -> str:
    """Of :func:`higher_changed_most`: whether likeness and weights disagree, or the images do not tell."""
    if cka_drop.low > CKA_MARGIN or cka_drop.high <= CKA_MARGIN:
        return "likeness and weights disagree on which changed more"
    return f"the images do not tell whether likeness fell by more than {CKA_MARGIN}"


def count_stages_to_freeze_from_probes(trained_over_pretrained: Sequence[Estimate]) -> int:
    """How many stages, from the image on, training bettered by the margin at most, as measured.

    So no stage is frozen of which :func:`universal` would fail, and the first is where it would hold.
    """
    for position, gained in enumerate(trained_over_pretrained):
        if gained.value > PROBE_MARGIN:
            return position
    return len(trained_over_pretrained)


def format_probe_advice(
    stage_names: Sequence[str], trained_over_pretrained: Sequence[Estimate], similarity: Sequence[Estimate]
) -> str:
    """How many stages to freeze on this data, with the evidence.

    Args:
        names: of the stages.
        trained_over_pretrained: by how much a probe reads more of each stage after training.
        alike: likeness of each stage to its beginning.
    """
    count = count_stages_to_freeze_from_probes(trained_over_pretrained)
    kept, behind = trained_over_pretrained[:count], trained_over_pretrained[count:]
    if not kept:
        return (
            "Advice: freeze nothing on this data. Already of the first stage a probe reads more after training on "
            f"these images than before: {behind[0].format_points()}."
        )
    words = [
        f"Advice: freeze up to stage {count} ({stage_names[count - 1]}) on this data.",
        f"Up to there a probe reads the pretrained features about as well as those trained here: the most that "
        f"training gained is {max(kept).format_points()}.",
    ]
    least = min(one.value for one in similarity[:count])
    if not math.isnan(least):
        words.append(f"Their likeness to the pretrained ones is {least:.2f} or more.")
    if behind:
        words.append(f"Behind it training gained up to {max(behind).format_points()}: train that.")
    else:
        words.append("That is all of them: keep the backbone as it is and train a new last layer.")
    if any(one.high > PROBE_MARGIN for one in kept):
        words.append(
            f"The images are too few to exclude that a frozen stage would gain more than {100 * PROBE_MARGIN:.0f}."
        )
    return " ".join(words)
