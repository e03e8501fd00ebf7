"""Linear probe: a logistic regression on the features of a frozen backbone."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from threadpoolctl import threadpool_limits
from torch import Tensor

from headstart.image_spec import ImageSpec
from headstart.models.probes.fitted_head import FittedHead

INVERSE_PENALTIES = np.logspace(-5, 1, 13)  # scikit-learn's C
MAX_IMAGES_TO_CHOOSE = 2000  # images on which C is chosen; all of them train
MAX_FOLDS = 5
MAX_WORSE = 2  # the loss falls and rises once: after two values that are worse, smaller penalties only take longer


class LinearProbe(FittedHead):
    """A frozen timm backbone and a logistic regression on its features, fitted in one epoch.

    The features are centered and divided by one number, their root mean square: where there are few images, a scale
    for each feature is noise (figures in conf/model/linear_probe.yaml). The penalty is chosen by cross-validation on
    the training images (log loss). Center and scale become a part of the weights: the head is a plain linear layer.

    Args:
        backbone: the settings of ``conf/backbone``; None: the embedded backbone.
        epochs: 1; one pass over the features is all.

    Example:
        >>> model = LinearProbe(spec=datamodule.spec, backbone={"weights": "efficientnet_lite0"})
        >>> L.Trainer(max_epochs=1).fit(model, datamodule)
    """

    def __init__(
        self, spec: ImageSpec | Mapping[str, Any], backbone: dict[str, Any] | None = None, epochs: int = 1
    ) -> None:
        super().__init__(spec, backbone, epochs)

    def fit_head(self, features: Tensor, labels: Tensor) -> Tensor:
        weight, bias = fit_logistic_regression(
            features.cpu().double().numpy(), labels.cpu().numpy(), self.spec.num_classes
        )
        with torch.no_grad():
            self.head.weight.copy_(torch.from_numpy(weight))
            self.head.bias.copy_(torch.from_numpy(bias))
        return F.cross_entropy(self.head(features), labels)


# The matrices are small: threads of the matrix library wait for each other, and more so where runs share the cores.
@threadpool_limits.wrap(limits=1)
def fit_logistic_regression(
    features: np.ndarray, labels: np.ndarray, num_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Fits a multinomial logistic regression with an L2 penalty, chosen by cross-validation.

    Args:
        features: float64 (N, D).
        labels: int64 (N,).
        num_classes: number of rows of the result; a class without a training image is never predicted.

    Returns:
        Weight, float64 (num_classes, D), and bias, float64 (num_classes,), for the features as they are.
    """
    from sklearn.linear_model import LogisticRegression

    mean, scale = features.mean(axis=0), np.sqrt(features.var(axis=0).mean()) or 1.0
    inputs = (features - mean) / scale
    # With fewer images than features, all that matters lies in the images' span. The penalty does not depend on the
    # axes: a fit on the coordinates of the span is the same fit, and much faster.
    basis = np.linalg.svd(inputs, full_matrices=False)[2] if len(features) < features.shape[1] else None
    inputs = inputs @ basis.T if basis is not None else inputs
    present = np.unique(labels)
    weight, bias = np.zeros((num_classes, features.shape[1])), np.zeros(num_classes)
    if len(present) == 1:
        bias = np.full(num_classes, -20.0)
        bias[present] = 0.0
        return weight, bias
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fit with hardly any penalty may reach its limit of steps
        model = LogisticRegression(C=choose_inverse_penalty(inputs, labels), max_iter=2000, tol=1e-6).fit(
            inputs, labels
        )
    coefficients, intercepts = model.coef_, model.intercept_
    if len(present) == 2:  # scikit-learn stores one row for two classes
        coefficients = np.concatenate([-coefficients, coefficients]) / 2
        intercepts = np.concatenate([-intercepts, intercepts]) / 2
    coefficients = (coefficients @ basis if basis is not None else coefficients) / scale
    weight[present] = coefficients
    bias[present] = intercepts - coefficients @ mean
    absent = np.setdiff1d(np.arange(num_classes), present)
    weight[absent], bias[absent] = weight.mean(axis=0), bias.mean() - 20
    return weight, bias


def choose_inverse_penalty(inputs: np.ndarray, labels: np.ndarray) -> float:
    """Chooses scikit-learn's C by the log loss of a stratified cross-validation; 0.01 where a class has one image.

    Args:
        inputs: float64 (N, D).
        labels: int64 (N,), of two classes at least.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_score

    subset = np.random.default_rng(0).permutation(len(labels))[:MAX_IMAGES_TO_CHOOSE]
    inputs, labels = inputs[subset], labels[subset]
    folds = min(MAX_FOLDS, int(np.unique(labels, return_counts=True)[1].min()))
    if folds < 2:
        return 0.01
    splits = StratifiedKFold(folds, shuffle=True, random_state=0)
    best, chosen, num_worse = np.inf, float(INVERSE_PENALTIES[0]), 0
    for inverse_penalty in INVERSE_PENALTIES:
        model = LogisticRegression(C=inverse_penalty, max_iter=200)
        loss = -cross_val_score(model, inputs, labels, cv=splits, scoring="neg_log_loss").mean()
        if loss < best:
            best, chosen, num_worse = loss, float(inverse_penalty), 0
        else:
            num_worse += 1
        if num_worse == MAX_WORSE:
            break
    return chosen
