import dataclasses

import torch

from headstart.understand.unseen import unseen


def test_images_are_evenly_taken_from_those_not_trained_on_or_from_all_where_there_are_none(subject):
    assert unseen(subject, 3).tolist() == [30, 44, 59]
    assert unseen(subject, 100).tolist() == list(range(30, 60))
    trained = dataclasses.replace(subject, trained_on=torch.ones(60, dtype=torch.bool))
    assert unseen(trained, 2).tolist() == [0, 59]
