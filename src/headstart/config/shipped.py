"""The configuration that ships with the package. Imports no Hydra."""

from pathlib import Path
from typing import Any

import yaml

DERIVED_GROUPS = ("recipe",)  # their choice follows from other groups; nobody types it


def conf_dir() -> Path:
    """The folder of the configuration: inside the package in a wheel, at the root in a clone."""
    inside = Path(__file__).parents[1] / "conf"
    return inside if inside.is_dir() else Path(__file__).parents[3] / "conf"


def read_shipped_yaml(*parts: str) -> dict[str, Any]:
    """Reads a YAML of the package, such as ``read_shipped_yaml("data", "folder")``; empty where there is none."""
    path = conf_dir().joinpath(*parts).with_suffix(".yaml")
    return (yaml.safe_load(path.read_text(encoding="utf-8")) or {}) if path.is_file() else {}
