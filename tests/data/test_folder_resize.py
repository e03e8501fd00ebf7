"""Tests of how images of a folder become square, from the training to whatever reads new images."""

import numpy as np
import pytest
import torch
from PIL import Image

import headstart
from headstart.backbones.export import export_backbone
from headstart.backbones.model_card import read_model_card
from headstart.cli.run_subject import build_subject
from headstart.data import ImageFolder
from headstart.decoding import decoder
from headstart.decoding.square import PAD_GRAY
from headstart.runs.predictions import read_predictions, read_probabilities


@pytest.fixture
def wide_folder(tmp_path):
    """A function that writes two classes of images of 32×16 pixels: what tells them apart is at both ends."""

    def write(name="wide", per_class=30):
        random = np.random.default_rng(0)
        for label in "ab":
            (tmp_path / name / label).mkdir(parents=True)
            for i in range(per_class):
                pixels = random.integers(0, 256, (16, 32, 3), dtype=np.uint8)
                pixels[:, :8], pixels[:, -8:] = (30, 200) if label == "a" else (200, 30)
                Image.fromarray(pixels).save(tmp_path / name / label / f"{i}.png")
        return tmp_path / name

    return write


class TestFolderResize:
    def test_pixels_are_those_of_the_decoder(self, wide_folder):
        root = wide_folder(per_class=4)
        for resize in ("crop", "pad", "squash"):
            catalog = ImageFolder(root=str(root), image_size=16, resize=resize).catalog
            decoded = [decoder.decode(root / name, 16, 3, resize=resize) for name in catalog.names]
            np.testing.assert_array_equal(catalog.pixels, decoded)

    def test_trained_model_reads_new_images_as_it_was_trained(self, wide_folder, command):
        root = wide_folder()
        words = ["model=scratch_backbone", "data=folder", f"data.root={root}", "data.image_size=16", "data.resize=pad"]
        done = command(*words, "trainer.max_epochs=1", "hydra.run.dir=run")
        assert done.code == 0, done.err
        run = done.folder / "run"
        model, predictions = headstart.load(run), read_predictions(run)
        assert model.spec.resize == "pad"

        paths = [root / name for name in predictions.images]
        answers = model.predict(paths).probabilities
        np.testing.assert_allclose(answers, read_probabilities(run), atol=1e-5)
        squares = torch.from_numpy(np.stack([decoder.decode(path, 16, 3, resize="pad") for path in paths]))
        assert torch.equal(model.predict(squares).probabilities, answers)

        subject, _ = build_subject(model, "name", run, wide_folder("new", per_class=35))
        assert (subject.pictures[:, :, 0] == PAD_GRAY).all()
        card = read_model_card(export_backbone(run, done.folder / "mine.safetensors"))
        assert card["resize"] == "pad"
