"""What ``data.folds=auto`` stands for: seeds rotate through folds where one split would test few images. Torch-free.

Runs know explicit values alone: a rotated run is that of ``data.folds=5 data.fold=(seed mod 5)``.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf

from headstart.config.data_module import load_source
from headstart.constructors import constructor_arguments
from headstart.data.image_source import ImageSource
from headstart.data.split import TEST_SHARE
from headstart.errors import HeadstartError
from headstart.reporting.formats import pluralize

FOLDS_KEY, FOLD_KEY = "data.folds", "data.fold"
MIN_TEST_IMAGES = 400  # in one split; with fewer, the seeds rotate
NUM_FOLDS = 5  # parts through which they rotate


@dataclass(frozen=True)
class FoldChoice:
    """One split for all seeds, or folds through which the seeds rotate.

    Args:
        rotates: whether seed s tests fold s mod ``NUM_FOLDS``; if not, one split serves all seeds.
        reason: the figure that decided, in one line; empty where one split tests enough images, or where the data bring
            their own test part.

    Example:
        >>> FoldChoice(rotates=True).overrides_for(seed=8)
        {'data.folds': '5', 'data.fold': '3'}
    """

    rotates: bool = False
    reason: str = ""

    def overrides_for(self, seed: int) -> dict[str, str]:
        """The explicit values of a run with this seed."""
        if not self.rotates:
            return {FOLDS_KEY: "null"}
        return {FOLDS_KEY: str(NUM_FOLDS), FOLD_KEY: str(seed % NUM_FOLDS)}


def choose_folds(config: DictConfig) -> FoldChoice:
    """Chooses between one split and rotation.

    The list of files decides where a fifth of all files is large enough, although copies and unreadable files are among
    them. Where it is not, the images are read, as the run would do, and the number of test images is exact.

    Args:
        config: of one run, with ``data.folds=auto`` and an image size that is known.

    Raises:
        HeadstartError: the images cannot be split.
    """
    if not _can_take_folds(config.data._target_):
        return FoldChoice()
    source = _load_with_folds(config, None)
    if source.has_test_part or TEST_SHARE * source.num_listed_images >= MIN_TEST_IMAGES:
        return FoldChoice()
    num_images = len(source.split.test)
    if num_images >= MIN_TEST_IMAGES:
        return FoldChoice()
    size = pluralize(num_images, "image")
    try:
        source = _load_with_folds(config, NUM_FOLDS)
        source.available_budgets()  # goes through all folds
        _check_test_parts(source)
    except HeadstartError as error:
        return FoldChoice(
            reason=f"{FOLDS_KEY}=auto: one split of {source.name}, which tests {size}; folds are impossible ({error})"
        )
    return FoldChoice(
        rotates=True,
        reason=f"{FOLDS_KEY}=auto: one split of {source.name} would test {size}; seed s tests fold s mod {NUM_FOLDS}",
    )


def _check_test_parts(source: ImageSource) -> None:
    """Raises HeadstartError where a fold of groups has no spread to go by: it lacks a class, or has one group."""
    if not source.catalog.groups:
        return
    for fold in range(NUM_FOLDS):
        test = replace(source, fold=fold).split.test
        if len({source.catalog.groups[i] for i in test}) < 2:
            raise HeadstartError(f"fold {fold} has one group; five folds take ten groups and more")
        if len(np.unique(source.catalog.labels[test])) < len(source.catalog.classes):
            raise HeadstartError(f"fold {fold} lacks a class; five folds take groups of each class")


def _load_with_folds(config: DictConfig, folds: int | None) -> ImageSource:
    # The budget may be ``auto``, too.
    settings = {"data": {"folds": folds, "fold": 0, "labels_per_class": None}}
    return load_source(OmegaConf.merge(config, settings))  # type: ignore[arg-type]


def _can_take_folds(target: str) -> bool:
    """Whether a data module takes folds; a user's own may not."""
    if target.startswith("headstart."):  # to look would import torch
        return True
    try:
        accepted: Any = constructor_arguments(get_class(target))
    except Exception:  # load_source has the message
        return True
    return accepted is None or {"folds", "fold"} <= set(accepted)
