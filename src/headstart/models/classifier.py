"""What all models share: raw pixels in, the recipe's length, the loss, the metrics, a prediction."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import lightning as L
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart import metrics
from headstart.errors import DivergedError, HeadstartError, hint_at_text, join_with_limit
from headstart.image_spec import ImageSpec
from headstart.models import optimizer
from headstart.models.augmentation import augment_images, parse_augmentation
from headstart.models.prediction import Prediction, predict_images
from headstart.runs import checkpoint as checkpoints
from headstart.runs.checkpoint import CLASS_KEY
from headstart.seeding import derive_key
from headstart.sweep.estimate import resolve_epochs

# Those that leave the weights in float32; the others train badly with AdamW and would leave the model converted.
SUPPORTED_PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")
LIGHTNINGS_DEFAULT_EPOCHS = 1000  # what Trainer() has when nobody gave max_epochs; who wants 1000 sets epochs


class Classifier(L.LightningModule):
    """A network that classifies raw pixels, and the recipe that trains it.

    A subclass sets ``network``, and ``pixel_mean`` and ``pixel_std`` by ``self.normalise_by(...)``. Where that is not
    all, it gives ``logits(images)`` and, where one rate for all will not do, ``parameter_groups()``.

    ``network`` is a plain module with the model's own parameters that gives logits, float (N, num_classes), of
    normalised images, float (N, C, H, W): what can be traced and measured without Lightning.

    Args:
        spec: what the data tell the model; an ``ImageSpec`` or its plain dict.
        epochs: the recipe's length: a number, or a table by labels per class, of which the row of the
            largest key not above the data's counts (the smallest key below that).
        lr: AdamW's peak learning rate (of the head, where the backbone has its own).
        weight_decay: AdamW's, on kernels and matrices.
        label_smoothing: share of the label spread over all classes.
        augment: ``"auto"`` (what suits the data), ``"light"``, None, or strengths (``headstart.models.augmentation``).
    """

    network: nn.Module
    pixel_mean: Tensor
    pixel_std: Tensor

    def __init__(
        self,
        spec: ImageSpec | Mapping[str, Any],
        epochs: int | Mapping[int, int],
        lr: float,
        weight_decay: float,
        label_smoothing: float,
        augment: str | dict[str, float] | None,
    ) -> None:
        super().__init__()
        self.spec = spec if isinstance(spec, ImageSpec) else ImageSpec.from_dict(dict(spec))
        self.epochs = resolve_epochs(epochs, self.spec.labels_per_class)
        self.lr = check_positive("lr", lr)
        self.weight_decay = check_positive("weight_decay", weight_decay, allow_zero=True)
        self.label_smoothing = check_positive("label_smoothing", label_smoothing, allow_zero=True)
        self.augmentation = parse_augmentation(augment, self.spec.mirror)
        self.save_hyperparameters(ignore=["spec"], logger=False)
        self.save_hyperparameters({"spec": self.spec.to_dict()}, logger=False)
        self.example_input_array = torch.zeros(1, *self.spec.shape, dtype=torch.uint8)
        self._outputs: list[tuple[Tensor, Tensor]] = []
        self._losses: list[tuple[Tensor, int]] = []
        self._seed = 0

    def register_normalization(
        self, mean: list[float] | tuple[float, ...], std: list[float] | tuple[float, ...]
    ) -> None:
        """Keeps the mean and standard deviation per channel (of pixels in [0, 1]) in the checkpoint."""
        self.register_buffer("pixel_mean", torch.tensor(mean).view(1, -1, 1, 1))
        self.register_buffer("pixel_std", torch.tensor(std).clamp(min=1e-6).view(1, -1, 1, 1))

    def logits(self, images: Tensor) -> Tensor:
        """Class scores (N, num_classes) of normalised images, float (N, C, H, W)."""
        return self.network(images)

    def parameter_groups(self) -> list[dict[str, Any]]:
        return optimizer.build_parameter_groups(self, self.lr, self.weight_decay)

    def forward(self, images: Tensor) -> Tensor:
        """Class scores, float32 (N, num_classes), of raw images, uint8 (N, C, H, W)."""
        return self.logits(self.normalize(images.float() / 255)).float()

    def normalize(self, images: Tensor) -> Tensor:
        """Images as the network takes them, float (N, C, H, W), of values in [0, 1]; grey ones as often as it has
        channels."""
        if images.shape[1] < self.pixel_mean.shape[1]:
            images = images.expand(-1, self.pixel_mean.shape[1], -1, -1)
        # A model that was converted (``model.half()``) has images of its own precision.
        images = ((images - self.pixel_mean) / self.pixel_std).to(self.pixel_mean.dtype)
        # Channels last: a CPU computes depthwise convolutions and those of few channels a third faster so.
        return images.contiguous(memory_format=torch.channels_last)

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy (nats, a scalar) of augmented raw images, uint8 (N, C, H, W)."""
        scores = self.logits(self.normalize(augment_images(images.float() / 255, self.augmentation)))
        return F.cross_entropy(scores, labels, label_smoothing=self.label_smoothing)

    def predict(self, images: Any, batch_size: int = 64) -> Prediction:
        """Labels, class names and probabilities of images, one or many: see ``prediction.predict``."""
        return predict_images(self, images, batch_size)

    @classmethod
    def load_from_checkpoint(cls, checkpoint_path: str | Path, **kwargs: Any) -> Self:  # type: ignore[override]
        """The model of a checkpoint; no other argument, weight file or network is needed.

        Raises:
            HeadstartError: the file is damaged, holds more than tensors and plain values, is not one of ours, or has
                other classes than a ``spec`` that was given.
        """
        kept = checkpoints.read_checkpoint(Path(checkpoint_path))
        model = super().load_from_checkpoint(checkpoint_path, **{**kwargs, "weights_only": True})
        model.on_load_checkpoint(kept)
        return model

    # -- the recipe -------------------------------------------------------------------------------

    def setup(self, stage: str) -> None:
        """Prepares for fit, validate, test or predict.

        Raises:
            HeadstartError: a precision of which weights are converted for good, or data of other classes or shapes than
                the model's. A plain DataLoader says neither.
        """
        if self._trainer is not None:
            check_trainer(self._trainer, self.spec)
        if stage != "fit":
            return
        # The order of the draws within a batch depends on (seed, epoch, batch) alone: see below.
        self._seed = torch.initial_seed()
        self._losses.clear()  # of an epoch that was interrupted
        if self.trainer.max_epochs == LIGHTNINGS_DEFAULT_EPOCHS:
            self.trainer.fit_loop.max_epochs = self.epochs

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint[CLASS_KEY] = f"{type(self).__module__}:{type(self).__qualname__}"

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Raises HeadstartError where the checkpoint has other classes: in its tensors only their number shows."""
        kept = checkpoint.get("hyper_parameters", {}).get("spec")
        if isinstance(kept, dict):  # an ImageSpec is one that ``load_from_checkpoint`` was given
            check_classes("the checkpoint", tuple(kept["classes"]), self.spec.classes)

    def configure_optimizers(self) -> Any:
        return optimizer.build_adamw_cosine(self.parameter_groups(), int(self.trainer.estimated_stepping_batches))

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        # Augmentation and dropout draw from torch's streams; a fresh counter for each batch makes a
        # resumed run, and the same run after another in one process, draw the same.
        seed = derive_key(self._seed, "batch", self.current_epoch, batch_idx)
        torch.default_generator.manual_seed(seed)
        if self.device.type != "cpu":  # else it would note down, for a GPU that there is not, who asked for it
            torch.manual_seed(seed)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        images, labels = batch
        loss = self.loss(images, labels)
        if not torch.isfinite(loss):
            raise DivergedError(
                f"the loss became {loss.item()} in epoch {self.current_epoch}; "
                f"lower the learning rate (model.lr or model.head_lr, now {self.lr})"
            )
        self._losses.append((loss.detach(), len(labels)))
        return loss

    def on_train_epoch_end(self) -> None:
        losses, sizes = zip(*self._losses, strict=True)
        self._losses.clear()
        # Logged once an epoch: what Lightning does to log a step takes a tenth of a small network's step.
        self.log("train/loss", torch.stack(losses) @ torch.tensor(sizes, device=self.device).float() / sum(sizes))

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self._outputs.append((self(batch[0]), batch[1]))

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self._outputs.append((self(batch[0]), batch[1]))

    def predict_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        return self(batch[0])

    def on_validation_epoch_start(self) -> None:
        self._outputs.clear()  # of a validation or test that was interrupted

    def on_test_epoch_start(self) -> None:
        self._outputs.clear()

    def on_validation_epoch_end(self) -> None:
        scores, labels = self._gather_outputs()
        figures = compute_metrics(scores, labels)
        self.log_dict({f"val/{name}": value for name, value in figures.items()})
        # Of two epochs equally accurate the later one is kept: the schedule has ended further down.
        self.log("val/choice", figures["accuracy"] + 1e-5 * self.current_epoch / max(self.epochs, 1), logger=False)

    def on_test_epoch_end(self) -> None:
        scores, labels = self._gather_outputs()
        self.log_dict({f"test/{name}": value for name, value in compute_metrics(scores, labels).items()})
        self.test_labels = labels.cpu()
        self.test_probabilities = scores.softmax(dim=1).cpu()

    def _gather_outputs(self) -> tuple[Tensor, Tensor]:
        scores, labels = (torch.cat(parts) for parts in zip(*self._outputs, strict=True))
        self._outputs.clear()
        return scores, labels


def check_trainer(trainer: L.Trainer, spec: ImageSpec) -> None:
    """Whether a trainer leaves a model's weights in float32 and brings images of its ``spec``.

    Raises:
        HeadstartError: it does not.
    """
    if trainer.precision not in SUPPORTED_PRECISIONS:
        raise HeadstartError(
            f"trainer.precision={trainer.precision}: it converts the weights themselves; "
            f"give {', '.join(SUPPORTED_PRECISIONS[:-1])} or {SUPPORTED_PRECISIONS[-1]}"
        )
    data = getattr(getattr(trainer, "datamodule", None), "spec", None)
    if isinstance(data, ImageSpec):
        check_data_spec(spec, data)


def check_data_spec(model: ImageSpec, data: ImageSpec) -> None:
    """Whether labels and images of the data mean to a model what its own did; statistics and budget may differ.

    Raises:
        HeadstartError: other classes, another order of them, or images of another shape.
    """
    check_classes("the data", data.classes, model.classes)
    if data.shape != model.shape:
        given, taken = ("×".join(map(str, shape)) for shape in (data.shape, model.shape))
        raise HeadstartError(
            f"the data's images are {given} (channels, height, width), but the model's are {taken}; "
            "give data of that shape, or make a new model of the data's spec"
        )
    if data.depth not in (None, model.depth):
        raise HeadstartError(
            f"the data's images are deeper than 8 bits and read as {data.depth}, but the model's are "
            f"{model.depth or '8 bits'}; give data of that range, or make a new model of the data's spec"
        )


def check_classes(owner: str, given: tuple[str, ...], classes: tuple[str, ...]) -> None:
    """Raises HeadstartError where ``given`` are not the model's ``classes``, in their order."""
    if given != classes:
        raise HeadstartError(
            f"the classes of {owner} are {join_with_limit(given)}, but the model's are {join_with_limit(classes)}; a label is a position "
            "among them: give the same classes in the same order, or make a new model of the data's spec"
        )


