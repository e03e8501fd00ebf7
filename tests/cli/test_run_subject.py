import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import headstart
from headstart.backbones.weights import load_weights
from headstart.cli.run_subject import build_subject
from headstart.data import ImageFolder
from headstart.errors import HeadstartError
from headstart.runs.result import read_finished_result
from headstart.runs.run_directory import SPLIT_FILE


def build(run, data=None):
    return build_subject(headstart.load(run), "name", run, data)


class TestBuildSubject:
    def test_leaves_the_test_part_sealed(self, train_once):
        run, images = train_once("scratch_cnn")
        subject, cautions = build(run)
        rows = json.loads((run / SPLIT_FILE).read_text())
        source = ImageFolder(root=str(images), image_size=16, labels_per_class=20)
        sealed = {row["sha256"] for row in rows if row["part"] == "test"}
        pictures = {tuple(picture.flatten().tolist()) for picture in subject.pictures}
        for i, digest in enumerate(source.catalog.digests):
            assert (tuple(source.read_pixels([i])[0].flatten().tolist()) in pictures) == (digest not in sealed)
        assert int(subject.train_mask.sum()) == sum(row["part"] == "train" for row in rows)
        assert subject.data_name == read_finished_result(run).data != "" and not cautions

    def test_has_trained_pretrained_and_random_networks(self, train_once):
        run, _ = train_once("finetune")
        model, (subject, _) = headstart.load(run), build(run)
        with torch.no_grad():
            assert torch.equal(subject.network(subject.images[:4]), model(subject.pictures[:4]))
        networks = (subject.network, subject.pretrained_network, subject.random_network)
        first = [next(network.parameters()) for network in networks]
        assert len({tuple(weights.flatten().tolist()) for weights in first}) == 3
        embedded = headstart.FineTuned(spec=model.spec)
        load_weights(embedded.backbone, embedded.backbone_settings)
        assert torch.equal(first[1], next(embedded.backbone.parameters()))

    def test_has_no_pretrained_network_from_scratch(self, train_once):
        run, _ = train_once("scratch_cnn")
        assert build(run)[0].pretrained_network is None

    def test_has_no_pretrained_network_of_partial_transfer(self, train_once):
        run, _ = train_once("partial_transfer", "model.num_stages=1")
        subject, cautions = build(run)
        assert subject.pretrained_network is None and any("random weights" in caution for caution in cautions)

    def test_leaves_out_labels_of_other_classes(self, train_once, image_folder):
        run, _ = train_once("scratch_cnn")
        subject, cautions = build(run, image_folder(classes=["x", "y", "z"], per_class=30, size=20))
        assert subject.labels is None and subject.pictures.shape[1:] == (3, 16, 16)
        assert any("other classes" in caution for caution in cautions)

    def test_rejects_too_few_images(self, train_once, image_folder):
        run, _ = train_once("scratch_cnn")
        with pytest.raises(HeadstartError, match="too few"):
            build(run, image_folder(classes=2, per_class=5, size=16))

    def test_reads_deep_images_by_the_depth_of_the_training(self, train_once, tmp_path):
        run, _ = train_once("scratch_cnn")
        rng = np.random.default_rng(0)
        for i in range(80):
            path = tmp_path / "deep" / "ab"[i % 2] / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 1000, (16, 16), np.uint16)).save(path)
        model = headstart.load(run)
        model.spec = replace(model.spec, depth="uint12")
        subject, _ = build_subject(model, "name", run, tmp_path / "deep")
        assert subject.pictures.max() == round(999 * 255 / 4095)
