"""The arms without pretraining."""

import pytest
import torch

from headstart.errors import HeadstartError
from headstart.models import FineTuned, ScratchBackbone, ScratchCNN
from headstart.spec import ImageSpec

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
