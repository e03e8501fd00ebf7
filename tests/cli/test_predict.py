"""Prediction on a real folder: good files are answered as each alone, bad ones are rows with a reason."""

import contextlib
import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from headstart.cli import main
from headstart.cli.predict import list_images, predict_files
from headstart.errors import HeadstartError
from headstart.image_spec import ImageSpec
from headstart.models import ScratchCNN, loading

GOOD = ["0.png", "1.jpg", "2.ppm", "scan", "in/3.jpe", "4.HEIC", "[5].png", "ünï.png"]  # 4.HEIC is a JPEG
BAD = {
    "empty.png": "empty",
    "text.jpg": "not an image",
    "notes.txt": "not an image",
    "in/cut.png": "",
    "phone.jpg": "HEIC needs another decoder: pip install headstart[heic]",
    "gone.png": "no such file or directory",
}


@pytest.fixture(scope="module")
def network():
    return ScratchCNN(ImageSpec((3, 16, 16), ("ant", "bee"), (0.5,) * 3, (0.25,) * 3, True, 5)).eval()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("photos")


def write(root, names):
    """Writes files of these names into a new folder, good and bad."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(len(name) + ord(name[0])).integers(0, 256, (16, 16, 3), dtype=np.uint8)
        form = {".png": "png", ".ppm": "ppm"}.get(path.suffix, "jpeg")
        if name in GOOD:
            Image.fromarray(pixels).save(path, format=form)
        elif name == "in/cut.png":
            Image.fromarray(pixels).save(path)
            path.write_bytes(path.read_bytes()[:300])
        elif name == "gone.png":
            path.symlink_to(root / "nowhere")
        else:
            content = {"empty.png": b"", "phone.jpg": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"}
            path.write_bytes(content.get(name, b"dear diary"))
    return root


def run(*words):
    """The exit code, the rows and the error stream of ``headstart predict … --json``."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main.run_cli(["predict", "run", *map(str, words), "--json"])
    return code, json.loads(out.getvalue() or "null"), err.getvalue()


@pytest.fixture
def loaded(network, monkeypatch):
    monkeypatch.setattr(loading, "load", lambda path: network)
    monkeypatch.setattr("headstart.decoding.decoder.can_read_heic", lambda: False)
    return network


class TestPredictFolder:
    @settings(max_examples=25)
    @given(st.sets(st.sampled_from([*GOOD, *BAD]), min_size=1), st.integers(1, 5))
    @example({*GOOD, *BAD}, 3)
    def test_answers_good_files_and_names_bad_ones(self, network, place, names, batch_size):
        root = write(place / str(len(list(place.iterdir()))), names)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(loading, "load", lambda path: network)
            patch.setattr("headstart.decoding.decoder.can_read_heic", lambda: False)
            code, rows, err = run(root, "--batch-size", batch_size)
        found = {Path(row["image"]).relative_to(root).as_posix(): row for row in rows}
        assert {*found} == names and [*found] == sorted(found, key=lambda name: str(root / name))
        bad = names & {*BAD}
        assert code == (1 if bad else 0)
        assert err == (f"{len(bad)} of {len(names)} file{'s' * (len(names) > 1)} could not be read\n" if bad else "")
        for name in bad:
            assert set(found[name]) == {"image", "error"} and found[name]["error"].startswith(BAD[name] or "")
            assert found[name]["error"] and str(root) not in found[name]["error"]
        for name in names - bad:
            alone = network.predict(root / name)
            assert (found[name]["class"], found[name]["label"]) == (alone.predicted_classes[0], alone.labels[0])
            np.testing.assert_allclose(list(found[name]["probabilities"].values()), alone.probabilities[0], atol=1e-5)

    def test_writes_names_as_training_does(self, loaded, tmp_path, capsys, monkeypatch):
        root = write(tmp_path / "photos", ["0.png"])
        (root / "0.png").rename(root / os.fsdecode(b"caf\xe9.png"))
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.chdir(tmp_path)
        assert main.run_cli(["predict", "run", "~/photos", "--json"]) == 0
        (row,) = json.loads(capsys.readouterr().out)
        assert row["image"].endswith("photos/caf\\xe9.png")

    def test_prints_bad_files_in_the_table(self, loaded, tmp_path, capsys):
        root = write(tmp_path / "photos", ["0.png", "text.jpg"])
        assert main.run_cli(["predict", "run", str(root)]) == 1
        told = capsys.readouterr()
        header, good, bad = told.out.splitlines()
        assert header.split() == ["image", "class", "probability", "error"] and good.split()[1] in ("ant", "bee")
        assert bad.split() == [str(root / "text.jpg"), "not", "an", "image"]
        assert told.err == "1 of 2 files could not be read\n"

    def test_a_single_bad_file_is_an_error(self, loaded, tmp_path):
        write(tmp_path, ["text.jpg"])
        path = str(tmp_path / "text.jpg")
        assert run(path) == (1, [{"image": path, "error": "not an image"}], "1 of 1 file could not be read\n")

    def test_says_what_is_passed_over(self, loaded, tmp_path):
        root = write(tmp_path / "photos", ["0.png"])
        for name in (".h.png", ".DS_Store", "Thumbs.db"):
            (root / name).write_bytes((root / "0.png").read_bytes())
        code, rows, err = run(root)
        assert (code, len(rows)) == (0, 1) and err == f"ignored: hidden images: 1 ({root / '.h.png'})\n"

    def test_says_how_in_its_help(self, capsys):
        with pytest.raises(SystemExit):
            main.run_cli(["predict", "--help"])
        text = " ".join(capsys.readouterr().out.split())
        assert "The exit code is 0, or 1 if a file could not be read" in text


