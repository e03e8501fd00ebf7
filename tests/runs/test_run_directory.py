"""A run directory keeps what other runs and people wrote."""

import locale

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from headstart.files import write_json
from headstart.runs import run_directory
from headstart.runs.result import RunResult, read_result, write_result

TINY = ["model=scratch_cnn", "data=folder", "data.folds=null", "data.image_size=16", "model.epochs=3"]


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


class TestRunDirectory:
    def test_is_refused_where_it_holds_another_run(self, images, command):
        option = "hydra.run.dir=here"
        assert command(*TINY, f"data.root={images}", option).code == 0
        refused = command(*TINY, f"data.root={images}", option, "seed=5")
        assert refused.code == 1 and "holds another run" in refused.err

    def test_is_free_after_a_refused_setting(self, images, command):
        here = [*TINY, f"data.root={images}", "hydra.run.dir=here"]
        assert command(*here, "model.lr=-1").code == 1
        assert command(*here, "model.lr=0.1").code == 0

    @pytest.mark.parametrize("name", ["config.yaml", "metrics.csv", "checkpoints"])
    def test_keeps_files_that_no_run_wrote(self, images, command, tmp_path, name):
        path = tmp_path / "work" / "own" / name
        path.mkdir(parents=True) if name == "checkpoints" else path.parent.mkdir(parents=True)
        if name != "checkpoints":
            path.write_text("mine")
        refused = command(*TINY, f"data.root={images}", "hydra.run.dir=own")
        assert refused.code == 1 and f"holds a {name} of another origin" in refused.err
        assert path.is_dir() or path.read_text() == "mine"
