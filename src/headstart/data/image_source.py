"""Base class of the image sources: their images, split, batch settings and pixels. Torch-free."""

import hashlib
import json
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from PIL import Image

from headstart.data.catalog import NO_TEST, PART_ALIASES, Catalog
from headstart.data.ignored import describe_ignored, group_ignored
from headstart.data.split import Split, list_budgets, make_split, make_whole_split
from headstart.data.threads import thread_map
from headstart.decoding.square import RESIZE_MODES
from headstart.errors import HeadstartError, hint_at_text
from headstart.image_spec import ImageSpec

COUNTED_IMAGES = 64  # whose values a thread counts at once: many cores hold many threads' images


@dataclass(eq=False)
class ImageSource(ABC):
    """A data set of images. Its arguments are the keys of ``conf/data``; a subclass defines ``catalog``.

    Args:
        root: the folder of the images; nothing is ever written there.
        image_size: pixels of a side; None: unchanged.
        resize: how images become square: ``crop`` cuts the center out, ``pad`` puts the whole image on gray, ``squash``
            resizes both sides.
        channels: 1 or 3; None: 1 if all images are gray, else 3.
        labels_per_class: the budget, training and validation together; None: all.
        test: the given part that is the sealed test; None: ``test`` where there is one, else 20 % by content; ``none``:
            nothing is held out, every labelled image trains (without budget, folds and validation).
        folds: number of parts of equal size, each of which is the test part once; None: one split.
        fold: which of these parts is the test part.
        validation: share of the budget that validates (from 20 labels per class on); 0: none.
        mirror: whether a mirrored image keeps its class.
        batch_size: images of a training step.
        num_workers: processes that fetch batches; affects only the speed.
        on_bad_file: ``error`` names the files that cannot be read, ``skip`` leaves them out.
        on_copies: ``error`` names images (and groups) in two given parts, ``skip`` leaves them out of training.
        seed: determines which images outside the test part have a label, and the order of the training images.

    The attribute ``depth`` is how images deeper than 8 bits are read, a key of ``bit_depth.WHITE_VALUES``; None: chosen
    from the values of all of them. It is set where a trained network reads other images than those of its training.

    Raises:
        HeadstartError: an argument has no valid value.
    """

    root: str | None = None
    image_size: int | None = 64
    resize: str = "crop"
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
        self._require("resize", self.resize in RESIZE_MODES, "crop, pad or squash")
        self._require("channels", self.channels in (None, 1, 3), "1, 3 or null")
        budget = self.labels_per_class
        self._require("labels_per_class", budget is None or _is_whole_number(budget, 1), "1 or more, or null for all")
        tests = (*PART_ALIASES, NO_TEST)
        self._require("test", self.test is None or self.test in tests, f"one of {', '.join(tests)}, or null")
        self._require(
            "folds", self.folds is None or _is_whole_number(self.folds, 2), "2 or more, or null for one split"
        )
        self._require(
            "fold", _is_whole_number(self.fold, 0) and self.fold < (self.folds or 1), "one of data.folds, from 0 on"
        )
        self._require("validation", _is_share(self.validation), "a share between 0 and 0.5")
        if self.test == NO_TEST and (self.labels_per_class, self.folds, self.validation) != (None, None, 0):
            raise HeadstartError(
                "data.test=none: every image trains; give data.labels_per_class=null, data.folds=null and "
                "data.validation=0 with it"
            )
        self._require("mirror", isinstance(self.mirror, bool), "true or false")
        self._require("batch_size", _is_whole_number(self.batch_size, 2), "2 or more images")
        self._require("num_workers", _is_whole_number(self.num_workers, 0), "0 or more processes")
        self._require("on_bad_file", self.on_bad_file in ("error", "skip"), "error or skip")
        self._require("on_copies", self.on_copies in ("error", "skip"), "error or skip")
        self._require("seed", _is_whole_number(self.seed, 0), "a whole number of 0 or more")

    def _count_values(self, indices: np.ndarray) -> np.ndarray:
        """How often each value occurs in each channel of these images, int64 (C, 256): exact in any order."""
        pixels = self.read_pixels(indices)
        channels, width = pixels.shape[1], pixels.shape[3]
        # Pillow counts uint8 values eight times as fast as NumPy's bincount.
        return np.array([Image.fromarray(pixels[:, c].reshape(-1, width)).histogram() for c in range(channels)])

    def _require(self, name: str, is_valid: bool, expected: str) -> None:
        if not is_valid:
            key, value = (
                name if name == "seed" else f"data.{name}",
                getattr(self, name),
            )  # the seed is a key of the whole configuration
            raise HeadstartError(f"{key}={value}: give {expected}{hint_at_text(value)}")

    @property
    def name(self) -> str:
        """The name of the data in tables."""
        return type(self).__name__.lower()

    def prepare(self) -> None:  # noqa: B027
        """Downloads or writes the images once, if the source provides them; else does nothing.

        Raises:
            HeadstartError: they cannot be downloaded or written.
        """

    @cached_property
    @abstractmethod
    def catalog(self) -> Catalog:
        """The images.

        Raises:
            HeadstartError: there are no images, or files cannot be read.
        """

    @cached_property
    def split(self) -> Split:
        """The images that train, validate and test.

        Raises:
            HeadstartError: the budget does not fit, or there is no such test part.
        """
        if self.test == NO_TEST:
            return make_whole_split(self.catalog)
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
        """The first three of 5, 10, 20, 40, … labels per class that the images allow.

        Raises:
            HeadstartError: there is no such test part.
        """
        return list_budgets(self.catalog, self.test_part, self.validation, self.on_copies == "skip", self.folds)

    @property
    def test_part(self) -> str | None:
        """The given part that is the test part: ``train``, ``val`` or ``test``; None: not given."""
        return PART_ALIASES.get(self.test) if self.test else None

    @property
    def has_test_part(self) -> bool:
        """Whether the test part is one that the data bring."""
        return self.test_part is not None or "test" in self.catalog.parts

    @property
    def num_listed_images(self) -> int:
        """Number of images, as far as it is known without reading them."""
        return len(self.catalog.labels)

    @property
    def skipped(self) -> list[tuple[str, str]]:
        """(name, reason) of images that no budget may use."""
        return self.catalog.skipped + self.split.skipped

    @property
    def ignored(self) -> list[dict[str, Any]]:
        """Images outside of the classes: for each reason their number and the first twenty names."""
        return group_ignored(self.catalog.ignored)

    @property
    def remarks(self) -> list[str]:
        """Messages before a training: the ignored images, and how an ambiguous layout was read."""
        ignored = describe_ignored(self.ignored)
        texts = [*([f"passed over: {ignored}"] if ignored else []), *self.catalog.notes]
        return [f"data.root={self.root}: {text}" for text in texts]

    @property
    def median_shorter_side(self) -> int | None:
        """Median of the shorter sides of the images as they are stored, in pixels; None where they are not files."""
        return None

    def audit(self) -> dict[str, Any] | None:
        """The summary of an audit for a report; None for images that a user cannot change."""
        return None

    def read_pixels(self, indices: np.ndarray) -> np.ndarray:
        """The images at these positions of the catalog, uint8 (N, C, H, W)."""
        return self.catalog.pixels[self.catalog.rows[indices]]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what results depend on: content, class, part and shape of the images, not their names or paths.

        Where there are groups, the name of each image's group is a part of it.
        """
        keys = ["sha256", "class", "part", *(["group"] if self.catalog.groups else [])]
        rows = sorted(tuple(row[key] for key in keys) for row in self.split.rows())
        text = json.dumps([self.catalog.pixels.shape[1:], rows, *self.catalog.decoding_key])
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def spec(self) -> ImageSpec:
        """The specification for models; mean and standard deviation are those of the training part."""
        channels, height, width = self.catalog.pixels.shape[1:]
        train = self.split.train
        blocks = [train[start : start + COUNTED_IMAGES] for start in range(0, len(train), COUNTED_IMAGES)]
        counts = np.sum(list(thread_map(self._count_values, blocks, "measuring brightness", batch_size=1)), axis=0)
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
            resize=self.resize,
        )


def _is_whole_number(value: Any, minimum: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= minimum


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 0.5