class TestListImages:
    def names(self, root, *given):
        return [
            Path(path).relative_to(root).as_posix() for path in list_images([str(root / name) for name in given]).paths
        ]

    def test_a_pattern_stands_for_files_and_folders(self, tmp_path):
        write(tmp_path, ["0.png", "1.jpg", "in/3.jpe"])
        assert self.names(tmp_path, "*") == ["0.png", "1.jpg", "in/3.jpe"]
        assert self.names(tmp_path, "**") == ["0.png", "1.jpg", "in/3.jpe"]
        assert self.names(tmp_path, "*.png", "in") == ["0.png", "in/3.jpe"]

    def test_a_file_named_twice_is_answered_twice(self, tmp_path):
        write(tmp_path, ["0.png"])
        assert self.names(tmp_path, "0.png", ".", "0.png") == ["0.png"] * 3

    def test_a_name_with_brackets_is_no_pattern(self, tmp_path):
        write(tmp_path, ["[5].png"])
        assert self.names(tmp_path, "[5].png") == ["[5].png"]

    def test_a_folder_named_like_an_image_is_a_folder(self, tmp_path):
        write(tmp_path / "x.jpg", ["0.png"])
        assert self.names(tmp_path, "x.jpg") == ["x.jpg/0.png"]

    def test_a_link_that_leads_in_a_circle_is_a_row(self, tmp_path):
        root = write(tmp_path / "photos", ["0.png", "in/3.jpe"])
        (root / "in" / "again").symlink_to(root)
        images = list_images([str(root)])
        assert images.errors == {
            str(root / "in/again"): "a link leads in a circle, or twice to this folder; remove the link"
        }
        assert len(images.paths) == 3

    def test_a_pattern_finds_each_file_once(self, tmp_path):
        root = write(tmp_path / "photos", ["0.png", "in/3.jpe"])
        (root / "in" / "again").symlink_to(root)
        assert self.names(root, "**") == ["0.png", "in/3.jpe"]

    def test_a_broken_link_is_a_row(self, loaded, tmp_path):
        root = write(tmp_path / "photos", ["gone.png"])
        assert run(root / "gone.png")[1] == [{"image": str(root / "gone.png"), "error": "no such file or directory"}]

    def test_a_folder_of_hidden_images_alone_is_named(self, tmp_path):
        write(tmp_path / "photos", ["0.png"]).joinpath("0.png").rename(tmp_path / "photos" / ".0.png")
        with pytest.raises(HeadstartError, match=r"without images \(ignored: hidden images: 1 \(.*\.0\.png\)\)"):
            list_images([str(tmp_path / "photos")])

    def test_a_folder_that_may_not_be_read_is_a_row(self, tmp_path, monkeypatch):
        root, walk = write(tmp_path / "photos", ["0.png"]), os.walk

        def refuse(folder, **how):
            how["onerror"](PermissionError(13, "Permission denied", str(root / "locked")))
            return walk(folder, **how)

        monkeypatch.setattr("os.walk", refuse)
        assert list_images([str(root)]).errors == {str(root / "locked"): "cannot be read (Permission denied)"}

    def test_a_pipe_is_a_row_and_never_opened(self, tmp_path):
        os.mkfifo(tmp_path / "pipe.jpg")
        images = list_images([str(tmp_path / "pipe.jpg")])
        rows = predict_files(lambda *_, **__: pytest.fail("opened"), images, 4)
        assert rows == [{"image": str(tmp_path / "pipe.jpg"), "error": "no file, but a pipe or a device"}]
