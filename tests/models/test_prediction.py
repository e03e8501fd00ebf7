"""What a model takes to predict: every kind of input gives the same answer, or is refused in one line."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from headstart.decoding import decoder
from headstart.errors import HeadstartError
from headstart.models import ScratchCNN

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
TENSOR = torch.from_numpy(PIXELS).permute(2, 0, 1)
COUNTS = PIXELS[:, :, 0].astype(np.uint16) * 16  # 12 bits


@pytest.fixture
def model(spec):
    return ScratchCNN(spec)


@pytest.fixture
def deep_model(spec):
    """A function that builds a model of images of a depth."""
    return lambda depth: ScratchCNN(replace(spec, depth=depth))


@pytest.fixture
def photo(tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def refusal(predict, *args, **options):
    with pytest.raises(HeadstartError) as caught:
        predict(*args, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


class TestInputs:
    @pytest.mark.parametrize(
        "convert",
        [
            str,
            Path.read_bytes,
            lambda path: bytearray(path.read_bytes()),
            lambda path: memoryview(path.read_bytes()),
            lambda path: io.BytesIO(path.read_bytes()),
            lambda path: path.open("rb"),
            Image.open,
            lambda _: PIXELS,
            lambda _: PIXELS[None],
            lambda _: np.asfortranarray(PIXELS),
            lambda _: TENSOR,
            lambda _: TENSOR.contiguous()[None],
            lambda path: (image for image in [path]),
            lambda path: np.array([str(path)]),
        ],
    )
    def test_same_answer_from_every_kind(self, model, photo, convert):
        given, answer = convert(photo), model.predict(photo)
        assert torch.equal(model.predict(given).probabilities, answer.probabilities)
        if isinstance(given, io.IOBase):
            given.close()

    @pytest.mark.parametrize("size", [(400, 300), (130, 128)])
    def test_large_jpeg_is_the_same_as_its_picture(self, model, tmp_path, size):
        Image.fromarray(PIXELS).resize(size).save(tmp_path / "a.jpg")
        answers = [tmp_path / "a.jpg", Image.open(tmp_path / "a.jpg"), (tmp_path / "a.jpg").read_bytes()]
        rows = model.predict(answers, batch_size=1).probabilities
        assert torch.equal(rows[0], rows[1]) and torch.equal(rows[0], rows[2])

    @pytest.mark.parametrize("resize", ["crop", "pad", "squash"])
    def test_images_are_resized_as_in_training(self, spec, photo, resize):
        model = ScratchCNN(replace(spec, resize=resize))
        square = torch.from_numpy(decoder.decode(photo, 32, 3, resize=resize))
        rows = model.predict([photo, photo.read_bytes(), Image.open(photo), PIXELS, TENSOR, square]).probabilities
        assert torch.allclose(rows, rows[:1].expand(6, -1), rtol=0, atol=1e-6)  # rows of a batch differ by last bits

    def test_file_stays_at_its_place(self, model, photo):
        file = io.BytesIO(photo.read_bytes())
        file.seek(7)
        model.predict(file)
        assert file.tell() == 7

    def test_home_is_expanded(self, model, photo, monkeypatch):
        monkeypatch.setenv("HOME", str(photo.parent))
        assert len(model.predict("~/a.png")) == 1
        assert "~nobody.png: no such file" in refusal(model.predict, "~nobody.png")

    def test_booleans_are_black_and_white(self, model):
        mask = PIXELS > 128
        expected = model.predict(mask.astype(np.uint8) * 255).probabilities
        assert torch.equal(model.predict(mask).probabilities, expected)

    def test_image_of_one_pixel(self, model):
        assert len(model.predict(Image.new("RGB", (1, 1)))) == 1

    def test_no_images_are_no_answers(self, model):
        assert len(model.predict([])) == len(model.predict(TENSOR[None][:0])) == 0

    @pytest.mark.parametrize("size", [1, 2, np.int64(2)])
    def test_batch_size_is_a_whole_number(self, model, photo, size):
        assert len(model.predict([photo] * 3, batch_size=size)) == 3

    @pytest.mark.parametrize("size", [0, -1, True, 2.0, None, "2", np.float64(2)])
    def test_rejects_other_batch_sizes(self, model, photo, size):
        assert "batch_size=" in refusal(model.predict, photo, batch_size=size)


class TestRefusals:
    @pytest.mark.parametrize(
        "given",
        [
            PIXELS.transpose(2, 0, 1),  # channels first
            np.zeros((9, 40, 50), np.uint8),
            np.zeros((40, 50, 5), np.uint8),
            TENSOR.permute(1, 2, 0),  # channels last
            TENSOR[0],
            torch.zeros(5, 9, 9, dtype=torch.uint8),
        ],
    )
    def test_other_shapes(self, model, given):
        assert "is no image; give" in refusal(model.predict, given)

    @pytest.mark.parametrize("given", [TENSOR[:, :, :3], PIXELS[:3], PIXELS[:1, :, :1]])
    def test_shapes_that_may_be_meant_in_two_ways(self, model, given):
        assert "is ambiguous" in refusal(model.predict, given)

    @pytest.mark.parametrize(
        "given",
        [PIXELS / 255, PIXELS.astype(int), COUNTS, TENSOR / 255, (TENSOR / 255).requires_grad_(), TENSOR.int()],
    )
    def test_deep_values_for_an_8_bit_model(self, model, given):
        assert "knows no range" in refusal(model.predict, given)

    @pytest.mark.parametrize("given", [TENSOR.to("meta"), TENSOR.to_sparse()])
    def test_tensors_without_dense_values(self, model, given):
        assert "give a dense tensor on a CPU" in refusal(model.predict, given)

    @pytest.mark.parametrize("given", [None, 3, b"", b"text", Image.new("RGB", (0, 4)), TENSOR[:, :0], "", "a\0b"])
    def test_what_is_no_image(self, model, given):
        assert refusal(model.predict, given)

    @pytest.mark.parametrize("kind", [dict, set])
    def test_collections_without_an_order(self, model, photo, kind):
        assert "give a list" in refusal(model.predict, kind([(str(photo), 1)]))

    def test_truncated_inputs(self, model, photo):
        content = photo.read_bytes()[:2000]
        photo.write_bytes(content)
        given = [photo, content, io.BytesIO(content), Image.open(photo)]
        for image in given:
            assert "truncated" in refusal(model.predict, image)

    def test_image_of_several_is_named_by_its_position(self, model, photo):
        assert refusal(model.predict, [photo, b"text"]).startswith("images[1]: not an image")

    def test_closed_inputs(self, model, photo):
        file, picture = photo.open("rb"), Image.open(photo)
        file.close()
        picture.close()
        assert "closed" in refusal(model.predict, file)
        assert "closed" in refusal(model.predict, picture)

    def test_file_open_as_text(self, model, photo):
        with photo.with_suffix(".txt").open("w+") as file:
            assert "in binary mode" in refusal(model.predict, file)


class TestDepth:
    def test_same_answer_from_every_kind(self, deep_model, tmp_path):
        model = deep_model("uint12")
        Image.fromarray(COUNTS).save(tmp_path / "a.png")
        Image.fromarray(COUNTS).save(tmp_path / "a.tif")
        eight = np.rint(COUNTS * (255 / 4095)).astype(np.uint8)
        paths = [tmp_path / "a.png", tmp_path / "a.tif"]
        tensors = [torch.from_numpy(COUNTS.astype(dtype))[None] for dtype in (np.int32, np.int64, np.uint16)]
        arrays = [COUNTS, COUNTS.astype(np.uint64), COUNTS.astype(">u2"), eight]
        given = [*paths, *[p.read_bytes() for p in paths], *map(Image.open, paths), *arrays, *tensors]
        rows = model.predict(given, batch_size=1).probabilities
        assert torch.equal(rows, rows[:1].expand_as(rows))

    def test_floating_point(self, deep_model):
        model = deep_model("float1")
        given = [PIXELS / 255, (PIXELS / 255).astype(np.float32), TENSOR / 255, (TENSOR / 255).requires_grad_(), PIXELS]
        rows = model.predict(given, batch_size=1).probabilities
        assert torch.equal(rows, rows[:1].expand_as(rows))

    @pytest.mark.parametrize(
        ("depth", "given", "text"),
        [
            ("uint12", COUNTS * 16, "0 to 65,280"),
            ("uint12", COUNTS.astype(int) - 1, "below 0"),
            ("uint12", (COUNTS / 4095).astype(np.float32), "floating-point values"),
            ("float1", PIXELS.astype(float), "0 to 255"),
            ("float1", np.full((9, 9), np.nan), "NaN"),
            ("float1", PIXELS.astype(complex), "complex"),
            ("float1", COUNTS, "floating point, 0 to 1"),
        ],
    )
    def test_rejects_another_range(self, deep_model, depth, given, text):
        assert text in refusal(deep_model(depth).predict, given)

    def test_checkpoint_keeps_the_depth(self, deep_model):
        spec = deep_model("uint12").spec
        assert type(spec).from_dict(spec.to_dict()) == spec
        old = {name: value for name, value in spec.to_dict().items() if name not in ("depth", "resize")}
        assert type(spec).from_dict(old).depth is None and type(spec).from_dict(old).resize == "crop"
