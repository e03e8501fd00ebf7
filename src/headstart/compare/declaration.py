"""Defines what a comparison declares before training, and what ends it: the keys of ``compare`` in
``conf/train.yaml``."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from headstart.errors import HeadstartError

DEFAULT_LEVEL = 0.05  # chance that any arm of a data set is called worse than one that it equals, over all budgets
DEFAULT_MARGIN = 0.01  # arms that differ by less count as equal
DEFAULT_CONTRAST = ("finetune", "scratch_backbone")  # one architecture, two starts: does pretraining help?
LARGE_DIFFERENCE = 0.15  # a comparison that finds no smaller one says little
SUGGESTED_FOLDS = 5  # where one split tests too few images
VERDICT_METRICS = ("accuracy", "balanced_accuracy")


@dataclass(frozen=True)
class Comparison:
    """The declaration of a comparison; the keys of ``compare`` in ``conf/train.yaml``.

    Args:
        contrast: models or arms of the declared contrast; the question is whether the first is better.
        metric: ``accuracy`` or ``balanced_accuracy``.
        margin: difference, of 1, below which arms count as equal.
        level: chance of a false answer, over a whole sweep.

    Raises:
        HeadstartError: a value is out of range.

    Example:
        >>> Comparison(contrast=("finetune", "frozen"), margin=0.02).level
        0.05
    """

    contrast: tuple[str, str] = DEFAULT_CONTRAST
    metric: str = "accuracy"
    margin: float = DEFAULT_MARGIN
    level: float = DEFAULT_LEVEL

    def __post_init__(self) -> None:
        is_pair = isinstance(self.contrast, list | tuple) and len(self.contrast) == 2
        if not is_pair or not all(isinstance(arm, str) for arm in self.contrast) or len(set(self.contrast)) == 1:
            raise HeadstartError(f"compare.contrast={self.contrast}: give two models, such as [finetune,frozen]")
        object.__setattr__(self, "contrast", tuple(self.contrast))
        if self.metric not in VERDICT_METRICS:
            raise HeadstartError(f"compare.metric={self.metric}: give {' or '.join(VERDICT_METRICS)}")
        for name, limit in (("margin", 1.0), ("level", 0.5)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < limit:
                raise HeadstartError(f"compare.{name}={value}: give a number above 0 and below {limit:g}")


@dataclass(frozen=True)
class SweepLimits:
    """What ends a sweep before its order is known.

    Args:
        max_seeds: largest number of seeds of a sweep that takes looks; None: the sweep's seeds are given.
        minutes: after which the sweep ends; None: no limit.

    Raises:
        HeadstartError: a value is out of range.

    Example:
        >>> SweepLimits(max_seeds=20, minutes=30).minutes
        30
    """

    max_seeds: int | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        seeds, minutes = self.max_seeds, self.minutes
        if seeds is not None and (isinstance(seeds, bool) or not isinstance(seeds, int) or seeds < 1):
            raise HeadstartError(f"compare.max_seeds={seeds}: give a whole number of 1 or more, or null")
        if minutes is not None and (isinstance(minutes, bool) or not isinstance(minutes, int | float) or minutes <= 0):
            raise HeadstartError(f"compare.minutes={minutes}: give a number above 0, or null for no limit")


def declared_values(compare: Mapping[Any, Any]) -> dict[str, Any]:
    """The keys of ``compare`` that a :class:`Comparison` has: how long a sweep may take declares nothing."""
    return {field.name: compare[field.name] for field in fields(Comparison) if field.name in compare}


def sweep_limits(compare: Mapping[Any, Any]) -> SweepLimits:
    """The keys of ``compare`` that end a sweep.

    Raises:
        HeadstartError: a value is out of range.
    """
    return SweepLimits(compare["max_seeds"], compare["minutes"])
