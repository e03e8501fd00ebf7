"""Whose a run directory is: nothing overwrites what is not its own."""

import locale

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from headstart.files import write_json
from headstart.runs import run_directory
from headstart.runs.result import RunResult, read_result, write_result

TINY = ["model=scratch_cnn", "data=folder", "data.image_size=16", "model.epochs=3"]


def test_a_directory_that_holds_another_run_is_refused(images, command):
    place = "hydra.run.dir=here"
    assert command(*TINY, f"data.root={images}", place).code == 0
    refused = command(*TINY, f"data.root={images}", place, "seed=5")
    assert refused.code == 1 and "holds another run" in refused.err


def test_a_setting_that_was_refused_does_not_keep_the_directory(images, command):
    here = [*TINY, f"data.root={images}", "hydra.run.dir=here"]
    assert command(*here, "model.lr=-1").code == 1
    assert command(*here, "model.lr=0.1").code == 0


@pytest.mark.parametrize("name", ["config.yaml", "metrics.csv", "checkpoints"])
def test_what_is_no_runs_is_never_overwritten(images, command, tmp_path, name):
    own = tmp_path / "work" / "own" / name
    own.mkdir(parents=True) if name == "checkpoints" else own.parent.mkdir(parents=True)
    if name != "checkpoints":
        own.write_text("mine")
    refused = command(*TINY, f"data.root={images}", "hydra.run.dir=own")
    assert refused.code == 1 and f"holds a {name} of another origin" in refused.err
    assert own.is_dir() or own.read_text() == "mine"


class TestTextFiles:
    @pytest.fixture(scope="class")
    def c_locale(self):
        """A locale in which Python reads and writes ASCII where no encoding is named."""
        before = locale.setlocale(locale.LC_CTYPE)
        locale.setlocale(locale.LC_CTYPE, "C")
        yield
        locale.setlocale(locale.LC_CTYPE, before)

    @given(text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
    @example(text="Käse 猫")
    def test_come_back_in_any_locale(self, text, tmp_path_factory, c_locale):
        run = tmp_path_factory.getbasetemp() / "run"
        run.mkdir(exist_ok=True)
        result = RunResult("finished", "frozen", "digits", 0, classes=[text], metrics={"test/accuracy": 0.5})
        write_result(run, result)
        write_json(run / run_directory.AUDIT_FILE, [{"classes": [text]}])
        write_json(run / run_directory.SPLIT_FILE, [{"sha256": text, "part": "train"}])
        assert (
            read_result(run) == result
            and run_directory.read_audits(run) == [{"classes": [text]}]
            and run_directory.read_training_hashes(run) == {text}
        )
