"""The image sources of a command's configurations."""

import shutil

import pytest
from omegaconf import OmegaConf

from headstart.config.data_module import clear_source_cache, load_source


class TestLoadSource:
    @pytest.fixture
    def load(self, images):
        clear_source_cache()

        def load(**settings):
            target = "headstart.data.ImageFolderDataModule"
            return load_source(OmegaConf.create({"data": {"_target_": target, "root": str(images), **settings}}))

        return load

    def test_sources_of_a_folder_list_its_files_once(self, load, images):
        assert len(load(seed=0).catalog.names) == 36
        shutil.copy(images / "class0" / "0.png", images / "class0" / "new.png")
        assert load(seed=1).catalog.names == load(labels_per_class=5).catalog.names == load(seed=0).catalog.names

    def test_next_command_lists_the_files_again(self, load, images):
        assert len(load().catalog.names) == 36
        shutil.copy(images / "class0" / "0.png", images / "class0" / "new.png")
        clear_source_cache()
        assert len(load().catalog.names) == 37
