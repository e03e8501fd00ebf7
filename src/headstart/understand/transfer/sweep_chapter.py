"""What takes many trainings to know: how deep features transfer, and whether training from scratch overfits."""

from collections.abc import Callable
from dataclasses import replace
from statistics import fmean
from typing import Any

from headstart.understand.architectures import architecture_gains
from headstart.understand.claims import Chapter, Claim, Picture, Table
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

CLAIMS = {
    "lower-layers-transfer": "The lower layers of a pretrained network do for other images as they are.",
    "only-higher-layers-adapt": "Only the higher layers have to adapt to new images.",
    architecture_gains.CLAIM_NAME: architecture_gains.CLAIM_SENTENCE,
    "scratch-overfits": "A network that starts from random weights often overfits where images are few.",
}
CURVE_COMMAND = "headstart-train experiment=transferability, then headstart understand RUN --sweep DIR"
COMPARISON_COMMAND = "headstart-train experiment=compare, then headstart understand RUN --sweep DIR"
CURVE_LIMITS = (
    "Behind the stages that are kept, the others start from random weights. Where the new images differ by blur or "
    "noise instead of by what they show, training the first stage alone was found best (surgical fine-tuning, Lee et "
    "al. 2023, arXiv:2210.11466): whether only the higher layers have to adapt is a matter of the images."
)

ResultRow = dict[str, Any]


def build_sweeps_chapter(subject: Subject, report_progress: Callable[[str], None]) -> Chapter:
    """The claims that a sweep decides.

    Args:
        subject: whose ``sweep`` is read, and which images its network was trained on.
        tell: takes a short line of progress.
    """
    made = Chapter("sweeps", "What takes many trainings to know")
    finished = [row for row in subject.sweep or [] if row.get("status") == "finished"]
    alike = select_comparable_runs(finished, subject.has_same_images)
    if subject.sweep is None:
        made.content.append("No sweep was given (--sweep DIR), so nothing here is measured yet.")
    elif left := len(finished) - len(alike):
        which = "1 run is" if left == 1 else f"{left} runs are"
        made.content.append(f"{which} of other images or settings than those read here, and left out.")
    compared = [row for row in alike if not is_curve_run(row)]
    report_progress(f"{len(alike) - len(compared)} runs of a transferability curve, {len(compared)} of a comparison")
    _add_transfer_curve(made, build_transfer_sweep(alike))
    _add_architectures(made, compared)
    _add_overfitting(made, compared)
    if alike:
        _name_data(made, alike[0]["data"], subject.has_same_images(alike[0]))
    return made


def _name_data(made: Chapter, data: str, own: bool) -> None:
    """Which images the verdicts are of, said with each: they need not be those of the network."""
    made.numbers |= {"data": data, "other_images": not own}
    if not own:
        made.content.insert(
            0,
            f"These runs are of {data}, and this network was trained on other images: for those it may be otherwise. "
            "Give a sweep of its own images.",
        )
    of = f"on {data}: " if own else f"on {data}, not the images of this network: "
    made.claims = [
        claim if claim.verdict == "not measured" else replace(claim, value=of + claim.value) for claim in made.claims
    ]


def _add_transfer_curve(made: Chapter, found: TransferSweep | None) -> None:
    if found is None:
        made.claims += [
            _build_unmeasured_claim(name, CURVE_COMMAND)
            for name in ("lower-layers-transfer", "only-higher-layers-adapt")
        ]
        return
    curve = found.curve
    lower, deepest = curve.lower_depths(), curve.depths("frozen")[-1:]
    scratch = curve.difference("frozen", "scratch", lower)
    random = curve.difference("frozen", "random_frozen", lower)
    tuned = curve.difference("frozen", "finetuned", lower)
    every = curve.difference("frozen", "finetuned", deepest)
    which = f"keeping {' or '.join(map(str, lower))} {'stage' if lower == [1] else 'stages'}"
    made.content += [
        f"The first stages of a network were kept from its pretraining and the others began at random weights; "
        f"{found.num_runs} runs, {found.num_seeds} seeds, {found.labels_per_class or 'all'} labels per class of {found.data}. "
        "Nothing kept is training from scratch (dotted). The control keeps stages of random weights.",
        Picture(
            render_transfer_curve(curve, "transferability"),
            "Accuracy by how many stages are kept; small points are runs.",
        ),
        _build_table(curve),
        CURVE_LIMITS,
    ]
    made.numbers["curve_of"] = {
        "labels_per_class": found.labels_per_class,
        "runs": found.num_runs,
        "seeds": found.num_seeds,
    }
    made.numbers["curve"] = {
        way: {kept: one.to_json() for kept, one in zip(curve.depths(way), curve.accuracies(way), strict=True)}
        for way in MODE_LABELS
    }
    differences = {"over_scratch": scratch, "over_random": random, "over_finetuned": tuned, "all_over_finetuned": every}
    made.numbers["frozen"] = {"lower": lower, "deepest": deepest} | {
        k: v and v.to_json() for k, v in differences.items()
    }
    made.claims.append(
        _build_claim(
            "lower-layers-transfer",
            lower_stage_transfer_verdict(scratch, random),
            f"{which}, frozen: {scratch.format_points()} against training from scratch"
            f"{'; the seeds are too few to tell' if lower_stage_transfer_verdict(scratch, random) == 'depends' else ''}",
            f"{random.format_points()} against random ones",
            scratch,
        )
        if scratch and random
        else _build_unmeasured_claim("lower-layers-transfer", CURVE_COMMAND)
    )
    made.claims.append(
        _build_claim(
            "only-higher-layers-adapt",
            higher_stage_adaptation_verdict(tuned, every),
            f"{which}, frozen against fine-tuned: {tuned.format_points()}"
            f"{f'; {explain_undecided_adaptation(every)}' if higher_stage_adaptation_verdict(tuned, every) == 'depends' else ''}",
            f"keeping {deepest[0]}: {every.format_points()}; on these images alone",
            tuned,
        )
        if tuned and every
        else _build_unmeasured_claim("only-higher-layers-adapt", CURVE_COMMAND)
    )


