"""`headstart understand`: from a run to its page, with the test part left sealed and the model left as it was."""

import json
import os
import shutil
import signal
from types import SimpleNamespace

import pytest
import torch

import headstart
from headstart.cli import main
from headstart.cli.understand import build_subject
from headstart.data import ImageFolder
from headstart.runs import run_directory
from headstart.runs.result import read_finished_result
from headstart.understand import run_chapters
from headstart.understand.claims import Chapter, Claim


@pytest.fixture
def chapters(monkeypatch):
    """Two parts in the place of the real ones: ``easy`` measures, ``hard`` cannot. What they were given."""
    given = []

    def easy(subject, tell):
        given.append(subject)
        tell("counting")
        return Chapter("easy", "Easy", ["All is well."], [Claim("c", "It is easy.", "holds")], {"images": 3})

    def hard(subject, tell):
        given.append(subject.sweep)
        raise headstart.HeadstartError("the network knows an operation that nobody knows")

    rooms = {
        "easy": SimpleNamespace(build_easy_chapter=easy, CLAIMS={}),
        "hard": SimpleNamespace(build_hard_chapter=hard, CLAIMS={"h": "It is hard."}),
    }
    monkeypatch.setattr(run_chapters, "CHAPTERS", {"easy": "easy", "hard": "hard"})
    monkeypatch.setattr(run_chapters, "import_module", lambda name: rooms[name.rpartition(".")[2]])
    return given


@pytest.fixture
def trained(image_folder, command):
    """A function that trains a run of an arm on two tiny classes; its directory and the folder of its images."""

    def train(model="scratch_cnn", *more):
        folder = image_folder(classes=2, per_class=60, size=16)
        words = [f"model={model}", "data=folder", f"data.root={folder}", "data.image_size=16", "model.epochs=1"]
        said = command(*words, "data.labels_per_class=20", *more)
        assert said.code == 0, said.err
        (result,) = said.folder.rglob(run_directory.RESULT_FILE)
        return result.parent, folder

    return train


def test_a_run_gets_a_page_and_its_numbers_and_a_part_that_fails_does_not_stop_the_others(trained, chapters, capsys):
    run, _ = trained()
    capsys.readouterr()
    assert main.run_cli(["understand", str(run)]) == 0
    said = capsys.readouterr()
    assert said.out == f"understanding: {run / 'understanding.html'}\n"
    assert "[1/2] easy: counting" in said.err and "[2/2] hard: left out: the network knows an operation" in said.err
    numbers = json.loads((run / "understanding.json").read_text())
    assert [chapter["name"] for chapter in numbers["chapters"]] == ["easy", "hard"]
    assert [c["verdict"] for chapter in numbers["chapters"] for c in chapter["claims"]] == ["holds", "not measured"]
    page = (run / "understanding.html").read_text()
    assert "All is well." in page and "an operation that nobody knows" in page
    assert f"headstart understand {run}" in page


def test_what_is_looked_at_lies_beside_the_sealed_test_part(trained):
    run, folder = trained()
    subject, cautions = build_subject(headstart.load(run), "it", run, None)
    rows = json.loads((run / run_directory.SPLIT_FILE).read_text())
    source = ImageFolder(root=str(folder), image_size=16, labels_per_class=20)
    sealed = {row["sha256"] for row in rows if row["part"] == "test"}
    looked_at = {tuple(picture.flatten().tolist()) for picture in subject.pictures}
    for i, digest in enumerate(source.catalog.digests):
        assert (tuple(source.read_pixels([i])[0].flatten().tolist()) in looked_at) == (digest not in sealed)
    assert subject.data_name == read_finished_result(run).data != ""
    assert int(subject.train_mask.sum()) == sum(row["part"] == "train" for row in rows)
    assert not cautions


