"""A console command in a process that was left in an odd state: its locale, streams, settings and signals."""

import ast
import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import headstart
from headstart.files import write_atomically, write_text
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
def odd_process(image_folder, tmp_path):
    """Trains on two classes, and predicts, in the C locale, with settings that no command can use."""
    root = image_folder(classes=["Käse", "猫"], per_class=8, size=8, root=tmp_path / "Bilder ä")
    odd = {
        **C_LOCALE,
        "PYTHONPATH": str(PACKAGE.parent),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYTHONWARNINGS": "error",
    }
    words = [sys.executable, "-c", COMMANDS, str(root)]
    return subprocess.run(
        words, env={**os.environ, **odd}, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )


class TestConsoleCommands:
    def test_locale_and_settings_change_nothing(self, odd_process, tmp_path):
        out, err = odd_process.stdout.decode("ascii"), odd_process.stderr.decode("ascii")
        assert out.count("ended with 0") == 3 and out.count("ended with") == 3, out + err
        assert "done before, nothing trained" in out and "\\u732b" in out and "Warning" not in err
        result = json.loads((tmp_path / "run" / run_directory.RESULT_FILE).read_text(encoding="utf-8"))
        assert result["classes"] == ["Käse", "猫"] and result["data"] == "Bilder ä"
        assert f"'data.root={tmp_path}/Bilder ä'".replace("'", "") in result["command"].replace("'", "").replace(
            '"', ""
        )

    def test_closed_streams_are_opened(self):
        work = "import os, sys; from headstart.process import prepare_process; prepare_process(); print('x', 'é');"
        work += "sys.exit(any(stream is None for stream in (sys.stdin, sys.stdout, sys.stderr)) or os.open('/', 0) < 3)"
        script = f'exec "{sys.executable}" -c "{work}" <&- >&- 2>&-'
        assert subprocess.run(["sh", "-c", script], check=False).returncode == 0

    def test_a_full_disk_behind_the_output_is_one_line(self, tmp_path):
        full = Path("/dev/full")
        if not full.exists():
            pytest.skip("no /dev/full")
        with full.open("w") as out:
            words = [sys.executable, "-c", "from headstart.cli.main import run; exit(run(['audit', '.']))"]
            told = subprocess.run(words, cwd=tmp_path, stdout=out, stderr=subprocess.PIPE, check=False, text=True)
        assert told.returncode == 1 and told.stderr.count("\n") == 1


class TestImport:
    def test_importing_the_package_leaves_the_backend_alone(self):
        work = "import os, headstart, headstart.cli.main, headstart.train; print(os.environ['MPLBACKEND'])"
        told = subprocess.run(
            [sys.executable, "-c", work], env={**os.environ, "MPLBACKEND": "mine"}, capture_output=True, check=True
        )
        assert told.stdout == b"mine\n"


class TestTextFiles:
    def test_every_one_is_read_and_written_as_utf_8(self):
        """Each call of read_text, write_text, open, … says its encoding, or is binary."""
        silent = []
        for path in PACKAGE.rglob("*.py"):
            for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(call, ast.Call) and _is_text_file(call):
                    silent.append(f"{path.name}:{call.lineno}")
        assert not silent


def _is_text_file(call: ast.Call) -> bool:
    called = call.func
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    owner = getattr(getattr(called, "value", None), "id", "")
    modes = [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    if name not in {"read_text", "write_text", "open", "fdopen", "to_csv"} or owner in {"runs", "os", "Image"}:
        return False
    if isinstance(called, ast.Name) and name != "open":  # a function of ours
        return False
    return not any("b" in mode for mode in modes) and not any(key.arg == "encoding" for key in call.keywords)


class TestWholeFile:
    @pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
    def test_a_file_has_the_mode_of_the_umask(self, tmp_path, umask, mode):
        before = os.umask(umask)
        try:
            write_text(tmp_path / "x", "text")
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == mode

    def test_a_failed_write_leaves_what_was_there_and_nothing_else(self, tmp_path):
        (tmp_path / "x").write_text("old")
        with pytest.raises(OSError, match="full"), write_atomically(tmp_path / "x") as scratch:
            scratch.write_text("half")
            raise OSError("full")
        assert [path.name for path in tmp_path.iterdir()] == ["x"] and (tmp_path / "x").read_text() == "old"

    def test_a_link_stays_a_link(self, tmp_path):
        (tmp_path / "link").symlink_to(tmp_path / "x")
        write_text(tmp_path / "link", "new")
        assert (tmp_path / "link").is_symlink() and (tmp_path / "x").read_text() == "new"

    def test_a_device_is_refused(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(headstart.HeadstartError, match="no file that can be replaced"):
            write_text(tmp_path / "pipe", "text")

    def test_a_folder_that_is_not_there_is_named(self, tmp_path):
        with pytest.raises(headstart.HeadstartError, match=r"gone/x: there is no folder .*gone; make it"):
            write_text(tmp_path / "gone" / "x", "text")


class TestTerminable:
    def test_an_ignored_signal_stays_ignored(self):
        from headstart.process import raise_on_sigterm

        before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
        try:
            with raise_on_sigterm():
                os.kill(os.getpid(), signal.SIGTERM)
            assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
        finally:
            signal.signal(signal.SIGTERM, before)
