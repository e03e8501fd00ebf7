"""Searches the defaults of a model: runs any sweep and tests it on labelled images outside the sealed test part.

    python scripts/tune.py -m data=folder data.root=PATH data.labels_per_class=10 \
        model=scratch_backbone model.lr=1e-3,2e-3,4e-3 seed=0,1

Training and validation use the budget's images. The runs are tested on the remaining images outside the test part, so
that no default is chosen by an image that a comparison reports. All seeds have one split (``data.folds=null``). Folds
test every image: a comparison with folds needs other images than those that a default was tuned on.
"""

import copy
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import hydra
import numpy as np
from omegaconf import DictConfig

from headstart.config.command_line import TRAIN_PROGRAM
from headstart.config.compose import CONFIG_NAME, VERSION_BASE
from headstart.config.data_module import load_source
from headstart.config.identity import compute_identity
from headstart.config.launch import launch_hydra, print_one_line_errors
from headstart.config.shipped import conf_dir
from headstart.errors import HeadstartError
from headstart.process import prepare_process, run_command
from headstart.sweep.planner import check_command
from headstart.train import train_in_directory
from headstart.training.context import RunContext

DIRECTORY = Path("runs/tune")


@hydra.main(config_path=str(conf_dir()), config_name=CONFIG_NAME, version_base=VERSION_BASE)
@print_one_line_errors
def train_and_test_outside(cfg: DictConfig) -> Any:
    source = copy.copy(load_source(cfg))
    split = source.split
    used = np.concatenate([split.train, split.val, split.test])
    remaining = np.setdiff1d(np.arange(len(source.catalog.labels)), used)
    if not len(remaining):
        raise HeadstartError("no images are left to test on; give a smaller data.labels_per_class")
    source.split = replace(split, test=remaining)
    return train_in_directory(cfg, source, compute_identity(cfg, source.digest), RunContext.from_hydra())


def main() -> int:
    argv = [f"hydra.sweep.dir={DIRECTORY}", "data.folds=null", *sys.argv[1:]]
    prepare_process()
    return run_command(TRAIN_PROGRAM, lambda: launch_hydra(train_and_test_outside, argv, check_command))


if __name__ == "__main__":
    sys.exit(main())
