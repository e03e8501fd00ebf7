import json
import os
import shutil
import signal
from dataclasses import replace

import pytest

from headstart.cli import main
from headstart.cli.understand import explain_model
from headstart.errors import HeadstartError
from headstart.process import raise_on_sigterm, run_command
from headstart.runs.checkpoint import best_checkpoint_path
from headstart.runs.result import read_result, write_result
from headstart.understand.chapters import ChapterBuilder
from headstart.understand.claims import Chapter

DISPLAY_NAME = "scratch_cnn on images, 20 labels per class, seed 0"


@pytest.fixture
def run(train_once, tmp_path):
    """The directory of a finished run, and the folder of its images."""
    source, _ = train_once("scratch_cnn")
    return shutil.copytree(source, tmp_path / "runs" / source.name)


@pytest.fixture
def images(train_once):
    """The folder of the run's images."""
    return train_once("scratch_cnn")[1]


@pytest.fixture
def subjects():
    """The subjects that ``easy`` was built for."""
    return []


@pytest.fixture
def builders(subjects):
    """Two chapters: ``easy`` is measured, ``hard`` fails."""

    def build_easy(subject, report_progress):
        subjects.append(subject)
        report_progress("counting")
        chapter = Chapter("easy", "Easy", ["All is well."], numbers={"images": 3}, sentences={"c": "It is easy."})
        chapter.add_claim("c", "holds")
        return chapter

    def build_hard(subject, report_progress):
        raise HeadstartError("an unknown operation")

    return {
        "easy": ChapterBuilder(build_easy, {"c": "It is easy."}),
        "hard": ChapterBuilder(build_hard, {"h": "It is hard."}),
    }


class TestExplainModel:
    def test_writes_page_and_json(self, run, builders):
        progress = []
        page = explain_model(run, report_progress=progress.append, builders=builders)
        assert page == run / "understanding.html"
        assert progress[0] == "reading the model and its images" and "[1/2] easy: counting" in progress
        chapters = json.loads((run / "understanding.json").read_text())["chapters"]
        verdicts = [claim["verdict"] for chapter in chapters for claim in chapter["claims"]]
        assert verdicts == ["holds", "not measured"]
        text = page.read_text()
        assert "All is well." in text and "an unknown operation" in text and f"headstart understand {run}" in text

    def test_reads_the_runs_of_a_sweep(self, run, builders, subjects):
        explain_model(run, sweeps=[run.parent], only=["easy"], builders=builders)
        assert [row.model for row in subjects[0].sweep] == ["scratch_cnn"]

    def test_leaves_out_debug_runs_of_a_sweep(self, run, builders, subjects):
        debug = run.parent / "debug"
        debug.mkdir()
        result = read_result(run)
        write_result(debug, replace(result, identity="debug", debug="trainer.fast_dev_run=true"))
        explain_model(run, sweeps=[run.parent], only=["easy"], builders=builders)
        assert len(subjects[0].sweep) == 1

    def test_needs_a_folder_for_a_checkpoint_alone(self, run, tmp_path, images, builders, subjects, monkeypatch):
        checkpoint = shutil.copy(best_checkpoint_path(run), tmp_path / "alone.ckpt")
        monkeypatch.chdir(tmp_path)
        with pytest.raises(HeadstartError, match="name a folder of them by --data"):
            explain_model(checkpoint, builders=builders)
        page = explain_model(checkpoint, data=images, builders=builders)
        assert "does not record its training images" in (tmp_path / page).read_text()
        assert not subjects[0].train_mask.any()

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"only": ["easi"]}, "there is no part 'easi'; the parts are easy, hard"),
            ({"sweeps": ["nowhere"]}, "--sweep nowhere: holds no finished run"),
            ({"data": "nowhere"}, "nowhere"),
        ],
    )
    def test_rejects_bad_input_before_measuring(self, run, builders, subjects, options, message):
        with pytest.raises(HeadstartError, match=message):
            explain_model(run, builders=builders, **options)
        assert not (run / "understanding.html").exists() and not subjects

    def test_rejects_a_folder_that_cannot_be_written(self, run, builders, subjects, tmp_path):
        blocked = tmp_path / "file"
        blocked.write_text("")
        with pytest.raises(HeadstartError, match=f"--out {blocked}"):
            explain_model(run, out=blocked, builders=builders)
        assert not subjects


@pytest.fixture
def default_signals():
    """Signal handlers of a shell in the foreground; one in the background ignores SIGINT."""
    handlers = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class TestInterruption:
    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    @pytest.mark.parametrize(("chapter", "finished"), [("hard", ["easy"]), ("easy", [])])
    def test_keeps_finished_chapters_beside_the_page(
        self, run, builders, default_signals, number, code, chapter, finished
    ):
        earlier = explain_model(run, builders=builders).read_text()
        interrupt = replace(builders[chapter], build=lambda *_: os.kill(os.getpid(), number))
        progress = []

        def work():
            with raise_on_sigterm():
                explain_model(run, report_progress=progress.append, builders={**builders, chapter: interrupt})
            return 0

        assert run_command("headstart", work, "") == code
        page = run / "understanding.stopped.html"
        assert (run / "understanding.html").read_text() == earlier
        assert page.exists() == (f"stopped: the finished parts are in {page}" in progress) == bool(finished)
        if finished:
            content = json.loads(page.with_suffix(".json").read_text())
            assert [chapter["name"] for chapter in content["chapters"]] == finished
            assert "Missing parts: hard." in content["cautions"][0] and content["cautions"][0] in page.read_text()

    def test_page_goes_with_a_page_of_all_chapters(self, run, builders):
        pages = [run / f"understanding.stopped.{suffix}" for suffix in ("html", "json")]
        for page in pages:
            page.touch()
        explain_model(run, only=["easy"], builders=builders)
        assert all(page.exists() for page in pages)
        explain_model(run, builders=builders)
        assert not any(page.exists() for page in pages)


class TestCommand:
    def test_writes_real_chapters_and_the_simulation(self, run, capsys):
        names = ["pooling", "receptive_field", "effective_field", "width"]
        assert main.run_cli(["understand", str(run), "--only", *names]) == 0
        output = capsys.readouterr()
        assert output.out == f"understanding: {run / 'understanding.html'}\n" and "left out" not in output.err
        chapters = json.loads((run / "understanding.json").read_text())["chapters"]
        assert [chapter["name"] for chapter in chapters] == names
        assert all(chapter["numbers"] and chapter["claims"] for chapter in chapters)
        page = (run / "understanding.html").read_text()
        assert f'"title": "{DISPLAY_NAME}"' in page and "network.conv1" not in page
        own = json.loads(page.split('"own": ', 1)[1].split(', "measured"', 1)[0])
        assert [layer["name"] for layer in own["layers"]][:2] == ["conv1", "pool1"]

    def test_reports_an_error_in_one_line(self, run, capsys):
        assert main.run_cli(["understand", str(run), "--only", "easi"]) == 1
        assert "there is no part 'easi'" in capsys.readouterr().err.splitlines()[-1]

    def test_writes_the_simulation_alone(self, run, tmp_path, capsys):
        plain, of_run = tmp_path / "plain.html", tmp_path / "of_run.html"
        assert main.run_cli(["understand", "--simulation", str(plain)]) == 0
        assert main.run_cli(["understand", str(run), "--simulation", str(of_run)]) == 0
        assert DISPLAY_NAME not in plain.read_text() and DISPLAY_NAME in of_run.read_text()
        assert main.run_cli(["understand"]) == 1 and "--simulation FILE" in capsys.readouterr().err
