"""The `headstart` command: a table or JSON, one line for an error, and an exit code that tells."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import headstart
from headstart.cli import main
from headstart.errors import HeadstartError
from headstart.models import loading
from headstart.runs.result import RunResult, write_result


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "My photos (1)"
    (folder / "inner").mkdir(parents=True)
    for name in ("b.jpg", "a.PNG", "inner/c.webp", "notes.txt", ".hidden.jpg"):
        (folder / name).write_bytes(b"")
    return folder


@pytest.fixture
def model(monkeypatch):
    """Stands for a checkpoint: says "ant" of every image, and remembers which it was given."""
    given = []

    def predict(images, batch_size):
        given.append((images, batch_size))
        n = len(images)
        return SimpleNamespace(
            labels=[1] * n,
            predicted_classes=["ant"] * n,
            probabilities=np.tile([0.25, 0.75], (n, 1)),
            class_names=("bee", "ant"),
        )

    monkeypatch.setattr(loading, "load", lambda path: SimpleNamespace(predict=predict))
    return given


@pytest.fixture
def sweep(tmp_path):
    (tmp_path / "sweep" / "run").mkdir(parents=True)
    result = RunResult("finished", "frozen", "digits", 0, labels_per_class=5, metrics={"test/accuracy": 0.5})
    write_result(tmp_path / "sweep" / "run", result)
    return tmp_path / "sweep"


class TestImport:
    NETWORK = """
from torch import nn
from headstart.models import Classifier


class Net(Classifier):
    def __init__(self, spec, epochs=1, lr=1e-2):
        super().__init__(spec, epochs=epochs, augment=None)
        self.lr = lr
        channels, height, width = self.spec.shape
        self.network = nn.Sequential(nn.Flatten(), nn.Linear(channels * height * width, self.spec.num_classes))
        self.register_normalization(self.spec.mean, self.spec.std)
