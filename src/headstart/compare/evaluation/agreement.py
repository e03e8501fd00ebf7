"""How often two arms say the same of an image."""

from itertools import combinations
from typing import Any

import numpy as np

from headstart.compare.evaluation.predictions import FoldSeed, RunPredictions


def pairwise_agreement(arms: dict[str, dict[FoldSeed, RunPredictions]]) -> list[dict[str, Any]]:
    """Each pair of arms over the runs that both have.

    Returns:
        For each pair ``first``, ``second``, ``answers`` (how many were compared), and the shares of them that were
        the ``same``, ``both_right``, right of ``first_alone`` or ``second_alone``, and ``both_wrong``.
    """
    rows = []
    for first, second in combinations(arms, 2):
        shared = [
            (arms[first][key], arms[second][key])
            for key in arms[first]
            if key in arms[second] and np.array_equal(arms[first][key].labels, arms[second][key].labels)
        ]
        if not shared:
            continue
        same = np.concatenate([one.predicted == other.predicted for one, other in shared])
        right = np.concatenate([one.correct for one, _ in shared])
        others = np.concatenate([other.correct for _, other in shared])
        rows.append(
            {
                "first": first,
                "second": second,
                "answers": len(same),
                "same": same.mean(),
                "both_right": (right & others).mean(),
                "first_alone": (right & ~others).mean(),
                "second_alone": (~right & others).mean(),
                "both_wrong": (~right & ~others).mean(),
            }
        )
    return rows
