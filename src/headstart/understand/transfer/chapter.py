"""The chapter on transfer: linear probes, CKA and weight change of each stage, and advice on freezing."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from headstart.reporting.charts import INK_COLOR, PALETTE, ChartLine, render_line_chart
from headstart.understand.claims import Chapter, Picture, Table
from headstart.understand.statistics import Estimate
from headstart.understand.subject import Subject
from headstart.understand.transfer.freezing import (
    PROBE_MARGIN,
    count_stages_to_freeze_from_curve,
    count_stages_to_freeze_from_probes,
    explain_undecided_stage_change,
    first_stage_transfer_verdict,
    format_advice_check,
    format_curve_advice,
    format_probe_advice,
    freezing_verdict,
    gains_over_full_finetuning,
    stage_change_verdict,
    universality_verdict,
)
from headstart.understand.transfer.linear_probe import probe_accuracy
from headstart.understand.transfer.stage_comparison import MIN_PROBE_IMAGES, StageComparison, compare_stages
from headstart.understand.transfer.sweep_rows import TransferSweep, build_transfer_sweep, select_comparable_runs

TRANSFER_CLAIMS = {
    "lowest-layers-are-universal": "What the lowest layers learned elsewhere does for almost any images.",
    "edge-detectors-serve-another-task": "With another last layer, the first filters of one task serve another one.",
    "higher-layers-change-most": "Fine-tuning leaves the lower layers much as they were and changes the higher ones.",
}
FINETUNE_COMMAND = "headstart-train model=finetune, then headstart understand RUN --only transfer"
UNDECIDED_TEXT = f"; there are too few images to decide, with a margin of {100 * PROBE_MARGIN:.0f} points"
ADVICE_LIMITS = (
    "Limits of this advice: it rests on one trained network, {} images, and what a linear probe can read. Training "
    "each choice is surer: headstart-train experiment=transferability, then this page with --sweep. Which stages are "
    "best trained also depends on how the new images differ: for blur, noise and other corruptions, training the first "
    "stage alone was best; for new classes, the last ones (Lee et al. 2023, arXiv:2210.11466)."
)


def build_transfer_chapter(subject: Subject, report_progress: Callable[[str], None]) -> Chapter:
    """Probes, CKA and weight change of each stage, and the advice that follows."""
    chapter = Chapter("transfer", "How far features transfer", sentences=TRANSFER_CLAIMS)
    comparison = compare_stages(subject, report_progress)
    chapter.content.append(
        f"The network is cut where its maps become smaller, into {len(comparison.stage_names)} stages, counted from "
        "the image. How well do the features of each predict the class, and what did training change in them?"
    )
    if comparison.correct:
        _add_probes(chapter, comparison)
    else:
        chapter.content.append(f"Fewer than {MIN_PROBE_IMAGES} images are labelled: too few for probes.")
    _add_changes(chapter, comparison)
    chapter.numbers |= {
        "stages": comparison.stage_names,
        "images": comparison.num_images,
        "held_out": comparison.is_held_out,
        "probes": {
            role: [probe_accuracy(correct).to_json() for correct in stages]
            for role, stages in comparison.correct.items()
        },
        "shuffled": comparison.chance_accuracies,
        "margin": PROBE_MARGIN,
        "pixels": comparison.pixel_accuracy.to_json(),
        "commonest": comparison.majority_share if comparison.correct else None,
        "cka_falls_by": comparison.similarity_drop.to_json(),
        "cka": [estimate.to_json() for estimate in comparison.similarity],
        "weights": [change if math.isfinite(change) else None for change in comparison.weight_changes[:-1]],
    }
    rows = [row for row in subject.sweep or [] if subject.has_same_images(row)]  # other images give no advice here
    _add_advice(chapter, comparison, build_transfer_sweep(select_comparable_runs(rows, subject.has_same_images)))
    _add_universality_claim(chapter, comparison)
    _add_first_stage_claim(chapter, comparison)
    _add_stage_change_claim(chapter, comparison)
    return chapter


def _add_probes(chapter: Chapter, comparison: StageComparison) -> None:
    accuracies = {role: [probe_accuracy(c) for c in stages] for role, stages in comparison.correct.items()}
    chance = comparison.chance_accuracies
    rows = [
        (i + 1, name, *(stages[i].format_percent() for stages in accuracies.values()), f"{100 * chance[i]:.1f} %")
        for i, name in enumerate(comparison.stage_names)
    ]
    chapter.content += [
        "A probe is a linear classifier on the features of a stage, fitted on four fifths of "
        f"{comparison.num_images} labelled images and tested on the others. Every stage is averaged down to the same "
        "limit of features. The controls are the same network with random weights, and permuted labels, which can be "
        "predicted by chance only. From the pixels, averaged in the same way, a probe classifies "
        f"{comparison.pixel_accuracy.format_percent()} correctly; always the most common class, "
        f"{100 * comparison.majority_share:.1f} %.",
        Picture(_render_probe_chart(accuracies, chance), "Probe accuracy from the first stage to the last."),
        Table(
            "Probe accuracy, with 95 % intervals over images.",
            ("stage", "ends with", *accuracies, "permuted labels"),
            rows,
        ),
    ]
    if not comparison.is_held_out:
        chapter.content.append(
            "Too few labelled images were not used in training. The network was trained on some of these, so its own "
            "figures are too good, and no verdict uses them."
        )


def _render_probe_chart(accuracies: dict[str, list[Estimate]], chance: list[float]) -> str:
    stages = range(1, len(chance) + 1)
    lines = []
    for i, (role, estimates) in enumerate(accuracies.items()):
        value, low, high = ([100 * number for number in column] for column in zip(*estimates, strict=True))
        lines.append(ChartLine(stages, value, role, "-" + "osD"[i], PALETTE[i], low, high))
    lines.append(ChartLine(stages, [100 * share for share in chance], "permuted labels", ":", INK_COLOR))
    words = "; ".join(f"{role} {', '.join(f'{100 * e.value:.0f}' for e in row)}" for role, row in accuracies.items())
    return render_line_chart(
        "probes",
        lines,
        f"Accuracy in per cent of a linear probe of each stage: {words}.",
        x_label="stage",
        y_label="probe accuracy, %",
        x_ticks=stages,
        y_limits=(0, 102),
    )


def _add_changes(chapter: Chapter, comparison: StageComparison) -> None:
    beginning = "the weights it began with" if comparison.is_pretrained else "other random weights"
    columns = zip(comparison.stage_names, comparison.similarity, comparison.weight_changes, strict=False)
    chapter.content += [
        f"What training changed, compared with {beginning}. CKA measures whether two sets of features find the same "
        "images similar: it is 1 for features that differ by a rotation at most, and about 0 for independent ones, "
        "however few the images are. A stage's features also change with all stages before it. Its weight change is "
        "of its own weights: the length of the change as a share of their length before.",
        Table(
            "CKA with the beginning, and relative weight change.",
            ("stage", "ends with", "CKA", "weight change"),
            [
                (i, name, cka.format_decimal(), _format_change(change))
                for i, (name, cka, change) in enumerate(columns, 1)
            ],
        ),
    ]
    if not comparison.is_pretrained:
        chapter.content.append(
            "Two random networks differ by about 141 % without any training, so the last column means little here."
        )


def _add_advice(chapter: Chapter, comparison: StageComparison, curve: TransferSweep | None) -> None:
    """How many stages to freeze: from the curve if there is one, which then tests the probes' advice."""
    reason, names = comparison.reason_not_comparable, comparison.stage_names
    gains = [] if reason else comparison.accuracy_gains("trained", "pretrained")
    count = None if reason else count_stages_to_freeze_from_probes(gains)
    numbers: dict[str, Any] = {"by_probes": count, "gains": [gain.to_json() for gain in gains]}
    chapter.numbers["freeze"] = numbers
    curve_gains = gains_over_full_finetuning(curve, len(names)) if curve else []
    if curve and curve_gains:
        chapter.content.append(format_curve_advice(curve, names, curve_gains))
        numbers["by_curve"] = count_stages_to_freeze_from_curve(curve_gains)
        numbers["frozen_against_tuning_all"] = [gain.to_json() for gain in curve_gains]
        if count is not None:
            chapter.content.append(format_advice_check(count, curve_gains))
            numbers["probes_tested"] = freezing_verdict(count, curve_gains)
    elif reason:
        chapter.content.append(f"There is no advice on how many stages to freeze: {reason}.")
    else:
        chapter.content.append(format_probe_advice(names, gains, comparison.similarity))
        chapter.content.append(ADVICE_LIMITS.format(comparison.num_images))


