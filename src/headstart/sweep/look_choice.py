"""Whether a sweep takes looks: it does where ``compare.max_seeds`` says so and no seeds are given. Torch-free."""

from headstart.compare.declaration import sweep_limits
from headstart.compare.inference.looks import LOOKS, plan_looks
from headstart.config.compose import ComposedCommand
from headstart.config.overrides import override_key
from headstart.errors import HeadstartError
from headstart.runs.sweep_file import Look

MAX_SEEDS_KEY, MINUTES_KEY = "compare.max_seeds", "compare.minutes"


def choose_looks(command: ComposedCommand, num_arms: int) -> tuple[Look, ...]:
    """The looks of a sweep; empty where seeds are given. A single arm has the seeds of the first look.

    Args:
        command: of a sweep.
        num_arms: number of its arms.

    Raises:
        HeadstartError: both seeds and the largest number of seeds are typed.
    """
    max_seeds = sweep_limits(command.config.compare).max_seeds
    if max_seeds is None:
        return ()
    keys = {override_key(word) for word in command.overrides}
    if "seed" in keys or "seed" in command.sweeps:
        if MAX_SEEDS_KEY in keys:
            raise HeadstartError(
                f"{MAX_SEEDS_KEY}={max_seeds}: the seeds are given, so that all of them train and the verdict is "
                "computed once; leave out one of the two"
            )
        return ()
    if command.config.debug:
        return ()
    return plan_looks(max_seeds if num_arms > 1 else min(max_seeds, LOOKS[0].seeds))


def choose_minutes(command: ComposedCommand, looks: tuple[Look, ...]) -> float | None:
    """The minutes after which a sweep ends, and the same command goes on; None: no limit.

    A limit that an experiment sets is meant for looks: seeds that are given have one only where it is typed.

    Args:
        command: of a sweep.
        looks: of the sweep.
    """
    is_typed = MINUTES_KEY in {override_key(word) for word in command.overrides}
    return sweep_limits(command.config.compare).minutes if looks or is_typed else None
