"""Console commands in unusual processes: C locale, closed streams, settings of a notebook."""

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import headstart
from headstart.runs import run_directory

PACKAGE = Path(headstart.__file__).parent
C_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
COMMANDS = """
import sys
from headstart import train
from headstart.cli import main as cli

def call(main, *words):
    sys.argv = list(words)
    try:
        main()
    except SystemExit as end:
        print(words[0], "ended with", end.code, flush=True)

root = sys.argv[1]
words = ["headstart-train", "model=scratch_cnn", "data=folder", f"data.root={root}", "data.image_size=8"]
call(train.main, *words, "trainer.max_epochs=1", "hydra.run.dir=run")
call(train.main, *words, "trainer.max_epochs=1", "hydra.run.dir=run")
call(cli.main, "headstart", "predict", "run", root)
"""


@pytest.fixture
def unusual_process(image_folder, tmp_path):
    """Trains on two classes, then predicts, in the C locale and with settings that no command can use."""
    root = image_folder(classes=["Käse", "猫"], per_class=8, size=8, root=tmp_path / "Bilder ä")
    settings = {
        **C_LOCALE,
        "PYTHONPATH": str(PACKAGE.parent),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYTHONWARNINGS": "error",
    }
    words = [sys.executable, "-c", COMMANDS, str(root)]
    return subprocess.run(
        words, env={**os.environ, **settings}, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )


class TestConsoleCommands:
    def test_locale_and_settings_change_nothing(self, unusual_process, tmp_path):
        out, err = unusual_process.stdout.decode("ascii"), unusual_process.stderr.decode("ascii")
        assert out.count("ended with 0") == 3 and out.count("ended with") == 3, out + err
        assert "done before, nothing trained" in out and "\\u732b" in out and "Warning" not in err
        result = json.loads((tmp_path / "run" / run_directory.RESULT_FILE).read_text(encoding="utf-8"))
        assert result["classes"] == ["Käse", "猫"] and result["data"] == "Bilder ä"
        assert f"data.root={tmp_path}/Bilder ä" in re.sub("['\"]", "", result["command"])

    def test_closed_streams_are_opened(self):
        code = "import os, sys; from headstart.process import prepare_process; prepare_process(); print('x', 'é');"
        code += "sys.exit(any(stream is None for stream in (sys.stdin, sys.stdout, sys.stderr)) or os.open('/', 0) < 3)"
        script = f'exec "{sys.executable}" -c "{code}" <&- >&- 2>&-'
        assert subprocess.run(["sh", "-c", script], check=False).returncode == 0

    def test_output_to_a_full_disk_ends_in_one_line(self, tmp_path):
        full = Path("/dev/full")
        if not full.exists():
            pytest.skip("no /dev/full")
        with full.open("w") as out:
            words = [sys.executable, "-c", "from headstart.cli.main import run_cli; exit(run_cli(['audit', '.']))"]
            done = subprocess.run(words, cwd=tmp_path, stdout=out, stderr=subprocess.PIPE, check=False, text=True)
        assert done.returncode == 1 and done.stderr.count("\n") == 1

    def test_a_missing_class_is_one_line(self, tmp_path):
        words = [sys.executable, "-m", "headstart.train", "data=digits", "data._target_=gone.XDataModule"]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, check=False, text=True)
        assert done.returncode == 1 and done.stderr.count("\n") == 1 and "gone.XDataModule" in done.stderr


class TestImport:
    def test_leaves_the_backend_of_matplotlib_alone(self):
        code = "import os, headstart, headstart.cli.main, headstart.train; print(os.environ['MPLBACKEND'])"
        environment = {**os.environ, "MPLBACKEND": "mine"}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
        assert done.stdout == b"mine\n"


def opens_text_without_encoding(call: ast.Call) -> bool:
    called = call.func
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    owner = getattr(getattr(called, "value", None), "id", "")
    modes = [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    if name not in {"read_text", "write_text", "open", "fdopen", "to_csv"} or owner in {
        "files",
        "run_directory",
        "os",
        "Image",
    }:
        return False
    if isinstance(called, ast.Name) and name != "open":  # a function of ours
        return False
    return not any("b" in mode for mode in modes) and not any(key.arg == "encoding" for key in call.keywords)


class TestTextFiles:
    def test_each_call_names_its_encoding(self):
        """read_text, write_text, open, … have an ``encoding``, or are binary."""
        calls = []
        for path in PACKAGE.rglob("*.py"):
            for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(call, ast.Call) and opens_text_without_encoding(call):
                    calls.append(f"{path.name}:{call.lineno}")
        assert not calls
