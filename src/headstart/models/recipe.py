"""The training recipe that all models share: epochs, weight decay, label smoothing, augmentation. Torch-free."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

from headstart.errors import HeadstartError, hint_at_text


class RecipeArguments(TypedDict, total=False):
    """The keyword arguments that each model passes on to ``Classifier``: the fields of ``Recipe``."""

    epochs: int | Mapping[int, int]
    weight_decay: float
    label_smoothing: float
    augment: str | dict[str, float] | None


@dataclass(frozen=True)
class Recipe:
    """How a model trains, apart from its learning rates.

    The optimizer (AdamW) and the schedule (linear warm-up, then a cosine to zero) are the same for all models: a
    comparison of models would else compare optimizers too.

    Args:
        epochs: a number, or a table by labels per class. The table's row is that of the largest key not above the
            data's labels per class, or of the smallest key.
        weight_decay: AdamW's weight decay of kernels and matrices.
        label_smoothing: share of the label that is spread over all classes.
        augment: ``"auto"``, ``"light"``, None, or strengths (``headstart.models.augmentation``).

    Example:
        >>> Recipe(epochs={5: 100, 20: 50}, weight_decay=5e-2)

    Raises:
        HeadstartError: a weight decay below 0, a label smoothing outside of [0, 1], or one that is not a number.
    """

    epochs: int | Mapping[int, int] = 100
    weight_decay: float = 1e-2
    label_smoothing: float = 0.0
    augment: str | dict[str, float] | None = "auto"

    def __post_init__(self) -> None:
        check_positive("weight_decay", self.weight_decay, allow_zero=True)
        if check_positive("label_smoothing", self.label_smoothing, allow_zero=True) > 1:
            raise HeadstartError(f"model.label_smoothing={self.label_smoothing}: give a share of 0 to 1")


def epochs_for(epochs: Any, labels_per_class: int) -> int:
    """The number of epochs for a budget: ``epochs`` itself, or a row of the table (see ``Recipe``).

    Raises:
        HeadstartError: ``epochs`` is neither a whole number nor a table of them.
    """
    try:
        table = {0: epochs} if isinstance(epochs, int) else {int(k): int(v) for k, v in epochs.items()}
        values = [epochs] if isinstance(epochs, int) else [*epochs, *epochs.values()]
        if any(isinstance(value, bool | float) for value in values):
            table = {}
    except (AttributeError, TypeError, ValueError):
        table = {}
    has_mixed_keys = not isinstance(epochs, int) and table and len({type(key) for key in epochs}) > 1
    if has_mixed_keys:
        raise HeadstartError(f"model.epochs={epochs}: give the whole table, such as model.epochs='{{5: 100, 20: 50}}'")
    if not table or min(table.values()) < 1:
        raise HeadstartError(
            f"model.epochs={epochs}: give a whole number of 1 or more, or a table such as {{5: 100, 20: 50}}"
        )
    return table[max((k for k in table if k <= labels_per_class), default=min(table))]


def check_positive(name: str, value: float, allow_zero: bool = False) -> float:
    """``value`` of the key ``model.{name}`` as a float.

    Raises:
        HeadstartError: ``value`` is not a finite number above 0 (or, with ``allow_zero``, of 0 or more).
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not (0 < value < float("inf") or (allow_zero and value == 0)):
        raise HeadstartError(
            f"model.{name}={value}: give a number {'of 0 or more' if allow_zero else 'above 0'}{hint_at_text(value)}"
        )
    return float(value)
