"""Moderates the variance between seeds of each pair of arms towards the mean over all pairs."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from headstart.compare.inference.contrast import Contrast
from headstart.compare.inference.symmetric_contrast import SymmetricContrast

PRIOR_SHARE = 0.5  # of the degrees of freedom that the other arms add: half, in case spreads differ


Arms = TypeVar("Arms", bound=tuple[str, ...])


def moderate_contrasts(contrasts: Mapping[Arms, Contrast]) -> dict[Arms, Contrast]:
    """Replaces the variance between seeds of each contrast by a weighted mean of its own and that of all pairs.

    Few seeds tell little about the spread of one pair, and all pairs of A arms tell more. With s² a pair's own variance
    on d = S - 1 degrees of freedom and s̄² the mean over all pairs, the variance is (d₀ s̄² + d s²)/(d₀ + d) on d₀ + d
    degrees of freedom, d₀ = (A - 2) d/2, as limma has it (Smyth 2004, Statist. Appl. Genet. Mol. Biol. 3:3). Where
    arms have different numbers of seeds, each variance counts by its degrees of freedom, and d₀ is half of the degrees
    of freedom of the arms outside the pair. With two arms nothing changes; an exact test of one seed has no such
    variance.

    Args:
        contrasts: of each pair of arms, in one order of the two; or of each arm alone, under ``(arm,)``.
    """
    sampled = {
        pair: contrast
        for pair, contrast in contrasts.items()
        if isinstance(contrast, SymmetricContrast) and contrast.seeds > 1
    }
    total = sum(contrast.seed_freedom for contrast in sampled.values())
    freedom_of_arm: dict[str, float] = {}
    for pair, contrast in sampled.items():
        for arm in pair:
            freedom_of_arm[arm] = max(freedom_of_arm.get(arm, 0.0), contrast.seed_freedom)
    moderated: dict[Arms, Contrast] = dict(contrasts)
    for pair, contrast in sampled.items():
        mean = sum(each.seed_freedom * each.seed_variance for each in sampled.values()) / total
        own = contrast.seed_freedom
        prior = PRIOR_SHARE * sum(freedom for arm, freedom in freedom_of_arm.items() if arm not in pair)
        variance = (prior * mean + own * contrast.seed_variance) / (prior + own)
        moderated[pair] = replace(contrast, seed_variance=variance, seed_freedom=prior + own)
    return moderated
