"""Tests of the bit depth of a folder's images."""

import json

import numpy as np
import pytest
from PIL import Image

import headstart
from headstart.data import ImageFolder, pixel_cache
from headstart.data.audit.audit import audit_folder
from headstart.decoding import decoder
from headstart.errors import HeadstartError


@pytest.fixture
def deep_folder(tmp_path):
    """A function that writes two classes of 16×16 images with values up to ``high`` (of one image: ``highest``)."""

    def write(high, highest=None, dtype=np.uint16, suffix=".png", root=None, per_class=6):
        root = root or tmp_path / "deep"
        random = np.random.default_rng(0)
        for label in "ab":
            (root / label).mkdir(parents=True)
            for i in range(per_class):
                unit = random.random((16, 16)) * np.linspace(0.2, 0.6, 16)
                values = (unit if label == "a" else unit.T) * high
                values[0, 0] = highest if highest is not None and i == 0 else high
                Image.fromarray(values.astype(dtype)).save(root / label / f"{i}{suffix}")
        return root

    return write


def source_of(root, **options):
    return ImageFolder(root=str(root), image_size=16, **options)


class TestFolderDepth:
    def test_is_said_and_stored(self, deep_folder):
        root = deep_folder(4031)
        source = source_of(root)
        assert source.spec.depth == "uint12"
        line = f"data.root={root}: images deeper than 8 bits, values up to 4,031: read as 12 bits, 0 to 4,095"
        assert source.remarks == [line]

    def test_is_one_for_all_whatever_the_budget_and_seed(self, deep_folder):
        root = deep_folder(900, highest=4000)
        sources = [source_of(root, labels_per_class=n, seed=seed) for n in (2, 3) for seed in range(3)]
        assert {source.spec.depth for source in sources} == {"uint12"}
        assert len({source.catalog.pixels.tobytes() for source in sources}) == 1

    def test_is_read_from_the_cache_too(self, deep_folder, monkeypatch):
        root = deep_folder(4031)
        paths = sorted(root.rglob("*.png"))
        first = pixel_cache.decode_with_cache(paths, [f"{root}{i}" for i in range(len(paths))], 16, None)
        monkeypatch.setattr(decoder, "decode", lambda *_: pytest.fail("an image was decoded again"))
        monkeypatch.setattr(decoder, "read_extent", lambda *_: pytest.fail("an image was measured again"))
        again = pixel_cache.decode_with_cache(paths, [f"{root}{i}" for i in range(len(paths))], 16, None)
        assert again.depth == first.depth and again.depth.name == "uint12"

    def test_another_file_may_change_it_and_the_digest(self, deep_folder, tmp_path):
        dark, bright = deep_folder(900), deep_folder(900, highest=4000, root=tmp_path / "bright")
        assert source_of(dark, labels_per_class=2).digest != source_of(bright, labels_per_class=2).digest

    def test_8_bit_images_have_none(self, image_folder):
        source = source_of(image_folder())
        assert source.spec.depth is None and source.catalog.decoding_key == [] and source.remarks == []

    def test_8_bit_images_among_others_stay_as_they_are(self, deep_folder, image_folder):
        root = deep_folder(4095)
        image_folder(classes=["c"], root=root)
        source = source_of(root)
        plain = decoder.decode(root / "c" / "0.png", 16, 3)
        row = source.catalog.rows[source.catalog.names.index("c/0.png")]
        np.testing.assert_array_equal(source.catalog.pixels[row], plain)
        assert "12 of 22 are images deeper than 8 bits" in source.remarks[0]

    def test_files_without_a_range_are_named_or_skipped(self, deep_folder, capsys):
        root = deep_folder(1, dtype=np.float32, suffix=".tif")
        Image.fromarray(np.full((16, 16), np.nan, np.float32)).save(root / "a" / "nan.tif")
        with pytest.raises(HeadstartError, match=r"1 of 13 files .* a/nan.tif \(NaN among its values\)"):
            source_of(root).catalog  # noqa: B018
        source = source_of(root, on_bad_file="skip")
        assert source.skipped == [("a/nan.tif", "NaN among its values")] and source.spec.depth == "float1"

    def test_range_that_cannot_be_told_is_refused(self, deep_folder):
        root = deep_folder(40, dtype=np.float32, suffix=".tif")
        with pytest.raises(
            HeadstartError, match=rf"^data\.root={root}: floating-point values from 0\..* cannot be told"
        ):
            source_of(root).catalog  # noqa: B018

    def test_is_the_same_in_an_audit(self, deep_folder):
        root = deep_folder(4031)
        assert audit_folder(root).depth.endswith("read as 12 bits, 0 to 4,095") and not audit_folder(root).findings
        Image.fromarray(np.full((16, 16), np.nan, np.float32)).save(root / "a" / "nan.tif")
        assert [finding.text for finding in audit_folder(root).findings_of("unreadable")] == ["NaN among its values"]

    def test_audit_names_images_whose_range_cannot_be_told(self, deep_folder):
        found = audit_folder(deep_folder(40, dtype=np.float32, suffix=".tif"))
        assert len(found.findings_of("unreadable")) == 12 and found.images == 0

    def test_trained_model_predicts_as_it_was_trained(self, deep_folder, command):
        root = deep_folder(900, highest=4000)
        done = command(
            "model=scratch_cnn", "data=folder", f"data.root={root}", "data.image_size=16", "trainer.max_epochs=1",
            "hydra.run.dir=run",
        )  # fmt: skip
        assert done.code == 0 and done.err.count("read as 12 bits") == 1
        run = done.folder / "run"
        assert json.loads((run / "result.json").read_text())["depth"] == "uint12"
        model, path = headstart.load(run), root / "b" / "3.png"
        values = np.asarray(Image.open(path))
        rows = model.predict([path, path.read_bytes(), Image.open(path), values]).probabilities
        expected = model.predict(np.rint(values * (255 / 4095)).astype(np.uint8)).probabilities
        np.testing.assert_allclose(rows, expected.expand(4, -1), atol=1e-6)
        with pytest.raises(HeadstartError, match="0 to 4,095"):
            model.predict(values * 50)


class TestFewDeepFiles:
    def test_without_a_range_are_unreadable_files(self, image_folder):
        root = image_folder(per_class=6)
        Image.fromarray(np.full((16, 16), 0.3, np.float32)).save(root / "class0" / "dark.tif")
        with pytest.raises(HeadstartError, match=r"1 of 13 files .* class0/dark.tif \(floating-point values"):
            source_of(root).catalog  # noqa: B018
        assert len(source_of(root, on_bad_file="skip").catalog.names) == 12
