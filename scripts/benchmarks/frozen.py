"""A frozen arm against one forward pass over the views that it uses."""

import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import lightning as L
import numpy as np
import timm
import torch
from PIL import Image

from benchmarks.measure import Figure, compare, describe, time_in_turn
from benchmarks.photographs import write_photographs
from headstart.backbones.weights import load_weights
from headstart.data import ImageFolderDataModule
from headstart.models import Classifier, Frozen, LinearProbe

IMAGES, SIZE, EPOCHS, BATCH_SIZE = 1_000, 128, 30, 32
BACKBONE = {"weights": "efficientnet_lite0"}


def measure_frozen(repeats: int) -> list[Figure]:
    """1,000 photographs of 512 × 384 pixels, at 128 pixels: 30 epochs, the images opened and tested as well."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "photographs")
        write_photographs(root, IMAGES, 512, 384)
        caches = iter(Path(folder, f"cache{i}") for i in range(1_000))

        def run_first() -> float:
            os.environ["HEADSTART_CACHE"] = str(next(caches))
            return time_run(root, Frozen, fold=0)

        seconds = time_in_turn(
            {
                "one pass": lambda: time_pass(root),
                "30 epochs": run_first,
                "another head": lambda: time_run(root, LinearProbe, fold=0),
                "another seed": lambda: time_run(root, Frozen, fold=0, seed=1),
                "another fold": lambda: time_run(root, Frozen, fold=1),
            },
            repeats,
        )
    details = f"{torch.get_num_threads()} threads: {describe(seconds, *seconds)}"
    return [
        Figure(
            "frozen arm, 1,000 photographs, 30 epochs / one pass",
            compare(seconds, "30 epochs", "one pass"),
            "≤ 1.4",
            details,
        ),
        *(
            Figure(f"{name} / one pass", compare(seconds, name, "one pass"), "≤ 0.3")
            for name in ("another head", "another seed", "another fold")
        ),
    ]


def time_run(root: Path, model_class: type[Classifier], fold: int, seed: int = 0) -> float:
    """Seconds from the folder to the test's accuracy."""
    start = time.perf_counter()
    data = ImageFolderDataModule(root=root, image_size=SIZE, folds=5, fold=fold, seed=seed)
    data.setup("fit")
    model = model_class(data.spec, backbone=BACKBONE, epochs=EPOCHS if model_class is Frozen else 1)
    trainer = L.Trainer(
        max_epochs=model.epochs,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(model, data)
    trainer.test(model, data, verbose=False)
    return time.perf_counter() - start


def time_pass(root: Path) -> float:
    """Seconds to decode all images and compute what the arm needs: training images also mirrored, the others once."""
    start = time.perf_counter()
    files = sorted(root.rglob("*.jpg"))
    images = np.empty((len(files), SIZE, SIZE, 3), np.uint8)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for i, image in enumerate(pool.map(decode_file, files)):
            images[i] = image
    network = timm.create_model("tf_efficientnet_lite0", num_classes=0).eval()
    load_weights(network, {"name": "tf_efficientnet_lite0", "weights": "efficientnet_lite0"})
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2)
    with torch.inference_mode():
        for views in (pixels, pixels[: round(0.64 * len(files))].flip(-1)):
            for batch in views.split(BATCH_SIZE):
                network(((batch.float() - 127) / 128).contiguous(memory_format=torch.channels_last))
    return time.perf_counter() - start


def decode_file(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        square = min(image.size)
        left, top = (image.width - square) // 2, (image.height - square) // 2
        box = (left, top, left + square, top + square)
        return np.asarray(image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BICUBIC, box=box))
