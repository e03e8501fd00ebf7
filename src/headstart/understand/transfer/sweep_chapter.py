"""What takes many trainings to know: how deep features transfer, and whether training from scratch overfits."""

from collections.abc import Callable
from dataclasses import replace
from statistics import fmean
from typing import Any

from headstart.understand.architectures import architecture_gains
from headstart.understand.claims import Chapter, Claim, Picture, Table
from headstart.understand.statistics import Interval
from headstart.understand.subject import Subject
from headstart.understand.transfer.generalization_gap import Gap, gaps, overfits
from headstart.understand.transfer.sweep_rows import Swept, comparable, keeps, swept
from headstart.understand.transfer.transfer_curve import (
    WAYS,
    Curve,
    drawing,
    only_higher_adapt,
    transfers,
    why_it_depends,
)

CLAIMS = {
    "lower-layers-transfer": "The lower layers of a pretrained network do for other images as they are.",
    "only-higher-layers-adapt": "Only the higher layers have to adapt to new images.",
    architecture_gains.NAME: architecture_gains.SENTENCE,
    "scratch-overfits": "A network that starts from random weights often overfits where images are few.",
}
CURVE = "headstart-train experiment=transferability, then headstart understand RUN --sweep DIR"
COMPARISON = "headstart-train experiment=compare, then headstart understand RUN --sweep DIR"
LIMITS = (
    "Behind the stages that are kept, the others start from random weights. Where the new images differ by blur or "
    "noise instead of by what they show, training the first stage alone was found best (surgical fine-tuning, Lee et "
    "al. 2023, arXiv:2210.11466): whether only the higher layers have to adapt is a matter of the images."
)

Row = dict[str, Any]


def chapter(subject: Subject, tell: Callable[[str], None]) -> Chapter:
    """The claims that a sweep decides.

    Args:
        subject: whose ``sweep`` is read, and which images its network was trained on.
        tell: takes a short line of progress.
    """
    made = Chapter("sweeps", "What takes many trainings to know")
    finished = [row for row in subject.sweep or [] if row.get("status") == "finished"]
    alike = comparable(finished, subject.shares_images)
    if subject.sweep is None:
        made.content.append("No sweep was given (--sweep DIR), so nothing here is measured yet.")
    elif left := len(finished) - len(alike):
        which = "1 run is" if left == 1 else f"{left} runs are"
        made.content.append(f"{which} of other images or settings than those read here, and left out.")
    compared = [row for row in alike if not keeps(row)]
    tell(f"{len(alike) - len(compared)} runs of a transferability curve, {len(compared)} of a comparison")
    _curve(made, swept(alike))
    _arc(made, compared)
    _overfitting(made, compared)
    if alike:
        _say_whose(made, alike[0]["data"], subject.shares_images(alike[0]))
    return made


def _say_whose(made: Chapter, data: str, own: bool) -> None:
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


def _curve(made: Chapter, found: Swept | None) -> None:
    if found is None:
        made.claims += [_unmeasured(name, CURVE) for name in ("lower-layers-transfer", "only-higher-layers-adapt")]
        return
    curve = found.curve
    lower, deepest = curve.lower(), curve.depths("frozen")[-1:]
    scratch = curve.difference("frozen", "scratch", lower)
    random = curve.difference("frozen", "random_frozen", lower)
    tuned = curve.difference("frozen", "finetuned", lower)
    every = curve.difference("frozen", "finetuned", deepest)
    which = f"keeping {' or '.join(map(str, lower))} {'stage' if lower == [1] else 'stages'}"
    made.content += [
        f"The first stages of a network were kept from its pretraining and the others began at random weights; "
        f"{found.runs} runs, {found.seeds} seeds, {found.labels_per_class or 'all'} labels per class of {found.data}. "
        "Nothing kept is training from scratch (dotted). The control keeps stages of random weights.",
        Picture(drawing(curve, "transferability"), "Accuracy by how many stages are kept; small points are runs."),
        _table(curve),
        LIMITS,
    ]
    made.numbers["curve_of"] = {"labels_per_class": found.labels_per_class, "runs": found.runs, "seeds": found.seeds}
    made.numbers["curve"] = {
        way: {kept: one.plain() for kept, one in zip(curve.depths(way), curve.accuracies(way), strict=True)}
        for way in WAYS
    }
    differences = {"over_scratch": scratch, "over_random": random, "over_finetuned": tuned, "all_over_finetuned": every}
    made.numbers["frozen"] = {"lower": lower, "deepest": deepest} | {k: v and v.plain() for k, v in differences.items()}
    made.claims.append(
        _claim(
            "lower-layers-transfer",
            transfers(scratch, random),
            f"{which}, frozen: {scratch.points()} against training from scratch"
            f"{'; the seeds are too few to tell' if transfers(scratch, random) == 'depends' else ''}",
            f"{random.points()} against random ones",
            scratch,
        )
        if scratch and random
        else _unmeasured("lower-layers-transfer", CURVE)
    )
    made.claims.append(
        _claim(
            "only-higher-layers-adapt",
            only_higher_adapt(tuned, every),
            f"{which}, frozen against fine-tuned: {tuned.points()}"
            f"{f'; {why_it_depends(every)}' if only_higher_adapt(tuned, every) == 'depends' else ''}",
            f"keeping {deepest[0]}: {every.points()}; on these images alone",
            tuned,
        )
        if tuned and every
        else _unmeasured("only-higher-layers-adapt", CURVE)
    )


