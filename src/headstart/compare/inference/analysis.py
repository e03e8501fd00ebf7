"""What some directories hold, judged once for all who tell it, by the comparison that their runs declared before they
trained."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headstart.compare.declaration import Comparison
from headstart.compare.inference.correctness import build_correctness_tables
from headstart.compare.inference.verdict import Verdict, compute_verdicts
from headstart.compare.summary_table import SweepRuns, collect_runs
from headstart.errors import HeadstartError


@dataclass(frozen=True)
class SweepAnalysis:
    """The runs of some directories, and what they say.

    Args:
        every: the runs.
        asked: the comparison that they are judged by.
        verdicts: of each data set and budget.
        trouble: why there are no verdicts, where that is not a budget's own.
    """

    runs: SweepRuns
    comparison: Comparison
    verdicts: list[Verdict]
    error: str | None = None

    def is_excluded(self, data: str, labels_per_class: int | None, arm: str) -> bool:
        """Whether the arm is no evidence at that budget."""
        return any(
            (told.table.data, told.table.labels_per_class) == (data, labels_per_class) and arm in told.table.exclusions
            for told in self.verdicts
        )


def analyze_sweep(*directories: str | Path) -> SweepAnalysis:
    """Reads the directories' runs and judges them.

    Raises:
        HeadstartError: a directory does not exist, or holds no run.
    """
    every = collect_runs(*directories)
    try:
        asked = select_comparison(every)
        tables = build_correctness_tables([*every.finished, *every.failures], every.superseded)
        told = compute_verdicts(tables, asked.level, asked.margin, asked.metric, asked.contrast)
        return SweepAnalysis(every, asked, told)
    except HeadstartError as error:
        return SweepAnalysis(every, Comparison(), [], str(error))


def select_comparison(sweep_runs: SweepRuns) -> Comparison:
    """What the runs declared; where they differ, the first to train, since what came later knew its result."""
    declared = _declaring_results(sweep_runs)
    if not declared:
        return Comparison()
    first: dict[str, Any] = min(declared, key=lambda result: str(result.get("started")))["compare"]
    return Comparison(**{name: value for name, value in first.items() if name in Comparison.__dataclass_fields__})


def find_conflicting_declarations(sweep_runs: SweepRuns) -> dict[str, list[Any]]:
    """The keys of ``compare`` that were not declared alike, with the values that they had, the earliest first."""
    declared = sorted(_declaring_results(sweep_runs), key=lambda result: str(result.get("started")))
    values: dict[str, list[Any]] = {}
    for result in declared:
        for name, value in result["compare"].items():
            if value not in values.setdefault(name, []):
                values[name].append(value)
    return {name: every for name, every in values.items() if len(every) > 1}


def _declaring_results(sweep_runs: SweepRuns) -> list[dict[str, Any]]:
    # Those of superseded runs, too: whoever declared anew could know their result.
    every_one = [*sweep_runs.finished, *sweep_runs.superseded]
    return [result for _, result in every_one if isinstance(result.get("compare"), dict)]
