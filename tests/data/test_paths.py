"""A folder that a person named is found, or what is wrong with its name is said in one line."""

import pytest

from headstart.data.paths import resolve_root
from headstart.errors import HeadstartError


def refusal(root):
    with pytest.raises(HeadstartError) as caught:
        resolve_root(root)
    assert "\n" not in str(caught.value) and str(caught.value).startswith(f"data.root={root}: ")
    return str(caught.value)


def test_a_folder_is_found_as_it_is_typed(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "josé=é (1)").mkdir()
    assert resolve_root("~/josé=é (1)") == resolve_root(tmp_path / "josé=é (1)") == tmp_path / "josé=é (1)"


def test_suggests_the_closest_name_for_the_first_missing_folder(tmp_path):
    (tmp_path / "photos").mkdir()
    assert refusal(str(tmp_path / "fotos" / "2024")).endswith(f"did you mean {tmp_path / 'photos'}?")
    assert refusal(str(tmp_path / "xyz")).endswith(f"{tmp_path} is there, but no xyz in it")


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").touch()
    assert "this is a file" in refusal(str(tmp_path / "file"))
    assert "there is no such folder" in refusal(str(tmp_path / "file" / "below"))


def test_a_name_that_the_system_refuses_is_one_line_too():
    assert "this folder cannot be reached" in refusal("x" * 300)


def test_the_home_of_nobody_is_no_folder():
    assert "there is no such folder" in refusal("~nobody-of-that-name/photos")


def test_a_link_in_a_circle_is_named_as_one(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert "a link that leads nowhere, or in a circle" in refusal(str(tmp_path / "loop"))
