"""Averages the runs of each arm at each budget: the table of a sweep."""

from collections.abc import Sequence

import pandas as pd

from headstart.compare.collect.sweep_runs import LoadedRun

GROUP_COLUMNS = ["data", "labels_per_class", "arm"]
COST_COLUMNS = ["trainable_parameters", "seconds", "flops", "peak_memory_bytes"]
ARM_TABLE_COLUMNS = [*GROUP_COLUMNS, "folds", "accuracy", "spread", "n", "seeds", *COST_COLUMNS, "tuning_seconds"]


def summarize_arms(runs: Sequence[LoadedRun]) -> pd.DataFrame:
    """Averages the finished runs of each data set, budget and arm; sorts the best arm of a budget first.

    Returns:
        Columns ``data``, ``labels_per_class`` (NaN: all), ``arm``, ``folds`` (1: one split), ``accuracy`` (mean over
        the runs, of 1), ``spread`` (standard deviation over the runs, NaN for one run), ``n`` (runs), ``seeds`` (pairs
        of seed and fold; fewer than ``n`` where several runs have one), and the means of ``trainable_parameters``,
        ``seconds``, ``flops`` (of one image, forward), ``peak_memory_bytes`` and ``tuning_seconds``.
    """
    frame = pd.DataFrame(
        {
            "data": run.data_set,
            "labels_per_class": run.result.labels_per_class,
            "folds": run.result.num_folds,
            "arm": run.arm,
            "seed": f"{run.result.seed} {run.result.fold}",
            "accuracy": run.result.metrics.get("test/accuracy"),
            **{name: run.result.cost.get(name) for name in COST_COLUMNS},
            "tuning_seconds": sum(trial["seconds"] for trial in run.result.trials or []),
        }
        for run in runs
    )
    if frame.empty:
        return pd.DataFrame(columns=ARM_TABLE_COLUMNS)
    measured = ["labels_per_class", "accuracy", *COST_COLUMNS, "tuning_seconds"]
    frame[measured] = frame[measured].astype(float)
    table = frame.groupby(GROUP_COLUMNS, dropna=False).agg(
        folds=("folds", "max"),
        accuracy=("accuracy", "mean"),
        spread=("accuracy", "std"),
        n=("accuracy", "size"),
        seeds=("seed", "nunique"),
        **{name: (name, "mean") for name in (*COST_COLUMNS, "tuning_seconds")},
    )
    order = ["data", "labels_per_class", "accuracy"]
    return table.reset_index().sort_values(order, ascending=[True, True, False], ignore_index=True)
