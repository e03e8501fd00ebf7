"""The sentences of a verdict, for the terminal and the page alike."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from headstart.compare.collect.missing_runs import Unfinished
from headstart.compare.declaration import DECLARED
from headstart.compare.inference.crossover import by_data
from headstart.compare.inference.verdict import Verdict, loss_of_frozen
from headstart.data.audit.kinds import KINDS

PROTOCOL = "“How a comparison is made, and what its answer means” (docs/protocol.md of Headstart)"
TESTED = f"{PROTOCOL} shows how often that errs where the truth is known."
MEANINGS = {  # of the models, for whoever meets their names
    "finetune": "a pretrained network that goes on training on these images",
    "frozen": "a pretrained network as it is; only a new last layer is trained",
    "scratch_backbone": "the network of the pretrained arms, trained from random weights",
    "scratch_cnn": "a small network, trained from random weights",
    "distilled": "a pretrained network that goes on training and learns from a larger one, too",
    "transplanted": "the first stages of a pretrained network, the others from random weights",
}
FEW = 10  # test images of a class: its accuracy is then hardly known


def budget(labels_per_class: int | None) -> str:
    """``20``, or ``all``."""
    return "all" if labels_per_class is None else str(labels_per_class)


def where(*verdicts: Verdict) -> str:
    """``at 20 labels per class``, ``at 5 and 10 labels per class and with all labels``."""
    budgets = {v.outcomes.labels_per_class: None for v in verdicts}
    some = [budget(k) for k in budgets if k is not None]
    at = [f"at {named(some)} labels per class"] if some else []
    return " and ".join([*at, *(["with all labels"] if None in budgets else [])])


def of_metric(metric: str) -> str:
    """What points are of, to follow them: nothing where they are of plain accuracy, which is what anybody expects."""
    return "" if metric == "accuracy" else f" of {metric.replace('_', ' ')}"


def notes(folds: int, repeated: bool, refused: bool) -> list[str]:
    """What must stand beside an arm's row: that it is no evidence, or what its runs are."""
    said = ["refused"] if refused else []
    said += [f"{folds} folds"] if folds > 1 else []
    return said + (["several runs of one seed"] if repeated else [])


def question(verdict: Verdict) -> str | None:
    """What the declared contrast asks; None where its arms are not there."""
    if not all(len(verdict.outcomes.arms(name)) == 1 for name in verdict.asked):
        return None
    if _of_pretraining(verdict):
        return "Did pretraining help?"
    first, second = contrast(verdict)
    return f"Is {first} better than {second}?"


def contrast(verdict: Verdict) -> list[str]:
    """The arms of the declared contrast, refused ones among them."""
    return [arm for name in verdict.asked for arm in verdict.outcomes.arms(name)]


def helped(verdict: Verdict) -> str:
    """The first answer: whether pretraining helped, or whatever else was asked."""
    if verdict.declared is None:
        refused = [arm for arm in contrast(verdict) if arm in verdict.outcomes.refused]
        were = "was" if len(refused) == 1 else "were"
        return f"no answer: {named(refused)} {were} refused" if refused else "no answer"
    if verdict.helped is None:
        return "the same within the margin" if verdict.close else "undecided"
    worse = "no, it hurt" if _of_pretraining(verdict) else "no, it is worse"
    return ("yes" if verdict.helped else worse) + (", by less than the margin" if verdict.close else "")


def _of_pretraining(verdict: Verdict) -> bool:
    return tuple(verdict.outcomes.models[arm] for arm in contrast(verdict)) == DECLARED


def which(metric: str) -> str:
    """The second question."""
    return "Which arms did nothing beat" + ("?" if metric == "accuracy" else f" by {metric.replace('_', ' ')}?")


