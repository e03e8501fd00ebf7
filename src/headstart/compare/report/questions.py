"""Answers two questions that every comparison of pretrained networks raises: fine-tuning, and more photographs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headstart.compare.inference.verdict import Verdict
from headstart.compare.report import text
from headstart.compare.report.answers import contrast_to_dict
from headstart.compare.report.conclusion import Conclusion, select_next_step
from headstart.compare.report.recommendations import NextStep, is_out_of_reach
from headstart.reporting.formats import format_points

FINETUNED_MODEL = "finetune"
FEATURE_MODELS = ("frozen", "linear_probe", "knn")  # the pretrained network as it is
CURVE_EXPERIMENT = "curve"  # measures accuracy at several budgets


@dataclass(frozen=True)
class Question:
    """A question with its answer.

    Args:
        question: in words.
        answer: in words.
        gain: what the answer is about, of 1; None: it has no figure of its own.

    Example:
        >>> Question("Is fine-tuning worth it?", "Yes: +8.1 points (+3.0 to +13.2) over frozen.").gain
    """

    question: str
    answer: str
    gain: float | None = None


def answer_questions(
    verdicts: Sequence[Verdict], conclusions: Sequence[Conclusion], seconds: Mapping[str, float], command: str | None
) -> list[Question]:
    """Answers the questions at the largest budget of a data set.

    Args:
        verdicts: of the data set, sorted by budget.
        conclusions: of each.
        seconds: of a training at the largest budget, by arm.
        command: of the sweep; None: unknown.
    """
    finetuning = _answer_finetuning(verdicts[-1], seconds)
    return [*([finetuning] if finetuning else []), _answer_photographs(verdicts, conclusions, command)]


def _answer_finetuning(verdict: Verdict, seconds: Mapping[str, float]) -> Question | None:
    """Compares the best fine-tuned arm with the best one that leaves the pretrained network as it is."""
    arms = sorted(verdict.table.correct, key=lambda arm: -verdict.score(arm))
    tuned = next((arm for arm in arms if verdict.table.models[arm] == FINETUNED_MODEL), None)
    frozen = next((arm for arm in arms if verdict.table.models[arm] in FEATURE_MODELS), None)
    if tuned is None or frozen is None:
        return None
    values = contrast_to_dict(verdict, (tuned, frozen))
    difference = text.format_difference(values, verdict.metric)
    if tuned in verdict.beaten_by.get(frozen, []):
        answer = f"Yes: {difference} over {frozen}"
    elif frozen in verdict.beaten_by.get(tuned, []):
        answer = f"No: {difference} against {frozen}"
    elif values["high"] <= verdict.margin:
        answer = f"No: it gains at most {format_points(max(values['high'], 0.0))} over {frozen}"
    else:
        is_gain = values["difference"] > 0
        answer = text.describe_open_answer(verdict).capitalize() if is_gain else "No sign of it"
        answer = f"{answer}: {difference} over {frozen}"
    cost = ""
    if tuned in seconds and frozen in seconds:
        cost = f"; a training takes {seconds[tuned]:,.1f} s instead of {seconds[frozen]:,.1f} s"
    return Question("Is fine-tuning worth it?", f"{answer}{cost}.")


def _answer_photographs(
    verdicts: Sequence[Verdict], conclusions: Sequence[Conclusion], command: str | None
) -> Question:
    """Says whether more images would decide, and what more labels have brought so far."""
    to_choose = _describe_need(verdicts[-1], conclusions[-1], select_next_step(conclusions))
    gain, more_labels = _describe_label_gain(verdicts, conclusions[-1].arm, command)
    return Question("Do I need more photographs?", " ".join([f"{to_choose}.", *more_labels]), gain)


def _describe_need(verdict: Verdict, conclusion: Conclusion, step: NextStep | None) -> str:
    if step and step.kind == "images":
        return f"For this choice: {step.text}"
    if step:
        return "Not for this choice: the command at the top comes first"
    if is_out_of_reach(verdict):
        return "Even four times as many would not decide this"  # MAX_GROWTH
    return "Not for this choice" if conclusion.is_clear else "Not clear from these runs"


def _describe_label_gain(
    verdicts: Sequence[Verdict], arm: str | None, command: str | None
) -> tuple[float | None, list[str]]:
    """Describes what the last step of the budget brought the arm; with one budget, the command that measures it."""
    *smaller_budgets, after = verdicts
    before = smaller_budgets[-1] if smaller_budgets else None
    if before and arm and arm in before.table.correct and arm in after.table.correct:
        gain = after.score(arm) - before.score(arm)
        smaller, larger = (text.format_budget(verdict.table.labels_per_class) for verdict in (before, after))
        verb = "gained" if gain >= 0 else "lost"
        more = f"For accuracy: from {smaller} to {larger} labels per class {arm} {verb} {format_points(abs(gain))}."
        return gain, [more]
    if after.table.labels_per_class is not None:
        return None, ["For accuracy: a larger data.labels_per_class measures what more bring."]
    if command and "experiment=compare" in command.split():
        return None, [f"For accuracy: experiment={CURVE_EXPERIMENT} in place of compare measures what more bring."]
    return None, []
