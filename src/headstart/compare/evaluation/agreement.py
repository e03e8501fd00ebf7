"""Counts how often two arms predict the same class for an image."""

from itertools import combinations
from typing import Any

import numpy as np

from headstart.compare.evaluation.predictions import FoldSeed, RunPredictions


def pairwise_agreement(arms: dict[str, dict[FoldSeed, RunPredictions]]) -> list[dict[str, Any]]:
    """Compares each pair of arms on the runs that both have.

    Returns:
        For each pair ``first``, ``second``, ``answers`` (number of compared predictions), and the shares that are the
        ``same``, ``both_right``, right of ``first_right`` or ``second_right``, and ``both_wrong``.
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
        same = np.concatenate([left.predicted == right.predicted for left, right in shared])
        first_correct = np.concatenate([left.correct for left, _ in shared])
        second_correct = np.concatenate([right.correct for _, right in shared])
        rows.append(
            {
                "first": first,
                "second": second,
                "answers": len(same),
                "same": same.mean(),
                "both_right": (first_correct & second_correct).mean(),
                "first_right": (first_correct & ~second_correct).mean(),
                "second_right": (~first_correct & second_correct).mean(),
                "both_wrong": (~first_correct & ~second_correct).mean(),
            }
        )
    return rows
