"""Names of classes, files and folders: different names stay different, and each is restored exactly."""

import csv
import io
import json
import os
import unicodedata
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import Environment

from headstart.cli import main
from headstart.config.data_module import build_source
from headstart.file_names import decode_name, encode_name, expand_home, quote_for_shell
from headstart.files import write_json, write_text
from headstart.reporting import html
from headstart.runs import run_directory
from headstart.runs.predictions import read_predictions, read_thumbnails, write_predictions, write_thumbnails

LATIN_1 = ["caf\udce9", "caf\udce8"]  # as Python gives b"caf\xe9" and b"caf\xe8"
UNUSUAL = [
    *LATIN_1,
    "\\xe9",
    "???",
    "${oops}",
    "é",
    unicodedata.normalize("NFD", "é"),
    '=1+1,"',
    " nan",
    "NULL",
    "007",
    "a\r\nb\t",
    "a\rb %",
    "<script>alert(1)<!--&amp;",
    "{0}%s$x$\\",
    "\u202eevil\x1b[2J",
    "🐱" * 63,
]
names = st.one_of(
    st.sampled_from([os.fsencode(name) for name in UNUSUAL]),
    st.binary(min_size=1, max_size=60),
    st.text(st.sampled_from("\\x5cef89é\r\n ,\"'<&${}%=?"), min_size=1, max_size=12).map(str.encode),
).filter(lambda raw: not {0, ord("/")} & set(raw) and raw not in (b".", b".."))


