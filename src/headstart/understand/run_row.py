"""A finished run of a sweep, reduced to what the chapters read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class RunRow:
    """A finished run.

    Args:
        model: name of its model.
        data: name of its images.
        classes: their names; () if unknown.
        labels_per_class: its budget; None: all labels.
        seed: its seed.
        settings: the values of its arm's settings, by key.
        accuracy: on its test images, of 1.
        test_loss: cross-entropy on its test images, nats.
        training_loss: cross-entropy on its training images, nats; None if it was not measured.
        is_pretrained: whether training began with pretrained weights.

    Example:
        >>> row = RunRow.from_result(json.loads(path.read_text()))
    """

    model: str
    data: str
    classes: tuple[str, ...]
    labels_per_class: int | None
    seed: int
    settings: Mapping[str, Any]
    accuracy: float
    test_loss: float
    training_loss: float | None
    is_pretrained: bool

    @classmethod
    def from_result(cls, result: Mapping[str, Any]) -> "RunRow":
        """The row of a finished run's ``result.json``."""
        metrics = result["metrics"]
        return cls(
            model=result["model"],
            data=result["data"],
            classes=tuple(result.get("classes") or ()),
            labels_per_class=result.get("labels_per_class"),
            seed=result["seed"],
            settings=result["settings"],
            accuracy=metrics["test/accuracy"],
            test_loss=metrics["test/log_loss"],
            training_loss=(result.get("training") or {}).get("loss"),
            is_pretrained=result.get("starts", {}).get("backbone", {}).get("weights", "none") != "none",
        )
