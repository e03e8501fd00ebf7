import pytest
import torch
import torchvision
from torch import nn

from headstart.errors import HeadstartError
from headstart.understand.receptive_field.effective import (
    effective_fields,
    pixel_gradients,
    summarize_effective_field,
    uniform_stack_variance,
    weighted_variance,
)
from headstart.understand.receptive_field.fields import receptive_fields
from headstart.understand.receptive_field.gradient_support import LinearizedNetwork

VGG16 = [layer for count in (2, 2, 3, 3, 3) for layer in [(3, 1, 1)] * count + [(2, 2, 1)]]


def last_of(network, shape):
    return next(each for each in reversed(receptive_fields(network, shape)) if each.is_local)


def alike(network, shape):
    """The weights of the last map's centre unit where all layers weigh alike, float64 (H, W)."""
    layer = last_of(network, shape)
    return LinearizedNetwork(network, shape).pixel_weights(layer, *layer.center_unit), layer


class TestUniformStackVariance:
    def test_has_its_known_values(self):
        assert uniform_stack_variance(VGG16) == pytest.approx(763.9167, abs=5e-5)
        assert uniform_stack_variance([(3, 1, 1), (2, 2, 1)] * 2) == pytest.approx(4.5833, abs=5e-5)

    def test_is_that_of_the_lessons_network(self, lesson):
        weights, layer = alike(lesson(), (1, 28, 28))
        top, _, bottom, _ = layer.box(*layer.center_unit)
        expected = torch.tensor([1, 2, 4, 5, 6, 6, 5, 4, 2, 1]) / 36
        assert torch.allclose(weights.sum(1)[top:bottom], expected.double(), atol=1e-9)
        assert weighted_variance(weights.sum(1)) == pytest.approx(
            uniform_stack_variance([(3, 1, 1), (2, 2, 1)] * 2), abs=1e-9
        )

    def test_is_that_of_vgg16(self):
        layers = [
            nn.MaxPool2d(2) if isinstance(each, nn.MaxPool2d) else nn.Conv2d(1, 1, 3, padding=1)
            for each in torchvision.models.vgg.make_layers(torchvision.models.vgg.cfgs["D"])
            if isinstance(each, (nn.MaxPool2d, nn.Conv2d))
        ]
        weights, layer = alike(nn.Sequential(*layers), (1, 224, 224))
        assert layer.size == (212, 212)
        for dim in (0, 1):
            assert weighted_variance(weights.sum(dim)) == pytest.approx(uniform_stack_variance(VGG16), abs=1e-9)

    def test_includes_strides_and_dilations(self):
        network = nn.Sequential(nn.Conv2d(1, 1, 3, stride=2), nn.Conv2d(1, 1, 5, dilation=2), nn.AvgPool2d(2))
        weights, _ = alike(network, (1, 64, 64))
        expected = uniform_stack_variance([(3, 2, 1), (5, 1, 2), (2, 2, 1)])
        assert weighted_variance(weights.sum(0)) == pytest.approx(expected, abs=1e-9)


class TestSummarizeEffectiveField:
    def test_is_exact_for_the_lessons_network(self, lesson):
        """All of its 10×10 pixels but the four in the corners weigh more than 4.55 % of the centre's 36/36²."""
        weights, layer = alike(lesson(), (1, 28, 28))
        found = summarize_effective_field(weights[None], layer)
        assert found.side == pytest.approx(96**0.5, abs=1e-9) and found.mass95 == 10
        assert found.ratio.value == pytest.approx(4 * (55 / 12) ** 0.5 / 10, abs=1e-9)

    def test_measures_each_axis(self):
        weights, layer = alike(
            nn.Sequential(nn.Conv2d(1, 1, (3, 7)), nn.Conv2d(1, 1, (3, 1), dilation=(2, 1))), (1, 16, 16)
        )
        found = summarize_effective_field(weights[None], layer)
        rows, columns = ((9 - 1) / 12 * (1 + 4)) ** 0.5, ((49 - 1) / 12) ** 0.5
        assert found.sigma == pytest.approx((rows, columns), abs=1e-9)
        assert found.ratio.value == pytest.approx((4 * rows / 7 + 4 * columns / 7) / 2, abs=1e-9)

    @pytest.mark.parametrize(("layers", "ratio"), [(2, 0.92), (10, 0.49), (40, 0.26)])
    def test_ratio_falls_with_depth(self, layers, ratio):
        network = nn.Sequential(*(nn.Conv2d(1, 1, 3, padding=1) for _ in range(layers)))
        weights, layer = alike(network, (1, 101, 101))
        found = summarize_effective_field(weights[None], layer)
        assert found.sigma == pytest.approx(((2 * layers / 3) ** 0.5,) * 2, abs=1e-9)
        assert round(found.ratio.value, 2) == ratio and not found.clipped and found.ratio.scaled_interval(1) is None
        assert found.r2.value > (0.95 if layers == 2 else 0.999)

    def test_intervals_are_over_images(self):
        """Half of 400 images have σ 1 and half σ 3: the variance is 1 + 8p, p the share of the wide ones."""
        layer = last_of(nn.Sequential(nn.Conv2d(1, 1, 7)), (1, 7, 7))
        narrow, wide = torch.zeros(7, 7, dtype=torch.float64), torch.zeros(7, 7, dtype=torch.float64)
        narrow[2::2, 2::2][:2, :2], wide[::6, ::6] = 0.25, 0.25  # pixels 2 and 4, and pixels 0 and 6, of both axes
        found = summarize_effective_field(torch.stack([narrow, wide]).repeat(200, 1, 1), layer)
        luck = 1.96 * (0.25 / 400) ** 0.5  # of p
        assert (found.ratio.high - found.ratio.low) / 2 == pytest.approx(luck * 4 / 7 * 8 / (2 * 5**0.5), rel=0.01)
        assert (found.central.high - found.central.low) / 2 == pytest.approx(luck, rel=0.01)  # it is 1 − p

    def test_flags_a_clipped_field(self):
        network = nn.Sequential(*(nn.Conv2d(1, 1, 3, padding=1) for _ in range(4)))
        weights, layer = alike(network, (1, 8, 8))
        assert summarize_effective_field(weights[None], layer).clipped

    @pytest.mark.parametrize("side", [5, 6, 7, 8, 11, 16])
    def test_uniform_weights_have_a_central_quarter(self, side):
        network = nn.Conv2d(1, 1, side)
        [layer] = receptive_fields(nn.Sequential(network), (1, side, side))
        assert summarize_effective_field(
            torch.ones(1, side, side, dtype=torch.float64), layer
        ).central.value == pytest.approx(0.25, abs=1e-12)

    def test_refitting_the_gaussian_hardly_changes_r2(self):
        layer = last_of(nn.Sequential(*(nn.Conv2d(1, 1, 3) for _ in range(10))), (1, 21, 21))
        at = torch.arange(21.0, dtype=torch.float64) - 10
        bell = torch.exp(-(at[:, None] ** 2 + at**2) / 18)
        influence = bell * torch.rand(30, 21, 21, generator=torch.Generator().manual_seed(0), dtype=torch.float64) ** 4
        found = summarize_effective_field(influence, layer).r2
        anew = torch.tensor(
            [summarize_effective_field((influence.sum(0) - each)[None], layer).r2.value for each in influence]
        )
        half = 2.045 * float((29 / 30 * (anew - anew.mean()).square().sum()).sqrt())
        assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.05)

    def test_r2_is_1_for_a_gaussian_and_low_for_a_cross(self):
        layer = last_of(nn.Sequential(nn.Conv2d(1, 1, 31)), (1, 31, 31))
        at = torch.arange(31.0) - 15
        bell = torch.exp(-(at[:, None] ** 2) / 50 - at**2 / 20)
        assert summarize_effective_field(bell.double()[None], layer).r2.value == pytest.approx(1, abs=1e-6)
        cross = torch.zeros(31, 31, dtype=torch.float64)
        cross[15], cross[:, 15] = 1, 1
        assert summarize_effective_field(cross[None], layer).r2.value < 0.5


