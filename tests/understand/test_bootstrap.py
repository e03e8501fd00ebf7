import torch

from headstart.understand.bootstrap import bootstrap_interval
from headstart.understand.statistics import wilson_interval


def test_the_interval_of_a_mean_holds_it_and_is_the_same_each_time():
    values = (torch.arange(200) % 10 < 7).float()
    low, high = bootstrap_interval(values)
    assert low < 0.7 < high and 0.1 < high - low < 0.15
    assert bootstrap_interval(values) == (low, high)


def test_where_all_images_say_the_same_the_next_may_still_differ():
    assert bootstrap_interval(torch.ones(100)) == wilson_interval(1.0, 100)[1:]
