"""`headstart-train`: trains and tests one run, from its configuration to its run directory."""

import sys
import time
from contextlib import closing
from dataclasses import replace

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from headstart.config.command_line import TRAIN_PROGRAM
from headstart.config.compose import CONFIG_NAME, VERSION_BASE
from headstart.config.data_module import load_source
from headstart.config.identity import compute_identity, format_run_title, pretrained_origins
from headstart.config.launch import is_sweep_job, launch_hydra, print_one_line_errors
from headstart.config.shipped import conf_dir
from headstart.data.image_source import ImageSource
from headstart.files import write_json, write_text
from headstart.process import format_error, prepare_process, run_command
from headstart.runs import run_directory
from headstart.runs.lock import lock_run_directory
from headstart.runs.result import RunResult, delete_failed_result, read_finished_result, read_result, write_result
from headstart.sweep.planner import check_command
from headstart.training.context import RunContext
from headstart.training.run_metadata import describe_run


@hydra.main(config_path=str(conf_dir()), config_name=CONFIG_NAME, version_base=VERSION_BASE)
@print_one_line_errors
def train(cfg: DictConfig) -> RunResult:
    """Trains and tests one run, unless its directory has the result.

    Raises:
        HeadstartError: settings or images are wrong; before training where it can be known then.
    """
    context, source = RunContext.from_hydra(), load_source(cfg)
    identity = compute_identity(cfg, source.digest)
    if is_sweep_job():
        return train_in_directory(cfg, source, identity, context)
    delete_failed_result(context.directory)
    note = "done before, nothing trained: " if read_finished_result(context.directory, identity) else ""
    result = train_in_directory(cfg, source, identity, context)
    print(f"{note}accuracy {result.metrics['test/accuracy']:.1%} on the test images; run: {context.directory}")
    return result


def train_in_directory(cfg: DictConfig, source: ImageSource, identity: str, context: RunContext) -> RunResult:
    """Locks the run directory, trains in it, and writes the result last of all."""
    directory = context.directory
    with lock_run_directory(directory, identity, context.wait_for_lock):
        if result := read_result(directory, identity):
            return result
        write_text(directory / run_directory.CONFIG_FILE, OmegaConf.to_yaml(cfg, resolve=True))
        write_json(directory / run_directory.SPLIT_FILE, source.split.rows())
        run = describe_run(cfg, source, identity)
        try:
            result = fit_and_test(cfg, source, run, context)
        except Exception as error:
            write_result(directory, replace(run, error=format_error(error)))
            raise
        write_result(directory, result)
        run_directory.last_checkpoint_path(directory).unlink(missing_ok=True)
        return result


def fit_and_test(cfg: DictConfig, source: ImageSource, run: RunResult, context: RunContext) -> RunResult:
    """Searches the settings where that is asked for, fits the model, and tests its best epoch once."""
    from headstart.training.cost import PeakMemory
    from headstart.training.evaluation import evaluate_run
    from headstart.training.setup import build_training_setup
    from headstart.training.tuning import tune

    start_time, starts = time.monotonic(), pretrained_origins(cfg)
    title = context.position + format_run_title(cfg, HydraConfig.get().runtime.choices)
    build = tune if cfg.tune.trials else build_training_setup
    with PeakMemory() as memory, closing(build(cfg, source, context, run.identity, title)) as setup:
        if not cfg.tune.trials:  # a search has trained each of its trials
            setup.fit()
        result = evaluate_run(setup, source, replace(run, status="finished", starts=starts))
    seconds = setup.run_checkpoint.seconds_before_resume + time.monotonic() - start_time
    result.cost |= {"seconds_in_all": round(seconds, 3), "peak_memory_bytes": memory.bytes}
    if result.debug:
        print(f"{title}: debug run ({result.debug}): it counts in no verdict", file=sys.stderr)
    return result


def run_train_command() -> int:
    """Runs the command line of this process; returns its exit code."""
    return launch_hydra(train, sys.argv[1:], check_command)


def main() -> None:
    """The same as the console command, for ``python -m headstart.train``."""
    prepare_process()
    sys.exit(run_command(TRAIN_PROGRAM, run_train_command))


if __name__ == "__main__":
    main()
