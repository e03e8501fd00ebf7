import torch

from headstart.understand.bootstrap import over_images
from headstart.understand.statistics import of_share


def test_the_interval_of_a_mean_holds_it_and_is_the_same_each_time():
    values = (torch.arange(200) % 10 < 7).float()
    low, high = over_images(values)
    assert low < 0.7 < high and 0.1 < high - low < 0.15
    assert over_images(values) == (low, high)


def test_where_all_images_say_the_same_the_next_may_still_differ():
    assert over_images(torch.ones(100)) == of_share(1.0, 100)[1:]
