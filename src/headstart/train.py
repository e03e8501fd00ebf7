"""`headstart-train`: trains and tests one run, from its configuration to its run directory."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from headstart.config.compose import CONFIG_NAME, VERSION_BASE, conf_dir
from headstart.config.identity import (
    build_data_module,
    compute_identity,
    format_run_title,
    load_source,
    pretrained_origins,
)
from headstart.config.instantiation import build_object
from headstart.config.launch import TRAIN_PROGRAM, is_sweep_job, launch_hydra, print_one_line_errors
from headstart.config.trainer_options import build_callbacks, build_trainer, check_monitors, quiet_lightning
from headstart.files import write_json, write_text
from headstart.process import format_error, prepare_process, run_command
from headstart.runs import run_directory
from headstart.runs.lock import lock_run_directory
from headstart.runs.predictions import write_predictions, write_thumbnails
from headstart.runs.result import RunResult, delete_failed_result, read_finished_result, read_result, write_result
from headstart.sweep.estimate import max_epochs_override
from headstart.training.context import RunContext
from headstart.training.run_metadata import run_metadata

if TYPE_CHECKING:
    import lightning as L

    from headstart.data.datamodule import ImageDataModule
    from headstart.data.image_source import ImageSource
    from headstart.models.classifier import Classifier
    from headstart.training.callbacks.run_checkpoint import RunCheckpoint


@hydra.main(config_path=str(conf_dir()), config_name=CONFIG_NAME, version_base=VERSION_BASE)
@print_one_line_errors
def train(cfg: DictConfig) -> RunResult:
    """Trains and tests one run, unless its directory has the result.

    Raises:
        HeadstartError: settings or images are wrong; before training where it can be known then.
    """
    context = RunContext.from_hydra()
    max_epochs_override(cfg)
    source = load_source(cfg)
    identity = compute_identity(cfg, source.digest)
    if is_sweep_job():
        return train_in_directory(cfg, source, identity, context)
    delete_failed_result(context.directory)
    note = "done before, nothing trained: " if read_finished_result(context.directory, identity) else ""
    result = train_in_directory(cfg, source, identity, context)
    print(f"{note}accuracy {result.metrics['test/accuracy']:.1%} on the test images; run: {context.directory}")
    return result


def train_in_directory(cfg: DictConfig, source: "ImageSource", identity: str, context: RunContext) -> RunResult:
    """Locks the run directory, trains in it, and writes the result last of all."""
    directory = context.directory
    with lock_run_directory(directory, identity, context.wait_for_lock):
        if result := read_result(directory, identity):
            return result
        write_text(directory / run_directory.CONFIG_FILE, OmegaConf.to_yaml(cfg, resolve=True))
        write_json(directory / run_directory.SPLIT_FILE, source.split.rows())
        what = run_metadata(cfg) | {"identity": identity}
        title = context.position + format_run_title(cfg, HydraConfig.get().runtime.choices)
        try:
            measured = fit_and_test(cfg, source, directory, identity, title, context)
            result = RunResult.from_dict({"status": "finished", **what, **measured})
        except Exception as error:
            write_result(directory, RunResult.from_dict({"status": "failed", "error": format_error(error), **what}))
            raise
        write_result(directory, result)
        run_directory.last_checkpoint_path(directory).unlink(missing_ok=True)
        return result


def fit_and_test(
    cfg: DictConfig, source: "ImageSource", directory: Path, identity: str, title: str, context: RunContext
) -> dict[str, Any]:
    """Trains, after the search for its settings where one is asked for; tests once; says what came out."""
    from headstart.training.cost import PeakMemory

    began, weights = time.monotonic(), pretrained_origins(cfg)
    with PeakMemory() as memory:
        if cfg.tune.trials:
            from headstart.training.tuning import tune

            ready = tune(cfg, source, directory, identity, title, context, build_training_setup)
        else:
            ready = build_training_setup(cfg, source, directory, identity, title, context)
            ready.fit()
        told = evaluate_run(ready, source, directory)
    seconds = ready.run_checkpoint.seconds_before_resume + time.monotonic() - began
    told["cost"] |= {"seconds_in_all": round(seconds, 3), "peak_memory_bytes": memory.bytes}
    return {"starts": weights, **told}


@dataclass
class TrainingSetup:
    """A model, its data and the trainer that brings them together, in a directory."""

    trainer: "L.Trainer"
    model: "Classifier"
    datamodule: "ImageDataModule"
    run_checkpoint: "RunCheckpoint"

    def fit(self) -> None:
        """Fits on the training part, going on from ``last.ckpt`` where there is one."""
        from headstart.training.callbacks.run_checkpoint import find_resume_point

        point = find_resume_point(self.run_checkpoint.directory, self.run_checkpoint.identity)
        self.trainer.fit(self.model, self.datamodule, ckpt_path=point, weights_only=True)


def build_training_setup(
    cfg: DictConfig, source: "ImageSource", directory: Path, identity: str, title: str, context: RunContext
) -> TrainingSetup:
    """Builds what a training needs; nothing is trained yet."""
    import torch

    from headstart.data.datamodule import ImageDataModule
    from headstart.seeding import derive_key
    from headstart.training.callbacks.progress_line import ProgressLine
    from headstart.training.callbacks.run_checkpoint import RunCheckpoint, build_best_checkpoint

    if context.threads:
        torch.set_num_threads(context.threads)
    callbacks = build_callbacks(cfg.trainer)
    quiet_lightning()
    data = build_data_module(cfg.data)
    if isinstance(data, ImageDataModule):
        data.source = source  # its files are listed and hashed already
    data.prepare_data()
    data.setup("fit")
    torch.manual_seed(derive_key(cfg.seed, "init"))
    model = build_object(cfg.model, "model", spec=data.spec)
    validates = len(source.split.val) > 0
    check_monitors(cfg, callbacks, validates)
    record = RunCheckpoint(directory, identity, validates)
    trainer = build_trainer(
        cfg,
        directory,
        max_epochs_override(cfg) or model.epochs,
        [
            ProgressLine(title, len(source.split.train), context.seconds_left),
            *callbacks,
            *([build_best_checkpoint(directory)] if validates else []),
            record,
        ],
    )
    return TrainingSetup(trainer, model, data, record)


def evaluate_run(setup: TrainingSetup, source: "ImageSource", directory: Path) -> dict[str, Any]:
    """Tests the chosen epoch, once, and writes the predictions; what ``result.json`` says of it."""
    import torch

    from headstart.runs.environment import environment_info
    from headstart.training.cost import forward_flops
    from headstart.training.evaluation import render_error_thumbnails, train_set_loss

    trainer, model, data, record = setup.trainer, setup.model, setup.datamodule, setup.run_checkpoint
    chosen = torch.load(run_directory.best_checkpoint_path(directory), weights_only=True)
    model.load_state_dict(chosen["state_dict"])
    trainer.test(model, data, verbose=False)
    metrics = {k: float(v) for k, v in trainer.callback_metrics.items() if k.startswith("test/")}
    row = next((r for r in record.rows if r["epoch"] == chosen["epoch"]), record.rows[-1])  # not all may validate
    metrics |= {k: v for k, v in row.items() if k.startswith("val/")}
    images = [row["image"] for row in source.split.rows() if row["part"] == "test"]
    labels, probabilities = model.test_labels.numpy(), model.test_probabilities.numpy()
    write_predictions(directory, images, labels, probabilities)
    write_thumbnails(directory, *render_error_thumbnails(source, labels, probabilities))
    parameters = list(model.parameters())
    return {
        "classes": list(data.spec.classes),
        "depth": data.spec.depth,
        "metrics": metrics,
        "test_reads": getattr(data, "test_reads", None),
        "training": train_set_loss(trainer, model, source),
        "epoch": row["epoch"],
        "epochs": len(record.rows),
        "trials": record.trials,
        "skipped": [{"image": name, "reason": reason} for name, reason in source.skipped],
        "ignored": source.ignored,
        "cost": {
            "seconds": round(record.seconds, 3),
            "parameters": sum(p.numel() for p in parameters),
            "trainable_parameters": sum(p.numel() for p in parameters if p.requires_grad),
            "flops": forward_flops(model),
        },
        **environment_info(trainer),
    }


def main() -> None:
    """The console command."""
    from headstart.sweep.planner import check_command

    prepare_process()
    sys.exit(run_command(TRAIN_PROGRAM, lambda: launch_hydra(train, sys.argv[1:], check_command)))


if __name__ == "__main__":
    main()
