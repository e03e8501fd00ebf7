"""A run whose ``result.json`` is not whole: its configuration tells of which arm it is the failure."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from headstart.compare.arm_names import RunResult
from headstart.errors import join_with_limit
from headstart.file_names import encode_name
from headstart.runs import run_directory

TRUNCATED_RESULT_ERROR = "its result.json is not whole; the same command trains it again"
ARM_FIELDS = ("model", "arm", "data", "folds", "settings", "compare")


def infer_failed_result(directory: Path, other_runs: Iterable[tuple[Path, RunResult]]) -> RunResult | None:
    """What the run's ``result.json`` would say had it failed; None where no other run tells which arm it is of.

    Args:
        place: the run's directory.
        others: runs that say what they are. One whose ``config.yaml`` differs in nothing but seed, budget and fold is
            of the same arm.
    """
    config = run_directory.read_config(directory)
    if not isinstance(config.get("data"), dict) or not isinstance(config.get("seed"), int):
        return None
    arm = _arm_config(config)
    for other, result in other_runs:
        if _arm_config(run_directory.read_config(other)) == arm:
            told = {key: result[key] for key in ARM_FIELDS if key in result}
            own = {key: config["data"].get(key) for key in ("labels_per_class", "fold")}
            return {"status": "failed", "error": TRUNCATED_RESULT_ERROR, **told, **own, "seed": config["seed"]}
    return None


def describe_truncated_results(unreadable: Iterable[Path]) -> list[str]:
    """What a reader must know of results that are not whole and of no arm that is known."""
    names = [encode_name(path.parent.name) for path in unreadable]
    return [
        f"Passed over, since no run beside it tells which arm it is of: {join_with_limit(names)} (not a whole result). The seed "
        "is missing without being counted as a failure; the same command trains it again."
    ] * bool(names)


def _arm_config(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration without what may differ between runs of an arm, or changes nothing of them."""
    data = {k: v for k, v in (config.get("data") or {}).items() if k not in {"labels_per_class", "fold", "num_workers"}}
    return {k: v for k, v in config.items() if k not in {"seed", "compare", "logger"}} | {"data": data}
