"""The chapter on claims that need several trainings: transfer of stages, architectures, overfitting."""

from collections.abc import Callable
from dataclasses import replace
from statistics import fmean

from headstart.understand.architectures.architecture_gains import (
    ARCHITECTURES,
    add_architecture_claim,
    architecture_gains,
    collect_paired_accuracies,
)
from headstart.understand.claims import Chapter, Picture, Table
from headstart.understand.run_row import RunRow
from headstart.understand.statistics import Estimate
from headstart.understand.subject import Subject
from headstart.understand.transfer.generalization_gap import GeneralizationGap, generalization_gaps, overfitting_verdict
from headstart.understand.transfer.sweep_rows import (
    TransferSweep,
    build_transfer_sweep,
    is_curve_run,
    select_comparable_runs,
)
from headstart.understand.transfer.transfer_curve import (
    MODE_LABELS,
    TransferCurve,
    explain_undecided_adaptation,
    higher_stage_adaptation_verdict,
    lower_stage_transfer_verdict,
    render_transfer_curve,
)

SWEEP_CLAIMS = {
    "lower-layers-transfer": "The lower layers of a pretrained network do for other images as they are.",
    "only-higher-layers-adapt": "Only the higher layers have to adapt to new images.",
    "each-network-beat-the-last": "LeNet, AlexNet, ResNet: each is more accurate than the one before.",
    "scratch-overfits": "A network that starts from random weights often overfits where images are few.",
}
CURVE_COMMAND = "headstart-train experiment=transferability, then headstart understand RUN --sweep DIR"
COMPARISON_COMMAND = "headstart-train experiment=compare, then headstart understand RUN --sweep DIR"
CURVE_LIMITS = (
    "The stages that are not transferred start from random weights. If the new images differ by blur or noise instead "
    "of by what they show, training the first stage alone was best (surgical fine-tuning, Lee et al. 2023, "
    "arXiv:2210.11466): whether only the higher layers have to adapt depends on the images."
)


def build_sweeps_chapter(subject: Subject, report_progress: Callable[[str], None]) -> Chapter:
    """The claims that a sweep decides.

    Args:
        subject: with the runs of a sweep, and the name of its training images.
        report_progress: takes lines of progress.
    """
    chapter = Chapter("sweeps", "What takes many trainings to know", sentences=SWEEP_CLAIMS)
    finished = list(subject.sweep or [])
    comparable = select_comparable_runs(finished, subject.has_same_images)
    if subject.sweep is None:
        chapter.content.append("No sweep was given (--sweep DIR), so nothing here is measured yet.")
    elif count := len(finished) - len(comparable):
        runs, are = ("1 run has", "is") if count == 1 else (f"{count} runs have", "are")
        chapter.content.append(f"{runs} other images or settings than those measured here, and {are} left out.")
    comparison = [row for row in comparable if not is_curve_run(row)]
    report_progress(f"{len(comparable) - len(comparison)} runs of a transfer curve, {len(comparison)} of a comparison")
    _add_transfer_curve(chapter, build_transfer_sweep(comparable))
    _add_architectures(chapter, comparison)
    _add_overfitting(chapter, comparison)
    if comparable:
        _add_data_name(chapter, comparable[0].data, subject.has_same_images(comparable[0]))
    return chapter


def _add_data_name(chapter: Chapter, data: str, has_same_images: bool) -> None:
    """Adds to each claim which images it is measured on: they may differ from the network's."""
    chapter.numbers |= {"data": data, "other_images": not has_same_images}
    if not has_same_images:
        chapter.content.insert(
            0,
            f"These runs are on {data}, and this network was trained on other images, for which results may differ. "
            "Give a sweep of its own images.",
        )
    prefix = f"on {data}: " if has_same_images else f"on {data}, not the images of this network: "
    chapter.claims = [
        claim if claim.verdict == "not measured" else replace(claim, value=prefix + claim.value)
        for claim in chapter.claims
    ]


def _add_transfer_curve(chapter: Chapter, sweep: TransferSweep | None) -> None:
    if sweep is None:
        return chapter.add_unmeasured("", ["lower-layers-transfer", "only-higher-layers-adapt"], CURVE_COMMAND)
    curve = sweep.curve
    lower, deepest = curve.lower_depths(), curve.depths("frozen")[-1:]
    differences = {
        "over_scratch": curve.difference("frozen", "scratch", lower),
        "over_random": curve.difference("frozen", "random_frozen", lower),
        "over_finetuned": curve.difference("frozen", "finetuned", lower),
        "all_over_finetuned": curve.difference("frozen", "finetuned", deepest),
    }
    chapter.content += [
        f"The first stages of a network were transferred from its pretraining; the others began at random weights: "
        f"{sweep.num_runs} runs, {sweep.num_seeds} seeds, {sweep.labels_per_class or 'all'} labels per class of "
        f"{sweep.data}. Without transferred stages it is training from scratch (dotted). The control transfers stages "
        "of random weights.",
        Picture(
            render_transfer_curve(curve, "transferability"),
            "Accuracy by number of transferred stages; small points are runs.",
        ),
        _build_curve_table(curve),
        CURVE_LIMITS,
    ]
    chapter.numbers["curve_of"] = {
        "labels_per_class": sweep.labels_per_class,
        "runs": sweep.num_runs,
        "seeds": sweep.num_seeds,
    }
    chapter.numbers["curve"] = {
        mode: {depth: e.to_json() for depth, e in zip(curve.depths(mode), curve.accuracies(mode), strict=True)}
        for mode in MODE_LABELS
    }
    chapter.numbers["frozen"] = {"lower": lower, "deepest": deepest} | {
        name: difference and difference.to_json() for name, difference in differences.items()
    }
    stages = f"{' or '.join(map(str, lower))} transferred {'stage' if lower == [1] else 'stages'}"
    _add_curve_claims(chapter, stages, deepest, *differences.values())


