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


class TestScratchCNN:
    def test_has_13242_parameters_on_mnist(self):
        assert parameters(ScratchCNN(MNIST)) == 13_242

    @pytest.mark.parametrize("shape", [(1, 28, 28), (3, 64, 64), (3, 33, 47)])
    @pytest.mark.parametrize("classes", [2, 7])
    def test_takes_any_shape_and_number_of_classes(self, shape, classes):
        spec = ImageSpec(shape, tuple(map(str, range(classes))), (0.5,) * shape[0], (0.2,) * shape[0], True, 5)
        assert ScratchCNN(spec)(torch.zeros(3, *shape, dtype=torch.uint8)).shape == (3, classes)

    def test_draws_weights_in_the_lessons_order(self):
        torch.manual_seed(5)
        drawn = [nn.Conv2d(1, 4, 3), nn.Conv2d(4, 8, 3), nn.Linear(392, 32), nn.Linear(32, 10)]
        torch.manual_seed(5)
        kept = list(ScratchCNN(MNIST).parameters())
        assert all(torch.equal(a, b) for a, b in zip(kept, [p for d in drawn for p in d.parameters()], strict=True))


class TestPooling:
    @pytest.mark.parametrize("pooling", ["max", "average", "blur", "none"])
    @pytest.mark.parametrize("gap", [False, True])
    @pytest.mark.parametrize("shape", [(1, 4, 4), (3, 29, 18)])
    def test_each_kind_takes_small_and_odd_shapes(self, pooling, gap, shape):
        network = ConvolutionalNetwork(shape, 3, pooling, gap)
        assert network(torch.zeros(2, *shape)).shape == (2, 3)

    def test_blur_gives_the_figures_by_hand(self):
        bright = torch.zeros(1, 1, 8, 8)
        bright[0, 0, 3, 3] = 1
        halved = build_pool("blur", 1)(bright)
        assert halved.shape == (1, 1, 4, 4)
        # The maximum of 2×2 windows is a square of four pixels; blur and subsampling leave these shares of it.
        assert torch.equal(halved[0, 0, 1:3, 1:3], torch.tensor([[9 / 16, 3 / 16], [3 / 16, 1 / 16]]))

    def test_blur_changes_less_with_a_shift_than_max(self):
        images = torch.rand(8, 1, 24, 24, generator=torch.Generator().manual_seed(0))

        def changed(kind):
            there, back = build_pool(kind, 1)(images[..., 1:-1]), build_pool(kind, 1)(images[..., 2:])
            return ((there - back)[..., 1:-1, 1:-1].square().mean() / there.var()).item()

        assert changed("blur") < 0.8 * changed("max")

    def test_global_average_leaves_eight_inputs(self):
        flat, gap = (ScratchCNN(MNIST, gap=gap) for gap in (False, True))
        assert parameters(flat.network.fc1) == 12_576 and parameters(gap.network.fc1) == 288
        assert parameters(flat) - parameters(gap) == 12_576 - 288

    def test_rejects_unknown_kinds(self):
        with pytest.raises(HeadstartError, match=r"model\.pooling=mean: give max, average, blur or none"):
            ScratchCNN(MNIST, pooling="mean")

    def test_rejects_images_too_small_for_two_pools(self):
        with pytest.raises(HeadstartError, match="at least 4×4"):
            ScratchCNN(ImageSpec((1, 3, 3), ("a", "b"), (0.5,), (0.2,), False, 5))


class TestScratchBackbone:
    def test_has_the_network_of_the_fine_tuned_model(self, spec):
        scratch, fine_tuned = ScratchBackbone(spec), FineTuned(spec)
        assert {k: v.shape for k, v in scratch.state_dict().items()} == {
            k: v.shape for k, v in fine_tuned.state_dict().items()
        }
        scratch.setup("test")
        fine_tuned.trainer = None
        assert all(p.requires_grad for p in scratch.parameters())

    def test_repeats_gray_images_in_three_channels(self):
        model = ScratchBackbone(MNIST).eval()
        grey = torch.randint(0, 256, (2, 1, 28, 28), dtype=torch.uint8)
        torch.testing.assert_close(model(grey), model(grey.expand(-1, 3, -1, -1)))

    def test_builds_the_named_network(self, spec):
        import timm

        from headstart.models import ScratchBackbone

        named = ScratchBackbone(spec, architecture={"name": "resnet10t", "weights": "none"})
        assert set(named.backbone.state_dict()) == set(timm.create_model("resnet10t", num_classes=0).state_dict())
