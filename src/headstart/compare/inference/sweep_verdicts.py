"""Computes the verdict of each budget of a sweep, at its share of the level."""

from collections import Counter
from dataclasses import replace

from headstart.compare.declaration import Comparison
from headstart.compare.inference.correctness import CorrectnessTable
from headstart.compare.inference.looks import take_looks
from headstart.compare.inference.verdict import Verdict, compute_verdict


def compute_verdicts(tables: list[CorrectnessTable], comparison: Comparison | None = None) -> list[Verdict]:
    """Computes the verdict of each table, with a schedule that of the last look. The level is split evenly over the
    planned budgets of the data set, untrained ones included: an early look has no larger share.

    Args:
        tables: of each data set and budget.
        comparison: what is declared; None: the defaults.

    Raises:
        HeadstartError: there are too few test images for the metric.
    """
    declared = comparison or Comparison()
    levels = split_level(tables, declared.level)
    return [_judge_table(table, level, declared) for table, level in zip(tables, levels, strict=True)]


def split_level(tables: list[CorrectnessTable], level: float) -> list[float]:
    """The share of each table of the level of a sweep."""
    num_tables = Counter(table.data for table in tables)
    return [level / max(num_tables[table.data], table.num_planned_budgets) for table in tables]


def _judge_table(table: CorrectnessTable, alpha: float, declared: Comparison) -> Verdict:
    if table.schedule and not table.error:
        state = take_looks(table, alpha, declared)
        waiting = replace(
            table, correct={}, seeds=(), exclusions={arm: why for arm, (_, why) in table.bad_rows.items()}
        )
        verdict = state.verdict or _compute_at_level(waiting, alpha, declared)
        return replace(verdict, next_look=state.next_look)
    return _compute_at_level(table, alpha, declared)


def _compute_at_level(table: CorrectnessTable, alpha: float, declared: Comparison) -> Verdict:
    return compute_verdict(table, alpha, declared.margin, declared.metric, declared.contrast)