def _add_curve_claims(
    chapter: Chapter,
    stages: str,
    deepest: list[int],
    scratch: Estimate | None,
    random: Estimate | None,
    finetuned: Estimate | None,
    all_finetuned: Estimate | None,
) -> None:
    if scratch and random:
        verdict = lower_stage_transfer_verdict(scratch, random)
        doubt = "; there are too few seeds to decide" if verdict == "depends" else ""
        chapter.add_claim(
            "lower-layers-transfer",
            verdict,
            f"{stages}, frozen: {scratch.format_points()} against training from scratch{doubt}",
            f"{random.format_points()} against random ones",
            scratch.scaled_interval(100),
        )
    else:
        chapter.add_unmeasured("", ["lower-layers-transfer"], CURVE_COMMAND)
    if finetuned and all_finetuned:
        verdict = higher_stage_adaptation_verdict(finetuned, all_finetuned)
        doubt = f"; {explain_undecided_adaptation(all_finetuned)}" if verdict == "depends" else ""
        chapter.add_claim(
            "only-higher-layers-adapt",
            verdict,
            f"{stages}, frozen against fine-tuned: {finetuned.format_points()}{doubt}",
            f"{deepest[0]} transferred: {all_finetuned.format_points()}; on these images alone",
            finetuned.scaled_interval(100),
        )
    else:
        chapter.add_unmeasured("", ["only-higher-layers-adapt"], CURVE_COMMAND)


def _build_curve_table(curve: TransferCurve) -> Table:
    columns = {mode: dict(zip(curve.depths(mode), curve.accuracies(mode), strict=True)) for mode in MODE_LABELS}
    depths = sorted({depth for column in columns.values() for depth in column})
    rows = [
        (depth, *(column[depth].format_percent() if depth in column else "–" for column in columns.values()))
        for depth in depths
    ]
    return Table("Accuracy with 95 % intervals over seeds.", ("transferred stages", *MODE_LABELS.values()), rows)


def _add_architectures(chapter: Chapter, rows: list[RunRow]) -> None:
    accuracies = collect_paired_accuracies(rows)
    add_architecture_claim(chapter, "each-network-beat-the-last", accuracies)
    if accuracies:
        chapter.numbers["architectures"] = {
            "accuracies": {model: fmean(values) for model, values in zip(ARCHITECTURES, accuracies, strict=True)},
            "seeds": len(accuracies[0]),
            "gains": [gain.to_json() for gain in architecture_gains(accuracies)],
        }


def _add_overfitting(chapter: Chapter, rows: list[RunRow]) -> None:
    gaps = generalization_gaps(rows)
    compared = [gap for gap in gaps if gap.excess is not None]
    if gaps:
        chapter.content += [
            "Overfitting shows as a generalization gap: loss on test images minus loss on training images, in nats of "
            "cross-entropy. Every flexible network has one. The question is whether it is larger from random weights "
            "than from pretrained ones, at the same labels and seeds.",
            Table(
                "The gap between training and test images, with 95 % intervals over seeds.",
                ("labels per class", "arm", "gap, nats", "above the largest pretrained one", "test accuracy"),
                [_format_gap(gap) for gap in gaps],
            ),
        ]
        chapter.numbers["gaps"] = [
            {
                "labels_per_class": gap.labels_per_class,
                "arm": gap.arm,
                "gap": gap.loss_gap.to_json(),
                "more": gap.excess and gap.excess.to_json(),
                "accuracy": gap.accuracy.to_json(),
            }
            for gap in gaps
        ]
    if not compared:
        return chapter.add_unmeasured("", ["scratch-overfits"], COMPARISON_COMMAND)
    count = sum(gap.is_overfitting for gap in compared)
    chapter.numbers |= {"cases": len(compared), "overfit": count}
    widest = max(compared, key=lambda gap: gap.loss_gap.value)
    chapter.add_claim(
        "scratch-overfits",
        overfitting_verdict(gaps),
        f"in {count} of {len(compared)} cases (an arm from scratch, a budget) the gap is surely the larger one; the "
        f"widest is {widest.loss_gap.format_decimal()} nats ({widest.arm}, {widest.labels_per_class or 'all'} labels "
        "per class)",
        f"{widest.excess.format_decimal() if widest.excess else '–'} nats above the largest gap of a pretrained "
        "network",
        widest.loss_gap.scaled_interval(1),
    )


def _format_gap(gap: GeneralizationGap) -> tuple[str | int, ...]:
    excess = gap.excess.format_decimal() if gap.excess else "–"
    return gap.labels_per_class or "all", gap.arm, gap.loss_gap.format_decimal(), excess, gap.accuracy.format_percent()
