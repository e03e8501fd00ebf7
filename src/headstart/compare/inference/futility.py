"""Whether more seeds could still decide between two arms: a sweep need not train what can change no answer."""

import math
from itertools import combinations

from scipy.special import ndtr

from headstart.compare.inference.mcnemar import McNemarContrast
from headstart.compare.inference.multiple_testing import ArmPair
from headstart.compare.inference.power import predict_precision
from headstart.compare.inference.verdict import Verdict
from headstart.runs.sweep_file import Look

LEAST_CHANCE = 0.1  # of a decision, below which training goes on no more
LEAST_SEEDS = 5  # that foretell: three show too little of the spread between trainings


def is_futile(verdict: Verdict, last: Look) -> bool:
    """Whether no open pair of arms has a chance of ``LEAST_CHANCE`` to be decided by the last look of a schedule: the
    declared contrast, and each two of the unbeaten arms. False before ``LEAST_SEEDS`` seeds."""
    if verdict.looks[-1].seeds < LEAST_SEEDS:
        return False
    pairs = {*verdict.open_pairs, *combinations(verdict.unbeaten, 2)}
    return all(chance_of_decision(verdict, pair, last) < LEAST_CHANCE for pair in pairs)


def chance_of_decision(verdict: Verdict, pair: ArmPair, look: Look) -> float:
    """Computes the chance that a later look decides a pair: one arm is better, or both are equal within the margin.

    The predictive power of Spiegelhalter, Freedman & Blackburn (1986, Controlled Clinical Trials 7:8): given the runs
    so far and no prior, the later mean is normal about the present one, with the variance that further seeds take
    away. Test images that stay the same take none away.

    Args:
        verdict: of an earlier look.
        pair: two arms that it leaves open.
        look: the later one.
    """
    contrast = verdict.contrasts[pair]
    if isinstance(contrast, McNemarContrast) or contrast.seeds < 2:
        return 1.0  # one seed does not tell
    growth = look.share / verdict.looks[-1].share
    half, error = predict_precision(contrast, contrast.images, look.seeds, growth * verdict.levels[pair])
    _, error_now = predict_precision(contrast, contrast.images, contrast.seeds, verdict.levels[pair])
    spread = max(math.sqrt(max(error_now**2 - error**2, 0.0)), 1e-9)
    half_of_tie, _ = predict_precision(contrast, contrast.images, look.seeds, 2 * growth * verdict.alpha)

    def chance_within(limit: float) -> float:
        return float(ndtr((limit - contrast.mean) / spread) - ndtr((-limit - contrast.mean) / spread))

    room = verdict.margin - half_of_tie
    return 1 - chance_within(half) + (chance_within(room) if room > 0 else 0.0)
