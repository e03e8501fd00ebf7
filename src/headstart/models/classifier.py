"""Base class of all models: raw pixels in, loss, optimizer, metrics, prediction and checkpoints."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, ClassVar, Self, Unpack

import lightning as L
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.constructors import constructor_arguments
from headstart.errors import DivergedError, HeadstartError
from headstart.image_spec import ImageSpec
from headstart.models import optimizer
from headstart.models.augmentation import augment_images, parse_augmentation
from headstart.models.compatibility import check_classes, check_trainer
from headstart.models.evaluation import compute_metrics
from headstart.models.prediction import Prediction, predict_images
from headstart.models.recipe import Recipe, RecipeArguments, epochs_for
from headstart.networks.modes import evaluation_mode
from headstart.runs.checkpoint import CLASS_KEY, read_checkpoint
from headstart.seeding import derive_key


class Classifier(L.LightningModule):
    """A network that classifies raw pixels, and the recipe that trains it.

    A subclass sets ``network``, ``lr`` and, by ``self.register_normalization(...)``, ``pixel_mean`` and
    ``pixel_std``. Where needed, it overrides ``logits(images)`` and ``parameter_groups()``.

    ``network`` is a plain module with the model's parameters. It maps normalized images, float (N, C, H, W), to
    logits, float (N, num_classes), and can be traced and measured without Lightning.

    The recipe's defaults are the class attribute ``DEFAULTS``. ``epochs`` is the number of epochs for the data's
    budget: ``Trainer(max_epochs=model.epochs)``. The schedule is as long as the Trainer trains, or ``schedule_epochs``
    epochs where that is set: then training ends before the learning rates reach zero.

    Args:
        spec: the images' specification, an ``ImageSpec`` or its plain dict.
        recipe: ``epochs``, ``weight_decay``, ``label_smoothing``, ``augment``: see ``Recipe``.

    Example:
        >>> class Linear(Classifier):
        ...     def __init__(self, spec, lr=1e-2, **recipe: Unpack[RecipeArguments]):
        ...         super().__init__(spec, **recipe)
        ...         self.lr = lr
        ...         size = math.prod(self.spec.shape)
        ...         self.network = nn.Sequential(nn.Flatten(), nn.Linear(size, self.spec.num_classes))
        ...         self.register_normalization(self.spec.mean, self.spec.std)
        >>> datamodule.setup("fit")
        >>> model = Linear(spec=datamodule.spec)
        >>> L.Trainer(max_epochs=model.epochs).fit(model, datamodule)
    """

    DEFAULTS: ClassVar[Recipe] = Recipe()

    network: nn.Module
    lr: float
    schedule_epochs: int | None = None
    pixel_mean: Tensor
    pixel_std: Tensor

    def __init__(self, spec: ImageSpec | Mapping[str, Any], **recipe: Unpack[RecipeArguments]) -> None:
        super().__init__()
        self.spec = spec if isinstance(spec, ImageSpec) else ImageSpec.from_dict(dict(spec))
        settings = replace(self.DEFAULTS, **recipe)
        self.epochs = epochs_for(settings.epochs, self.spec.labels_per_class)
        self.weight_decay = float(settings.weight_decay)
        self.label_smoothing = float(settings.label_smoothing)
        self.augmentation = parse_augmentation(settings.augment, self.spec.mirror)
        self.save_hyperparameters(ignore=["spec"], logger=False)
        self.save_hyperparameters({"spec": self.spec.to_dict(), **asdict(settings)}, logger=False)
        self.example_input_array = torch.zeros(1, *self.spec.shape, dtype=torch.uint8)
        self._outputs: list[tuple[Tensor, Tensor]] = []
        self._losses: list[tuple[Tensor, int]] = []
        self._seed = 0

    def register_normalization(
        self, mean: list[float] | tuple[float, ...], std: list[float] | tuple[float, ...]
    ) -> None:
        """Stores mean and standard deviation per channel (of pixels in [0, 1]) as buffers of the checkpoint."""
        self.register_buffer("pixel_mean", torch.tensor(mean).view(1, -1, 1, 1))
        self.register_buffer("pixel_std", torch.tensor(std).clamp(min=1e-6).view(1, -1, 1, 1))

    def logits(self, images: Tensor) -> Tensor:
        """Class scores (N, num_classes) of normalized images, float (N, C, H, W)."""
        return self.network(images)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """The optimizer's parameter groups, each with its learning rate."""
        return optimizer.build_parameter_groups(self, self.lr, self.weight_decay)

    def forward(self, images: Tensor) -> Tensor:
        """Class scores, float32 (N, num_classes), of raw images, uint8 (N, C, H, W)."""
        return self.logits(self.normalize(images.float() / 255)).float()

    def normalize(self, images: Tensor) -> Tensor:
        """Normalizes images, float (N, C, H, W) in [0, 1]; repeats gray images for a network of three channels."""
        if images.shape[1] < self.pixel_mean.shape[1]:
            images = images.expand(-1, self.pixel_mean.shape[1], -1, -1)
        # A converted model (``model.half()``) takes images of its precision.
        images = ((images - self.pixel_mean) / self.pixel_std).to(self.pixel_mean.dtype)
        # Channels last: a CPU computes depthwise convolutions and those of few channels a third faster.
        return images.contiguous(memory_format=torch.channels_last)

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy (nats, a scalar) of raw images, uint8 (N, C, H, W), after augmentation."""
        scores = self.logits(self.normalize(augment_images(images.float() / 255, self.augmentation)))
        return F.cross_entropy(scores, labels, label_smoothing=self.label_smoothing)

    def predict(self, images: Any, batch_size: int = 64) -> Prediction:
        """Labels, class names and probabilities of one image or several: see ``prediction.predict_images``."""
        with evaluation_mode(self):
            return predict_images(self, self.spec, images, batch_size, self.device)

    @classmethod
    def load_from_checkpoint(cls, checkpoint_path: str | Path, **kwargs: Any) -> Self:  # type: ignore[override]
        """Builds the model of a checkpoint. Needs no other argument, no weight file and no network connection.

        Raises:
            HeadstartError: the file is damaged, holds more than tensors and plain values, is not a Headstart
                checkpoint, or has other classes than a given ``spec``.
        """
        checkpoint = read_checkpoint(Path(checkpoint_path))
        model = super().load_from_checkpoint(checkpoint_path, **{**kwargs, "weights_only": True})
        model.on_load_checkpoint(checkpoint)
        return model

    # -- Lightning's hooks ------------------------------------------------------------------------

    def setup(self, stage: str) -> None:
        """Prepares for fit, validate, test or predict.

        Raises:
            HeadstartError: the trainer's precision converts the weights, or its data have other classes or shapes than
                the model. A plain DataLoader has no specification to check.
        """
        if self._trainer is not None:
            check_trainer(self._trainer, self.spec)
        if stage == "fit":
            self._seed = torch.initial_seed()  # see on_train_batch_start
            self._losses.clear()  # of an interrupted epoch

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint[CLASS_KEY] = f"{type(self).__module__}:{type(self).__qualname__}"
        accepted = constructor_arguments(type(self))
        if accepted is not None:  # an argument that a subclass sets for its parent is not one of its own constructor
            hyperparameters = checkpoint[self.CHECKPOINT_HYPER_PARAMS_KEY]
            checkpoint[self.CHECKPOINT_HYPER_PARAMS_KEY] = {
                name: value for name, value in hyperparameters.items() if name in accepted
            }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Checks the checkpoint's classes: their tensors only show how many there are.

        Raises:
            HeadstartError: the checkpoint has other classes than the model.
        """
        spec = checkpoint.get("hyper_parameters", {}).get("spec")
        if isinstance(spec, dict):  # an ImageSpec was given to ``load_from_checkpoint``
            check_classes("the checkpoint", tuple(spec["classes"]), self.spec.classes)

    def configure_optimizers(self) -> Any:
        steps = self.trainer.estimated_stepping_batches
        if steps == float("inf"):
            raise HeadstartError("trainer.max_epochs=-1: the schedule needs an end; give max_epochs=model.epochs")
        if self.schedule_epochs:
            steps *= self.schedule_epochs / (self.trainer.max_epochs or 1)
        return optimizer.build_adamw_cosine(self.parameter_groups(), round(steps))

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        # Each batch has a seed of (seed, epoch, batch index), from which augmentation and dropout draw: a resumed run,
        # or the same run after another one in this process, draws the same numbers.
        seed = derive_key(self._seed, "batch", self.current_epoch, batch_idx)
        torch.default_generator.manual_seed(seed)
        if self.device.type != "cpu":  # on a CPU alone, torch.manual_seed would record a stack trace for a later GPU
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
        # Logged once an epoch: logging each step would take Lightning a tenth of a small network's step.
        self.log("train/loss", torch.stack(losses) @ torch.tensor(sizes, device=self.device).float() / sum(sizes))

    def on_validation_epoch_start(self) -> None:
        self._outputs.clear()  # of an interrupted validation or test

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        self._outputs.append((self(batch[0]), batch[1]))

    def on_validation_epoch_end(self) -> None:
        scores, labels = self._gather_outputs()
        metrics = compute_metrics(scores, labels)
        self.log_dict({f"val/{name}": value for name, value in metrics.items()})
        # The checkpoint's monitor: of two equally accurate epochs the later one, which is further down the schedule.
        num_epochs = max(self.trainer.max_epochs or 1, 1)
        self.log("val/checkpoint_score", metrics["accuracy"] + 1e-5 * self.current_epoch / num_epochs, logger=False)

    on_test_epoch_start = on_validation_epoch_start
    test_step = validation_step

    def on_test_epoch_end(self) -> None:
        scores, labels = self._gather_outputs()
        self.log_dict({f"test/{name}": value for name, value in compute_metrics(scores, labels).items()})
        self.test_labels = labels.cpu()
        self.test_probabilities = scores.softmax(dim=1).cpu()

    def predict_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        return self(batch[0])

    def _gather_outputs(self) -> tuple[Tensor, Tensor]:
        scores, labels = (torch.cat(parts) for parts in zip(*self._outputs, strict=True))
        self._outputs.clear()
        return scores, labels
