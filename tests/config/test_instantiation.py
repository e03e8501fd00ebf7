"""Objects from configuration: what is resolved is data."""

import pytest
from omegaconf import MissingMandatoryValue, OmegaConf

from headstart.config.instantiation import build_object
from headstart.image_spec import ImageSpec
from headstart.process import format_error

SPEC = {"_target_": "headstart.image_spec.ImageSpec", "shape": [3, 8, 8], "mean": [0.5], "std": [0.25], "mirror": True}


class TestBuild:
    def test_resolved_strings_are_not_read_again(self):
        cfg = OmegaConf.create({"seed": 3, "data": {"_target_": "builtins.dict", "root": "\\${x}", "seed": "${seed}"}})
        assert build_object(cfg.data, "data", classes=("???", "${oops}")) == {
            "root": "${x}", "seed": 3, "classes": ("???", "${oops}")
        }  # fmt: skip

    def test_plain_settings_of_a_run_are_taken_as_they_are(self):
        assert build_object({"_target_": "builtins.dict", "root": "${x}"}, "data") == {"root": "${x}"}

    def test_further_arguments_reach_the_constructor_as_they_are(self):
        names = ("???", "${oops}")
        made = build_object(OmegaConf.create(SPEC), "spec", classes=names, labels_per_class=5)
        assert isinstance(made, ImageSpec) and made.classes is names and made.shape == [3, 8, 8]

    def test_an_object_within_is_built_too(self):
        inner = {"_target_": "builtins.dict", "a": 1}
        assert build_object({"_target_": "builtins.dict", "b": [inner]}, "data") == {"b": [{"a": 1}]}

    def test_a_wrong_argument_is_named_with_its_place(self):
        with pytest.raises(Exception) as caught:
            build_object(OmegaConf.create(SPEC | {"shapes": 1}), "model")
        assert format_error(caught.value).startswith(
            "model: ImageSpec refuses its settings"
        ) and "'shapes'" in format_error(caught.value)

    def test_a_value_that_must_be_given_is_asked_for(self):
        with pytest.raises(MissingMandatoryValue, match=r"data\.root"):
            build_object(OmegaConf.create({"data": {"_target_": "builtins.dict", "root": "???"}}).data, "data")
