"""Whatever a network does: fields that both ways confirm, or one line that names it; and it stays as it was."""

import re

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from headstart.errors import HeadstartError
from headstart.understand.receptive_field.fields import ReceptiveFields
from headstart.understand.receptive_field.gradient_support import LinearizedNetwork

SHAPE = (2, 12, 10)


class Between(nn.Module):
    """A function between two convolutions."""

    def __init__(self, function, channels=2):
        super().__init__()
        self.function, self.first = function, nn.Conv2d(2, 2, 3, padding=1)
        self.last = nn.Conv2d(channels, 2, 3)

    def forward(self, images):
        return self.last(self.function(self.first(images)))


class Told(nn.Module):
    """A module that gives what a function makes of its input."""

    def __init__(self, how):
        super().__init__()
        self.how = how

    def forward(self, images):
        return self.how(torch.relu(images))


def state(network):
    """All that a measurement must leave alone."""
    return (
        {name: value.clone() for name, value in network.state_dict().items()},
        [
            (name, each.training, len(vars(each)["_forward_hooks"]), sorted(vars(each)))
            for name, each in network.named_modules()
        ],
        [(name, id(each), each.requires_grad) for name, each in network.named_parameters()],
        torch.get_rng_state(),
    )


def assert_same(before, after):
    assert before[1:3] == after[1:3] and torch.equal(before[3], after[3])
    assert before[0].keys() == after[0].keys()
    assert all(torch.equal(value, after[0][name]) for name, value in before[0].items())


