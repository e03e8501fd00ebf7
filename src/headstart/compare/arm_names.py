"""Names each arm by its model and the fewest settings that tell it from the other arms of its data set."""

import json
from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations
from typing import Any

from headstart.runs.arm_run import ArmRun

MAX_SETTINGS_IN_NAME = 4  # arms that need more are named by every setting that differs


def arm_names(runs: Sequence[ArmRun]) -> list[str]:
    """Names the arm of each run, e.g. ``finetune head_lr=0.001 backbone=resnet18``."""
    settings: dict[tuple[str, str], dict[str, dict[str, Any]]] = defaultdict(dict)
    for run in runs:
        settings[run.data, run.model][run.arm_key] = run.settings
    names = {
        (data, arm_key): " ".join([model, *(f"{_shorten_key(k)}={_format_setting(arm[k])}" for k in keys if k in arm)])
        for (data, model), arms in settings.items()
        for keys in [_select_distinguishing_settings(list(arms.values()))]
        for arm_key, arm in arms.items()
    }
    return [names[run.data, run.arm_key] for run in runs]


def _select_distinguishing_settings(arms: list[dict[str, Any]]) -> Sequence[str]:
    """Selects the fewest settings in which all arms differ; of equally few, the most readable."""
    if len(arms) == 1:
        return ()
    by_partition: dict[tuple[int, ...], str] = {}
    for setting in sorted({key for arm in arms for key in arm}, key=_readability_key):
        values = [json.dumps(arm[setting], sort_keys=True) if setting in arm else None for arm in arms]
        partition = tuple(values.index(value) for value in values)
        if any(partition):
            by_partition.setdefault(partition, setting)  # a setting that differs in step with it adds nothing
    for size in range(1, MAX_SETTINGS_IN_NAME + 1):
        for candidates in combinations(by_partition.items(), size):
            if len(set(zip(*(partition for partition, _ in candidates), strict=True))) == len(arms):
                return [setting for _, setting in candidates]
    return list(by_partition.values())


def _readability_key(setting: str) -> tuple[bool, bool, bool, int, str]:
    """Sorts a network's name and weights before its options, and a short key before a long one."""
    word = _shorten_key(setting)
    return (word != "backbone", word != "weights", not setting.startswith("model."), setting.count("."), setting)


def _shorten_key(setting: str) -> str:
    """Returns the last word of a dotted key; of a ``name``, the word before it."""
    *_, parent, last = ("", *setting.split("."))
    return parent if last == "name" and parent else last


def _format_setting(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
