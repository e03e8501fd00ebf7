"""The lesson's ConvolutionalNetwork for any image shape, pooling and number of classes."""

from torch import Tensor, nn
from torch.nn import functional as F

from headstart.errors import HeadstartError

POOLINGS = ("max", "average", "blur", "none")


class ConvolutionalNetwork(nn.Module):
    """Two 3×3 convolutions to 4 and 8 channels, each followed by a 2×2 pool, then a hidden layer of 32 units.

    13,242 parameters for 1×28×28 images of 10 classes.

    Args:
        shape: channels, height and width of an image.
        classes: number of classes.
        pooling: ``"max"`` or ``"average"`` of 2×2 windows, ``"blur"`` (see ``build_pool``), ``"none"``: no pooling.
        gap: whether global average pooling comes before the hidden layer, which then has 8 inputs instead of 8 for
            each position.

    Example:
        >>> ConvolutionalNetwork((1, 28, 28), 10)(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 10])

    Raises:
        HeadstartError: an unknown pooling, or images too small for two pools.
    """

    def __init__(self, shape: tuple[int, int, int], classes: int, pooling: str = "max", gap: bool = False) -> None:
        super().__init__()
        channels, height, width = shape
        if pooling not in POOLINGS:
            raise HeadstartError(f"model.pooling={pooling}: give {', '.join(POOLINGS[:-1])} or {POOLINGS[-1]}")
        if min(height, width) < 4 and pooling != "none":
            raise HeadstartError(f"images of {height}×{width} pixels vanish in two 2×2 pools; at least 4×4 is needed")
        positions = 1 if gap else height * width if pooling == "none" else (height // 4) * (width // 4)
        self.conv1 = nn.Conv2d(channels, 4, kernel_size=3, padding=1)
        self.pool1 = build_pool(pooling, 4)
        self.conv2 = nn.Conv2d(4, 8, kernel_size=3, padding=1)
        self.pool2 = build_pool(pooling, 8)
        self.gap = nn.AdaptiveAvgPool2d(1) if gap else nn.Identity()
        self.fc1 = nn.Linear(8 * positions, 32)
        self.fc2 = nn.Linear(32, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits, float (N, classes), of normalized images, float (N, C, H, W)."""
        maps = self.pool1(F.relu(self.conv1(images)))
        maps = self.pool2(F.relu(self.conv2(maps)))
        return self.fc2(F.relu(self.fc1(self.gap(maps).flatten(1))))


def build_pool(kind: str, channels: int) -> nn.Module:
    """A pooling layer, (N, C, H, W) to (N, C, H//2, W//2), or an identity for ``"none"``.

    Blur pooling is a max pool of 2×2 windows at stride 1, a 1-2-1 blur in both directions and a subsampling by 2. A
    shift of the image by one pixel changes its output less (Zhang 2019, arXiv:1904.11486).
    """
    if kind == "blur":
        from timm.layers import BlurPool2d

        # The border is replicated: reflection needs maps of at least 2×2.
        return nn.Sequential(nn.MaxPool2d(2, stride=1), BlurPool2d(channels, stride=2, pad_mode="replicate"))
    return {"max": nn.MaxPool2d(2), "average": nn.AvgPool2d(2)}.get(kind, nn.Identity())
