"""How far features transfer: what each stage tells of the classes, and what training changed of it."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from headstart.reporting.charts import COLOURS, INK, drawn
from headstart.understand.claims import Chapter, Claim, Picture, Table
from headstart.understand.statistics import Interval
from headstart.understand.subject import Subject
from headstart.understand.transfer import frozen_stages
from headstart.understand.transfer.freezing import (
    MARGIN,
    advice,
    higher_changed_most,
    serves,
    stages_to_freeze,
    universal,
    why_it_depends,
)
from headstart.understand.transfer.linear_probe import accuracy
from headstart.understand.transfer.stage_comparison import ENOUGH, Measured, measured
from headstart.understand.transfer.sweep_rows import Swept, comparable, swept

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CLAIMS = {
    "lowest-layers-are-universal": "What the lowest layers learned elsewhere does for almost any images.",
    "edge-detectors-serve-another-task": "With another last layer, the first filters of one task serve another one.",
    "higher-layers-change-most": "Fine-tuning leaves the lower layers much as they were and changes the higher ones.",
}
FINETUNE = "headstart-train model=finetune, then headstart understand RUN --only transfer"
UNSURE = f"; the images are too few to tell, with a margin of {100 * MARGIN:.0f} points"
LIMITS = (
    "What this advice does not know: it rests on one trained network, {} images, and what a weighted sum can read. "
    "Training each choice is surer: headstart-train experiment=transferability, then this page with --sweep. Which "
    "stages are best trained also depends on how the new images differ: where they are blurred, noisy or otherwise "
    "spoilt, training the first stage alone was found best, and the last ones where the classes are new (Lee et al. "
    "2023, arXiv:2210.11466)."
)


def chapter(subject: Subject, tell: Callable[[str], None]) -> Chapter:
    """Probes, likeness and weight change of each stage, and the advice that follows."""
    found = measured(subject, tell)
    content = [
        f"The network is cut where its maps become smaller: {len(found.names)} stages, counted from the image. What do "
        "the features of each tell of the classes, and what did training do to them?",
        *(_probes(found) if found.right else [f"Fewer than {ENOUGH} images are labelled: too few for probes."]),
        *_changes(found),
    ]
    numbers = {
        "stages": found.names,
        "images": found.images,
        "held_out": found.held_out,
        "probes": {role: [accuracy(one).plain() for one in of] for role, of in found.right.items()},
        "shuffled": found.luck,
        "margin": MARGIN,
        "pixels": found.pixels.plain(),
        "commonest": found.commonest if found.right else None,
        "cka_falls_by": found.fall.plain(),
        "cka": [one.plain() for one in found.alike],
        "weights": [change if math.isfinite(change) else None for change in found.changes[:-1]],
    }
    own = [row for row in subject.sweep or [] if subject.shares_images(row)]  # what others say is no advice here
    said, advised = _advice(found, swept(comparable(own, subject.shares_images)))
    return Chapter("transfer", "How far features transfer", content + said, _claims(found), numbers | advised)


def _advice(found: Measured, curve: Swept | None) -> tuple[list[str], dict[str, Any]]:
    """How many stages to freeze: by the curve where there is one, which then puts the probes' advice to the test."""
    probed = None if found.incomparable else found.gains("trained", "pretrained")
    count = None if probed is None else stages_to_freeze(probed)
    said: list[str] = []
    numbers: dict[str, Any] = {"freeze": {"by_probes": count, "gains": [one.plain() for one in probed or []]}}
    if curve and (trained := frozen_stages.against_tuning_all(curve, len(found.names))):
        said.append(frozen_stages.advice(curve, found.names, trained))
        numbers["freeze"] |= {
            "by_curve": frozen_stages.stages_to_freeze(trained),
            "frozen_against_tuning_all": [one.plain() for one in trained],
        }
        if count is not None:
            said.append(frozen_stages.put_to_the_test(count, trained))
            numbers["freeze"]["probes_tested"] = frozen_stages.verdict(count, trained)
    elif probed is None:
        said.append(f"How many stages to freeze cannot be said here: {found.incomparable}.")
    else:
        said += [advice(found.names, probed, found.alike), LIMITS.format(found.images)]
    return said, numbers


def _probes(found: Measured) -> list[str | Picture | Table]:
    shown = {role: [accuracy(right) for right in of_role] for role, of_role in found.right.items()}
    rows = [
        (i + 1, name, *(shown[role][i].percent() for role in shown), f"{100 * found.luck[i]:.1f} %")
        for i, name in enumerate(found.names)
    ]
    said: list[str | Picture | Table] = [
        "A probe is the simplest classifier there is: a weighted sum of features for each class, fitted on four fifths "
        f"of {found.images} labelled images and asked for the others. Every stage is averaged down to at most the same "
        "number of features. Beside it stand the same network at random weights, and labels dealt anew, of which "
        "nothing but luck can be read. Of the pixels themselves, averaged in the same way, a probe names "
        f"{found.pixels.percent()} right; always naming the commonest class, {100 * found.commonest:.1f} %.",
        Picture(_chart(shown, found.luck), "What a probe names right, from the first stage to the last."),
        Table(
            "Named right by a probe, with 95 % intervals over images.",
            ("stage", "ends with", *shown, "labels dealt anew"),
            rows,
        ),
    ]
    if not found.held_out:
        said.append(
            "Too few labelled images are left that did not train the network. It knows some of these, so that its own "
            "figures are too good, and no verdict rests on them."
        )
    return said


