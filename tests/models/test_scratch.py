"""The arms without pretraining."""

import pytest
import torch
from torch import nn

from headstart.errors import HeadstartError
from headstart.image_spec import ImageSpec
from headstart.models import FineTuned, ScratchBackbone, ScratchCNN
from headstart.models.networks.simple_cnn import ConvolutionalNetwork, build_pool

MNIST = ImageSpec((1, 28, 28), tuple("0123456789"), (0.13,), (0.31,), mirror=False, labels_per_class=5)


def parameters(model):
    return sum(p.numel() for p in model.parameters())


def test_the_lessons_network_has_exactly_13242_parameters():
    assert parameters(ScratchCNN(MNIST)) == 13_242


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 64, 64), (3, 33, 47)])
@pytest.mark.parametrize("classes", [2, 7])
def test_it_takes_any_shape_and_number_of_classes(shape, classes):
    spec = ImageSpec(shape, tuple(map(str, range(classes))), (0.5,) * shape[0], (0.2,) * shape[0], True, 5)
    assert ScratchCNN(spec)(torch.zeros(3, *shape, dtype=torch.uint8)).shape == (3, classes)


@pytest.mark.parametrize("pooling", ["max", "average", "blur", "none"])
@pytest.mark.parametrize("gap", [False, True])
@pytest.mark.parametrize("shape", [(1, 4, 4), (3, 29, 18)])
def test_every_pooling_takes_any_shape_that_two_pools_leave_something_of(pooling, gap, shape):
    network = ConvolutionalNetwork(shape, 3, pooling, gap)
    assert network(torch.zeros(2, *shape)).shape == (2, 3)


def test_blur_pooling_spreads_a_bright_pixel_over_its_neighbours_and_keeps_its_sum():
    bright = torch.zeros(1, 1, 8, 8)
    bright[0, 0, 3, 3] = 1
    halved = build_pool("blur", 1)(bright)
    assert halved.shape == (1, 1, 4, 4)
    # The maximum of 2×2 windows at every place is a square of four, of which 1-2-1 and every second place leave this.
    assert torch.equal(halved[0, 0, 1:3, 1:3], torch.tensor([[9 / 16, 3 / 16], [3 / 16, 1 / 16]]))


def test_a_shift_of_one_pixel_changes_the_output_of_blur_pooling_less_than_that_of_max_pooling():
    images = torch.rand(8, 1, 24, 24, generator=torch.Generator().manual_seed(0))

    def changed(kind):
        there, back = build_pool(kind, 1)(images[..., 1:-1]), build_pool(kind, 1)(images[..., 2:])
        return ((there - back)[..., 1:-1, 1:-1].square().mean() / there.var()).item()

    assert changed("blur") < 0.8 * changed("max")


def test_global_average_pooling_leaves_the_hidden_layer_eight_inputs():
    flat, gap = (ScratchCNN(MNIST, gap=gap) for gap in (False, True))
    assert parameters(flat.network.fc1) == 12_576 and parameters(gap.network.fc1) == 288
    assert parameters(flat) - parameters(gap) == 12_576 - 288


def test_an_unknown_pooling_is_named():
    with pytest.raises(HeadstartError, match=r"model\.pooling=mean: give max, average, blur or none"):
        ScratchCNN(MNIST, pooling="mean")


def test_the_lessons_network_starts_from_the_weights_that_its_layers_draw_in_the_order_of_the_lesson():
    torch.manual_seed(5)
    drawn = [nn.Conv2d(1, 4, 3), nn.Conv2d(4, 8, 3), nn.Linear(392, 32), nn.Linear(32, 10)]
    torch.manual_seed(5)
    kept = list(ScratchCNN(MNIST).parameters())
    assert all(torch.equal(a, b) for a, b in zip(kept, [p for d in drawn for p in d.parameters()], strict=True))


def test_images_too_small_for_two_pools_are_refused():
    with pytest.raises(HeadstartError, match="at least 4×4"):
        ScratchCNN(ImageSpec((1, 3, 3), ("a", "b"), (0.5,), (0.2,), False, 5))


def test_the_scratch_backbone_is_the_fine_tuned_network_without_its_weights(spec):
    scratch, fine_tuned = ScratchBackbone(spec), FineTuned(spec)
    assert {k: v.shape for k, v in scratch.state_dict().items()} == {
        k: v.shape for k, v in fine_tuned.state_dict().items()
    }
    scratch.setup("test")
    fine_tuned.trainer = None
    assert all(p.requires_grad for p in scratch.parameters())


def test_grey_images_are_shown_to_a_backbone_as_three_equal_channels():
    model = ScratchBackbone(MNIST).eval()
    grey = torch.randint(0, 256, (2, 1, 28, 28), dtype=torch.uint8)
    torch.testing.assert_close(model(grey), model(grey.expand(-1, 3, -1, -1)))


def test_the_network_is_the_one_that_the_backbone_names(spec):
    import timm

    from headstart.models import ScratchBackbone

    named = ScratchBackbone(spec, architecture={"name": "resnet10t", "weights": "none"})
    assert set(named.backbone.state_dict()) == set(timm.create_model("resnet10t", num_classes=0).state_dict())
