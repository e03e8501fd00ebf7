"""A source: what images there are, how they are split and batched, and their pixels. Torch-free."""

import hashlib
import json
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from headstart.data.catalog import PART_ALIASES, Catalog
from headstart.data.ignored import describe_ignored, group_ignored
from headstart.data.split import Split, list_budgets, make_split
from headstart.errors import HeadstartError, hint_at_text
from headstart.image_spec import ImageSpec


@dataclass(eq=False)
class ImageSource(ABC):
    """A data set. Its arguments are the keys of ``conf/data``; a subclass says what images there are.

    Args:
        root: where the images lie; nothing is ever written there.
        image_size: pixels of a side: the shorter side is resized to it, the centre cut out; None: as they are.
        channels: 1 or 3; None: 1 where every image is grey, else 3.
        labels_per_class: the budget, training and validation together; None: all.
        test: the given part that is the sealed test; None: ``test`` where there is one, else 20 % by content.
        folds: cut the images into so many parts, each of which is the test once; None: one split.
        fold: which of them is the test part here.
        validation: share of the budget that validates (from 20 labels per class on); 0: none.
        mirror: whether a mirrored image keeps its class.
        batch_size: images of a training step.
        num_workers: processes that fetch batches; changes nothing but the speed.
        on_bad_file: ``error`` names every file that cannot be read, ``skip`` leaves them out.
        on_copies: ``error`` names images that stand in two given parts, ``skip`` keeps such copies out of training.
        seed: which of the images beside the test part are labelled, and in what order they come.

    ``depth``, no argument, is how images deeper than 8 bits are read, a key of ``bit_depth.WHITE_VALUES``; None: chosen
    from the values of all of them. It is set where a network is shown other images than those that it learned from.

    Raises:
        HeadstartError: an argument that makes no sense.
    """

    root: str | None = None
    image_size: int | None = 64
    channels: int | None = None
    labels_per_class: int | None = None
    test: str | None = None
    folds: int | None = None
    fold: int = 0
    validation: float = 0.2
    mirror: bool = True
    batch_size: int = 32
    num_workers: int = 0
    on_bad_file: str = "error"
    on_copies: str = "error"
    seed: int = 0
    depth: str | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._require("image_size", self.image_size is None or _is_whole_number(self.image_size, 8), "8 or more pixels")
        self._require("channels", self.channels in (None, 1, 3), "1, 3 or null")
        budget = self.labels_per_class
        self._require("labels_per_class", budget is None or _is_whole_number(budget, 1), "1 or more, or null for all")
        self._require(
            "test", self.test is None or self.test in PART_ALIASES, f"one of {', '.join(PART_ALIASES)}, or null"
        )
        self._require(
            "folds", self.folds is None or _is_whole_number(self.folds, 2), "2 or more, or null for one split"
        )
        self._require(
            "fold", _is_whole_number(self.fold, 0) and self.fold < (self.folds or 1), "one of data.folds, from 0 on"
        )
        self._require("validation", _is_share(self.validation), "a share between 0 and 0.5")
        self._require("mirror", isinstance(self.mirror, bool), "true or false")
        self._require("batch_size", _is_whole_number(self.batch_size, 2), "2 or more images")
        self._require("num_workers", _is_whole_number(self.num_workers, 0), "0 or more processes")
        self._require("on_bad_file", self.on_bad_file in ("error", "skip"), "error or skip")
        self._require("on_copies", self.on_copies in ("error", "skip"), "error or skip")
        self._require("seed", _is_whole_number(self.seed, 0), "a whole number of 0 or more")

    def _require(self, name: str, is_valid: bool, expected: str) -> None:
        if not is_valid:
            key, value = name if name == "seed" else f"data.{name}", getattr(self, name)  # one seed for all
            raise HeadstartError(f"{key}={value}: give {expected}{hint_at_text(value)}")

    @property
    def name(self) -> str:
        """What a table calls the data."""
        return type(self).__name__.lower()

    def prepare(self) -> None:  # noqa: B027
        """Downloads or writes the images where the source makes them itself, once; else does nothing.

        Raises:
            HeadstartError: they cannot be made.
        """

    @cached_property
    @abstractmethod
    def catalog(self) -> Catalog:
        """What images there are.

        Raises:
            HeadstartError: no data, or files that cannot be read.
        """

    @cached_property
    def split(self) -> Split:
        """Which of them train, validate and test.

        Raises:
            HeadstartError: the budget does not fit, or there is no such test part.
        """
        return make_split(
            self.catalog,
            self.test_part,
            self.labels_per_class,
            self.validation,
            self.seed,
            self.on_copies == "skip",
            self.folds,
            self.fold,
        )

    def available_budgets(self) -> list[int]:
        """Up to three of 5, 10, 20, 40, … labels per class that the images allow.

        Raises:
            HeadstartError: there is no such test part.
        """
        return list_budgets(self.catalog, self.test_part, self.validation, self.on_copies == "skip", self.folds)

    @property
    def test_part(self) -> str | None:
        """The given part that is the test, by its one name."""
        return PART_ALIASES[self.test] if self.test else None

    @property
    def skipped(self) -> list[tuple[str, str]]:
        """(name, reason) of images that are there and not used, whatever the budget."""
        return self.catalog.skipped + self.split.skipped

    @property
    def ignored(self) -> list[dict[str, Any]]:
        """Images that are there and stand in no class: for each reason the count, and the first twenty names."""
        return group_ignored(self.catalog.ignored)

    @property
    def remarks(self) -> list[str]:
        """What a person should know of the data before anything trains: what is passed over, and what was assumed."""
        passed_over = describe_ignored(self.ignored)
        texts = [*([f"passed over: {passed_over}"] if passed_over else []), *self.catalog.notes]
        return [f"data.root={self.root}: {text}" for text in texts]

    def audit(self) -> dict[str, Any] | None:
        """What may be wrong with the images, for a report; None where nobody would mend it."""
        return None

    def read_pixels(self, indices: np.ndarray) -> np.ndarray:
        """The images at these positions of the catalogue, uint8 (N, C, H, W)."""
        return self.catalog.pixels[self.catalog.rows[indices]]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what the outcome depends on in the data: content, class, part and shape; no name or path."""
        rows = sorted((row["sha256"], row["class"], row["part"]) for row in self.split.rows())
        text = json.dumps([self.catalog.pixels.shape[1:], rows, *self.catalog.decoding_key])
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def spec(self) -> ImageSpec:
        """What the data tell a model; mean and standard deviation are those of the training part."""
        channels, height, width = self.catalog.pixels.shape[1:]
        counts = np.zeros((channels, 256), dtype=np.int64)  # exact, whatever the order
        for start in range(0, len(self.split.train), 1024):
            some = self.read_pixels(self.split.train[start : start + 1024])
            counts += [np.bincount(some[:, c].ravel(), minlength=256) for c in range(channels)]
        values = np.arange(256) / 255
        share = counts / counts.sum(axis=1, keepdims=True)
        mean = share @ values
        std = np.sqrt((share * (values - mean[:, None]) ** 2).sum(axis=1))
        labels = len(self.split.train) + len(self.split.val)
        return ImageSpec(
            shape=(channels, height, width),
            classes=self.catalog.classes,
            mean=tuple(round(float(m), 6) for m in mean),
            std=tuple(round(float(s), 6) for s in std),
            mirror=self.mirror,
            labels_per_class=max(1, round(labels / len(self.catalog.classes))),
            depth=self.catalog.depth,
        )


def _is_whole_number(value: Any, minimum: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= minimum


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 0.5