def _add_universality_claim(chapter: Chapter, comparison: StageComparison) -> None:
    name = "lowest-layers-are-universal"
    if reason := comparison.reason_not_comparable:
        return chapter.add_unmeasured(reason, [name], FINETUNE_COMMAND)
    if reason := _explain_ceiling(comparison.correct["pretrained"][0], "pretrained"):
        return chapter.add_unmeasured(reason, [name])
    gains = comparison.accuracy_gains("trained", "pretrained")
    random = comparison.accuracy_gains("random", "pretrained")[0]
    verdict = universality_verdict(gains[0], random)
    doubt = UNDECIDED_TEXT if gains[0].high > PROBE_MARGIN else "; but random weights may do as much"
    chapter.add_claim(
        name,
        verdict,
        f"training on these images changed the first stage's probe accuracy by {gains[0].format_points()}"
        f"{doubt if verdict == 'depends' else ''}",
        f"a random first stage instead of the pretrained one: {random.format_points()}; the last stage changed by "
        f"{gains[-1].format_points()}",
        gains[0].scaled_interval(100),
    )


def _add_first_stage_claim(chapter: Chapter, comparison: StageComparison) -> None:
    name, correct = "edge-detectors-serve-another-task", comparison.correct
    if not (comparison.is_pretrained and correct):
        reason = "this network was not pretrained" if correct else "too few images are labelled"
        return chapter.add_unmeasured(reason, [name], FINETUNE_COMMAND)
    pretrained, random = correct["pretrained"][0], correct["random"][0]
    if reason := _explain_ceiling(random, "random"):
        return chapter.add_unmeasured(reason, [name])
    gains = comparison.accuracy_gains("pretrained", "random")
    verdict = first_stage_transfer_verdict(gains[0])
    chapter.add_claim(
        name,
        verdict,
        f"a probe of the pretrained first stage classifies {probe_accuracy(pretrained).format_percent()} correctly, "
        f"{gains[0].format_points()} against a random one; of the last stage {gains[-1].format_points()}"
        f"{UNDECIDED_TEXT if verdict == 'depends' else ''}",
        f"random {probe_accuracy(random).format_percent()}, pixels {comparison.pixel_accuracy.format_percent()}, "
        f"permuted labels {100 * comparison.chance_accuracies[0]:.1f} %",
        gains[0].scaled_interval(100),
    )


