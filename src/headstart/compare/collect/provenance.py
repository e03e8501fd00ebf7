"""Collects the origin of starting weights, the sizes of splits, and the machines and versions of runs."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from headstart.runs.result import RunResult
from headstart.runs.run_directory import read_split_rows


def collect_starting_weights(results: Sequence[tuple[str, RunResult]], classes: Sequence[str]) -> list[dict[str, Any]]:
    """Collects each set of starting weights with the arms that use it and the classes that it was trained on.

    Args:
        results: name of the arm and result of each run.
        classes: names of the data's classes.
    """
    arms: dict[str, set[str]] = {}
    for arm, result in results:
        if origins := {role: origin for role, origin in (result.starts or {}).items() if origin}:
            arms.setdefault(json.dumps(origins, sort_keys=True), set()).add(arm)
    return [
        {"arms": sorted(names), "networks": list(_iter_starting_networks(json.loads(text), classes))}
        for text, names in arms.items()
    ]


def _iter_starting_networks(
    origins: dict[str, Any], classes: Sequence[str], depth: int = 0
) -> Iterator[dict[str, Any]]:
    for role, origin in origins.items():
        card = origin.get("card") or {}
        pretraining_classes = card.get("seen") or []
        yield {
            "role": role,
            "depth": depth,
            "name": origin.get("name"),
            "weights": origin.get("weights"),
            "sha256": origin.get("sha256"),
            "data": card.get("data"),
            "accuracy": card.get("accuracy"),
            "terms": card.get("terms"),
            "classes_seen": len(pretraining_classes) or None,
            "same_names": sorted(set(map(str, pretraining_classes)) & set(classes)),
        }
        yield from _iter_starting_networks(card.get("starts") or {}, classes, depth + 1)


def load_class_names(directory: Path, result: RunResult) -> list[str]:
    """Returns the classes in the order of their labels; those of the split where the result has none."""
    return result.classes or sorted({str(row["class"]) for row in read_split_rows(directory)})


def count_images_per_part(directory: Path) -> dict[str, Any]:
    """Counts the training, validation and test images of a run, and the fewest and most test images of a class."""
    counts = Counter((row["part"], row["class"]) for row in read_split_rows(directory))
    tested = [n for (part, _), n in counts.items() if part == "test"]
    sizes = {name: sum(n for (part, _), n in counts.items() if part == name) for name in ("train", "val", "test")}
    return {
        **sizes,
        "classes": len({name for _, name in counts}),
        "fewest_tested": min(tested, default=0),
        "most_tested": max(tested, default=0),
    }


def summarize_environments(results: Sequence[RunResult]) -> list[dict[str, Any]]:
    """Collects the versions and machines of the runs, each once, the most frequent first."""
    counts = Counter(
        json.dumps({"versions": result.versions, "hardware": result.hardware}, sort_keys=True) for result in results
    )
    return [{"runs": n, **json.loads(text)} for text, n in counts.most_common()]