"""

    def test_loads_a_model_of_ones_own(self, spec, fitted, tmp_path, monkeypatch, capsys):
        (tmp_path / "own_network.py").write_text(self.NETWORK)
        monkeypatch.syspath_prepend(tmp_path)
        import own_network

        fitted(own_network.Net(spec)).save_checkpoint(tmp_path / "own.ckpt", weights_only=True)
        monkeypatch.delitem(sys.modules, "own_network")
        Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
        command = ["predict", str(tmp_path / "own.ckpt"), str(tmp_path / "a.png")]
        assert main.run_cli(command) == 1
        assert "add --import own_network to the command" in capsys.readouterr().err
        assert "own_network" not in sys.modules
        assert main.run_cli([*command, "--import", "own_network"]) == 0

    def test_names_a_module_that_is_not_there(self, tmp_path, capsys):
        (tmp_path / "a.png").write_bytes(b"")
        assert main.run_cli(["predict", "run", str(tmp_path / "a.png"), "--import", "no_such_module"]) == 1
        assert "--import no_such_module: No module named 'no_such_module'" in capsys.readouterr().err


class TestPredict:
    def test_prints_a_table_with_a_row_per_image(self, photos, model, capsys):
        assert main.run_cli(["predict", "run", str(photos / "b.jpg"), str(photos / "inner" / "c.webp")]) == 0
        header, *lines = capsys.readouterr().out.splitlines()
        assert header.split() == ["image", "class", "probability"]
        assert [line.split()[-2:] for line in lines] == [["ant", "0.750"]] * 2
        assert {line.index("ant ") for line in lines} == {header.index("class")}

    def test_prints_json_with_all_probabilities(self, photos, model, capsys):
        assert main.run_cli(["predict", "run", str(photos / "b.jpg"), "--json", "--batch-size", "3"]) == 0
        (answer,) = json.loads(capsys.readouterr().out)
        assert answer == {
            "image": str(photos / "b.jpg"),
            "class": "ant",
            "label": 1,
            "probability": 0.75,
            "probabilities": {"bee": 0.25, "ant": 0.75},
        }
        assert model[0][1] == 3

    def test_takes_folders_and_patterns(self, photos, model):
        main.run_cli(["predict", "run", str(photos)])
        main.run_cli(["predict", "run", str(photos.parent / "*" / "*.jpg")])
        names = [[image.removeprefix(f"{photos}/") for image in images] for images, _ in model]
        assert names == [["a.PNG", "b.jpg", "inner/c.webp", "notes.txt"], ["b.jpg"]]

    def test_rejects_missing_images_before_loading(self, tmp_path, model, capsys):
        assert main.run_cli(["predict", "run", str(tmp_path / "gone.jpg")]) == 1
        assert capsys.readouterr().err.startswith(f"headstart: {tmp_path}/gone.jpg: there is no such file")
        assert model == []

    def test_prints_errors_in_one_line(self, photos, monkeypatch, capsys):
        def refuse(path):
            raise HeadstartError(f"{path}: no checkpoint;\nmend it")

        monkeypatch.setattr(loading, "load", refuse)
        assert main.run_cli(["predict", "run", str(photos)]) == 1
        assert capsys.readouterr().err == "headstart: run: no checkpoint; mend it\n"


class TestReport:
    def test_is_written_into_the_sweep(self, sweep, capsys):
        assert main.run_cli(["report", str(sweep)]) == 0
        said = capsys.readouterr().out
        assert "50.0 ± –" in said and said.endswith(f"report: {sweep / 'report.html'}\n")
        assert sorted(path.name for path in sweep.glob("report.*")) == ["report.csv", "report.html", "report.json"]

    def test_of_several_sweeps_needs_a_folder(self, sweep, tmp_path, capsys):
        assert main.run_cli(["report", str(sweep), str(sweep)]) == 1
        assert capsys.readouterr().err == ("headstart: several sweeps make one report: give its folder by --out\n")
        assert main.run_cli(["report", str(sweep), str(sweep), "--out", str(tmp_path / "both")]) == 0
        assert (tmp_path / "both" / "report.html").is_file() and not (sweep / "report.html").exists()

    def test_prints_unwritable_folders_in_one_line(self, sweep, tmp_path, capsys):
        (tmp_path / "taken").write_text("")
        assert main.run_cli(["report", str(sweep), "--out", str(tmp_path / "taken")]) == 1
        said = capsys.readouterr()
        assert "50.0 ± –" in said.out and said.err.count("\n") == 1 and "taken: no report can be written" in said.err


class TestAudit:
    def test_prints_tables_of_kinds_and_paths(self, image_folder, capsys):
        root = image_folder(classes=["ant", "bee\x1b[2J"], per_class=4)
        for i in range(23):
            (root / "ant" / f"{i:02}.jpg").write_text("text")
        assert main.run_cli(["audit", str(root)]) == 0
        out = capsys.readouterr().out
        title, header, counts, _, below, *lines = out.splitlines()
        assert title == "images: 8 images of 2 classes"
        assert counts.split() == ["unreadable", "23", "cannot", "be", "read"] and header.split() == [
            "kind",
            "count",
            "meaning",
        ]
        assert len(lines) == 21 and lines[-1].strip() == "and 3 more; --json lists all"
        assert lines[0].split() == ["unreadable", "ant/00.jpg", "not", "an", "image"]
        assert {line.index("ant/") for line in lines[:-1]} == {below.index("path")}
        assert main.run_cli(["audit", str(root), "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert len(told["findings"]["unreadable"]) == 23 and told["classes"]["bee\x1b[2J"] == {"": 4}

    def test_escapes_control_characters(self, image_folder, capsys):
        root = image_folder(classes=["ant", "bee\x1b[2J"], per_class=4)
        (root / "bee\x1b[2J" / "\u202e猫.jpg").touch()
        for words in ([], ["--json"]):
            main.run_cli(["audit", str(root), *words])
            out = capsys.readouterr().out
            assert "\x1b" not in out and "\u202e" not in out and ("\\u202e猫.jpg" in out or words)

    def test_prints_that_no_problem_was_found(self, image_folder, capsys):
        assert main.run_cli(["audit", str(image_folder())]) == 0
        assert capsys.readouterr().out == "images: 20 images of 2 classes\nno problems found\n"

    def test_rejects_missing_folders(self, tmp_path, capsys):
        assert main.run_cli(["audit", str(tmp_path / "gone\x1b[2J")]) == 1
        err = capsys.readouterr().err
        assert "there is no such folder" in err and "\x1b" not in err

    def test_names_the_folder_as_typed(self, tmp_path, monkeypatch, capsys):
        (tmp_path / "flat").mkdir()
        monkeypatch.chdir(tmp_path)
        for folder in ("gone", "flat"):
            assert main.run_cli(["audit", folder]) == 1
            assert capsys.readouterr().err.startswith(f"headstart: {folder}: ")


class TestExport:
    def test_prints_the_path_of_the_file(self, monkeypatch, capsys):
        from headstart.backbones import export

        monkeypatch.setattr(export, "export_backbone", lambda model, out, terms: out)
        assert main.run_cli(["export", "run", "--format", "backbone", "--out", "b.safetensors"]) == 0
        assert capsys.readouterr().out == "b.safetensors\n"


class TestUsage:
    @pytest.mark.parametrize(
        ("typed", "told"),
        [
            (["predit", "x"], "no command 'predit'; did you mean 'predict'?"),
            (["zzz"], "no command 'zzz'; the commands are predict, report"),
            ([], "required: COMMAND"),
            (["predict", "run"], "required: IMAGE"),
            (["predict", "run", "x.jpg", "--batch-size", "0"], "'0' is not a number of images"),
            (["export", "run", "--format", "onnx"], "invalid choice: 'onnx'"),
        ],
    )
    def test_wrong_usage_exits_with_2_and_one_line(self, typed, told, capsys):
        with pytest.raises(SystemExit) as end:
            main.run_cli(typed)
        assert end.value.code == 2
        captured = capsys.readouterr()
        assert told in captured.err
        assert captured.err.count("\n") == 1

    def test_prints_the_version(self, capsys, monkeypatch):
        monkeypatch.setattr(sys, "argv", ["headstart", "--version"])
        with pytest.raises(SystemExit) as end:
            main.main()
        assert end.value.code == 0
        assert capsys.readouterr().out == f"headstart {headstart.__version__}\n"
