"""Commands as processes: every failure is one line."""

import errno
import os
import signal
import threading
import time

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from headstart.errors import HeadstartError
from headstart.process import TimeLimitReached, format_error, limit_time, raise_on_sigterm, run_command
from headstart.runs.checkpoint import resolve_checkpoint


def refuse_directory():
    raise HeadstartError("no directory without a name; give one")


class TestFormatError:
    def test_finds_an_error_below_a_constructor(self, tmp_path):
        target = f"{resolve_checkpoint.__module__}.{resolve_checkpoint.__qualname__}"
        with pytest.raises(Exception) as caught:
            instantiate({"_target_": target, "path": str(tmp_path / "gone")})
        assert not isinstance(caught.value, HeadstartError)
        assert format_error(caught.value).startswith(f"{tmp_path}/gone: there is no such file")

    def test_finds_an_error_below_an_interpolation(self):
        OmegaConf.register_new_resolver("refuse", refuse_directory, replace=True)
        try:
            with pytest.raises(Exception) as caught:
                OmegaConf.select(OmegaConf.create({"x": "${refuse:}"}), "x")
        finally:
            OmegaConf.clear_resolver("refuse")
        assert format_error(caught.value) == "no directory without a name; give one"

    def test_names_the_place_of_a_wrong_argument(self):
        config = OmegaConf.create({"model": {"_target_": "headstart.image_spec.ImageSpec", "shapes": 1}})
        with pytest.raises(Exception) as caught:
            instantiate(config.model)
        line = format_error(caught.value)
        assert line.startswith("model: TypeError: ") and "'shapes'" in line and "\n" not in line

    @pytest.mark.parametrize(
        ("error", "line"),
        [
            (PermissionError(errno.EACCES, "Permission denied", "/runs/x"), "/runs/x: Permission denied"),
            (OSError(errno.ENOSPC, "No space left on device"), "the disk is full; make room"),
            (MemoryError(), "out of memory; a smaller data.batch_size"),
            (ValueError("a\nb"), "ValueError: a b; HYDRA_FULL_ERROR=1 shows where"),
        ],
    )
    def test_names_the_thing_of_other_errors(self, error, line):
        assert format_error(error).startswith(line)


class TestRunCommand:
    def test_prints_nothing_on_success(self, capsys):
        assert run_command("program", lambda: 3) == 3
        assert capsys.readouterr() == ("", "")


class TestLimitTime:
    def test_ends_a_wait_when_time_is_up(self):
        before = signal.getsignal(signal.SIGALRM)
        with pytest.raises(TimeLimitReached), limit_time(0.0):
            assert threading.Event().wait(600)
        assert signal.getsignal(signal.SIGALRM) == before

    def test_ends_nothing_before(self):
        with limit_time(time.time() + 600):
            assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
        assert signal.getitimer(signal.ITIMER_REAL)[0] == 0

    def test_without_a_limit_starts_no_timer(self):
        with limit_time(None):
            assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


class TestRaiseOnSigterm:
    def test_leaves_an_ignored_signal_ignored(self):
        before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
        try:
            with raise_on_sigterm():
                os.kill(os.getpid(), signal.SIGTERM)
            assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
        finally:
            signal.signal(signal.SIGTERM, before)