def confirmed(network, shape=SHAPE):
    """How many layers were asked in both ways, at four units each."""
    before = state(network)
    sight, uniform = ReceptiveFields(network, shape), LinearizedNetwork(network, shape)
    asked = [each for each in sight.fields if uniform.has_map(each)]
    for each in asked:
        _, height, width = each.shape
        for i, j in {(0, 0), (height // 2, width // 2), (height - 1, width - 1), (height - 1, 0)}:
            assert torch.equal(sight.pixels(each.name, i, j), uniform.pixel_weights(each, i, j) > 0), (each.name, i, j)
    assert_same(before, state(network))
    return len(asked)


def refused(network, shape=SHAPE):
    """The one line."""
    before = state(network)
    with pytest.raises(HeadstartError) as found:
        ReceptiveFields(network, shape)
    assert_same(before, state(network))
    assert "\n" not in str(found.value)
    return str(found.value)


def pooled(maps):
    return F.avg_pool2d(maps, 3, 1, 1)


def written(maps):
    maps[:, :1].add_(pooled(maps)[:, :1])
    return maps


class Attended(nn.MultiheadAttention):
    def forward(self, images):
        return super().forward(*[images.flatten(2).transpose(1, 2)] * 3)


class TestSupportedOperations:
    @pytest.mark.parametrize(
        "function",
        [
            torch.neg,
            torch.sign,
            torch.floor,
            torch.cos,
            torch.logit,
            torch.isnan,
            torch.detach,
            lambda x: pooled(x) - x,
            lambda x: x + -pooled(x),
            lambda x: 2**x,
            lambda x: x % 2,
            lambda x: x // 2,
            lambda x: x > 0,
            lambda x: torch.where(x > 0, x, -pooled(x)),
            lambda x: torch.heaviside(x, x),
            lambda x: x.masked_fill(torch.ones(12, 10) > 0, 0),
            lambda x: x + (x.round() - x).detach(),
            nn.PReLU(),
            nn.RReLU(),
            nn.LogSigmoid(),
            nn.Threshold(100.0, 0.0),
            nn.Softmin(1),
            nn.Tanhshrink(),
            nn.Hardshrink(),
        ],
    )
    def test_pointwise_ones_change_no_field(self, function):
        assert confirmed(Between(lambda maps: function(maps).to(maps.dtype))) >= 2

    @pytest.mark.parametrize(
        "function",
        [
            lambda x: x / x.max(),
            lambda x: x / x.norm(),
            lambda x: x / x.norm(2, (2, 3), True),
            lambda x: x - x.mean(),
            lambda x: x - torch.std_mean(x, (2, 3), keepdim=True)[0],
            lambda x: x * torch.logsumexp(x, (2, 3), True),
            lambda x: x * x.nansum((2, 3), keepdim=True),
            nn.GroupNorm(1, 2),
            nn.InstanceNorm2d(2),
        ],
    )
    def test_gates_keep_the_local_field(self, function):
        network = Between(function)
        assert confirmed(network) >= 2 and ReceptiveFields(network, SHAPE).fields[-1].whole_image

    @pytest.mark.parametrize(
        ("function", "channels"),
        [
            (lambda x: x.max(1, keepdim=True)[0], 1),
            (lambda x: x.norm(2, 1, True), 1),
            (lambda x: x.amax(1, True), 1),
            (lambda x: F.max_pool2d(x, 2, return_indices=True)[0], 2),
            (lambda x: F.adaptive_max_pool2d(x, (7, 4), return_indices=True)[0], 2),
            (lambda x: F.max_pool2d(x, 3, 2, 1, 2, ceil_mode=True), 2),
            (lambda x: F.lp_pool2d(x, 2, 3, ceil_mode=True), 2),
            (lambda x: F.avg_pool2d(x, (3, 2), (2, 1), (1, 0), ceil_mode=True, count_include_pad=False), 2),
            (lambda x: F.conv_transpose2d(x, torch.ones(2, 2, 5, 5, dtype=x.dtype), None, 3, 2, 2), 2),
            (lambda x: torch.cat([x[:, :, ::2, ::2], x[:, :, 1::2, 1::2]], 1), 4),
            (lambda x: x[..., 2:-2, 1:-3], 2),
            (lambda x: F.pad(x, (-2, 3, -1, 0)), 2),
            (lambda x: F.pad(x, (9, 9, 11, 11), mode="reflect"), 2),
            (lambda x: F.pad(x, (-2, 1, 3, 0), mode="replicate"), 2),
            (lambda x: F.channel_shuffle(x, 2), 2),
            (lambda x: F.interpolate(x, scale_factor=1.3, mode="bilinear", recompute_scale_factor=True), 2),
            (lambda x: F.interpolate(x, scale_factor=1.3, mode="bilinear", align_corners=True), 2),
            (lambda x: x[0], 2),
            (lambda x: x.transpose(2, 3), 2),
            (lambda x: torch.einsum("nchw->ncwh", x), 2),
            (lambda x: x.flatten(2).unflatten(2, (12, 10)), 2),
        ],
    )
    def test_include_slices_pools_and_permutations(self, function, channels):
        assert confirmed(Between(function, channels)) >= 2

    def test_transposed_maps_keep_rows_and_columns(self):
        turned = nn.Sequential(Between(lambda maps: maps.transpose(2, 3)), nn.Conv2d(2, 2, (3, 5)))
        assert confirmed(turned, (2, 14, 14)) == 4
        assert ReceptiveFields(turned, (2, 14, 14)).fields[-1].size == (5 + 4, 5 + 2)
        last = nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), Told(lambda maps: maps.transpose(1, 3)), nn.LayerNorm(2))
        assert confirmed(last) == 3 and ReceptiveFields(last, SHAPE).fields[-1].shape == (2, 12, 10)

    def test_attention_layers_keep_the_tokens_field(self):
        class Tokens(nn.Module):
            def __init__(self):
                super().__init__()
                self.embed = nn.Conv2d(2, 8, 2, stride=2)
                layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
                self.mix, self.head = nn.TransformerEncoder(layer, 2), nn.Linear(8, 3)

            def forward(self, images):
                return self.head(self.mix(self.embed(images).flatten(2).transpose(1, 2)).mean(1))

        network = Tokens()
        assert confirmed(network) > 15
        mix = {each.name: each for each in ReceptiveFields(network, SHAPE).fields}["mix"]
        assert mix.whole_image and mix.is_local and mix.size == (2, 2)

    def test_attention_may_have_wider_values(self):
        class Wide(nn.Module):
            def __init__(self):
                super().__init__()
                self.embed, self.queries, self.values = nn.Conv2d(2, 8, 2, stride=2), nn.Linear(8, 8), nn.Linear(8, 16)
                self.norm = nn.LayerNorm(4)

            def forward(self, images):
                tokens = self.embed(images).flatten(2).transpose(1, 2)
                queries = self.norm(self.queries(tokens).unflatten(2, (2, 4)).transpose(1, 2))
                values = self.values(tokens).unflatten(2, (2, 8)).transpose(1, 2)
                mixed = F.scaled_dot_product_attention(queries, queries, values)
                return mixed.transpose(1, 2).flatten(2) + self.values(tokens)

        assert confirmed(Wide()) == 6


