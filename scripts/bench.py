"""Measures images per second of each model in training and prediction, on this machine.

    make bench

Prints medians of interleaved repeats: each repeat times every model once, since timings vary over time.
"""

import statistics
import time
from collections import defaultdict

import torch

from headstart.image_spec import ImageSpec
from headstart.models import FineTuned, Frozen, ScratchBackbone, ScratchCNN
from headstart.reporting.console import print_table

REPEATS, STEPS, BATCH, SIZE = 7, 3, 32, 64
SPEC = ImageSpec((3, SIZE, SIZE), tuple("abcde"), (0.5,) * 3, (0.25,) * 3, mirror=True, labels_per_class=10)


def main() -> None:
    images = torch.randint(0, 256, (BATCH, *SPEC.shape), dtype=torch.uint8)
    labels = torch.arange(BATCH) % SPEC.num_classes
    models = {cls.__name__: cls(SPEC) for cls in (ScratchCNN, ScratchBackbone, Frozen, FineTuned)}
    optimizers = {name: torch.optim.AdamW(model.parameter_groups()) for name, model in models.items()}
    seconds = defaultdict(list)
    for repeat in range(REPEATS + 1):
        for name, model in models.items():
            model.train()
            start = time.perf_counter()
            for _ in range(STEPS):
                optimizers[name].zero_grad()
                torch.nn.functional.cross_entropy(model(images), labels).backward()
                optimizers[name].step()
            trained_at = time.perf_counter()
            model.eval()
            with torch.inference_mode():
                for _ in range(STEPS):
                    model(images)
            if repeat:  # the first is a warm-up
                seconds[name, "train"].append((trained_at - start) / STEPS / BATCH)
                seconds[name, "predict"].append((time.perf_counter() - trained_at) / STEPS / BATCH)
    rows = [
        [name, *(f"{1 / statistics.median(seconds[name, phase]):,.0f}" for phase in ("train", "predict"))]
        for name in models
    ]
    print(f"images per second at {SIZE} pixels, batches of {BATCH}, {torch.get_num_threads()} threads")
    print_table(["model", "train", "predict"], rows, right_aligned=["train", "predict"])


if __name__ == "__main__":
    main()
