"""Searches the defaults of a model: runs any sweep and tests it on labelled images outside the sealed test part.

    python scripts/tune.py -m data=folder data.root=PATH data.labels_per_class=10 \
        model=scratch_backbone model.lr=1e-3,2e-3,4e-3 seed=0,1

Training and validation use the budget's images. The runs are tested on the remaining images outside the test part, so
that no default is chosen by an image that a comparison reports.
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig

from headstart import train
from headstart.compare.inference.analysis import analyze_sweep
from headstart.compare.report.terminal import print_arm_table
from headstart.config import command_line
from headstart.config.identity import compute_identity
from headstart.errors import HeadstartError
from headstart.training.context import RunContext

DIRECTORY = Path("runs/tune")


def train_and_test_outside(cfg: DictConfig) -> Any:
    context = RunContext(Path(HydraConfig.get().runtime.output_dir))
    source = instantiate(cfg.data)
    split = source.split
    used = np.concatenate([split.train, split.val, split.test])
    remaining = np.setdiff1d(np.arange(len(source.catalog.labels)), used)
    if not len(remaining):
        raise HeadstartError("no images are left to test on; give a smaller data.labels_per_class")
    source.split = replace(split, test=remaining)
    return train.train_in_directory(cfg, source, f"tune {compute_identity(cfg, source.digest)}", context)


def main() -> int:
    argv = [f"hydra.sweep.dir={DIRECTORY}", f"hydra.run.dir={DIRECTORY}/${{headstart.run:}}", *sys.argv[1:]]
    code = command_line.launch_hydra(train_and_test_outside, argv)
    print_arm_table(analyze_sweep(DIRECTORY))
    return code


if __name__ == "__main__":
    sys.exit(main())
