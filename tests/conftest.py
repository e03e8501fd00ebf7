"""Tiny images, separate caches, and commands that run in the process of the test."""

import os
import socket
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

# Tiny networks train fastest on one thread; set before torch is imported.
os.environ.update(OMP_NUM_THREADS="1", LOKY_MAX_CPU_COUNT="1")

# The same few examples each time: a failure can be repeated.
settings.register_profile("headstart", derandomize=True, database=None, deadline=None, max_examples=40)
settings.load_profile("headstart")

LOOPBACK = {None, "", "localhost", "127.0.0.1", "::1"}


@pytest.fixture(scope="session")
def session_cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def separate_caches(session_cache, tmp_path, monkeypatch):
    """Caches of the tests' own: nothing is read from or written to the user's cache folders."""
    monkeypatch.setenv("HEADSTART_CACHE", str(session_cache))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "huggingface"))
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)


@pytest.fixture(autouse=True)
def no_name_server(monkeypatch):
    """Refuses to resolve host names: pytest-socket blocks connections, but not name servers."""

    def guard(resolve):
        def resolve_loopback(host, *args, **kwargs):
            name = host.decode() if isinstance(host, bytes) else host
            if name not in LOOPBACK:
                raise socket.gaierror(socket.EAI_NONAME, f"the tests are offline and cannot resolve {name}")
            return resolve(host, *args, **kwargs)

        return resolve_loopback

    for function in ("getaddrinfo", "gethostbyname"):
        monkeypatch.setattr(socket, function, guard(getattr(socket, function)))


def write_image_folder(root: Path, classes=2, per_class=10, size=16, seed=0) -> Path:
    """Writes a folder of tiny PNG images, ``root/<class>/<index>.png``.

    Each class has its own brightness in each channel, each image its own noise.
    """
    generator = np.random.default_rng(seed)
    names = classes if isinstance(classes, list) else [f"class{k}" for k in range(classes)]
    for label, name in enumerate(names):
        (root / name).mkdir(parents=True)
        level = np.random.default_rng(label).integers(60, 200, size=3)
        for index in range(per_class):
            noise = generator.integers(-40, 40, size=(size, size, 3))
            pixels = (level + noise).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / name / f"{index}.png")
    return root


@pytest.fixture
def image_folder(tmp_path):
    """A function that calls :func:`write_image_folder`, by default for a folder of this test."""

    def write(classes=2, per_class=10, size=16, root=None, seed=0) -> Path:
        return write_image_folder(root or tmp_path / "images", classes, per_class, size, seed)

    return write


def run_train_command(folder: Path, cache: Path, words: list[str]) -> None:
    """Runs ``headstart-train`` in this process, in a folder of its own."""
    from headstart import train

    with pytest.MonkeyPatch.context() as monkeypatch, pytest.raises(SystemExit) as exit_info:
        monkeypatch.chdir(folder)
        monkeypatch.setenv("HEADSTART_CACHE", str(cache))
        monkeypatch.setattr("sys.argv", ["headstart-train", *words])
        train.main()
    assert not exit_info.value.code


@pytest.fixture(scope="module")
def train_once(tmp_path_factory, session_cache):
    """A function that trains a model for one epoch on two tiny classes, once in a module: run directory, images."""
    images = write_image_folder(tmp_path_factory.mktemp("images") / "images", classes=2, per_class=60)
    runs: dict[tuple[str, ...], Path] = {}

    def train(model, *options):
        if (model, *options) not in runs:
            words = ["data=folder", f"data.root={images}", "data.image_size=16", "data.labels_per_class=20"]
            words += ["data.folds=null"]
            folder = tmp_path_factory.mktemp("work")
            run_train_command(folder, session_cache, [f"model={model}", "model.epochs=1", *words, *options])
            (result,) = folder.rglob("result.json")
            runs[model, *options] = result.parent
        return runs[model, *options], images

    return train


@pytest.fixture(scope="module")
def sweep_once(tmp_path_factory, session_cache):
    """A function that trains a sweep of two arms and two seeds on two tiny classes, once in a module: sweep, images.

    At 20 labels per class 8 images validate; 24 test.
    """
    sweeps: dict[tuple[str, ...], tuple[Path, Path]] = {}

    def train(*options):
        if options not in sweeps:
            folder = tmp_path_factory.mktemp("work")
            images = write_image_folder(folder / "images", classes=2, per_class=60)
            words = ["-m", "model=scratch_cnn", "model.lr=1e-2,3e-3", "model.epochs=3", "seed=0,1"]
            words += ["data=folder", f"data.root={images}", "data.image_size=16", "data.labels_per_class=20"]
            words += ["data.folds=null", "data.batch_size=8", "hydra/launcher=basic", "hydra.sweep.dir=sweep"]
            run_train_command(folder, session_cache, [*words, *options])
            sweeps[options] = folder / "sweep", images
        return sweeps[options]

    return train


