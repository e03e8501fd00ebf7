"""The images of which somebody was surest and wrong. Torch-free: a run keeps their pictures, a report shows them."""

import numpy as np

MAX_CONFIDENT_ERRORS = 12  # that a run keeps, and a page shows


def most_confident_errors(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """The positions of the images that are taken for another class, int64, the most confident first, ``MOST`` at most.

    Args:
        labels: int64 (N,).
        probabilities: float32 (N, num_classes).
    """
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    return wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")][:MAX_CONFIDENT_ERRORS]
