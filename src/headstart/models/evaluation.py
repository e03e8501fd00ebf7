"""Computes the metrics of ``result.json`` from class scores."""

import torch
import torch.nn.functional as F
from torch import Tensor

from headstart import metrics
from headstart.errors import DivergedError


def compute_metrics(scores: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Accuracy, balanced accuracy and macro F1 (see ``headstart.metrics``), and log loss in nats.

    Args:
        scores: class scores, float (N, num_classes). The predicted class is the first one of the largest float32
            probability, as in ``predictions.parquet``.
        labels: int64 (N,).

    Raises:
        DivergedError: a score is NaN or infinite, so that no class can be predicted.
    """
    finite = scores.isfinite().all(dim=1)
    if not finite.all():
        raise DivergedError(
            f"the model gives no finite scores for {int((~finite).sum())} of {len(scores)} images; "
            "lower the learning rate (model.lr or model.head_lr)"
        )
    true = labels.cpu()
    predicted = scores.float().softmax(dim=1).cpu().argmax(dim=1)
    num_correct, num_true, num_predicted = (
        torch.bincount(classes, minlength=scores.shape[1]) for classes in (true[predicted == true], true, predicted)
    )
    return {
        "accuracy": metrics.accuracy(num_correct, num_true),
        "balanced_accuracy": metrics.balanced_accuracy(num_correct, num_true),
        "macro_f1": metrics.macro_f1(num_correct, num_true, num_predicted),
        "log_loss": F.cross_entropy(scores.float(), labels),
    }
