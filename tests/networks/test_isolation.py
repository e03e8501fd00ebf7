import pytest
import torch

from headstart.networks.isolation import single_threaded


@pytest.fixture
def two_threads():
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(threads)


class TestSingleThreaded:
    def test_restores_threads_and_random_stream(self, two_threads):
        state = torch.get_rng_state()
        with pytest.raises(ZeroDivisionError), single_threaded():
            assert torch.get_num_threads() == 1
            torch.rand(1)
            raise ZeroDivisionError
        assert torch.get_num_threads() == 2 and torch.equal(torch.get_rng_state(), state)