def _build_table(curve: TransferCurve) -> Table:
    shown = {way: dict(zip(curve.depths(way), curve.accuracies(way), strict=True)) for way in MODE_LABELS}
    depths = sorted({kept for of_way in shown.values() for kept in of_way})
    rows = [
        (kept, *(shown[way][kept].format_percent() if kept in shown[way] else "–" for way in MODE_LABELS))
        for kept in depths
    ]
    return Table("Accuracy with 95 % intervals over seeds.", ("stages kept", *MODE_LABELS.values()), rows)


def _add_architectures(made: Chapter, rows: list[ResultRow]) -> None:
    found = architecture_gains.collect_paired_accuracies(rows)
    made.claims.append(architecture_gains.build_architecture_claim(found))
    if found:
        made.numbers["arc"] = {
            "accuracies": {
                model: fmean(its) for model, its in zip(architecture_gains.ARCHITECTURES, found, strict=True)
            },
            "seeds": len(found[0]),
            "gains": [one.to_json() for one in architecture_gains.architecture_gains(found)],
        }


def _add_overfitting(made: Chapter, rows: list[ResultRow]) -> None:
    told = [row for row in rows if row.get("training", {}).get("loss") is not None]
    found = generalization_gaps([_build_gap_row(row) for row in told])
    verdict = overfitting_verdict(found)
    lacking = ""
    if left := len(rows) - len(told):
        lacking = (
            f"{left} of {len(rows)} runs hold no loss on the images that trained them (training.loss in result.json: "
            "older versions wrote none), so they cannot show overfitting; this version's runs do"
        )
        made.content.append(f"{lacking}: headstart-train experiment=compare.")
    if found:
        made.content += [
            "Overfitting shows as a gap: how much worse a network knows test images than those that trained it, in "
            "nats of cross-entropy. Every flexible network has one; the question is whether it is larger from random "
            "weights than from pretrained ones, at the same labels and seeds.",
            Table(
                "The gap between training and test images, with 95 % intervals over seeds.",
                ("labels per class", "arm", "gap, nats", "above the largest pretrained one", "test accuracy"),
                [_format_gap_row(gap) for gap in found],
            ),
        ]
        made.numbers["gaps"] = [
            {
                "labels_per_class": gap.labels_per_class,
                "arm": gap.arm,
                "gap": gap.loss_gap.to_json(),
                "more": gap.excess and gap.excess.to_json(),
                "accuracy": gap.accuracy.to_json(),
            }
            for gap in found
        ]
    compared = [gap for gap in found if gap.excess is not None]
    made.numbers |= {"cases": len(compared), "overfit": sum(gap.is_overfitting for gap in compared)} if compared else {}
    if verdict == "not measured":
        made.claims.append(_build_unmeasured_claim("scratch-overfits", COMPARISON_COMMAND, lacking))
        return
    worst = max(compared, key=lambda gap: gap.loss_gap.value)
    made.claims.append(
        _build_claim(
            "scratch-overfits",
            verdict,
            f"in {sum(gap.is_overfitting for gap in compared)} of {len(compared)} cases (an arm from scratch, a budget) the "
            f"gap is surely the larger one; the widest is {worst.loss_gap.format_decimal()} nats ({worst.arm}, "
            f"{worst.labels_per_class or 'all'} labels per class)",
            f"{worst.excess.format_decimal() if worst.excess else '–'} nats above the largest gap of a pretrained network",
            worst.loss_gap,
            1,
        )
    )


def _build_gap_row(row: ResultRow) -> ResultRow:
    begun = row.get("starts", {}).get("backbone", {}).get("weights", "none")
    return {
        "arm": row["model"],
        "pretrained": begun != "none",
        "labels_per_class": row.get("labels_per_class"),
        "seed": row["seed"],
        "train_loss": row["training"]["loss"],
        "test_loss": row["metrics"]["test/log_loss"],
        "accuracy": row["metrics"]["test/accuracy"],
    }


def _format_gap_row(gap: GeneralizationGap) -> tuple[Any, ...]:
    more = "–" if gap.excess is None else gap.excess.format_decimal()
    return gap.labels_per_class or "all", gap.arm, gap.loss_gap.format_decimal(), more, gap.accuracy.format_percent()


def _build_claim(name: str, verdict: Any, value: str, control: str, figure: Estimate, factor: float = 100) -> Claim:
    return Claim(name, CLAIMS[name], verdict, value, control, figure.scaled_interval(factor))


def _build_unmeasured_claim(name: str, command: str, reason: str = "") -> Claim:
    return Claim(name, CLAIMS[name], "not measured", reason, command=command)
