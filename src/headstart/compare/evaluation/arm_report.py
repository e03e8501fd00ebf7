"""Evaluates the best arm at the largest budget: confusion, calibration, confident errors, agreement with other arms."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from headstart.compare.collect.sweep_runs import LoadedRun
from headstart.compare.evaluation.agreement import pairwise_agreement
from headstart.compare.evaluation.calibration import NUM_CALIBRATION_BINS, compute_calibration
from headstart.compare.evaluation.confident_errors import find_misclassified_images, predictions_for_images
from headstart.compare.evaluation.confusion import compute_confusion
from headstart.compare.evaluation.predictions import load_predictions
from headstart.runs.predictions import Predictions


def build_arm_report(
    runs: Mapping[str, Sequence[LoadedRun]], best_arm: str, classes: list[str], read: Callable[[Path], Predictions]
) -> dict[str, Any]:
    """Evaluates an arm beside the other arms of its budget.

    Args:
        runs: of each arm at the budget.
        best_arm: the arm to evaluate.
        classes: names in the order of the labels; further classes are numbered.
        read: reads the predictions of a run directory.

    Raises:
        HeadstartError: predictions cannot be read.
    """
    best = load_predictions(runs[best_arm], read)
    pooled = best.pool()
    classes = [*classes, *map(str, range(len(classes), best.probabilities.shape[1]))]
    images = find_misclassified_images(best)
    by_arm, by_image, calibrations = {}, {}, []
    # One arm at a time: the probabilities of many classes and images take memory.
    for arm in [best_arm, *(arm for arm in runs if arm != best_arm)]:
        arm_predictions = best if arm == best_arm else load_predictions(runs[arm], read)
        by_arm[arm] = arm_predictions.runs
        by_image[arm] = predictions_for_images(arm_predictions, images, classes)
        calibrations.append({"arm": arm, **compute_calibration(arm_predictions.pool())})
    mistakes = [
        {
            "image": image,
            "class": by_image[best_arm][image]["class"],
            "predictions": [
                {"arm": arm, "class": rows[image]["predicted"], "probability": rows[image]["probability"]}
                for arm, rows in by_image.items()
                if image in rows
            ],
        }
        for image in images
    ]
    return {
        "arm": best_arm,
        "runs": len(best.runs),
        "test_images": len(best.images),
        "answers": len(pooled.labels),
        "accuracy": pooled.correct.mean(),
        "classes": len(classes),
        "confusion": compute_confusion(pooled, classes),
        "bins": NUM_CALIBRATION_BINS,
        "calibration": calibrations,
        "mistakes": mistakes,
        "agreement": pairwise_agreement(by_arm),
    }