def _explain_ceiling(correct: np.ndarray, network: str) -> str:
    """Why no gain over a first stage can reach the margin; "" if one can."""
    share = probe_accuracy(correct).value
    if 1 - share >= PROBE_MARGIN:
        return ""
    return (
        f"these images are too easy: a probe of the {network} first stage classifies {100 * share:.1f} % correctly, "
        f"which leaves less room above it than the margin of {100 * PROBE_MARGIN:.0f} points"
    )


def _add_stage_change_claim(chapter: Chapter, comparison: StageComparison) -> None:
    reasons = {
        "this network was not pretrained": not comparison.is_pretrained,
        "the backbone never changed": not comparison.has_changed,
        "there is one stage alone": len(comparison.stage_names) < 2,
        "there are too few images": math.isnan(comparison.similarity_drop.low),
    }
    if reason := next((reason for reason, applies in reasons.items() if applies), ""):
        return chapter.add_unmeasured(reason, ["higher-layers-change-most"], FINETUNE_COMMAND)
    first, last = comparison.similarity[0], comparison.similarity[-1]
    *changes, _ = comparison.weight_changes
    verdict = stage_change_verdict(comparison.similarity_drop, changes)
    doubt = f"; {explain_undecided_stage_change(comparison.similarity_drop)}" if verdict == "depends" else ""
    chapter.add_claim(
        "higher-layers-change-most",
        verdict,
        f"CKA with the beginning {first.format_decimal()} in the first stage, {last.format_decimal()} in the last; "
        f"this is what changed, not what had to{doubt}",
        f"weights changed by {_format_change(changes[0])} in the first stage, "
        f"{_format_change(changes[-1])} in the last",
    )


def _format_change(change: float) -> str:
    return "–" if math.isnan(change) else f"{100 * change:.1f} %"