def _chart(shown: dict[str, list[Interval]], luck: list[float]) -> str:
    words = "; ".join(f"{role} {', '.join(f'{100 * one.middle:.0f}' for one in of)}" for role, of in shown.items())

    def draw(axes: "Axes") -> None:
        stage = np.arange(1, len(luck) + 1)
        for i, (role, of_role) in enumerate(shown.items()):
            middle, low, high = (100 * np.array(numbers) for numbers in zip(*of_role, strict=True))
            how: dict[str, Any] = {"color": COLOURS[i], "marker": "osD"[i], "capsize": 2, "label": role}
            axes.errorbar(stage + 0.06 * (i - 1), middle, (middle - low, high - middle), **how)
        axes.plot(stage, [100 * share for share in luck], color=INK, linestyle=":", label="labels dealt anew")
        axes.set_xticks(stage)
        axes.set_ylim(0, 102)
        axes.set_xlabel("stage")
        axes.set_ylabel("named right, %")
        axes.legend(frameon=False)

    return drawn("probes", draw, f"Per cent named right by a linear probe of each stage: {words}.")


def _changes(found: Measured) -> list[str | Picture | Table]:
    start = "the weights that it began with" if found.pretrained else "other random weights"
    rows = [(i + 1, name, found.alike[i].decimal(), _moved(found.changes[i])) for i, name in enumerate(found.names)]
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
    if not found.pretrained:
        said.append(
            "Two random networks lie about 141 % apart without any training, so the last column says little here."
        )
    return said


def _claims(found: Measured) -> list[Claim]:
    said = {
        "lowest-layers-are-universal": _universal(found),
        "edge-detectors-serve-another-task": _serves(found),
        "higher-layers-change-most": _changed(found),
    }
    return [Claim(name, sentence, **said[name]) for name, sentence in CLAIMS.items()]


def _universal(found: Measured) -> dict[str, Any]:
    if found.incomparable:
        return _unmeasured(found.incomparable)
    if full := _no_room(found.right["pretrained"][0], "pretrained"):
        return _unmeasured(full, "")
    gains = found.gains("trained", "pretrained")
    first, last, random = gains[0], gains[-1], found.gains("random", "pretrained")[0]
    verdict = universal(first, random)
    unsure = UNSURE if first.high > MARGIN else "; but random weights may do as much"
    return {
        "verdict": verdict,
        "value": f"training on these images changed what a probe reads of the first stage by {first.points()}"
        f"{unsure if verdict == 'depends' else ''}",
        "control": f"a random first stage in place of the pretrained one: by {random.points()}; training "
        f"changed the last stage by {last.points()}",
        "interval": first.times(100),
    }


def _serves(found: Measured) -> dict[str, Any]:
    if not (found.pretrained and found.right):
        return _unmeasured("this network was not pretrained" if found.right else "too few images are labelled")
    gains, own, random = found.gains("pretrained", "random"), found.right["pretrained"][0], found.right["random"][0]
    if full := _no_room(random, "random"):
        return _unmeasured(full, "")
    first, last = gains[0], gains[-1]
    return {
        "verdict": serves(first),
        "value": f"a probe names {accuracy(own).percent()} right by the pretrained first stage, {first.points()} "
        f"against a random one; by the last stage {last.points()}"
        f"{UNSURE if serves(first) == 'depends' else ''}",
        "control": f"random {accuracy(random).percent()}, pixels themselves {found.pixels.percent()}, labels dealt "
        f"anew {100 * found.luck[0]:.1f} %",
        "interval": first.times(100),
    }


def _no_room(right: np.ndarray, which: str) -> str:
    """Why nothing can be seen to gain the margin over a first stage; "" where something can."""
    share = accuracy(right).middle
    if 1 - share >= MARGIN:
        return ""
    return (
        f"these images are too easy to tell: a probe of the {which} first stage names {100 * share:.1f} % right, which "
        f"leaves less room above it than the margin of {100 * MARGIN:.0f} points"
    )


def _changed(found: Measured) -> dict[str, Any]:
    first, last = found.alike[0], found.alike[-1]
    reasons = {
        "this network was not pretrained": not found.pretrained,
        "the backbone never changed": not found.moved,
        "there is one stage alone": len(found.names) < 2,
        "there are too few images": math.isnan(found.fall.low),
    }
    if reason := next((reason for reason, so in reasons.items() if so), ""):
        return _unmeasured(reason)
    *moved, _ = found.changes
    verdict = higher_changed_most(found.fall, moved)
    return {
        "verdict": verdict,
        "value": f"likeness to the beginning {first.decimal()} in the first stage, {last.decimal()} in the last; this "
        f"is what changed, not what had to{f'; {why_it_depends(found.fall)}' if verdict == 'depends' else ''}",
        "control": f"weights moved by {_moved(moved[0])} in the first stage, {_moved(moved[-1])} in the last",
    }


def _unmeasured(reason: str, command: str = FINETUNE) -> dict[str, Any]:
    return {"verdict": "not measured", "value": reason, "command": command}


def _moved(change: float) -> str:
    return "–" if math.isnan(change) else f"{100 * change:.1f} %"