def test_the_subject_is_the_trained_network_beside_itself_before_and_without_any_training(trained):
    run, _ = trained("finetune")
    model = headstart.load(run)
    subject, _ = build_subject(model, "it", run, None)
    with torch.no_grad():
        assert torch.equal(subject.network(subject.images[:4]), model(subject.pictures[:4]))
    first = [
        next(network.parameters()) for network in (subject.network, subject.pretrained_network, subject.random_network)
    ]
    assert len({tuple(p.flatten().tolist()) for p in first}) == 3
    embedded = headstart.FineTuned(spec=model.spec)
    headstart.backbones.resolve.load_weights(embedded.backbone, embedded.backbone_settings)
    assert torch.equal(first[1], next(embedded.backbone.parameters()))


def test_what_needs_no_pretraining_has_none(trained):
    run, _ = trained()
    assert build_subject(headstart.load(run), "it", run, None)[0].pretrained_network is None


def test_a_checkpoint_alone_needs_a_folder_and_says_what_it_does_not_know(
    trained, chapters, tmp_path, capsys, monkeypatch
):
    run, folder = trained()
    alone = tmp_path / "alone.ckpt"
    shutil.copy(run_directory.best_checkpoint_path(run), alone)
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    assert main.run_cli(["understand", str(alone)]) == 1
    assert "name a folder of them by --data" in capsys.readouterr().err
    assert main.run_cli(["understand", str(alone), "--data", str(folder)]) == 0
    assert "does not say which images trained it" in (tmp_path / "understanding.html").read_text()
    assert not chapters[0].train_mask.any()


def test_images_of_other_classes_are_looked_at_without_their_labels(trained, image_folder, tmp_path):
    run, _ = trained()
    others = image_folder(classes=["x", "y", "z"], per_class=30, size=20, root=tmp_path / "others")
    subject, cautions = build_subject(headstart.load(run), "it", run, others)
    assert subject.labels is None and subject.pictures.shape[1:] == (3, 16, 16)
    assert any("other classes" in caution for caution in cautions)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--only", "easi"], "there is no part 'easi'; the parts are easy, hard"),
        (["--sweep", "nowhere"], "--sweep nowhere: holds no finished run"),
        (["--data", "nowhere"], "nowhere"),
    ],
)
def test_bad_input_is_answered_in_one_line(trained, chapters, capsys, more, said):
    run, _ = trained()
    capsys.readouterr()
    assert main.run_cli(["understand", str(run), *more]) == 1
    assert said in capsys.readouterr().err.splitlines()[-1]
    assert not (run / "understanding.html").exists()


def test_too_few_images_are_refused(trained, chapters, image_folder, tmp_path, capsys):
    run, _ = trained()
    few = image_folder(classes=2, per_class=5, size=16, root=tmp_path / "few")
    assert main.run_cli(["understand", str(run), "--data", str(few)]) == 1
    assert "too few" in capsys.readouterr().err


def test_what_takes_a_sweep_is_given_its_rows(trained, chapters):
    run, _ = trained()
    assert main.run_cli(["understand", str(run), "--sweep", str(run.parent), "--only", "hard"]) == 0
    assert [row["model"] for row in chapters[-1]] == ["scratch_cnn"]


def test_a_real_page_holds_its_parts_and_the_simulation_with_the_networks_own_layers(trained, capsys):
    run, _ = trained()
    assert (
        main.run_cli(["understand", str(run), "--only", "receptive_field", "effective_field", "pooling", "width"]) == 0
    )
    assert "left out" not in capsys.readouterr().err
    page = (run / "understanding.html").read_text()
    told = json.loads((run / "understanding.json").read_text())
    assert [chapter["name"] for chapter in told["chapters"]] == [
        "pooling",
        "receptive_field",
        "effective_field",
        "width",
    ]
    assert all(chapter["numbers"] and chapter["claims"] for chapter in told["chapters"])
    assert '"title": "scratch_cnn on images, 20 labels per class, seed 0"' in page and "network.conv1" not in page
    own = json.loads(page.split('"own": ', 1)[1].split(', "measured"', 1)[0])
    assert [layer["name"] for layer in own["layers"]][:2] == ["conv1", "pool1"]


