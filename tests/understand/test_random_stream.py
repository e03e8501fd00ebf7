import pytest
import torch

from headstart.understand.run_chapters import build_chapters


@pytest.mark.parametrize("name", ["convolution", "why_convolutions", "receptive_field", "width"])
def test_a_chapter_leaves_the_shared_random_stream_where_it_was(subject, name):
    before = torch.get_rng_state()
    build_chapters(subject, [name])
    assert torch.equal(torch.get_rng_state(), before)
