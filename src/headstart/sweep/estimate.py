"""Estimates the seconds of a run before any has finished, and how many runs train at the same time. Torch-free.

The constants are of one machine: a core of an AMD EPYC, rounded from the seconds of MNIST, digits, flowers5 and
hymenoptera sweeps, 2026-11-25. Once runs have finished, the progress line uses their own seconds.
"""

import os

from omegaconf import DictConfig

from headstart.backbones.resolve import is_embedded_architecture
from headstart.config.trainer_options import max_epochs_override
from headstart.models.recipe import epochs_for

# Seconds to train on one image with one thread, at a number of pixels a side. The work grows with their square, the
# time less, since small images leave more of it to what each step costs anyway.
SMALL_CNN_COST = (0.00015, 28)
ALEXNET_COST = (0.0009, 32)
EMBEDDED_COST = (0.004, 64)
BACKBONE_COST = (0.065, 224)
SIZE_EXPONENT = 1.5
NUM_CACHED_VIEWS = 2  # an image as it is and mirrored: a frozen backbone computes no more than these
FORWARD_SHARE = 0.35  # of a training step is the pass forward, which is all that a frozen backbone does
MEMORY_BYTES_PER_RUN = 4e9  # torch included: 3.7 GB for MobileNetV2 at 224 pixels, 32 images a step
OVERHEAD_SECONDS = 1.0  # building, testing and writing


def estimate_seconds(cfg: DictConfig, num_images: int, labels_per_class: int, image_size: int) -> float:
    """Estimates the duration of a run (s).

    Args:
        cfg: its composed configuration.
        num_images: training images of an epoch.
        labels_per_class: the budget.
        image_size: pixels of a side.
    """
    settings = cfg.model.get("backbone") or cfg.model.get("architecture")
    if settings is None:
        seconds, size = ALEXNET_COST if cfg.model._target_.endswith(".AlexNet") else SMALL_CNN_COST
    else:
        seconds, size = EMBEDDED_COST if is_embedded_architecture(dict(settings)) else BACKBONE_COST
    epochs = max_epochs_override(cfg) or epochs_for(cfg.model.epochs, labels_per_class)
    if "backbone" in cfg.model and "backbone_lr" not in cfg.model:  # frozen
        seconds *= FORWARD_SHARE
        epochs = min(epochs, NUM_CACHED_VIEWS) if cfg.data.get("mirror") else epochs
    return OVERHEAD_SECONDS + epochs * num_images * seconds * (image_size / size) ** SIZE_EXPONENT


def workers_and_threads() -> tuple[int, int]:
    """How many runs a sweep trains at once, and with how many torch threads each.

    Both depend on the machine alone and on ``OMP_NUM_THREADS`` and ``LOKY_MAX_CPU_COUNT`` (joblib's), not on the load:
    the number of threads changes the last bits of a result.
    """
    import psutil
    from joblib import cpu_count

    cores = cpu_count(only_physical_cores=True)
    threads = os.environ.get("OMP_NUM_THREADS", "")
    max_workers = cores // int(threads) if threads.isdecimal() and int(threads) else cores
    workers = max(1, min(max_workers, int(psutil.virtual_memory().total / MEMORY_BYTES_PER_RUN)))
    return workers, cores // workers
