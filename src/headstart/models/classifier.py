"""What all models share: raw pixels in, the recipe's length, the loss, the metrics, a prediction."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import lightning as L
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_f1_score

from headstart import checkpoints, runs
from headstart.errors import DivergedError, HeadstartError
from headstart.estimate import epochs_for
from headstart.models import optim
from headstart.models.augment import augmented, strengths
from headstart.models.prediction import Prediction, predict
from headstart.seeding import key
from headstart.spec import ImageSpec

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
        augment: ``"auto"`` (what suits the data), ``"light"``, None, or strengths (``headstart.models.augment``).
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
        self.epochs = epochs_for(epochs, self.spec.labels_per_class)
        self.lr = positive("lr", lr)
        self.weight_decay = positive("weight_decay", weight_decay, zero=True)
        self.label_smoothing = positive("label_smoothing", label_smoothing, zero=True)
        self.strengths = strengths(augment, self.spec.mirror)
        self.save_hyperparameters(ignore=["spec"], logger=False)
        self.save_hyperparameters({"spec": self.spec.to_dict()}, logger=False)
        self.example_input_array = torch.zeros(1, *self.spec.shape, dtype=torch.uint8)
        self._outputs: list[tuple[Tensor, Tensor]] = []
        self._losses: list[tuple[Tensor, int]] = []
        self._stream = 0

    def normalise_by(self, mean: list[float] | tuple[float, ...], std: list[float] | tuple[float, ...]) -> None:
        """Keeps the mean and standard deviation per channel (of pixels in [0, 1]) in the checkpoint."""
        self.register_buffer("pixel_mean", torch.tensor(mean).view(1, -1, 1, 1))
        self.register_buffer("pixel_std", torch.tensor(std).clamp(min=1e-6).view(1, -1, 1, 1))

    def logits(self, images: Tensor) -> Tensor:
        """Class scores (N, num_classes) of normalised images, float (N, C, H, W)."""
        return self.network(images)

    def parameter_groups(self) -> list[dict[str, Any]]:
        return optim.groups(self, self.lr, self.weight_decay)

    def forward(self, images: Tensor) -> Tensor:
        """Class scores, float32 (N, num_classes), of raw images, uint8 (N, C, H, W)."""
        return self.logits(self.normalised(images.float() / 255))

    def normalised(self, images: Tensor) -> Tensor:
        """Images as the network takes them, float (N, C, H, W), of values in [0, 1]; grey ones as often as it has
        channels."""
        if images.shape[1] < self.pixel_mean.shape[1]:
            images = images.expand(-1, self.pixel_mean.shape[1], -1, -1)
        images = (images - self.pixel_mean) / self.pixel_std
        # Channels last: a CPU computes depthwise convolutions and those of few channels a third faster so.
        return images.contiguous(memory_format=torch.channels_last)

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy (nats, a scalar) of augmented raw images, uint8 (N, C, H, W)."""
        scores = self.logits(self.normalised(augmented(images.float() / 255, self.strengths)))
        return F.cross_entropy(scores, labels, label_smoothing=self.label_smoothing)

    def predict(self, images: Any, batch_size: int = 64) -> Prediction:
        """Labels, class names and probabilities of images, one or many: see ``prediction.predict``."""
        return predict(self, images, batch_size)

    @classmethod
    def load_from_checkpoint(cls, checkpoint_path: str | Path, **how: Any) -> Self:  # type: ignore[override]
        """The model of a checkpoint; no other argument, weight file or network is needed.

        Raises:
            HeadstartError: the file is damaged, holds more than tensors and plain values, or is not one of ours.
        """
        checkpoints.read(Path(checkpoint_path))
        return super().load_from_checkpoint(checkpoint_path, **{**how, "weights_only": True})

    # -- the recipe -------------------------------------------------------------------------------

    def setup(self, stage: str) -> None:
        if stage != "fit":
            return
        # The order of the draws within a batch depends on (seed, epoch, batch) alone: see below.
        self._stream = torch.initial_seed()
        self._losses.clear()  # of an epoch that was interrupted
        if self.trainer.max_epochs == LIGHTNINGS_DEFAULT_EPOCHS:
            self.trainer.fit_loop.max_epochs = self.epochs

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint[runs.CLASS] = f"{type(self).__module__}:{type(self).__qualname__}"

    def configure_optimizers(self) -> Any:
        return optim.adamw_cosine(self.parameter_groups(), int(self.trainer.estimated_stepping_batches))

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        # Augmentation and dropout draw from torch's streams; a fresh counter for each batch makes a
        # resumed run, and the same run after another in one process, draw the same.
        seed = key(self._stream, "batch", self.current_epoch, batch_idx)
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
        self._outputs.append((self(batch[0]).float(), batch[1]))

    def test_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self._outputs.append((self(batch[0]).float(), batch[1]))

    def predict_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        return self(batch[0])

    def on_validation_epoch_end(self) -> None:
        scores, labels = self._collected()
        metrics = self._metrics(scores, labels)
        self.log_dict({f"val/{name}": value for name, value in metrics.items()})
        # Of two epochs equally accurate the later one is kept: the schedule has ended further down.
        self.log("val/choice", metrics["accuracy"] + 1e-5 * self.current_epoch / max(self.epochs, 1))

    def on_test_epoch_end(self) -> None:
        scores, labels = self._collected()
        self.log_dict({f"test/{name}": value for name, value in self._metrics(scores, labels).items()})
        self.test_labels = labels.cpu()
        self.test_probabilities = scores.softmax(dim=1).cpu()

    def _collected(self) -> tuple[Tensor, Tensor]:
        scores, labels = (torch.cat(parts) for parts in zip(*self._outputs, strict=True))
        self._outputs.clear()
        return scores, labels

    def _metrics(self, scores: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Accuracy, balanced accuracy (mean recall of the classes present), macro F1, log loss (nats)."""
        n = self.spec.num_classes
        return {
            "accuracy": (scores.argmax(dim=1) == labels).float().mean(),
            "balanced_accuracy": multiclass_accuracy(scores, labels, n, average="macro"),
            "macro_f1": multiclass_f1_score(scores, labels, n, average="macro"),
            "log_loss": F.cross_entropy(scores, labels),
        }


def positive(name: str, value: float, zero: bool = False) -> float:
    """``value`` as a float; raises HeadstartError where it is no number above 0 (or, with ``zero``, not 0 either)."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not (0 < value < float("inf") or (zero and value == 0)):
        raise HeadstartError(f"model.{name}={value}: give a number {'of 0 or more' if zero else 'above 0'}")
    return float(value)