def unbeaten(verdict: Verdict) -> str:
    """The second answer: a winner, a tie, or undecided among those that nothing beat."""
    left = verdict.left
    if reason := missing(verdict):
        return f"no verdict: {reason}"
    if len(left) == 1:
        return f"{left[0]} wins" + (", by less than the margin" if verdict.lead_is_small else "")
    if verdict.tie:
        return f"a tie of {named(left)}: within {points(verdict.margin)}{of_metric(verdict.metric)}"
    undecided = f"undecided {between(left)} {named(left)}"
    beats_all = all(set(left) <= set(winners) for winners in verdict.beaten.values())
    if verdict.beaten and beats_all:
        return f"{undecided}; each beats {' and '.join(sorted(verdict.beaten))}"
    beaten = f"; beaten: {', '.join(sorted(verdict.beaten))}" if verdict.beaten else ""
    return undecided + beaten


def between(arms: Sequence[str]) -> str:
    """``between`` two, ``among`` more."""
    return "between" if len(arms) == 2 else "among"


def missing(verdict: Verdict) -> str | None:
    """Why there is no second answer; None where there is one."""
    table = verdict.outcomes
    if table.trouble or len(table.correct) > 1:
        return table.trouble
    if not table.seeds and len(table.models.keys() - table.refused.keys()) > 1:
        return "its arms share no seed; train the seeds that are missing"
    return f"{f'only {verdict.left[0]} is' if verdict.left else 'no arm is'} fit to be compared"


def frozen_loss(verdict: Verdict) -> str | None:
    """What the frozen backbone costs at most against any other arm; None where there is no frozen arm."""
    found = loss_of_frozen(verdict)
    if found is None:
        return None
    sure = f"with {100 * (1 - verdict.alpha):.3g} % confidence"
    if found.loss <= 0:
        return f"{found.arm} loses to no other arm, {sure}"
    most = f"{points(found.loss)}{of_metric(verdict.metric)}"
    return f"{found.arm} loses at most {most} (to {found.rival}), {sure}"


def frozen_losses(verdicts: Sequence[Verdict]) -> list[str]:
    """What the frozen backbone costs, budget by budget."""
    return once(verdicts, lambda verdict: [loss] if (loss := frozen_loss(verdict)) else [])


def unfinished(state: Unfinished) -> str:
    """What is missing of a sweep."""
    begun = _counted(state.begun, "run", "has", "have")
    if not state.missing:
        return f"Not finished: {begun} begun and not come to an end; the same command goes on."
    also = f", and {begun} begun" if state.begun else ""
    are = "is" if state.missing == 1 else "are"
    return (
        f"Not finished: {state.missing:,} of {state.asked:,} runs {are} missing{also}. The answers are those of the "
        "runs that are there; the same command goes on with the others."
    )


def differing(declared: Mapping[str, Sequence[Any]]) -> list[str]:
    """That runs were declared to answer different questions."""
    told = [f"compare.{key}: {' or '.join(map(_value, values))}" for key, values in declared.items()]
    return [
        f"These runs declared different comparisons ({'; '.join(told)}). They are judged by what the first to train "
        "had declared, since whoever declared the others could know its result."
    ] * bool(told)


def level(verdicts: Sequence[Verdict]) -> dict[str, float]:
    """The chance of any false answer: of a data set, of all verdicts together, and of as many looks as there were."""
    of_each = [sum(verdict.alpha for verdict in its) for its in by_data(verdicts).values()]
    of_all = sum(of_each)
    return {
        "level_of_each": max(of_each, default=0.0),
        "level_of_all": of_all,
        "false_at_most": min(1.0, _looks(verdicts) * of_all),
    }


def _looks(verdicts: Sequence[Verdict]) -> int:
    return max((verdict.outcomes.looks for verdict in verdicts), default=1)


