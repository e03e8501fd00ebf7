"""Counter-based random streams: every random choice is a function of (seed, purpose, counters).

No stream has a state, so the number of loader workers, a resumed run or another arm trained before
change nothing: the order of epoch 7 is the same whether or not epochs 0 to 6 were drawn.
"""

import hashlib


def derive_key(seed: int, purpose: str, *counters: int) -> int:
    """A 63-bit key for ``numpy.random.default_rng`` or ``torch.Generator.manual_seed``.

    Args:
        seed: the run's seed.
        purpose: what is drawn, e.g. ``"split"``, ``"order"``, ``"init"``, ``"augment"``.
        counters: where in that stream, e.g. epoch and batch index.
    """
    text = ":".join([str(seed), purpose, *map(str, counters)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1