def test_the_simulation_comes_alone_with_a_network_and_without(trained, tmp_path, capsys):
    run, _ = trained()
    alone, own = tmp_path / "alone.html", tmp_path / "own.html"
    assert main.run_cli(["understand", "--simulation", str(alone)]) == 0
    assert main.run_cli(["understand", str(run), "--simulation", str(own)]) == 0
    title = "scratch_cnn on images, 20 labels per class, seed 0"
    assert title not in alone.read_text() and title in own.read_text()
    assert main.run_cli(["understand"]) == 1 and "name a run's directory" in capsys.readouterr().err


def test_a_part_that_breaks_on_a_network_says_so_and_the_others_go_on(trained, chapters, monkeypatch, capsys):
    run, _ = trained()

    def breaks(subject, tell):
        raise IndexError("list index out of range\nand more")

    room = SimpleNamespace(build_easy_chapter=breaks, CLAIMS={"e": "It is easy."})
    real = run_chapters.import_module
    monkeypatch.setattr(run_chapters, "import_module", lambda name: room if name.endswith("easy") else real(name))
    assert main.run_cli(["understand", str(run)]) == 0
    assert "left out: IndexError: list index out of range\n" in capsys.readouterr().err
    assert "It is hard." in (run / "understanding.html").read_text()


@pytest.fixture
def default_signals():
    """Signals as a shell in the foreground has them; one that runs tests in the background ignores SIGINT."""
    default = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in default.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(("by", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize(("stopped_in", "kept"), [("hard", ["easy"]), ("easy", None)])
def test_a_stopped_run_keeps_its_finished_parts_beside_an_earlier_page(
    trained, chapters, default_signals, monkeypatch, capsys, stopped_in, kept, by, code
):
    run, _ = trained()
    assert main.run_cli(["understand", str(run)]) == 0
    earlier, handler = (run / "understanding.html").read_text(), signal.getsignal(signal.SIGTERM)

    def stops(subject, tell):
        os.kill(os.getpid(), by)

    real = run_chapters.import_module
    room = SimpleNamespace(**{f"build_{stopped_in}_chapter": stops})
    monkeypatch.setattr(run_chapters, "import_module", lambda name: room if name.endswith(stopped_in) else real(name))
    capsys.readouterr()
    assert main.run_cli(["understand", str(run)]) == code and signal.getsignal(signal.SIGTERM) == handler
    said, page = capsys.readouterr(), run / "understanding.stopped.html"
    assert (run / "understanding.html").read_text() == earlier and not said.out
    assert page.exists() == (f"the finished parts are in {page}" in said.err) == bool(kept)
    if kept:
        numbers = json.loads(page.with_suffix(".json").read_text())
        assert [chapter["name"] for chapter in numbers["chapters"]] == kept
        assert "these parts are missing: hard." in numbers["cautions"][0] and "All is well." in page.read_text()
        assert numbers["cautions"][0] in page.read_text()


def test_a_page_of_all_parts_takes_the_place_of_a_stopped_one_and_a_page_of_some_does_not(trained, chapters):
    run, _ = trained()
    stopped = [run / f"understanding.stopped.{suffix}" for suffix in ("html", "json")]
    for path in stopped:
        path.touch()
    assert main.run_cli(["understand", str(run), "--only", "easy"]) == 0
    assert all(path.exists() for path in stopped)
    assert main.run_cli(["understand", str(run)]) == 0
    assert not any(path.exists() for path in stopped)


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_measured(trained, chapters, tmp_path, capsys):
    run, _ = trained()
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert main.run_cli(["understand", str(run), "--out", str(blocked)]) == 1
    assert f"--out {blocked}" in capsys.readouterr().err and not chapters


def test_a_transplanted_network_is_compared_with_no_beginning(trained):
    run, _ = trained("partial_transfer", "model.num_stages=1")
    subject, cautions = build_subject(headstart.load(run), "it", run, None)
    assert subject.pretrained_network is None and any("partly from random weights" in caution for caution in cautions)