class TestUnsupportedOperations:
    @pytest.mark.parametrize(
        ("function", "named"),
        [
            (lambda x: F.pad(x, (2, 1, 3, 0), mode="circular"), "circular padding in the network is not known"),
            (
                lambda x: F.interpolate(x, scale_factor=1.3, mode="nearest"),
                "upsample_nearest2d by a scale that the sizes",
            ),
            (lambda x: F.interpolate(x, scale_factor=1.3, mode="bilinear"), "upsample_bilinear2d by a scale that the"),
            (lambda x: F.interpolate(x, scale_factor=2, mode="bicubic"), "operation upsample_bicubic2d is not known"),
            (lambda x: x.as_strided((1, 2, 12, 10), (240, 120, 1, 12)), "operation as_strided of a map is not known"),
            (
                lambda x: (x.unsqueeze(2) + x.unsqueeze(3)).amax(3),
                "operation add of maps with different dimensions is not known",
            ),
            (
                lambda x: x[:, :, :10] + x[:, :, :10].transpose(2, 3),
                "operation add of maps with different dimensions is not",
            ),
            (lambda x: x.mean(2, keepdim=True) * x, "operation mean over rows alone is not known"),
            (lambda x: F.fold(F.unfold(x, 3), (12, 10), 3), "operation im2col is not known"),
            (lambda x: torch.fft.irfft2(torch.fft.rfft2(x)), "operation _fft_r2c is not known"),
            (lambda x: torch.complex(x, x).abs(), "operation complex is not known"),
            (lambda x: torch.cat([x, x], 2), "operation cat along a map is not known"),
            (lambda x: F.fractional_max_pool2d(x, 2, output_ratio=(0.5, 0.5)), "fractional_max_pool2d is not known"),
            (lambda x: F.grid_sample(x, torch.zeros(1, 4, 4, 2), align_corners=False), "grid_sampler_2d is not known"),
            (
                lambda x: torch._foreach_add_([torch.zeros_like(x)], [x]) or x,
                "operation _foreach_add, which gives nothing",
            ),
            (lambda x: x if x.mean() > 0 else -x, "its control flow depends on pixel values"),
            (lambda x: x[x > 0], "its control flow depends on pixel values"),
            (written, "last reads a tensor of which a part was written over"),
        ],
    )
    def test_are_named_in_one_line(self, function, named):
        assert named in refused(Between(function))

    def test_include_circular_padding_with_its_place(self):
        said = refused(nn.Sequential(nn.Conv2d(2, 2, 1), nn.Conv2d(2, 2, 3, padding=1, padding_mode="circular")))
        assert said.startswith("circular padding in 1 is not known") and said.endswith("reflection or replication is")
        assert "torch.cat" not in said


