"""Tests of headstart.data.sources."""

import inspect
import subprocess
import sys
import types

import pytest
import yaml

from headstart import data
from headstart.config.shipped import conf_dir
from headstart.data.sources import find_source_class

CONFIGS = [conf_dir() / "data" / f"{name}.yaml" for name in ("digits", "folder", "mnist")]


def arguments(constructor):
    return {name: parameter.default for name, parameter in inspect.signature(constructor).parameters.items()}


class TestFindSourceClass:
    @pytest.mark.parametrize("name", ["ImageFolder", "MNIST", "Digits"])
    @pytest.mark.parametrize("module", ["headstart", "headstart.data", "headstart.data.datamodule"])
    def test_finds_the_class_of_the_same_name(self, module, name):
        assert find_source_class(f"{module}.{name}DataModule") is getattr(data, name)

    @pytest.mark.parametrize("target", ["headstart.data.ImageFolder", "Module", "nowhere.XDataModule", "os.DataModule"])
    def test_other_names_have_none(self, target):
        assert find_source_class(target) is None

    def test_finds_a_users_own_source(self, monkeypatch):
        mine = types.ModuleType("mine_of_test_sources")
        mine.Shapes = type("Shapes", (data.ImageFolder,), {})
        monkeypatch.setitem(sys.modules, mine.__name__, mine)
        assert find_source_class(f"{mine.__name__}.ShapesDataModule") is mine.Shapes

    def test_imports_no_torch(self):
        targets = [yaml.safe_load(path.read_text())["_target_"] for path in CONFIGS]
        code = (
            "import sys; from headstart.data.sources import find_source_class;"
            f"sys.exit(not all(map(find_source_class, {targets})) or 'torch' in sys.modules)"
        )
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_a_module_its_source_and_its_yaml_have_the_same_keys(config):
    keys = yaml.safe_load(config.read_text())
    keys.pop("defaults", None)
    target = keys.pop("_target_")
    module = arguments(getattr(data, target.removeprefix("headstart.data.")))
    assert module == arguments(find_source_class(target))
    assert list(module) == list(keys)
    others = {"seed"} | {key for key, value in keys.items() if value == "auto"}  # a command has what they stand for
    assert {k: v for k, v in keys.items() if k not in others} == {k: v for k, v in module.items() if k not in others}
