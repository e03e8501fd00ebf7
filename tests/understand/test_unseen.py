import dataclasses

import torch

from headstart.understand.unseen import held_out_indices


def test_images_are_evenly_taken_from_those_not_trained_on_or_from_all_where_there_are_none(subject):
    assert held_out_indices(subject, 3).tolist() == [30, 44, 59]
    assert held_out_indices(subject, 100).tolist() == list(range(30, 60))
    trained = dataclasses.replace(subject, train_mask=torch.ones(60, dtype=torch.bool))
    assert held_out_indices(trained, 2).tolist() == [0, 59]
