"""`headstart-train`: one run, from its configuration to a run directory. It reads from top to bottom."""

import logging
import shlex
import sys
import time
import warnings
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from headstart import runs
from headstart.estimate import typed_length
from headstart.identity import arm_settings, identify, opened, run_name, run_title, starts

# Hydra names the run directory by it (conf/train.yaml).
OmegaConf.register_new_resolver("headstart.run", lambda *, _root_: run_name(_root_), replace=True)


def main() -> None:
    """The console script: plans what was asked for, then lets Hydra compose and run each of it."""
    from headstart import app, sweep

    sys.exit(app.told(app.PROGRAM, lambda: sweep.carry_out(run, app.quoted(sys.argv[1:]))))


def run(
    cfg: DictConfig, place: str = "", left: float | None = None, threads: int | None = None, wait: bool = False
) -> dict[str, Any]:
    """Trains and tests what ``cfg`` describes, unless its directory says that this is done.

    Args:
        cfg: the composed configuration.
        place: which run of how many, for the progress line.
        left: seconds that the runs after it will take; None if unknown.
        threads: torch's, on a CPU; None: as many as torch takes by itself.
        wait: for another process that is training this run.

    Returns:
        What ``result.json`` holds.

    Raises:
        HeadstartError: whatever is wrong with the settings or the images, before training where it can
            be known then.
    """
    directory = Path(HydraConfig.get().runtime.output_dir)
    typed_length(cfg)
    source = opened(cfg)
    identity = identify(cfg, source.digest)
    with runs.claimed(directory, identity, wait):
        if done := runs.finished(directory):
            return done
        runs.write_text(directory / runs.CONFIG, OmegaConf.to_yaml(cfg, resolve=True))
        runs.write_json(directory / runs.SPLIT, source.split.rows())
        title = place + run_title(cfg, HydraConfig.get().runtime.choices)
        return fit_and_test(cfg, source, directory, identity, title, left, threads)


def fit_and_test(
    cfg: DictConfig,
    source: Any,
    directory: Path,
    identity: str,
    title: str,
    left: float | None = None,
    threads: int | None = None,
) -> dict[str, Any]:
    """Fits on the training part, going on from ``last.ckpt`` where there is one; tests once; writes all."""
    import torch

    from headstart.conditions import conditions
    from headstart.cost import PeakMemory, forward_flops
    from headstart.data.module import ImageData
    from headstart.progress import Progress
    from headstart.record import Record, best_epoch, resume_point
    from headstart.seeding import key

    began = time.monotonic()
    if threads:
        torch.set_num_threads(threads)
    # Lightning says on every run what it found and what one might try; our own line says what matters.
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    data = ImageData(source)
    data.setup()
    torch.manual_seed(key(cfg.seed, "init"))
    model = instantiate(cfg.model, spec=data.spec, _convert_="all")
    model.epochs = typed_length(cfg) or model.epochs
    validates = len(source.split.val) > 0
    record = Record(directory, identity, validates)
    trainer = instantiate(
        cfg.trainer,
        max_epochs=model.epochs,
        callbacks=[
            Progress(title, len(source.split.train), left),
            *([best_epoch(directory)] if validates else []),
            record,
        ],
        logger=instantiate(cfg.logger) if cfg.logger else False,
        default_root_dir=directory,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        _convert_="all",
    )
    with PeakMemory() as memory:
        trainer.fit(model, data, ckpt_path=resume_point(directory, identity), weights_only=True)
        chosen = torch.load(runs.best(directory), weights_only=True)
        model.load_state_dict(chosen["state_dict"])
        trainer.test(model, data, verbose=False)

    images = [row["image"] for row in source.split.rows() if row["part"] == "test"]
    runs.write_predictions(directory, images, model.test_labels.numpy(), model.test_probabilities.numpy())
    metrics = {k: float(v) for k, v in trainer.callback_metrics.items() if k.startswith("test/")}
    row = next((r for r in record.rows if r["epoch"] == chosen["epoch"]), record.rows[-1])  # not all may validate
    metrics |= {k: v for k, v in row.items() if k.startswith("val/")}
    parameters = list(model.parameters())
    result = {
        "status": "finished",
        "model": HydraConfig.get().runtime.choices["model"],
        "arm": HydraConfig.get().runtime.choices["model"],
        "data": source.name,
        "labels_per_class": cfg.data.labels_per_class,
        "seed": cfg.seed,
        "fold": 0,
        "identity": identity,
        "settings": arm_settings(cfg),
        "starts": starts(cfg),
        "command": " ".join(["headstart-train", *map(shlex.quote, HydraConfig.get().overrides.task)]),
        "metrics": metrics,
        "epoch": row["epoch"],
        "epochs": len(record.rows),
        "skipped": [{"image": name, "reason": reason} for name, reason in source.skipped],
        "cost": {
            "seconds": round(record.seconds, 3),
            "seconds_in_all": round(time.monotonic() - began, 3),
            "parameters": sum(p.numel() for p in parameters),
            "trainable_parameters": sum(p.numel() for p in parameters if p.requires_grad),
            "flops": forward_flops(model),
            "peak_memory_bytes": memory.bytes,
        },
        **conditions(),
    }
    runs.write_json(directory / runs.RESULT, result)
    runs.last(directory).unlink(missing_ok=True)
    return result


if __name__ == "__main__":
    main()
