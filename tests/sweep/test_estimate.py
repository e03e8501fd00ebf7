"""About how long, before anything was measured."""

import pytest

from headstart.config.compose import compose_command
from headstart.errors import HeadstartError
from headstart.models.recipe import epochs_for
from headstart.sweep.estimate import estimate_seconds


def about(*words, images=100, labels=10, size=32):
    return estimate_seconds(compose_command(list(words)).config, images, labels, size)


def test_more_images_and_larger_ones_take_longer():
    assert about("model=finetune") < about("model=finetune", images=200) < about("model=finetune", images=200, size=64)


def test_orders_small_cnn_frozen_and_trained_backbone_by_cost():
    few = "model.epochs=50"
    assert about("model=scratch_cnn", few) < about("model=frozen", few) < about("model=finetune", few)


def test_alexnet_takes_longer_than_the_small_networks_of_the_arc():
    few = "model.epochs=50"
    assert 2 * about("model=lenet", few) < about("model=alexnet", few) < 3 * about("model=plain_resnet", few)


def test_a_typed_length_counts():
    assert about("model=finetune", "trainer.max_epochs=1") < about("model=finetune", "trainer.max_epochs=50")


def test_the_table_is_read_as_the_models_read_it():
    assert [epochs_for({5: 9, 20: 3}, k) for k in (1, 5, 19, 20, 999)] == [9, 9, 9, 3, 3]


@pytest.mark.parametrize("epochs", ["many", 1.5, 0, {}, {"five": 1}, {5: 100, 20: 0}])
def test_a_length_that_is_none_is_named(epochs):
    with pytest.raises(HeadstartError, match=r"model\.epochs=.*: give a whole number of 1 or more, or a table"):
        epochs_for(epochs, 5)


@pytest.mark.parametrize("typed", ["0", "-1", "1.5", "many", "true"])
def test_a_typed_length_that_is_none_is_named(typed):
    with pytest.raises(HeadstartError, match=rf"(?i)trainer\.max_epochs={typed}: give a whole number"):
        about("model=finetune", f"trainer.max_epochs={typed}")
