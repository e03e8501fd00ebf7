"""How far features transfer: what each stage tells of the classes, and what training changed of it."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.reporting.charts import INK_COLOR, PALETTE, render_svg
from headstart.understand.claims import Chapter, Claim, Picture, Table
from headstart.understand.statistics import Estimate
from headstart.understand.subject import Subject
from headstart.understand.transfer import frozen_stages
from headstart.understand.transfer.freezing import (
    PROBE_MARGIN,
    count_stages_to_freeze_from_probes,
    explain_undecided_stage_change,
    first_stage_transfer_verdict,
    format_probe_advice,
    stage_change_verdict,
    universality_verdict,
)
from headstart.understand.transfer.linear_probe import probe_accuracy
from headstart.understand.transfer.stage_comparison import MIN_PROBE_IMAGES, StageComparison, compare_stages
from headstart.understand.transfer.sweep_rows import TransferSweep, build_transfer_sweep, select_comparable_runs

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CLAIMS = {
    "lowest-layers-are-universal": "What the lowest layers learned elsewhere does for almost any images.",
    "edge-detectors-serve-another-task": "With another last layer, the first filters of one task serve another one.",
    "higher-layers-change-most": "Fine-tuning leaves the lower layers much as they were and changes the higher ones.",
}
FINETUNE_COMMAND = "headstart-train model=finetune, then headstart understand RUN --only transfer"
UNDECIDED_TEXT = f"; the images are too few to tell, with a margin of {100 * PROBE_MARGIN:.0f} points"
ADVICE_LIMITS = (
    "What this advice does not know: it rests on one trained network, {} images, and what a weighted sum can read. "
    "Training each choice is surer: headstart-train experiment=transferability, then this page with --sweep. Which "
    "stages are best trained also depends on how the new images differ: where they are blurred, noisy or otherwise "
    "spoilt, training the first stage alone was found best, and the last ones where the classes are new (Lee et al. "
    "2023, arXiv:2210.11466)."
)


def build_transfer_chapter(subject: Subject, report_progress: Callable[[str], None]) -> Chapter:
    """Probes, likeness and weight change of each stage, and the advice that follows."""
    found = compare_stages(subject, report_progress)
    content = [
        f"The network is cut where its maps become smaller: {len(found.stage_names)} stages, counted from the image. What do "
        "the features of each tell of the classes, and what did training do to them?",
        *(
            _build_probe_section(found)
            if found.correct
            else [f"Fewer than {MIN_PROBE_IMAGES} images are labelled: too few for probes."]
        ),
        *_build_change_section(found),
    ]
    numbers = {
        "stages": found.stage_names,
        "images": found.num_images,
        "held_out": found.is_held_out,
        "probes": {role: [probe_accuracy(one).to_json() for one in of] for role, of in found.correct.items()},
        "shuffled": found.chance_accuracies,
        "margin": PROBE_MARGIN,
        "pixels": found.pixel_accuracy.to_json(),
        "commonest": found.majority_share if found.correct else None,
        "cka_falls_by": found.similarity_drop.to_json(),
        "cka": [one.to_json() for one in found.similarity],
        "weights": [change if math.isfinite(change) else None for change in found.weight_changes[:-1]],
    }
    own = [row for row in subject.sweep or [] if subject.has_same_images(row)]  # what others say is no advice here
    said, advised = _build_advice(found, build_transfer_sweep(select_comparable_runs(own, subject.has_same_images)))
    return Chapter("transfer", "How far features transfer", content + said, _build_claims(found), numbers | advised)


def _build_advice(found: StageComparison, curve: TransferSweep | None) -> tuple[list[str], dict[str, Any]]:
    """How many stages to freeze: by the curve where there is one, which then puts the probes' advice to the test."""
    probed = None if found.reason_not_comparable else found.accuracy_gains("trained", "pretrained")
    count = None if probed is None else count_stages_to_freeze_from_probes(probed)
    said: list[str] = []
    numbers: dict[str, Any] = {"freeze": {"by_probes": count, "gains": [one.to_json() for one in probed or []]}}
    if curve and (trained := frozen_stages.gains_over_full_finetuning(curve, len(found.stage_names))):
        said.append(frozen_stages.format_curve_advice(curve, found.stage_names, trained))
        numbers["freeze"] |= {
            "by_curve": frozen_stages.count_stages_to_freeze_from_curve(trained),
            "frozen_against_tuning_all": [one.to_json() for one in trained],
        }
        if count is not None:
            said.append(frozen_stages.format_advice_check(count, trained))
            numbers["freeze"]["probes_tested"] = frozen_stages.freezing_verdict(count, trained)
    elif probed is None:
        said.append(f"How many stages to freeze cannot be said here: {found.reason_not_comparable}.")
    else:
        said += [
            format_probe_advice(found.stage_names, probed, found.similarity),
            ADVICE_LIMITS.format(found.num_images),
        ]
    return said, numbers


