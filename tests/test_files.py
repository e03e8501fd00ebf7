"""Files are written whole or not at all."""

import os
import stat

import pytest

from headstart.errors import HeadstartError
from headstart.files import write_atomically, write_text


class TestWriteAtomically:
    def test_a_failed_write_leaves_the_old_file_alone(self, tmp_path):
        (tmp_path / "x").write_text("old")
        with pytest.raises(OSError, match="full"), write_atomically(tmp_path / "x") as scratch:
            scratch.write_text("half")
            raise OSError("full")
        assert [path.name for path in tmp_path.iterdir()] == ["x"] and (tmp_path / "x").read_text() == "old"


class TestWriteText:
    @pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
    def test_mode_follows_the_umask(self, tmp_path, umask, mode):
        before = os.umask(umask)
        try:
            write_text(tmp_path / "x", "text")
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == mode

    def test_keeps_a_link(self, tmp_path):
        (tmp_path / "link").symlink_to(tmp_path / "x")
        write_text(tmp_path / "link", "new")
        assert (tmp_path / "link").is_symlink() and (tmp_path / "x").read_text() == "new"

    def test_rejects_a_device(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(HeadstartError, match="no file that can be replaced"):
            write_text(tmp_path / "pipe", "text")

    def test_names_a_missing_folder(self, tmp_path):
        with pytest.raises(HeadstartError, match=r"gone/x: there is no folder .*gone; make it"):
            write_text(tmp_path / "gone" / "x", "text")
