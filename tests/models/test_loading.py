"""From a checkpoint back to a model, and what is refused on the way."""

import json
import pickle
import subprocess
import sys

import pytest
import torch
from PIL import Image

import headstart
from headstart.errors import HeadstartError
from headstart.models import FineTuned, Frozen, ScratchCNN
from headstart.runs import run_directory
from headstart.runs.checkpoint import CLASS_KEY
from headstart.runs.result import RunResult, write_result


@pytest.fixture
def kept(spec, fitted, tmp_path):
    def keep(model):
        fitted(model).save_checkpoint(tmp_path / "kept.ckpt", weights_only=True)
        return tmp_path / "kept.ckpt"

    return keep


def tampered(path, **changes):
    checkpoint = torch.load(path, weights_only=True)
    torch.save({**checkpoint, **changes}, path)
    return path


class TestLoad:
    @pytest.mark.parametrize("cls", [ScratchCNN, Frozen, FineTuned])
    def test_returns_the_class_of_the_checkpoint(self, cls, spec, kept):
        model = headstart.load(kept(cls(spec, epochs=1)))
        assert type(model) is cls and not model.training

    def test_takes_a_finished_run_directory(self, spec, kept, tmp_path):
        path = kept(ScratchCNN(spec, epochs=1))
        run = tmp_path / "run"
        run_directory.best_checkpoint_path(run).parent.mkdir(parents=True)
        path.rename(run_directory.best_checkpoint_path(run))
        with pytest.raises(HeadstartError, match="is not finished"):
            headstart.load(run)
        write_result(run, RunResult("finished", "scratch_cnn", "digits", 0, metrics={"test/accuracy": 0.5}))
        assert isinstance(headstart.load(run), ScratchCNN)

    def test_predicts_paths_images_and_tensors_alike(self, spec, kept, tmp_path):
        model = headstart.load(kept(ScratchCNN(spec, epochs=1)))
        pixels = torch.randint(0, 256, (3, *spec.shape), dtype=torch.uint8)
        images = [Image.fromarray(p.permute(1, 2, 0).numpy()) for p in pixels]
        paths = [tmp_path / f"{i}.png" for i in range(3)]
        for image, path in zip(images, paths, strict=True):
            image.save(path)
        expected = model.predict(pixels).probabilities
        for given in (images, paths, [str(p) for p in paths]):
            assert torch.equal(model.predict(given).probabilities, expected)
        # A batch of another size may round differently in the last bit.
        torch.testing.assert_close(model.predict(paths[0]).probabilities, expected[:1])

    def test_gives_equal_logits_in_a_process_without_network(self, spec, kept, tmp_path):
        path = kept(FineTuned(spec, epochs=1))
        images = torch.randint(0, 256, (2, *spec.shape), dtype=torch.uint8)
        torch.save(images, tmp_path / "images.pt")
        code = (
            "import json, socket, sys, torch; socket.socket.connect = None\n"
            "from headstart import FineTuned\n"
            f"model = FineTuned.load_from_checkpoint({str(path)!r}, weights_only=True).eval()\n"
            f"print(json.dumps(model(torch.load({str(tmp_path / 'images.pt')!r})).tolist()))"
        )
        said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
        assert json.loads(said.splitlines()[-1]) == headstart.load(path)(images).tolist()


class TestRefusals:
    def test_of_pickles_that_run_code(self, tmp_path):
        class Malice:
            def __reduce__(self):
                return (open, (str(tmp_path / "ran"), "w"))

        path = tmp_path / "malice.ckpt"
        torch.save(
            {
                "state_dict": {},
                "hyper_parameters": Malice(),
                CLASS_KEY: "headstart.models.scratch:ScratchCNN",
            },
            path,
        )
        with pytest.raises(HeadstartError, match="refused"):
            headstart.load(path)
        assert not (tmp_path / "ran").exists()

    def test_of_hyperparameters_with_an_instantiator(self, spec, kept):
        path = kept(ScratchCNN(spec, epochs=1))
        tampered(path, hyper_parameters={"_instantiator": "os.system"})
        with pytest.raises(HeadstartError, match="refused"):
            headstart.load(path)

    @pytest.mark.parametrize(
        "named", ["os:system", "antigravity:geohash", "headstart.models.optimizer:build_parameter_groups", "nothing"]
    )
    def test_of_classes_that_are_no_models(self, spec, kept, named):
        path = tampered(kept(ScratchCNN(spec, epochs=1)), **{CLASS_KEY: named})
        with pytest.raises(HeadstartError):
            headstart.load(path)
        assert "antigravity" not in sys.modules

    @pytest.mark.parametrize("content", [b"", b"not a checkpoint", pickle.dumps([1, 2])])
    def test_of_other_files(self, tmp_path, content):
        path = tmp_path / "odd.ckpt"
        path.write_bytes(content)
        with pytest.raises(HeadstartError, match="refused") as caught:
            headstart.load(path)
        assert "\n" not in str(caught.value)

    def test_of_missing_checkpoints(self, tmp_path):
        with pytest.raises(HeadstartError, match="nowhere"):
            headstart.load(tmp_path / "nowhere.ckpt")
        with pytest.raises(HeadstartError, match="is it a finished run"):
            headstart.load(tmp_path)