def _table(curve: Curve) -> Table:
    shown = {way: dict(zip(curve.depths(way), curve.accuracies(way), strict=True)) for way in WAYS}
    depths = sorted({kept for of_way in shown.values() for kept in of_way})
    rows = [(kept, *(shown[way][kept].percent() if kept in shown[way] else "–" for way in WAYS)) for kept in depths]
    return Table("Accuracy with 95 % intervals over seeds.", ("stages kept", *WAYS.values()), rows)


def _arc(made: Chapter, rows: list[Row]) -> None:
    found = architecture_gains.accuracies(rows)
    made.claims.append(architecture_gains.climb(found))
    if found:
        made.numbers["arc"] = {
            "accuracies": {model: fmean(its) for model, its in zip(architecture_gains.ARC, found, strict=True)},
            "seeds": len(found[0]),
            "gains": [one.plain() for one in architecture_gains.gains(found)],
        }


def _overfitting(made: Chapter, rows: list[Row]) -> None:
    told = [row for row in rows if row.get("training", {}).get("loss") is not None]
    found = gaps([_run(row) for row in told])
    verdict = overfits(found)
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
                [_gap_row(gap) for gap in found],
            ),
        ]
        made.numbers["gaps"] = [
            {
                "labels_per_class": gap.labels_per_class,
                "arm": gap.arm,
                "gap": gap.gap.plain(),
                "more": gap.more and gap.more.plain(),
                "accuracy": gap.accuracy.plain(),
            }
            for gap in found
        ]
    compared = [gap for gap in found if gap.more is not None]
    made.numbers |= {"cases": len(compared), "overfit": sum(gap.overfits for gap in compared)} if compared else {}
    if verdict == "not measured":
        made.claims.append(_unmeasured("scratch-overfits", COMPARISON, lacking))
        return
    worst = max(compared, key=lambda gap: gap.gap.middle)
    made.claims.append(
        _claim(
            "scratch-overfits",
            verdict,
            f"in {sum(gap.overfits for gap in compared)} of {len(compared)} cases (an arm from scratch, a budget) the "
            f"gap is surely the larger one; the widest is {worst.gap.decimal()} nats ({worst.arm}, "
            f"{worst.labels_per_class or 'all'} labels per class)",
            f"{worst.more.decimal() if worst.more else '–'} nats above the largest gap of a pretrained network",
            worst.gap,
            1,
        )
    )


def _run(row: Row) -> Row:
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


def _gap_row(gap: Gap) -> tuple[Any, ...]:
    more = "–" if gap.more is None else gap.more.decimal()
    return gap.labels_per_class or "all", gap.arm, gap.gap.decimal(), more, gap.accuracy.percent()


def _claim(name: str, verdict: Any, value: str, control: str, figure: Interval, factor: float = 100) -> Claim:
    return Claim(name, CLAIMS[name], verdict, value, control, figure.times(factor))


def _unmeasured(name: str, command: str, reason: str = "") -> Claim:
    return Claim(name, CLAIMS[name], "not measured", reason, command=command)
