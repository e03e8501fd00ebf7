"""What a pixel is: every kind of file and input gives the values that NumPy computes from the numbers stored."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from headstart.data import ImageFolder
from headstart.decoding import decoder
from headstart.errors import HeadstartError

SIDE = 8  # of images and of what a model gets: nothing is resized
BITS = (8, 10, 12, 14, 16)
WHITE = {f"uint{bits}": 2**bits - 1 for bits in BITS} | {"float1": 1, "float255": 255, "float65535": 65535}


@st.composite
def data_sets(draw):
    """The name of a depth, four arrays that fill it, and the suffix of their files.

    Only one array comes near to white: a range chosen image by image is another one for the others.
    """
    depth = draw(st.sampled_from([None, *WHITE]))
    random = np.random.default_rng(draw(st.integers(0, 2**16)))
    if depth is None:
        shape = draw(st.sampled_from([(SIDE, SIDE), (SIDE, SIDE, 3)]))
        return None, random.integers(0, 256, (4, *shape)).astype(np.uint8), draw(st.sampled_from([".png", ".tif"]))
    white = WHITE[depth]
    unit = random.random((4, SIDE, SIDE)) * np.array([1, draw(st.floats(0.05, 0.4)), 0.3, 0.9])[:, None, None]
    unit[0, 0, 0] = 1
    if depth.startswith("float"):
        # What bicubic resizing leaves behind.
        unit[:, 3, 3], unit[1:, 4, 4] = draw(st.sampled_from([(0, 1), (-0.01, 1.0001), (-0.2, 1.2)]))
        return depth, (unit * white).astype(np.float32), ".tif"
    dtype, suffix = draw(
        st.sampled_from([(np.uint16, ".png"), (np.uint16, ".tif"), (">u2", ".tif"), (np.int32, ".tif")])
    )
    return depth, (unit * white).astype(dtype), suffix


def expected(array, depth):
    """The definition, in float64; what is grey has one channel."""
    scaled = array if depth is None else np.rint(np.clip(array.astype(np.float64) * 255 / WHITE[depth], 0, 255))
    return scaled[None] if array.ndim == 2 else scaled.transpose(2, 0, 1)


def write_folder(root, arrays, suffix):
    """Two classes with two images each; the paths in the arrays' order."""
    paths = [root / "ab"[i % 2] / f"{i}{suffix}" for i in range(len(arrays))]
    for path, array in zip(paths, arrays, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(path)
    return paths


def assert_close(pixels, array, depth):
    """float32 may round the other way where a value lies between two of 256 levels."""
    off = np.abs(pixels.astype(int) - expected(array, depth))
    assert off.max() <= (1 if str(depth).startswith("float") else 0), (depth, array.dtype)
    assert (off > 0).mean() < 0.05


class TestPixels:
    @given(data=data_sets())
    def test_all_inputs_give_numpys_values(self, tmp_path_factory, data):
        depth, arrays, suffix = data
        root = tmp_path_factory.mktemp("images")
        paths = write_folder(root, arrays, suffix)
        source = ImageFolder(root=str(root), image_size=SIDE, channels=None if arrays.ndim == 3 else 3)
        rows = {
            name: source.catalog.pixels[row]
            for name, row in zip(source.catalog.names, source.catalog.rows, strict=True)
        }
        for path, array in zip(paths, arrays, strict=True):
            pixels = rows[path.relative_to(root).as_posix()]
            assert_close(pixels, array, depth)
            with Image.open(path) as picture:
                inputs = [path, path.read_bytes(), picture, Image.fromarray(array), decoder.from_array(array, depth)]
                for image in inputs:
                    np.testing.assert_array_equal(decoder.decode(image, SIDE, len(pixels), depth), pixels)
        assert source.spec.depth == depth

    @settings(max_examples=15)
    @given(
        kind=st.sampled_from(["nan", "inf", "negative", "dark float", "odd float", "uint32", "both"]),
        place=st.integers(0, 3),
    )
    def test_untellable_values_are_refused(self, tmp_path_factory, kind, place):
        arrays = list(np.random.default_rng(0).random((4, SIDE, SIDE)).astype(np.float32))
        if kind in ("nan", "inf"):
            arrays[place][0, 0] = np.nan if kind == "nan" else np.inf
        elif kind in ("dark float", "odd float"):
            arrays = [array * (0.1 if kind == "dark float" else 40) for array in arrays]
        else:
            arrays = [(array * 4000).astype(np.int32) for array in arrays]
            if kind == "negative":
                arrays[place][0, 0] = -1
            elif kind == "uint32":
                arrays[place][0, 0] = 70_000
            else:
                arrays[place] = arrays[place].astype(np.float32) / 4000
        root = tmp_path_factory.mktemp("images")
        paths = write_folder(root, arrays, ".tif")
        with pytest.raises(HeadstartError) as refused:
            ImageFolder(root=str(root), image_size=SIDE).catalog  # noqa: B018
        assert str(root) in str(refused.value) and "\n" not in str(refused.value)
        if kind in ("nan", "inf", "negative"):
            bad = paths[place].relative_to(root).as_posix()
            assert f"{bad} (" in str(refused.value)
            assert [
                name for name, _ in ImageFolder(root=str(root), image_size=SIDE, on_bad_file="skip").catalog.skipped
            ] == [bad]
