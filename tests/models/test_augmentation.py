"""One random change per image, from torch's own stream."""

import pytest
import torch

from headstart.errors import HeadstartError
from headstart.models.augmentation import GLYPH_AUGMENTATION, PHOTO_AUGMENTATION, augment_images, parse_augmentation

IMAGES = torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(0))


class TestAugmentImages:
    def test_changes_nothing_without_strengths(self):
        assert augment_images(IMAGES, parse_augmentation(None, mirror=True)) is IMAGES

    def test_changes_each_image_of_a_batch_differently(self):
        torch.manual_seed(0)
        same = IMAGES[:1].expand(8, -1, -1, -1)
        changed = augment_images(same, PHOTO_AUGMENTATION)
        assert len({tuple(image.flatten().tolist()) for image in changed}) == 8

    def test_repeats_with_the_seed(self):
        torch.manual_seed(3)
        once = augment_images(IMAGES, PHOTO_AUGMENTATION)
        torch.manual_seed(3)
        assert torch.equal(once, augment_images(IMAGES, PHOTO_AUGMENTATION))

    def test_colors_stay_in_range(self):
        torch.manual_seed(1)
        changed = augment_images(IMAGES, {"color": 0.9})
        assert changed.min() >= 0 and changed.max() <= 1

    def test_mirrors_only_some_images(self):
        torch.manual_seed(0)
        changed = augment_images(IMAGES, {"mirror": True})
        kinds = {
            "same" if torch.allclose(new, old, atol=1e-5) else "mirrored"
            for new, old in zip(changed, IMAGES, strict=True)
            if torch.allclose(new, old, atol=1e-5) or torch.allclose(new, old.flip(-1), atol=1e-5)
        }
        assert kinds == {"same", "mirrored"}


class TestParseAugmentation:
    def test_mirrors_only_where_the_data_allow_it(self):
        assert parse_augmentation("auto", mirror=True) == PHOTO_AUGMENTATION
        assert parse_augmentation("auto", mirror=False) == GLYPH_AUGMENTATION
        assert not parse_augmentation({"mirror": True, "crop": 0.5}, mirror=False)["mirror"]
        assert (parse_augmentation("light", mirror=True), parse_augmentation("light", mirror=False)) == (
            {"mirror": True},
            GLYPH_AUGMENTATION,
        )

    @pytest.mark.parametrize("wrong", ["strong", {"blur": 1.0}, {"crop": "0.35"}])
    def test_rejects_unknown_augmentations(self, wrong):
        with pytest.raises(HeadstartError, match=r"model\.augment"):
            parse_augmentation(wrong, mirror=True)

    @pytest.mark.parametrize(
        "key, value", [("crop", 0), ("crop", 5), ("mirror", 3), ("rotate", float("nan")), ("zoom", -1)]
    )
    def test_rejects_strengths_out_of_range(self, key, value):
        with pytest.raises(HeadstartError, match=rf"model\.augment\.{key}={value}: give"):
            parse_augmentation({key: value}, mirror=True)