def _build_probe_section(found: StageComparison) -> list[str | Picture | Table]:
    shown = {role: [probe_accuracy(right) for right in of_role] for role, of_role in found.correct.items()}
    rows = [
        (i + 1, name, *(shown[role][i].format_percent() for role in shown), f"{100 * found.chance_accuracies[i]:.1f} %")
        for i, name in enumerate(found.stage_names)
    ]
    said: list[str | Picture | Table] = [
        "A probe is the simplest classifier there is: a weighted sum of features for each class, fitted on four fifths "
        f"of {found.num_images} labelled images and asked for the others. Every stage is averaged down to at most the same "
        "number of features. Beside it stand the same network at random weights, and labels dealt anew, of which "
        "nothing but luck can be read. Of the pixels themselves, averaged in the same way, a probe names "
        f"{found.pixel_accuracy.format_percent()} right; always naming the commonest class, {100 * found.majority_share:.1f} %.",
        Picture(
            _render_probe_chart(shown, found.chance_accuracies),
            "What a probe names right, from the first stage to the last.",
        ),
        Table(
            "Named right by a probe, with 95 % intervals over images.",
            ("stage", "ends with", *shown, "labels dealt anew"),
            rows,
        ),
    ]
    if not found.is_held_out:
        said.append(
            "Too few labelled images are left that did not train the network. It knows some of these, so that its own "
            "figures are too good, and no verdict rests on them."
        )
    return said


def _render_probe_chart(shown: dict[str, list[Estimate]], luck: list[float]) -> str:
    words = "; ".join(f"{role} {', '.join(f'{100 * one.value:.0f}' for one in of)}" for role, of in shown.items())

    def draw(axes: "Axes") -> None:
        stage = np.arange(1, len(luck) + 1)
        for i, (role, of_role) in enumerate(shown.items()):
            middle, low, high = (100 * np.array(numbers) for numbers in zip(*of_role, strict=True))
            how: dict[str, Any] = {"color": PALETTE[i], "marker": "osD"[i], "capsize": 2, "label": role}
            axes.errorbar(stage + 0.06 * (i - 1), middle, (middle - low, high - middle), **how)
        axes.plot(stage, [100 * share for share in luck], color=INK_COLOR, linestyle=":", label="labels dealt anew")
        axes.set_xticks(stage)
        axes.set_ylim(0, 102)
        axes.set_xlabel("stage")
        axes.set_ylabel("named right, %")
        axes.legend(frameon=False)

    return render_svg("probes", draw, f"Per cent named right by a linear probe of each stage: {words}.")


def _build_change_section(found: StageComparison) -> list[str | Picture | Table]:
    start = "the weights that it began with" if found.is_pretrained else "other random weights"
    rows = [
        (i + 1, name, found.similarity[i].format_decimal(), _format_weight_change(found.weight_changes[i]))
        for i, name in enumerate(found.stage_names)
    ]
    said: list[str | Picture | Table] = [
        f"What training changed, against {start}. Likeness (CKA) asks whether two networks find the same images alike: "
        "it is 1 for features that differ by a rotation at most, and about 0 for such as have nothing in common, "
        "however few the images are. A stage's features change with all stages before it; its weights are its own, and "
        "theirs is the length of the way that they moved, as a share of their length before.",
        Table(
            "Likeness to the beginning, and how far weights moved.",
            ("stage", "ends with", "likeness", "weights moved"),
            rows,
        ),
    ]
    if not found.is_pretrained:
        said.append(
            "Two random networks lie about 141 % apart without any training, so the last column says little here."
        )
    return said


