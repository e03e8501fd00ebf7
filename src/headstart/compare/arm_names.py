"""Arms named by what differs: the model, and the fewest settings that tell its arms apart."""

import json
from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations
from typing import Any

Result = dict[str, Any]  # what a result.json holds

MOST_SETTINGS = 4  # in a name; where even these tell nothing apart, the name has all that differ


def arm_key(result: Result) -> str:
    """Equal for the runs of one arm, whatever their seed, budget, data and fold."""
    return json.dumps([result.get("arm"), result.get("settings") or {}], sort_keys=True)


def arm_names(results: Sequence[Result]) -> list[str]:
    """The name of each result's arm, e.g. ``finetune head_lr=0.001 backbone=resnet18``."""
    # Within a data set: that another has other images makes no two arms of one.
    settings: dict[tuple[str, str], dict[str, dict[str, Any]]] = defaultdict(dict)
    for result in results:
        model = str(result.get("arm"))
        settings[str(result.get("data")), model][arm_key(result)] = result.get("settings") or {}
    names = {
        (data, key): " ".join([model, *(f"{_word(s)}={_shown(own[s])}" for s in telling if s in own)])
        for (data, model), arms in settings.items()
        for telling in [_telling(list(arms.values()))]
        for key, own in arms.items()
    }
    return [names[str(result.get("data")), arm_key(result)] for result in results]


def _telling(arms: list[dict[str, Any]]) -> Sequence[str]:
    """The fewest settings by which all these arms differ; among equally few, the most readable."""
    if len(arms) == 1:
        return ()
    by_partition: dict[tuple[int, ...], str] = {}
    for setting in sorted({s for arm in arms for s in arm}, key=_readable):
        values = [json.dumps(arm[setting], sort_keys=True) if setting in arm else None for arm in arms]
        partition = tuple(values.index(v) for v in values)
        if any(partition):
            by_partition.setdefault(partition, setting)  # others that differ in step say nothing more
    for size in range(1, MOST_SETTINGS + 1):
        for chosen in combinations(by_partition.items(), size):
            if len(set(zip(*(partition for partition, _ in chosen), strict=True))) == len(arms):
                return [setting for _, setting in chosen]
    return list(by_partition.values())


def _readable(setting: str) -> tuple[bool, bool, bool, int, str]:
    """Sorts before what it settles: a network's name and its weights before its options, a short key before a long."""
    word = _word(setting)
    return (word != "backbone", word != "weights", not setting.startswith("model."), setting.count("."), setting)


def _word(setting: str) -> str:
    """The last word of a dotted key, but for a name, which is what it names."""
    *_, parent, last = ("", *setting.split("."))
    return parent if last == "name" and parent else last


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
