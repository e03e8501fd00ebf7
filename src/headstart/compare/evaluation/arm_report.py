"""A closer look at the largest budget: what the chosen arm takes for what, how sure it is, and where it errs."""

from pathlib import Path
from typing import Any

from headstart.compare.evaluation.agreement import pairwise_agreement
from headstart.compare.evaluation.calibration import NUM_CALIBRATION_BINS, compute_calibration
from headstart.compare.evaluation.confident_errors import find_misclassified_images, predictions_for_images
from headstart.compare.evaluation.confusion import compute_confusion
from headstart.compare.evaluation.predictions import FoldSeed, load_predictions

RunDirectories = dict[str, list[tuple[FoldSeed, Path]]]  # by arm


def build_arm_report(run_directories: RunDirectories, chosen_arm: str, classes: list[str]) -> dict[str, Any]:
    """The look, as plain as :func:`headstart.compare.report.content.report` has it.

    Args:
        places: the run directories of each arm at the budget.
        chosen: the arm to look at.
        classes: their names in the order of the labels; more are numbered.

    Raises:
        HeadstartError: predictions cannot be read.
    """
    own = load_predictions(run_directories[chosen_arm])
    pooled = own.pool()
    classes = [*classes, *map(str, range(len(classes), own.probabilities.shape[1]))]
    images = find_misclassified_images(own)
    answers, views, reliability = {}, {}, []
    # One arm at a time: the probabilities of many classes and images take memory.
    for arm in [chosen_arm, *(arm for arm in run_directories if arm != chosen_arm)]:
        its = own if arm == chosen_arm else load_predictions(run_directories[arm])
        answers[arm] = its.runs
        views[arm] = predictions_for_images(its, images, classes)
        reliability.append({"arm": arm, **compute_calibration(its.pool())})
    mistakes = [
        {
            "image": image,
            "class": views[chosen_arm][image]["class"],
            "said": [
                {"arm": arm, "class": view[image]["said"], "probability": view[image]["probability"]}
                for arm, view in views.items()
                if image in view
            ],
        }
        for image in images
    ]
    return {
        "arm": chosen_arm,
        "runs": len(own.runs),
        "test_images": len(own.images),
        "answers": len(pooled.labels),
        "accuracy": pooled.correct.mean(),
        "classes": len(classes),
        "confusion": compute_confusion(pooled, classes),
        "bins": NUM_CALIBRATION_BINS,
        "calibration": reliability,
        "mistakes": mistakes,
        "agreement": pairwise_agreement(answers),
    }
