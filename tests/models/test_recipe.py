"""The recipe: one set of fields for constructors, hyperparameters and defaults."""

from dataclasses import fields
from typing import Unpack

import pytest

import headstart
from headstart.constructors import constructor_arguments
from headstart.errors import HeadstartError
from headstart.models import Classifier, FineTuned, Frozen, ScratchCNN
from headstart.models.recipe import Recipe, RecipeArguments, epochs_for

RECIPE_NAMES = ["epochs", "weight_decay", "label_smoothing", "augment"]


class NarrowCNN(ScratchCNN):
    """Sets an argument of its parent itself."""

    def __init__(self, spec, **recipe: Unpack[RecipeArguments]):
        super().__init__(spec, lr=1e-4, **recipe)


class OpenCNN(ScratchCNN):
    def __init__(self, spec, **settings):
        super().__init__(spec, **settings)


class TestRecipe:
    def test_has_the_fields_of_the_arguments(self):
        assert [field.name for field in fields(Recipe)] == RECIPE_NAMES == list(RecipeArguments.__annotations__)

    def test_defaults_are_those_of_the_class(self, spec):
        assert (Frozen(spec).epochs, Frozen(spec).weight_decay) == (60, 1e-2)
        assert (FineTuned(spec).epochs, FineTuned(spec, weight_decay=0).weight_decay) == (60, 0.0)

    def test_defaults_are_stored_in_hyperparameters(self, spec):
        assert {name: ScratchCNN(spec, epochs=3).hparams[name] for name in RECIPE_NAMES} == {
            "epochs": 3,
            "weight_decay": 1e-2,
            "label_smoothing": 0.0,
            "augment": "auto",
        }

    def test_rejects_label_smoothing_beyond_1(self):
        assert Recipe(label_smoothing=1).label_smoothing == 1
        with pytest.raises(HeadstartError, match=r"model\.label_smoothing=1\.5: give a share of 0 to 1"):
            Recipe(label_smoothing=1.5)

    @pytest.mark.parametrize("epochs", [True, 1.5, {5: 1.9}, {5: True}, {5.5: 10}])
    def test_rejects_epochs_that_are_not_whole_numbers(self, epochs):
        with pytest.raises(HeadstartError, match=r"model\.epochs=.*: give a whole number"):
            epochs_for(epochs, labels_per_class=5)


class TestConstructorArguments:
    def test_include_the_keys_of_a_typed_dictionary(self):
        assert constructor_arguments(Classifier) == ["spec", *RECIPE_NAMES]
        assert constructor_arguments(NarrowCNN) == ["spec", *RECIPE_NAMES]

    def test_are_none_where_any_keyword_is_taken(self):
        assert constructor_arguments(OpenCNN) is None


class TestSubclass:
    def test_loads_where_it_sets_a_parents_argument(self, spec, fitted, tmp_path):
        for cls in (NarrowCNN, OpenCNN):
            fitted(cls(spec, epochs=1, label_smoothing=0.1)).save_checkpoint(tmp_path / "model.ckpt", weights_only=True)
            model = headstart.load(tmp_path / "model.ckpt")
            assert type(model) is cls and model.label_smoothing == 0.1