def compute_metrics(scores: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """The figures of ``result.json``: accuracy, balanced accuracy, macro F1 (``headstart.metrics``), log loss (nats).

    Args:
        scores: of each class, float (N, num_classes). The predicted class is the first of the largest probability in
            float32, as in ``predictions.parquet``.
        labels: int64 (N,).

    Raises:
        DivergedError: a score is no finite number, of which no class could be predicted.
    """
    finite = scores.isfinite().all(dim=1)
    if not finite.all():
        raise DivergedError(
            f"the model gives no finite scores for {int((~finite).sum())} of {len(scores)} images; "
            "lower the learning rate (model.lr or model.head_lr)"
        )
    true = labels.cpu()
    predicted = scores.float().softmax(dim=1).cpu().argmax(dim=1)
    right, images, named = (
        torch.bincount(classes, minlength=scores.shape[1]) for classes in (true[predicted == true], true, predicted)
    )
    return {
        "accuracy": metrics.accuracy(right, images),
        "balanced_accuracy": metrics.balanced_accuracy(right, images),
        "macro_f1": metrics.macro_f1(right, images, named),
        "log_loss": F.cross_entropy(scores.float(), labels),
    }


def check_positive(name: str, value: float, allow_zero: bool = False) -> float:
    """``value`` as a float; raises HeadstartError where it is no number above 0 (or, with ``zero``, not 0 either)."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not (0 < value < float("inf") or (allow_zero and value == 0)):
        raise HeadstartError(
            f"model.{name}={value}: give a number {'of 0 or more' if allow_zero else 'above 0'}{hint_at_text(value)}"
        )
    return float(value)
