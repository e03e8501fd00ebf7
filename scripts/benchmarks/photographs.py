"""Writes folders of made-up photographs."""

from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = 10


def write_photographs(root: Path, count: int, width: int = 256, height: int = 256) -> None:
    """Writes different JPEGs, ``root/<class>/<index>.jpg``; of 256 × 256 pixels, they have some 20 kB each."""
    generator = np.random.default_rng(0)
    for i in range(count):
        path = root / f"class{i % CLASSES}" / f"{i:07}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        blocks = generator.integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
        Image.fromarray(blocks).resize((width, height), Image.Resampling.BICUBIC).save(path, quality=85)
