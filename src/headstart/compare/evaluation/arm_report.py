"""A closer look at the largest budget: what the chosen arm takes for what, how sure it is, and where it errs."""

from pathlib import Path
from typing import Any

from headstart.compare.evaluation.agreement import agreement
from headstart.compare.evaluation.calibration import BINS, calibration
from headstart.compare.evaluation.confident_errors import mistaken, opinions
from headstart.compare.evaluation.confusion import confusion
from headstart.compare.evaluation.predictions import Key, said

Places = dict[str, list[tuple[Key, Path]]]  # by arm


def closer(places: Places, chosen: str, classes: list[str]) -> dict[str, Any]:
    """The look, as plain as :func:`headstart.compare.report.content.report` has it.

    Args:
        places: the run directories of each arm at the budget.
        chosen: the arm to look at.
        classes: their names in the order of the labels; more are numbered.

    Raises:
        HeadstartError: predictions cannot be read.
    """
    own = said(places[chosen])
    pooled = own.pooled()
    classes = [*classes, *map(str, range(len(classes), own.probabilities.shape[1]))]
    images = mistaken(own)
    answers, views, reliability = {}, {}, []
    # One arm at a time: the probabilities of many classes and images take memory.
    for arm in [chosen, *(arm for arm in places if arm != chosen)]:
        its = own if arm == chosen else said(places[arm])
        answers[arm] = its.runs
        views[arm] = opinions(its, images, classes)
        reliability.append({"arm": arm, **calibration(its.pooled())})
    mistakes = [
        {
            "image": image,
            "class": views[chosen][image]["class"],
            "said": [
                {"arm": arm, "class": view[image]["said"], "probability": view[image]["probability"]}
                for arm, view in views.items()
                if image in view
            ],
        }
        for image in images
    ]
    return {
        "arm": chosen,
        "runs": len(own.runs),
        "test_images": len(own.images),
        "answers": len(pooled.labels),
        "accuracy": pooled.correct.mean(),
        "classes": len(classes),
        "confusion": confusion(pooled, classes),
        "bins": BINS,
        "calibration": reliability,
        "mistakes": mistakes,
        "agreement": agreement(answers),
    }
