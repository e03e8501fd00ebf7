"""The configuration of a run is read back as it was, and chooses nothing to import."""

import pytest
from omegaconf import OmegaConf

from headstart.config.run_config import load_run_config
from headstart.errors import HeadstartError
from headstart.files import write_text
from headstart.runs.run_directory import CONFIG_FILE


def write_config(directory, values):
    write_text(directory / CONFIG_FILE, OmegaConf.to_yaml(OmegaConf.create(values), resolve=True))
    return directory


class TestLoadRunConfig:
    def test_is_what_was_resolved(self, tmp_path):
        values = {"seed": 3, "model": {"_target_": "headstart.models.Frozen", "epochs": {5: 10}, "layers": [1, None]}}
        config = load_run_config(write_config(tmp_path, values))
        assert OmegaConf.to_container(config, resolve=True) == values

    def test_takes_a_folder_with_the_name_of_an_interpolation(self, tmp_path):
        config = load_run_config(write_config(tmp_path, {"data": {"root": r"\${x}", "names": ["\\${seed}"]}}))
        assert OmegaConf.to_container(config, resolve=True) == {"data": {"root": "${x}", "names": ["${seed}"]}}

    def test_takes_the_modules_that_a_user_names(self, tmp_path):
        directory = write_config(tmp_path, {"trainer": {"callbacks": [{"_target_": "os.system", "command": "true"}]}})
        with pytest.raises(HeadstartError, match=r"names os\.system; if you trust that module, add --import os"):
            load_run_config(directory)
        assert load_run_config(directory, modules=["os"]).trainer.callbacks[0].command == "true"

    def test_names_a_missing_file(self, tmp_path):
        with pytest.raises(HeadstartError, match="there is no configuration to read"):
            load_run_config(tmp_path)
