"""Under what conditions a run was made: versions of what computes, and the machine."""

import os
import platform
from importlib.metadata import version
from typing import Any

from headstart.version import __version__

RECORDED_PACKAGES = ("torch", "torchvision", "lightning", "timm", "hydra-core", "torchmetrics", "numpy", "pillow")


def environment_info(trainer: Any) -> dict[str, Any]:
    """``versions`` and ``hardware``, as ``result.json`` keeps them.

    The number of torch's threads is among them: sums are split by it, so bits differ between 1 and 2. Device and
    precision are those that computed, whatever was asked for.

    Args:
        trainer: Lightning's.
    """
    import torch

    device = trainer.strategy.root_device
    return {
        "versions": package_versions(),
        "hardware": {
            "machine": platform.machine(),
            "system": platform.system(),
            "cores": os.cpu_count(),
            "torch_threads": torch.get_num_threads(),
            "device": device.type,
            "gpu": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
            "precision": str(trainer.precision),
        },
    }


def package_versions() -> dict[str, str]:
    """The versions of Python and of the packages that compute."""
    return {
        "headstart": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in RECORDED_PACKAGES},
    }
