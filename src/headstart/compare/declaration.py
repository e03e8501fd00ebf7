"""What a comparison asks, declared before anything trains: the keys of ``compare`` in conf/train.yaml."""

from dataclasses import dataclass

from headstart.errors import HeadstartError

DEFAULT_LEVEL = (
    0.05  # of a sweep: the chance that any arm is called worse than one that it equals, at any of its budgets
)
DEFAULT_MARGIN = 0.01  # arms that differ by less are as good as each other
DEFAULT_CONTRAST = ("finetune", "scratch_backbone")  # one architecture, another start: did pretraining help?
VERDICT_METRICS = ("accuracy", "balanced_accuracy")


@dataclass(frozen=True)
class Comparison:
    """What a comparison asks; the keys of ``compare`` in conf/train.yaml.

    Args:
        contrast: the models of the declared contrast, of which the first is asked whether it is better.
        metric: ``accuracy`` or ``balanced_accuracy``.
        margin: difference, of 1, below which arms count as equal.
        level: the chance of a false answer, of a whole sweep.

    Raises:
        HeadstartError: a value that makes no sense.
    """

    contrast: tuple[str, str] = DEFAULT_CONTRAST
    metric: str = "accuracy"
    margin: float = DEFAULT_MARGIN
    level: float = DEFAULT_LEVEL

    def __post_init__(self) -> None:
        pair = isinstance(self.contrast, list | tuple) and len(self.contrast) == 2
        if not pair or not all(isinstance(arm, str) for arm in self.contrast) or len(set(self.contrast)) == 1:
            raise HeadstartError(f"compare.contrast={self.contrast}: give two models, such as [finetune,frozen]")
        object.__setattr__(self, "contrast", tuple(self.contrast))
        if self.metric not in VERDICT_METRICS:
            raise HeadstartError(f"compare.metric={self.metric}: give {' or '.join(VERDICT_METRICS)}")
        for name, most in (("margin", 1.0), ("level", 0.5)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < most:
                raise HeadstartError(f"compare.{name}={value}: give a number above 0 and below {most:g}")
