"""Defines what a planned run and the result of a run have in common. Torch-free."""

import json
from typing import Any


class ArmRun:
    """A run of an arm on a data set, planned or ended; a base of dataclasses, which define the fields.

    Example:
        >>> PlannedRun("frozen-digits-5-seed0-1a2b3c4d", "1a2b3c4d", "frozen", {}, "digits", 5, seed=0).num_folds
        1
    """

    model: str
    settings: dict[str, Any]
    data: str
    folds: int | None

    @property
    def num_folds(self) -> int:
        """Number of parts in which the images are tested; 1 for one split."""
        return self.folds or 1

    @property
    def arm_key(self) -> str:
        """Equal for the runs of one arm, whatever their seed, budget, data and fold."""
        # A key of a table, such as 5 of ``epochs: {5: 40, 10: 30}``, is text once it was read from a file.
        return json.dumps([self.model, json.loads(json.dumps(self.settings))], sort_keys=True)
