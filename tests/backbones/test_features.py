"""Features of a frozen backbone: fixed bits, and a key of all that they depend on."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from headstart.models import FineTuned, Frozen

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 3, 32, 32), dtype=np.uint8)


@pytest.fixture(scope="module")
def spec_of_module():
    from headstart.image_spec import ImageSpec

    return ImageSpec((3, 32, 32), ("ant", "bee", "cat"), (0.5, 0.5, 0.5), (0.25, 0.25, 0.25), True, 5)


@pytest.fixture(scope="module")
def model(spec_of_module):
    model = Frozen(spec_of_module)
    model.setup("fit")
    return model


class TestCompute:
    def test_bits_do_not_depend_on_the_batch(self, model):
        compute = model.feature_extractor.compute
        together = compute(IMAGES[:32], "plain")
        assert np.array_equal(together[5:9], compute(IMAGES[5:9], "plain"))
        assert np.array_equal(together[7:8], compute(IMAGES[7:8], "plain"))

    def test_bits_do_not_depend_on_threads(self, model):
        extractor = model.feature_extractor
        with extractor.one_thread_per_batch():
            expected = extractor.compute(IMAGES[:32], "plain")
        threads = torch.get_num_threads()
        try:
            torch.set_num_threads(2)
            with extractor.one_thread_per_batch():
                assert np.array_equal(extractor.compute(IMAGES[:32], "plain"), expected)
            assert torch.get_num_threads() == 2
        finally:
            torch.set_num_threads(threads)

    def test_equals_the_live_backbone(self, model):
        features = model.feature_extractor.compute(IMAGES[:9], "plain")
        with torch.no_grad():
            live = model.compute_features(torch.from_numpy(IMAGES[:9]))
            scores = model(torch.from_numpy(IMAGES[:9]))
        assert np.abs(features - live.numpy()).max() <= 1e-5
        assert torch.allclose(model(torch.from_numpy(features)), scores, atol=1e-4)

    def test_mirror_is_the_mirrored_image(self, model):
        compute = model.feature_extractor.compute
        assert np.array_equal(compute(IMAGES[:3], "mirror"), compute(IMAGES[:3, :, :, ::-1], "plain"))


class TestKey:
    def test_is_that_of_weights_and_settings(self, model, spec_of_module):
        same, other = Frozen(spec_of_module), Frozen(spec_of_module)
        for each in (same, other):
            each.setup("fit")
        assert same.feature_extractor.key == model.feature_extractor.key
        with torch.no_grad():
            next(iter(other.backbone.parameters())).mul_(1.001)
        assert other.feature_extractor.key != model.feature_extractor.key

    def test_counts_buffers(self, model, spec_of_module):
        other = Frozen(spec_of_module)
        other.setup("fit")
        next(buffer for buffer in other.backbone.buffers() if buffer.ndim).flatten()[0] += 1
        assert other.feature_extractor.key != model.feature_extractor.key

    @pytest.mark.parametrize("change", [{"mean": [0.1, 0.2, 0.3]}, {"std": [0.1, 0.2, 0.3]}])
    def test_counts_normalization(self, model, spec_of_module, change):
        other = Frozen(spec_of_module, backbone=change)
        other.setup("fit")
        assert other.feature_extractor.key != model.feature_extractor.key

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("headstart.backbones.features.FEATURE_BATCH_SIZE", 16),
            ("torch.__version__", "0"),
            ("timm.__version__", "0"),
            ("torch.backends.cpu.get_cpu_capability", lambda: "other"),
        ],
    )
    def test_counts_what_changes_last_bits(self, model, monkeypatch, name, value):
        before = model.feature_extractor.key
        monkeypatch.setattr(name, value)
        assert model.feature_extractor.key != before

    def test_counts_the_device(self, model):
        extractor = model.feature_extractor
        assert replace(extractor, device=torch.device("cuda")).key != extractor.key


class TestSubclass:
    def test_that_reads_pixels_in_its_own_way_gets_them(self, spec_of_module):
        class Blurred(Frozen):
            def logits(self, images):
                return super().logits(images.mean(dim=1, keepdim=True).expand_as(images))

        assert Blurred(spec_of_module).feature_extractor is None


class TestTrainViews:
    @pytest.mark.parametrize(
        ("augment", "views"),
        [(None, ("plain",)), ("light", ("plain", "mirror")), ("auto", None), ({"rotate": 5.0}, None)],
    )
    def test_are_finite_where_only_mirrored(self, spec_of_module, augment, views):
        assert Frozen(spec_of_module, augment=augment).feature_extractor.train_views == views

    def test_fine_tuning_has_no_extractor(self, spec_of_module):
        assert not hasattr(FineTuned(spec_of_module), "feature_extractor")
