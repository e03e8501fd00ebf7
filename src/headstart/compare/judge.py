"""The verdicts on what some directories hold, by the comparison that their runs declared before they trained."""

from typing import Any

from headstart.compare.comparison import Comparison
from headstart.compare.outcomes import outcomes
from headstart.compare.table import Found
from headstart.compare.verdict import Verdict, verdicts


def comparison(every: Found) -> Comparison:
    """What the runs declared; where they differ, the first to train, since what came later knew its result."""
    declared = [result for _, result in every.finished if isinstance(result.get("compare"), dict)]
    if not declared:
        return Comparison()
    first: dict[str, Any] = min(declared, key=lambda result: str(result.get("started")))["compare"]
    return Comparison(**{name: value for name, value in first.items() if name in Comparison.__dataclass_fields__})


def judged(every: Found) -> list[Verdict]:
    """The verdict of each data set and budget.

    Raises:
        HeadstartError: runs that do not compare, or predictions that cannot be read.
    """
    asked = comparison(every)
    tables = outcomes([*every.finished, *every.failures])
    return verdicts(tables, asked.level, asked.margin, asked.metric, asked.contrast)
