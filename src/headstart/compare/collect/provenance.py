"""Where things come from: what a pretrained network had seen, how the images were split, on what machine it ran."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from headstart.compare.arm_names import Result
from headstart.runs import run_directory


def starts(results: Sequence[tuple[str, Result]], classes: Sequence[str]) -> list[dict[str, Any]]:
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
        {"arms": sorted(names), "networks": list(_networks(json.loads(text), classes))} for text, names in arms.items()
    ]


def _networks(begun: dict[str, Any], classes: Sequence[str], depth: int = 0) -> Iterator[dict[str, Any]]:
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
        yield from _networks(card.get("starts") or {}, classes, depth + 1)


def class_names(directory: Path, result: Result) -> list[str]:
    """The classes in the order of their labels; what the run's split says, where the result says nothing."""
    return result.get("classes") or sorted({str(row["class"]) for row in rows(directory)})


def parts(directory: Path) -> dict[str, Any]:
    """How many images of the run trained, validated and tested it, and how many of a class tested it."""
    counts = Counter((row["part"], row["class"]) for row in rows(directory))
    tested = [n for (part, _), n in counts.items() if part == "test"]
    said = {name: sum(n for (part, _), n in counts.items() if part == name) for name in ("train", "val", "test")}
    return {
        **said,
        "classes": len({name for _, name in counts}),
        "fewest_tested": min(tested, default=0),
        "most_tested": max(tested, default=0),
    }


def rows(directory: Path) -> list[dict[str, str]]:
    """The run's split; empty where the file is lost."""
    try:
        found = json.loads((directory / run_directory.SPLIT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [row for row in found if isinstance(row, dict) and {"image", "class", "part"} <= row.keys()]


def conditions(results: Sequence[Result]) -> list[dict[str, Any]]:
    """The versions and machines of the runs, each once, the most frequent first."""
    every = Counter(
        json.dumps({"versions": r.get("versions") or {}, "hardware": r.get("hardware") or {}}, sort_keys=True)
        for r in results
    )
    return [{"runs": n, **json.loads(text)} for text, n in every.most_common()]