class TestUnsupportedNetworks:
    @pytest.mark.parametrize(
        "network",
        [Attended(2, 1, batch_first=True), nn.Identity(), nn.ReLU(), Told(lambda x: {"out": x}), Told(torch.ones_like)],
        ids=lambda network: type(network).__name__,
    )
    def test_without_tensor_outputs_are_refused(self, network):
        said = refused(network)
        assert said.startswith(f"{type(network).__name__} has no layers that give a tensor of the image")
        assert "nn.Sequential" in said and "tuple" in said

    @pytest.mark.parametrize(
        ("network", "shape", "named"),
        [
            (nn.MultiheadAttention(10, 2), SHAPE, "missing 2 required positional arguments"),
            (nn.Conv1d(2, 2, 3), SHAPE, "Conv1d cannot be traced on an image of 2x12x10"),
            (nn.Conv3d(2, 2, 3), SHAPE, "Conv3d cannot be traced on an image of 2x12x10"),
            (nn.Conv2d(2, 2, 3), (2, 5, 10, 10), "fields are those of images"),
            (nn.LSTM(10, 3), SHAPE, "LSTM cannot be traced on an image of 2x12x10"),
            (
                nn.Sequential(nn.Conv2d(2, 2, 3), nn.Flatten(2), nn.GRU(80, 3)),
                SHAPE,
                "2 reads a tensor of which a part was written over",
            ),
        ],
    )
    def test_that_take_no_images_are_refused(self, network, shape, named):
        assert named in refused(network, shape)

    def test_of_torchscript_are_refused(self):
        layers = nn.Conv2d(2, 2, 3), nn.ReLU()
        for network in (
            torch.jit.script(nn.Sequential(*layers)),
            nn.Sequential(torch.jit.script(layers[0]), layers[1]),
        ):
            with pytest.raises(HeadstartError, match=r"holds TorchScript.*give the modules it was made of"):
                ReceptiveFields(network, SHAPE)

    @pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
    def test_without_gradients_are_refused(self):
        class Rechecked(nn.Module):
            def __init__(self):
                super().__init__()
                self.first, self.last = nn.Conv2d(2, 2, 3), nn.Conv2d(2, 2, 3)

            def forward(self, images):
                return self.last(torch.utils.checkpoint.checkpoint(F.relu, self.first(images), use_reentrant=True))

        network = Rechecked()
        uniform, last = LinearizedNetwork(network, SHAPE), ReceptiveFields(network, SHAPE).fields[-1]
        with pytest.raises(HeadstartError, match=r"^Rechecked does not run linearized: .*use_reentrant=True"):
            uniform.pixel_weights(last, 0, 0)


class TestSupportedNetworks:
    @pytest.mark.parametrize("wrap", [nn.DataParallel, torch.compile, lambda network: network.half(), nn.Module.train])
    def test_may_be_wrapped(self, wrap):
        layers = nn.Conv2d(2, 2, 3), nn.BatchNorm2d(2), nn.MaxPool2d(2)
        assert confirmed(wrap(nn.Sequential(*layers))) >= 3

    def test_on_the_meta_device_have_no_gradients(self):
        network = nn.Sequential(nn.Conv2d(2, 2, 3), nn.Conv2d(2, 2, 3)).to("meta")
        assert ReceptiveFields(network, SHAPE).fields[-1].size == (5, 5)
        with pytest.raises(HeadstartError, match=re.escape("device meta, without values") + ".*to_empty"):
            LinearizedNetwork(network, SHAPE)

    def test_that_change_themselves_are_not_changed(self):
        class Restless(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv = nn.Conv2d(2, 2, 3, padding=1)
                self.register_buffer("runs", torch.zeros(()))

            def forward(self, images):
                self.runs += 1
                self.seen = images
                maps = F.dropout(self.conv(self.conv(images)), training=True) * torch.rand_like(images)
                self.conv.weight.data.mul_(2)
                self.train(not self.training)
                torch.manual_seed(3)
                return maps + torch.empty(1, 2, 12, 10).uniform_()

        assert confirmed(Restless()) == 4