class TestPixelGradients:
    def test_opposite_signs_do_not_cancel(self):
        class Signed(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv = nn.Conv2d(1, 1, 3)

            def forward(self, images):
                return self.conv(images) * images.sum((1, 2, 3), keepdim=True).sign()

        network = Signed()
        nn.init.constant_(network.conv.weight, -1.0)
        images = torch.stack([torch.ones(1, 5, 5), -torch.ones(1, 5, 5)])
        layer = next(each for each in receptive_fields(network, (1, 5, 5)) if each.name == "mul")
        [found] = pixel_gradients(network, images, [layer])
        assert found.shape == (2, 5, 5) and bool((found[:, 1:4, 1:4] == 1).all()) and found.sum() == 18

    def test_ignores_a_relu_in_place(self):
        network = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.ReLU(inplace=True))
        nn.init.constant_(network[0].weight, -2.0)  # the activation is off
        first, _ = receptive_fields(network, (1, 3, 3))
        [found] = pixel_gradients(network, torch.ones(1, 1, 3, 3), [first])
        assert found[0].tolist() == [[0, 0, 0], [0, 2, 0], [0, 0, 0]]

    def test_names_a_layer_without_gradients(self):
        class Cut(nn.Sequential):
            def forward(self, images):
                return self[0](images.detach())

        network = Cut(nn.Conv2d(1, 1, 3))
        with pytest.raises(HeadstartError, match="no gradient leads from '0' back to the image"):
            pixel_gradients(network, torch.randn(2, 1, 8, 8), [last_of(nn.Sequential(nn.Conv2d(1, 1, 3)), (1, 8, 8))])


class TestEffectiveFields:
    def test_is_reproducible_and_keeps_the_network(self, lesson):
        network, images = lesson().train(), torch.randn(50, 1, 28, 28, generator=torch.Generator().manual_seed(0))
        before = {name: value.clone() for name, value in network.state_dict().items()}
        layer = last_of(network, (1, 28, 28))
        [found] = effective_fields(network, images, [layer])
        [again] = effective_fields(network, images, [layer])
        assert all(each.low < each.value < each.high for each in (found.ratio, found.central, found.r2))
        assert (found.ratio, found.central, found.r2) == (again.ratio, again.central, again.r2)
        assert found.weights.sum() == pytest.approx(1) and 8 <= found.mass95 <= 10 and found.side <= 10
        assert network.training and not vars(network.conv1)["_forward_hooks"]
        assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())

    def test_names_dead_and_missing_layers(self, lesson):
        network = nn.Sequential(nn.Conv2d(1, 1, 3), nn.ReLU())
        nn.init.constant_(network[0].bias, -1e6)
        layer = last_of(network, (1, 8, 8))
        with pytest.raises(HeadstartError, match="'1' in any image: its effective field is empty"):
            effective_fields(network, torch.randn(2, 1, 8, 8), [layer])
        with pytest.raises(HeadstartError, match="'1' is no layer of the network"):
            effective_fields(lesson(), torch.randn(2, 1, 28, 28), [layer])
