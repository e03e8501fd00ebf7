"""`headstart-train`: one run, from its configuration to a run directory. It reads from top to bottom."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from headstart.config.identity import identify, opened, run_title, starts
from headstart.config.instantiation import build_object
from headstart.config.trainer_options import build_callbacks, build_trainer, check_monitors, quiet_lightning
from headstart.process import one_line, prepare_process
from headstart.runs import run_directory
from headstart.sweep.estimate import typed_length
from headstart.sweep.planner import How
from headstart.training.run_metadata import described

if TYPE_CHECKING:
    import lightning as L

    from headstart.data.datamodule import ImageData
    from headstart.data.image_source import Source
    from headstart.models.classifier import Classifier
    from headstart.training.callbacks.run_checkpoint import Record


def main() -> None:
    """The console script: plans what was asked for, then lets Hydra compose and run each of it."""
    from headstart.config import command_line
    from headstart.sweep import workers

    prepare_process()
    sys.exit(command_line.told(command_line.PROGRAM, lambda: workers.carry_out(run, command_line.quoted(sys.argv[1:]))))


def run(cfg: DictConfig, how: How) -> dict[str, Any]:
    """Trains and tests what ``cfg`` describes, unless its directory says how that ended.

    Returns:
        What ``result.json`` holds.

    Raises:
        HeadstartError: whatever is wrong with the settings or the images, before training where it can
            be known then.
    """
    typed_length(cfg)
    source = opened(cfg)
    return kept(cfg, source, identify(cfg, source.digest), how)


def kept(cfg: DictConfig, source: "Source", identity: str, how: How) -> dict[str, Any]:
    """Makes the run directory this run's own, trains in it, and writes down how it ended; last of all the result."""
    directory = Path(HydraConfig.get().runtime.output_dir)
    with run_directory.claimed(directory, identity, how.wait):
        if ended := run_directory.result(directory, identity):
            return ended
        run_directory.write_text(directory / run_directory.CONFIG, OmegaConf.to_yaml(cfg, resolve=True))
        run_directory.write_json(directory / run_directory.SPLIT, source.split.rows())
        what = described(cfg, how) | {"identity": identity}
        title = how.place + run_title(cfg, HydraConfig.get().runtime.choices)
        try:
            result = {"status": "finished", **what, **trained_and_tested(cfg, source, directory, identity, title, how)}
        except Exception as error:
            run_directory.write_json(
                directory / run_directory.RESULT, {"status": "failed", "error": one_line(error), **what}
            )
            raise
        run_directory.write_json(directory / run_directory.RESULT, result)
        run_directory.last(directory).unlink(missing_ok=True)
        return result


def trained_and_tested(
    cfg: DictConfig, source: "Source", directory: Path, identity: str, title: str, how: How
) -> dict[str, Any]:
    """Trains, after the search for its settings where one is asked for; tests once; says what came out."""
    from headstart.training.cost import PeakMemory

    began, weights = time.monotonic(), starts(cfg)
    with PeakMemory() as memory:
        if cfg.tune.trials:
            from headstart.training.tuning import searched

            ready = searched(cfg, source, directory, identity, title, how, prepared)
        else:
            ready = prepared(cfg, source, directory, identity, title, how)
            ready.fit()
        told = tested(ready, source, directory)
    seconds = ready.record.seconds_before + time.monotonic() - began
    told["cost"] |= {"seconds_in_all": round(seconds, 3), "peak_memory_bytes": memory.bytes}
    return {"starts": weights, **told}


@dataclass
class Ready:
    """A model, its data and the trainer that brings them together, in a directory."""

    trainer: "L.Trainer"
    model: "Classifier"
    data: "ImageData"
    record: "Record"

    def fit(self) -> None:
        """Fits on the training part, going on from ``last.ckpt`` where there is one."""
        from headstart.training.callbacks.run_checkpoint import resume_point

        point = resume_point(self.record.directory, self.record.identity)
        self.trainer.fit(self.model, self.data, ckpt_path=point, weights_only=True)


def prepared(cfg: DictConfig, source: "Source", directory: Path, identity: str, title: str, how: How) -> Ready:
    """Builds what a training needs; nothing is trained yet."""
    import torch

    from headstart.data.datamodule import ImageData
    from headstart.seeding import key
    from headstart.training.callbacks.progress_line import Progress
    from headstart.training.callbacks.run_checkpoint import Record, best_epoch

    if how.threads:
        torch.set_num_threads(how.threads)
    callbacks = build_callbacks(cfg.trainer)
    quiet_lightning()
    data = ImageData(source)
    data.setup()
    torch.manual_seed(key(cfg.seed, "init"))
    model = build_object(cfg.model, "model", spec=data.spec)
    model.epochs = typed_length(cfg) or model.epochs
    validates = len(source.split.val) > 0
    check_monitors(cfg, callbacks, validates)
    record = Record(directory, identity, validates)
    trainer = build_trainer(
        cfg,
        directory,
        model.epochs,
        [
            Progress(title, len(source.split.train), how.left),
            *callbacks,
            *([best_epoch(directory)] if validates else []),
            record,
        ],
    )
    return Ready(trainer, model, data, record)


def tested(ready: Ready, source: "Source", directory: Path) -> dict[str, Any]:
    """Tests the chosen epoch, once, and writes the predictions; what ``result.json`` says of it."""
    import torch

    from headstart.runs.environment import conditions
    from headstart.training.cost import forward_flops
    from headstart.training.evaluation import learned, mistakes

    trainer, model, data, record = ready.trainer, ready.model, ready.data, ready.record
    chosen = torch.load(run_directory.best(directory), weights_only=True)
    model.load_state_dict(chosen["state_dict"])
    trainer.test(model, data, verbose=False)
    metrics = {k: float(v) for k, v in trainer.callback_metrics.items() if k.startswith("test/")}
    row = next((r for r in record.rows if r["epoch"] == chosen["epoch"]), record.rows[-1])  # not all may validate
    metrics |= {k: v for k, v in row.items() if k.startswith("val/")}
    images = [row["image"] for row in source.split.rows() if row["part"] == "test"]
    labels, probabilities = model.test_labels.numpy(), model.test_probabilities.numpy()
    run_directory.write_predictions(directory, images, labels, probabilities)
    run_directory.write_thumbnails(directory, *mistakes(source, labels, probabilities))
    parameters = list(model.parameters())
    return {
        "classes": list(data.spec.classes),
        "depth": data.spec.depth,
        "metrics": metrics,
        "test_reads": data.test_reads,
        "training": learned(trainer, model, data),
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
        **conditions(trainer),
    }


if __name__ == "__main__":
    main()