class PageText(HTMLParser):
    """The texts of a page and the titles of its elements, as a browser reads them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.feed(page.replace("\r\n", "\n").replace("\r", "\n"))
        self.close()

    def handle_data(self, data):
        self.texts.append(data)

    def handle_starttag(self, tag, attributes):
        self.texts += [value for key, value in attributes if key == "title"]


class TestEncodeName:
    @given(st.lists(names, min_size=2, unique=True))
    def test_decode_restores_different_names(self, raw):
        typed_names = [os.fsdecode(name) for name in raw]
        written = [encode_name(name) for name in typed_names]
        assert len(set(written)) == len(written)
        assert [decode_name(text) for text in written] == typed_names
        assert all(text.encode().decode() == text for text in written)

    @pytest.mark.parametrize("name", ["café", "a\\b", "\\x1b", "\\xzz", "猫", "a\nb", "%5c", "\\"])
    def test_leaves_utf_8_unchanged(self, name):
        assert encode_name(name) == name

    @pytest.mark.parametrize(
        ("raw", "text"),
        [(b"caf\xe9", "caf\\xe9"), (b"\\xe9", "\\x5cxe9"), (b"\\x5c", "\\x5cx5c"), (b"\\\xe9", "\\\\xe9")],
    )
    def test_writes_other_bytes_in_hexadecimal(self, raw, text):
        assert encode_name(os.fsdecode(raw)) == text
        assert os.fsencode(decode_name(text)) == raw


class TestFiles:
    @settings(max_examples=12)
    @given(st.lists(names, min_size=2, max_size=6, unique=True))
    def test_each_format_restores_names(self, tmp_path_factory, raw):
        folder = tmp_path_factory.mktemp("run")
        texts = [encode_name(os.fsdecode(name)) for name in raw]
        n = len(texts)
        write_json(folder / run_directory.SPLIT_FILE, texts)
        assert json.loads((folder / run_directory.SPLIT_FILE).read_text(encoding="utf-8")) == texts
        write_predictions(folder, texts, np.zeros(n, np.int64), np.ones((n, 1), np.float32))
        assert read_predictions(folder).images == texts
        write_thumbnails(folder, texts, [b""] * n)
        assert list(read_thumbnails(folder)) == texts
        template = Environment(autoescape=True).from_string("{% for name in names %}<p>{{ name }}</p>{% endfor %}")
        write_text(folder / "page.html", template.render(names=map(html.shorten_name, texts)))
        with (folder / "page.html").open(encoding="utf-8", newline="") as page:
            page_texts = PageText(page.read()).texts
        assert set(texts) <= set(page_texts)

    def test_a_result_may_hold_a_lone_surrogate(self, tmp_path):
        write_json(tmp_path / "result.json", {"error": "caf\udce9: cannot be read"})
        assert json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))["error"][3] == "\udce9"


class TestTraining:
    @pytest.fixture
    def trained(self, image_folder, command, tmp_path):
        root = tmp_path / "=1+1,\"${x}' caf\udce9\r 5 %"
        image_folder(classes=UNUSUAL, per_class=4, size=8, root=root)
        done = command("model=scratch_cnn", "data=folder", f"data.root={root}", "data.image_size=8",
                       "trainer.max_epochs=1", "hydra.run.dir=run")  # fmt: skip
        assert done.code == 0, done.err
        return root, done.folder / "run"

    def test_unusual_names_are_restored_everywhere(self, trained, capsys):
        root, run = trained
        expected = sorted(map(encode_name, UNUSUAL))
        result = json.loads((run / run_directory.RESULT_FILE).read_text(encoding="utf-8"))
        rows = json.loads((run / run_directory.SPLIT_FILE).read_text(encoding="utf-8"))
        assert result["classes"] == expected and result["data"] == encode_name(root.name)
        assert sorted({row["class"] for row in rows}) == expected
        files = {decode_name(row["image"]) for row in rows}
        assert files == {f"{name}/{i}.png" for name in UNUSUAL for i in range(4)}
        tested = [row["image"] for row in rows if row["part"] == "test"]
        assert read_predictions(run).images == tested
        photos = [str(root / decode_name(name)) for name in tested]
        capsys.readouterr()
        assert main.run_cli(["predict", str(run), *photos, "--json"]) == 0
        answers = json.loads(capsys.readouterr().out)
        assert [decode_name(answer["image"]) for answer in answers] == photos
        assert all(list(answer["probabilities"]) == expected for answer in answers)
        assert main.run_cli(["audit", str(root), "--json"]) == 0
        audit = json.loads(capsys.readouterr().out)
        assert sorted(audit["classes"]) == expected and audit["name"] == encode_name(root.name)
        assert main.run_cli(["predict", str(run), *photos]) == 0 and main.run_cli(["audit", str(root)]) == 0
        assert main.run_cli(["report", str(run)]) == 0
        report = json.loads((run / "report.json").read_text(encoding="utf-8"))
        assert report["data"][0]["classes"] == expected and report["data"][0]["name"] == encode_name(root.name)
        with (run / "report.csv").open(encoding="utf-8", newline="") as file:
            (row,) = csv.DictReader(file)
        assert row["data"] == encode_name(root.name) and row["command"] == result["command"]
        with (run / "report.html").open(encoding="utf-8", newline="") as page:
            page_texts = set(PageText(page.read()).texts)
        assert {*expected, encode_name(root.name), result["command"]} <= page_texts
        source = build_source(run_directory.read_config(run)["data"])  # what headstart understand looks at
        assert source.root == str(root) and list(source.catalog.classes) == expected


class TestReport:
    @given(st.lists(names, min_size=1, max_size=4, unique=True))
    def test_csv_restores_names(self, raw):
        from headstart.compare.report.content import to_csv

        texts = [encode_name(os.fsdecode(name)) for name in raw]
        rows = csv.DictReader(io.StringIO(to_csv([{"data": text} for text in texts]), newline=""))
        assert [row["data"] for row in rows] == texts


class TestExpandHome:
    @pytest.mark.parametrize("name", ["~", "~nobody-of-that-name", "~x.png"])
    def test_prefers_a_file_of_that_name(self, name, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / name).touch()
        assert str(expand_home(name)) == name

    def test_replaces_a_leading_tilde(self, monkeypatch):
        monkeypatch.setenv("HOME", "/home/of")
        assert str(expand_home("~/x")) == "/home/of/x"
        assert str(expand_home("~nobody-of-that-name/x")) == "~nobody-of-that-name/x"


class TestQuoteForShell:
    @given(names)
    def test_bash_restores_the_word(self, raw):
        word = quote_for_shell(os.fsdecode(raw))
        assert word.encode().decode() == word
        if raw.isascii():
            import shlex

            assert shlex.split(word) == [raw.decode()]

    def test_quotes_bytes_that_are_not_utf_8(self):
        assert quote_for_shell("it's caf\udce9\\") == "$'it\\'s caf\\xe9\\\\'"