def cautions(verdicts: Sequence[Verdict], anew: bool = False) -> list[str]:
    """What a reader must know of the verdicts before trusting them, the level first.

    Args:
        verdicts: all of them.
        anew: whether the place of some runs was taken by later ones.
    """
    if not verdicts:
        return []
    chances = level(verdicts)
    each, whole, more = (f"{100 * chance:.3g} %" for chance in chances.values())
    several = len(by_data(verdicts)) > 1
    split = f", split over {len(verdicts)} budgets" if len(verdicts) > 1 else ""
    level_ = f"{each} for each data set, {whole} for all together" if several else f"{whole}{split}"
    said = [f"Level: {level_}: any arm is called worse than one that it equals with at most this chance. {TESTED}"]
    if any(len(verdict.outcomes.seeds) == 1 for verdict in verdicts):
        said.append("With one seed a verdict speaks for these trained networks only.")
    if (looks := _looks(verdicts)) > 1:
        added = "Seeds or images were added, or runs trained anew," if anew else "Seeds were added"
        said.append(
            f"{added} {_times(looks - 1)} after results could be seen: {looks} looks, so that a false answer "
            f"has a chance of up to {more} instead of {whole}."
        )
    if (metric := verdicts[0].metric) != "accuracy":
        said.append(f"The verdicts go by {metric.replace('_', ' ')}; the table shows plain accuracy.")
    return said + once(verdicts, _about)


def _about(verdict: Verdict) -> list[str]:
    table = verdict.outcomes
    said = [f"{arm} is refused as evidence: {reason}" for arm, reason in table.refused.items()]
    said += [f"left out: {_seeds(seeds)} of {arm}, which other arms lack" for arm, seeds in table.left_out.items()]
    said += [f"{arm} took every test image for one class with {_seeds(seeds)}" for arm, seeds in table.constant.items()]
    fewest = np.unique(table.labels, return_counts=True)[1].min(initial=FEW)
    if verdict.metric == "balanced_accuracy" and fewest < FEW:
        said.append(f"the rarest class has {fewest} test images, and balanced accuracy leans on them")
    return said + _not_asked(verdict)


def _not_asked(verdict: Verdict) -> list[str]:
    """Why the declared contrast has no answer, where that is no arm's fault."""
    arms = {name: verdict.outcomes.arms(name) for name in verdict.asked}
    if verdict.asked == DECLARED and not any(arms.values()):
        return []  # nobody asked
    no_answer = f"{' against '.join(arms)} has no answer"
    return [f"{no_answer}: no run of {name} is here" for name, its in arms.items() if not its] + [
        f"{no_answer}: {named(its)} are arms of {name}; compare.contrast may name one"
        for name, its in arms.items()
        if len(its) > 1
    ]


def once(verdicts: Sequence[Verdict], told: Callable[[Verdict], list[str]]) -> list[str]:
    """What is told of verdicts, as sentences: what holds at several budgets of a data set once, with all of them."""
    same: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in verdicts:
        for words in told(verdict):
            same.setdefault((verdict.outcomes.data, words), []).append(verdict)
    several = len(by_data(verdicts)) > 1
    places = {key: f"{key[0]}, {where(*its)}" if several else _capital(where(*its)) for key, its in same.items()}
    return [f"{places[data, words]}, {words}." for data, words in same]


def meaning(arm: str) -> str:
    """What an arm is, by its name; nothing where its model has no meaning here."""
    return MEANINGS.get(arm.partition(" ")[0], "")


def found(kind: str) -> str:
    """What an audit found, in plain words."""
    return KINDS.get(kind, kind.replace("_", " "))


def named(arms: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(arms[:-1]), arms[-1]] if len(arms) > 1 else arms)


def points(difference: float) -> str:
    """A difference in accuracy, in points."""
    figure = f"{100 * difference:.1f}".removesuffix(".0")
    return f"{figure} point{'s' if figure != '1' else ''}"


def _seeds(seeds: Sequence[int]) -> str:
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"


def _counted(n: int, thing: str, one: str, more: str) -> str:
    """``1 run has``, ``2 runs have``."""
    return f"{n:,} {thing} {one}" if n == 1 else f"{n:,} {thing}s {more}"


def _value(value: Any) -> str:
    return f"[{','.join(map(str, value))}]" if isinstance(value, list) else str(value)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")