@pytest.fixture
def refit_card():
    """The card of a finished refit."""
    from headstart.runs.refit_card import RefitCard

    return RefitCard(
        status="finished",
        sweep="sweep-birds",
        arm="frozen",
        reason="unbeaten",
        model="frozen",
        data="birds",
        labels_per_class=20,
        metric="accuracy",
        accuracy=0.912,
        low=0.88,
        high=0.94,
        confidence=0.95,
        spread=0.012,
        seeds=(0, 1),
        folds=1,
        test_images=359,
        images=1797,
        classes=("ant", "bee"),
        seed=0,
        epochs=24,
        schedule_epochs=30,
        settings={"model.head_lr": 0.01},
        starts={},
        run="frozen-birds-20-seed0",
        run_command="headstart-train model=frozen",
        command="headstart refit sweep-birds",
        identity="1a2b",
    )


@pytest.fixture
def spec():
    from headstart.image_spec import ImageSpec

    return ImageSpec((3, 32, 32), ("ant", "bee", "cat"), (0.5, 0.5, 0.5), (0.25, 0.25, 0.25), True, 5)


@pytest.fixture
def loader(spec):
    """Batches of raw random images with labels."""
    import torch

    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (12, *spec.shape), generator=generator, dtype=torch.uint8)
    labels = torch.arange(12) % spec.num_classes
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(images, labels), batch_size=6)


@pytest.fixture
def fitted(loader):
    """A function that fits a model on a few raw images; ``on_start(model)`` is called before the first step."""
    import lightning as L

    def fit(model, on_start=None):
        class Start(L.pytorch.callbacks.Callback):
            def on_train_start(self, trainer, pl_module):
                if on_start:
                    on_start(pl_module)

        trainer = L.Trainer(
            max_epochs=model.epochs,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[Start()],
        )
        trainer.fit(model, loader)
        return trainer

    return fit


@pytest.fixture(scope="session")
def lesson():
    """Gives a LeNet-like network for images of 1×28×28, its pools functions, with weights of ``seed``."""
    import torch
    import torch.nn.functional as F
    from torch import nn

    class Lesson(nn.Module):
        def __init__(self, classes):
            super().__init__()
            self.conv1 = nn.Conv2d(1, 4, kernel_size=3, padding=1)
            self.conv2 = nn.Conv2d(4, 8, kernel_size=3, padding=1)
            self.fc1 = nn.Linear(8 * 7 * 7, 32)
            self.fc2 = nn.Linear(32, classes)

        def forward(self, images):
            images = F.max_pool2d(F.relu(self.conv1(images)), 2, 2)
            images = F.max_pool2d(F.relu(self.conv2(images)), 2, 2)
            return self.fc2(F.relu(self.fc1(images.view(-1, 8 * 7 * 7))))

    def build(seed=0, classes=4):
        torch.manual_seed(seed)
        return Lesson(classes).eval()

    return build


@pytest.fixture
def images(image_folder):
    return image_folder(classes=3, per_class=12, size=16)


@pytest.fixture
def command(tmp_path, capsys, monkeypatch):
    """Runs ``headstart-train`` in this process, in its own folder; gives code, out, err and folder."""
    from headstart import train

    def run(*words, folder=None):
        folder = folder or tmp_path / "work"
        folder.mkdir(parents=True, exist_ok=True)
        monkeypatch.chdir(folder)
        monkeypatch.setattr("sys.argv", ["headstart-train", *words])
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_info:
            train.main()
        output = capsys.readouterr()
        return SimpleNamespace(code=exit_info.value.code or 0, out=output.out, err=output.err, folder=folder)

    return run


@pytest.fixture
def plan_command():
    """Checks a command as typed, and plans it where it is a sweep."""
    from headstart.config.auto_settings import resolve_auto_settings
    from headstart.config.compose import compose_command
    from headstart.config.data_module import clear_source_cache
    from headstart.config.overrides import quote_overrides
    from headstart.sweep.planner import check_command, plan_sweep

    def plan(*words):
        clear_source_cache()
        command = compose_command(quote_overrides(list(words)))
        if command.multirun:
            return plan_sweep(command)
        check_command(resolve_auto_settings(command))
        return None

    return plan
