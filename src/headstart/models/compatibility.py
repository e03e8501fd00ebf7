"""Checks that a trainer and its data fit a model."""

import lightning as L

from headstart.errors import HeadstartError, join_with_limit
from headstart.image_spec import ImageSpec

# These leave the weights in float32. The others train badly with AdamW and convert the model for good.
SUPPORTED_PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")


def check_trainer(trainer: L.Trainer, spec: ImageSpec) -> None:
    """Checks the trainer's precision and, where its data module has a specification, its images.

    Raises:
        HeadstartError: the precision converts the weights, or the data do not fit the model's ``spec``.
    """
    if trainer.precision not in SUPPORTED_PRECISIONS:
        raise HeadstartError(
            f"trainer.precision={trainer.precision}: it converts the weights; "
            f"give {', '.join(SUPPORTED_PRECISIONS[:-1])} or {SUPPORTED_PRECISIONS[-1]}"
        )
    data_spec = getattr(getattr(trainer, "datamodule", None), "spec", None)
    if isinstance(data_spec, ImageSpec):
        check_data_spec(spec, data_spec)


def check_data_spec(model: ImageSpec, data: ImageSpec) -> None:
    """Checks that classes, image shape, resizing and bit depth are equal. Statistics and budget may differ.

    Raises:
        HeadstartError: other classes, another order of them, another shape, resizing or bit depth.
    """
    check_classes("the data", data.classes, model.classes)
    if data.shape != model.shape:
        data_shape, model_shape = ("×".join(map(str, shape)) for shape in (data.shape, model.shape))
        raise HeadstartError(
            f"the data's images are {data_shape} (channels, height, width), but the model's are {model_shape}; "
            "give data of that shape, or make a new model of the data's spec"
        )
    if data.resize != model.resize:
        raise HeadstartError(
            f"the data's images are resized by {data.resize}, but the model's by {model.resize}; "
            f"give data of resize={model.resize}, or make a new model of the data's spec"
        )
    if data.depth not in (None, model.depth):
        raise HeadstartError(
            f"the data's images are deeper than 8 bits and read as {data.depth}, but the model's are "
            f"{model.depth or '8 bits'}; give data of that range, or make a new model of the data's spec"
        )


def check_classes(owner: str, given: tuple[str, ...], classes: tuple[str, ...]) -> None:
    """Checks that ``given`` are the model's ``classes``, in their order.

    Raises:
        HeadstartError: they are not; the message names ``owner`` (such as "the data").
    """
    if given != classes:
        raise HeadstartError(
            f"the classes of {owner} are {join_with_limit(given)}, but the model's are {join_with_limit(classes)}; "
            "a label is a position among them: give the same classes in the same order, "
            "or make a new model of the data's spec"
        )
