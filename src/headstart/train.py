"""`headstart-train`: one run, from its configuration to a run directory. It reads from top to bottom."""

import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from headstart.config.identity import compute_identity, format_run_title, load_source, pretrained_origins
from headstart.process import format_error, prepare_process
from headstart.runs import run_directory
from headstart.sweep.estimate import max_epochs_override
from headstart.sweep.planner import RunContext
from headstart.training.run_metadata import run_metadata

if TYPE_CHECKING:
    from headstart.data.image_source import ImageSource


def main() -> None:
    """The console script: plans what was asked for, then lets Hydra compose and run each of it."""
    from headstart.config import command_line
    from headstart.sweep import workers

    prepare_process()
    sys.exit(
        command_line.run_command(
            command_line.TRAIN_PROGRAM, lambda: workers.run_sweep(train, command_line.quote_overrides(sys.argv[1:]))
        )
    )


def train(cfg: DictConfig, context: RunContext) -> dict[str, Any]:
    """Trains and tests what ``cfg`` describes, unless its directory says how that ended.

    Returns:
        What ``result.json`` holds.

    Raises:
        HeadstartError: whatever is wrong with the settings or the images, before training where it can
            be known then.
    """
    max_epochs_override(cfg)
    source = load_source(cfg)
    return train_in_directory(cfg, source, compute_identity(cfg, source.digest), context)


def train_in_directory(cfg: DictConfig, source: "ImageSource", identity: str, context: RunContext) -> dict[str, Any]:
    """Makes the run directory this run's own, trains in it, and writes down how it ended; last of all the result."""
    directory = Path(HydraConfig.get().runtime.output_dir)
    with run_directory.lock_run_directory(directory, identity, context.wait_for_lock):
        if ended := run_directory.read_result(directory, identity):
            return ended
        run_directory.write_text(directory / run_directory.CONFIG_FILE, OmegaConf.to_yaml(cfg, resolve=True))
        run_directory.write_json(directory / run_directory.SPLIT_FILE, source.split.rows())
        what = run_metadata(cfg, context) | {"identity": identity}
        title = context.position + format_run_title(cfg, HydraConfig.get().runtime.choices)
        try:
            result = {"status": "finished", **what, **fit_and_test(cfg, source, directory, identity, title, context)}
        except Exception as error:
            run_directory.write_json(
                directory / run_directory.RESULT_FILE, {"status": "failed", "error": format_error(error), **what}
            )
            raise
        run_directory.write_json(directory / run_directory.RESULT_FILE, result)
        run_directory.last_checkpoint_path(directory).unlink(missing_ok=True)
        return result


def fit_and_test(
    cfg: DictConfig, source: "ImageSource", directory: Path, identity: str, title: str, context: RunContext
) -> dict[str, Any]:
    """Trains, after the search for its settings where one is asked for; tests once; says what came out."""
    from headstart.training.cost import PeakMemory
    from headstart.training.evaluation import evaluate_run
    from headstart.training.setup import build_training_setup
    from headstart.training.tuning import tune

    start_time, weights = time.monotonic(), pretrained_origins(cfg)
    build = tune if cfg.tune.trials else build_training_setup
    with PeakMemory() as memory, closing(build(cfg, source, directory, identity, title, context)) as setup:
        if not cfg.tune.trials:  # a search has trained each of its trials
            setup.fit()
        measured = evaluate_run(setup, source, directory)
    seconds = setup.run_checkpoint.seconds_before_resume + time.monotonic() - start_time
    measured["cost"] |= {"seconds_in_all": round(seconds, 3), "peak_memory_bytes": memory.bytes}
    return {"starts": weights, **measured}


if __name__ == "__main__":
    main()
