"""Under what conditions a run was made: versions of what computes, and the machine."""

import os
import platform
from importlib.metadata import version
from typing import Any

from headstart import __version__

COMPUTES = ("torch", "torchvision", "lightning", "timm", "hydra-core", "torchmetrics", "numpy", "pillow")


def conditions() -> dict[str, Any]:
    """``versions`` and ``hardware``, as ``result.json`` keeps them.

    The number of torch's threads is among them: sums are split by it, so bits differ between 1 and 2.
    """
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "versions": {
            "headstart": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in COMPUTES},
        },
        "hardware": {
            "machine": platform.machine(),
            "system": platform.system(),
            "cores": os.cpu_count(),
            "torch_threads": torch.get_num_threads(),
            "gpu": gpu,
        },
    }