def _build_claims(found: StageComparison) -> list[Claim]:
    said = {
        "lowest-layers-are-universal": _measure_universality(found),
        "edge-detectors-serve-another-task": _measure_first_stage_transfer(found),
        "higher-layers-change-most": _measure_stage_change(found),
    }
    return [Claim(name, sentence, **said[name]) for name, sentence in CLAIMS.items()]


def _measure_universality(found: StageComparison) -> dict[str, Any]:
    if found.reason_not_comparable:
        return _build_unmeasured(found.reason_not_comparable)
    if full := _explain_ceiling(found.correct["pretrained"][0], "pretrained"):
        return _build_unmeasured(full, "")
    gains = found.accuracy_gains("trained", "pretrained")
    first, last, random = gains[0], gains[-1], found.accuracy_gains("random", "pretrained")[0]
    verdict = universality_verdict(first, random)
    unsure = UNDECIDED_TEXT if first.high > PROBE_MARGIN else "; but random weights may do as much"
    return {
        "verdict": verdict,
        "value": f"training on these images changed what a probe reads of the first stage by {first.format_points()}"
        f"{unsure if verdict == 'depends' else ''}",
        "control": f"a random first stage in place of the pretrained one: by {random.format_points()}; training "
        f"changed the last stage by {last.format_points()}",
        "interval": first.scaled_interval(100),
    }


def _measure_first_stage_transfer(found: StageComparison) -> dict[str, Any]:
    if not (found.is_pretrained and found.correct):
        return _build_unmeasured("this network was not pretrained" if found.correct else "too few images are labelled")
    gains, own, random = (
        found.accuracy_gains("pretrained", "random"),
        found.correct["pretrained"][0],
        found.correct["random"][0],
    )
    if full := _explain_ceiling(random, "random"):
        return _build_unmeasured(full, "")
    first, last = gains[0], gains[-1]
    return {
        "verdict": first_stage_transfer_verdict(first),
        "value": f"a probe names {probe_accuracy(own).format_percent()} right by the pretrained first stage, {first.format_points()} "
        f"against a random one; by the last stage {last.format_points()}"
        f"{UNDECIDED_TEXT if first_stage_transfer_verdict(first) == 'depends' else ''}",
        "control": f"random {probe_accuracy(random).format_percent()}, pixels themselves {found.pixel_accuracy.format_percent()}, labels dealt "
        f"anew {100 * found.chance_accuracies[0]:.1f} %",
        "interval": first.scaled_interval(100),
    }


def _explain_ceiling(right: np.ndarray, which: str) -> str:
    """Why nothing can be seen to gain the margin over a first stage; "" where something can."""
    share = probe_accuracy(right).value
    if 1 - share >= PROBE_MARGIN:
        return ""
    return (
        f"these images are too easy to tell: a probe of the {which} first stage names {100 * share:.1f} % right, which "
        f"leaves less room above it than the margin of {100 * PROBE_MARGIN:.0f} points"
    )


def _measure_stage_change(found: StageComparison) -> dict[str, Any]:
    first, last = found.similarity[0], found.similarity[-1]
    reasons = {
        "this network was not pretrained": not found.is_pretrained,
        "the backbone never changed": not found.has_changed,
        "there is one stage alone": len(found.stage_names) < 2,
        "there are too few images": math.isnan(found.similarity_drop.low),
    }
    if reason := next((reason for reason, so in reasons.items() if so), ""):
        return _build_unmeasured(reason)
    *moved, _ = found.weight_changes
    verdict = stage_change_verdict(found.similarity_drop, moved)
    return {
        "verdict": verdict,
        "value": f"likeness to the beginning {first.format_decimal()} in the first stage, {last.format_decimal()} in the last; this "
        f"is what changed, not what had to{f'; {explain_undecided_stage_change(found.similarity_drop)}' if verdict == 'depends' else ''}",
        "control": f"weights moved by {_format_weight_change(moved[0])} in the first stage, {_format_weight_change(moved[-1])} in the last",
    }


def _build_unmeasured(reason: str, command: str = FINETUNE_COMMAND) -> dict[str, Any]:
    return {"verdict": "not measured", "value": reason, "command": command}


def _format_weight_change(change: float) -> str:
    return "–" if math.isnan(change) else f"{100 * change:.1f} %"
