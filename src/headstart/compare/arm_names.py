"""Arms named by what differs: the model, and the fewest settings that tell its arms apart."""

import json
from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations
from typing import Any

RunResult = dict[str, Any]  # what a result.json holds

MAX_SETTINGS_IN_NAME = 4  # in a name; where even these tell nothing apart, the name has all that differ


def arm_key(result: RunResult) -> str:
    """Equal for the runs of one arm, whatever their seed, budget, data and fold."""
    return json.dumps([result.get("arm"), result.get("settings") or {}], sort_keys=True)


def arm_names(results: Sequence[RunResult]) -> list[str]:
    """The name of each result's arm, e.g. ``finetune head_lr=0.001 backbone=resnet18``."""
    # Within a data set: that another has other images makes no two arms of one.
    settings: dict[tuple[str, str], dict[str, dict[str, Any]]] = defaultdict(dict)
    for result in results:
        model = str(result.get("arm"))
        settings[str(result.get("data")), model][arm_key(result)] = result.get("settings") or {}
    names = {
        (data, key): " ".join([model, *(f"{_shorten_key(s)}={_format_setting(own[s])}" for s in telling if s in own)])
        for (data, model), arms in settings.items()
        for telling in [_select_distinguishing_settings(list(arms.values()))]
        for key, own in arms.items()
    }
    return [names[str(result.get("data")), arm_key(result)] for result in results]


def _select_distinguishing_settings(arms: list[dict[str, Any]]) -> Sequence[str]:
    """The fewest settings by which all these arms differ; among equally few, the most readable."""
    if len(arms) == 1:
        return ()
    by_partition: dict[tuple[int, ...], str] = {}
    for setting in sorted({s for arm in arms for s in arm}, key=_readability_key):
        values = [json.dumps(arm[setting], sort_keys=True) if setting in arm else None for arm in arms]
        partition = tuple(values.index(v) for v in values)
        if any(partition):
            by_partition.setdefault(partition, setting)  # others that differ in step say nothing more
    for size in range(1, MAX_SETTINGS_IN_NAME + 1):
        for chosen in combinations(by_partition.items(), size):
            if len(set(zip(*(partition for partition, _ in chosen), strict=True))) == len(arms):
                return [setting for _, setting in chosen]
    return list(by_partition.values())


def _readability_key(setting: str) -> tuple[bool, bool, bool, int, str]:
    """Sorts before what it settles: a network's name and its weights before its options, a short key before a long."""
    word = _shorten_key(setting)
    return (word != "backbone", word != "weights", not setting.startswith("model."), setting.count("."), setting)


def _shorten_key(setting: str) -> str:
    """The last word of a dotted key, but for a name, which is what it names."""
    *_, parent, last = ("", *setting.split("."))
    return parent if last == "name" and parent else last


def _format_setting(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
