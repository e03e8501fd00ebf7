"""Where things come from: what a pretrained network had seen, how the images were split, on what machine it ran."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from headstart.compare.arm_names import RunResult
from headstart.runs import run_directory


def collect_starting_weights(results: Sequence[tuple[str, RunResult]], classes: Sequence[str]) -> list[dict[str, Any]]:
    """Each set of starting weights, the arms that begin from it, and whether the images may be among what it saw.

    Args:
        results: the arm's name and result of each run.
        classes: the names of the data's classes.
    """
    arms: dict[str, set[str]] = {}
    for arm, result in results:
        if begun := {role: origin for role, origin in (result.get("starts") or {}).items() if origin}:
            arms.setdefault(json.dumps(begun, sort_keys=True), set()).add(arm)
    return [
        {"arms": sorted(names), "networks": list(_iter_starting_networks(json.loads(text), classes))}
        for text, names in arms.items()
    ]


def _iter_starting_networks(begun: dict[str, Any], classes: Sequence[str], depth: int = 0) -> Iterator[dict[str, Any]]:
    for role, origin in begun.items():
        card = origin.get("card") or {}
        seen = card.get("seen") or []
        yield {
            "role": role,
            "depth": depth,
            "name": origin.get("name"),
            "weights": origin.get("weights"),
            "sha256": origin.get("sha256"),
            "data": card.get("data"),
            "accuracy": card.get("accuracy"),
            "terms": card.get("terms"),
            "classes_seen": len(seen) or None,
            "same_names": sorted(set(map(str, seen)) & set(classes)),
        }
        yield from _iter_starting_networks(card.get("starts") or {}, classes, depth + 1)


def load_class_names(directory: Path, result: RunResult) -> list[str]:
    """The classes in the order of their labels; what the run's split says, where the result says nothing."""
    return result.get("classes") or sorted({str(row["class"]) for row in load_split_rows(directory)})


def count_images_per_part(directory: Path) -> dict[str, Any]:
    """How many images of the run trained, validated and tested it, and how many of a class tested it."""
    counts = Counter((row["part"], row["class"]) for row in load_split_rows(directory))
    tested = [n for (part, _), n in counts.items() if part == "test"]
    said = {name: sum(n for (part, _), n in counts.items() if part == name) for name in ("train", "val", "test")}
    return {
        **said,
        "classes": len({name for _, name in counts}),
        "fewest_tested": min(tested, default=0),
        "most_tested": max(tested, default=0),
    }


def load_split_rows(directory: Path) -> list[dict[str, str]]:
    """The run's split; empty where the file is lost."""
    try:
        found = json.loads((directory / run_directory.SPLIT_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [row for row in found if isinstance(row, dict) and {"image", "class", "part"} <= row.keys()]


def summarize_environments(results: Sequence[RunResult]) -> list[dict[str, Any]]:
    """The versions and machines of the runs, each once, the most frequent first."""
    every = Counter(
        json.dumps({"versions": r.get("versions") or {}, "hardware": r.get("hardware") or {}}, sort_keys=True)
        for r in results
    )
    return [{"runs": n, **json.loads(text)} for text, n in every.most_common()]
