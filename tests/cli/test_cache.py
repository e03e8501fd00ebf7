"""`headstart cache`: lists and deletes."""

import pytest

from headstart.cli.main import run_cli
from headstart.data.feature_cache import FeatureStore, list_stores
from headstart.data.paths import cache_dir


@pytest.fixture
def filled_cache(tmp_path, monkeypatch, command, images):
    monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / "cache"))
    options = ["data=folder", f"data.root={images}", "data.image_size=16", "data.labels_per_class=4"]
    assert command("model=linear_probe", *options).code == 0


class TestCache:
    def test_lists_images_and_features(self, filled_cache, capsys):
        capsys.readouterr()
        assert run_cli(["cache", "list"]) == 0
        out = capsys.readouterr().out
        assert "decoded images" in out and "resnet18" in out and str(cache_dir()) in out

    def test_clear_leaves_nothing(self, filled_cache, capsys):
        assert run_cli(["cache", "clear"]) == 0
        assert not list(cache_dir().rglob("*.npy")) and not list(cache_dir().rglob("*.bin"))
        run_cli(["cache", "list"])
        assert "empty" in capsys.readouterr().out

    def test_clear_keeps_the_locks(self, filled_cache):
        (store,) = list_stores()
        assert run_cli(["cache", "clear"]) == 0
        assert not store.folder.exists() and store.folder.with_suffix(".lock").exists()

    def test_clear_does_not_wait_for_a_command_that_writes(self, filled_cache, capsys):
        (store,) = list_stores()
        with FeatureStore(store.folder, width=1).lock():
            assert run_cli(["cache", "clear"]) == 1
        output = capsys.readouterr()
        assert f"{store.folder}: a command writes it just now" in output.err and store.folder.exists()
        assert not (cache_dir() / "pixels").exists()

    def test_clear_names_a_folder_that_it_cannot_delete(self, tmp_path, monkeypatch, capsys):
        monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path))
        assert run_cli(["cache", "clear"]) == 0
        (tmp_path / "pixels").touch()
        assert run_cli(["cache", "clear"]) == 1
        assert f"{tmp_path / 'pixels'}: cannot be deleted" in capsys.readouterr().err

    @pytest.mark.parametrize("verb", ["list", "clear"])
    @pytest.mark.parametrize("folder", ["notes.txt", "notes.txt/cache"])
    def test_refuses_a_cache_that_is_a_file(self, tmp_path, monkeypatch, capsys, verb, folder):
        (tmp_path / "notes.txt").touch()
        monkeypatch.setenv("HEADSTART_CACHE", str(tmp_path / folder))
        assert run_cli(["cache", verb]) == 1
        assert "notes.txt: this is a file; name a folder" in capsys.readouterr().err

    def test_a_cleared_cache_changes_no_byte(self, filled_cache, command, images, tmp_path):
        run_cli(["cache", "clear"])
        options = ["data=folder", f"data.root={images}", "data.image_size=16", "data.labels_per_class=4"]
        assert command("model=linear_probe", *options, folder=tmp_path / "again").code == 0
        first, second = (next((tmp_path / name).rglob("predictions.parquet")) for name in ("work", "again"))
        assert first.read_bytes() == second.read_bytes()
