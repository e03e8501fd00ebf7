import pytest
import torch

from headstart.networks.single_thread import single_threaded


def test_a_small_training_has_one_thread_and_leaves_threads_and_the_random_stream_as_they_were():
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    torch.set_num_threads(2)
    try:
        with pytest.raises(ZeroDivisionError), single_threaded():
            assert torch.get_num_threads() == 1
            torch.rand(1)
            raise ZeroDivisionError
        assert torch.get_num_threads() == 2 and torch.equal(torch.get_rng_state(), state)
    finally:
        torch.set_num_threads(threads)
