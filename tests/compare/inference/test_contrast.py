"""The difference of two arms and its uncertainty."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import stdtrit
from scipy.stats import binomtest

from headstart.compare.inference.contrast import compute_contrast, contrast_interval
from headstart.compare.inference.crossed_contrast import CrossedContrast
from headstart.compare.inference.mcnemar import McNemarContrast
from headstart.compare.inference.symmetric_contrast import minimum_half_width


def draw_differences(seeds, images, gap=0.1, spread=0.0, rng=0):
    """Differences in correctness, seeds by images, with a standard deviation ``spread`` between seeds."""
    draw = np.random.default_rng(rng)
    shift = draw.normal(0, spread, size=(seeds, 1))
    return (draw.random((seeds, images)) < 0.7 + gap + shift).astype(float) - (draw.random((seeds, images)) < 0.7)


class TestMcNemarContrast:
    def test_has_the_exact_p_value(self):
        four = compute_contrast(np.array([[1.0] * 4 + [0.0] * 149]))
        assert four.p_value == pytest.approx(0.125) == binomtest(4, 4).pvalue
        assert McNemarContrast(6, 0, 153).p_value == pytest.approx(0.03125)

    @pytest.mark.parametrize(
        ("first_only", "second_only"), [(0, 0), (4, 0), (6, 0), (0, 6), (30, 12), (12, 30), (15, 15)]
    )
    @pytest.mark.parametrize("alpha", [0.05, 0.0167])
    def test_excludes_zero_exactly_where_the_test_rejects(self, first_only, second_only, alpha):
        contrast = McNemarContrast(first_only, second_only, 153)
        low, high = contrast_interval(contrast, alpha)
        assert (low > 0 or high < 0) == (contrast.p_value < alpha)
        assert low <= contrast.mean <= high


class TestCrossedContrast:
    @pytest.mark.parametrize("gap", [0.0, 0.05, 0.1, 0.3])
    def test_reaches_zero_at_the_p_value(self, gap):
        contrast = compute_contrast(draw_differences(5, 153, gap, spread=0.02))
        low, high = contrast_interval(contrast, contrast.p_value)
        assert min(abs(low), abs(high)) == pytest.approx(0, abs=1e-6) or contrast.p_value == 1.0

    def test_has_the_mean_squares_of_the_two_way_table(self):
        rows = np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
        contrast = compute_contrast(rows)
        # By hand: row means 2/3 and 1/3, column means 1/2, 0, 1, mean 1/2.
        assert contrast == CrossedContrast(
            mean=0.5,
            seeds=2,
            images=pytest.approx(3),
            seed_variance=pytest.approx(2 * (1 / 6) ** 2),
            seed_freedom=1,
            mean_square_images=pytest.approx(0.5),
            mean_square_residual=pytest.approx(1 / 6),
        )

    def test_stays_wide_where_seeds_scatter(self):
        calm, wild = (compute_contrast(draw_differences(5, 2000, spread=s)).half_widths(0.05)[0] for s in (0.0, 0.1))
        assert wild > 3 * calm
        assert compute_contrast(draw_differences(5, 20000, spread=0.1)).half_widths(0.05)[0] > 0.5 * wild

    def test_is_wider_with_folds(self):
        rows = np.tile(draw_differences(1, 200), (5, 1))  # trainings that do not scatter
        whole, folded = (compute_contrast(rows, folds=k).half_widths(0.05)[0] for k in (1, 5))
        assert folded == pytest.approx(whole * np.sqrt(1 + 5 / 4))
        assert folded < compute_contrast(rows[:, :40]).half_widths(0.05)[0]  # yet surer than a fifth of the images


class TestComputeContrast:
    def test_has_a_minimum_width_where_arms_agree(self):
        low, high = contrast_interval(compute_contrast(np.zeros((5, 40))), 0.05)
        assert (low, high) == pytest.approx((-minimum_half_width(40, 0.05), minimum_half_width(40, 0.05)))
        assert high > 0.08
        assert contrast_interval(compute_contrast(np.zeros((1, 40))), 0.05) == pytest.approx((low, high))

    def test_is_mirrored_for_the_reversed_pair(self):
        differences = draw_differences(3, 50)
        for rows in (differences, differences[:1]):
            (low, high), (lower, higher) = (
                contrast_interval(compute_contrast(rows), 0.05),
                contrast_interval(compute_contrast(-rows), 0.05),
            )
            assert (low, high) == pytest.approx((-higher, -lower))

    def test_equals_accuracy_for_classes_of_one_size(self):
        rows, classes = draw_differences(5, 150), np.arange(150) % 3
        balanced, plain = compute_contrast(rows, classes), compute_contrast(rows)
        assert balanced.mean == pytest.approx(plain.mean) and balanced.images == pytest.approx(150)
        assert balanced.half_widths(0.05)[0] == pytest.approx(plain.half_widths(0.05)[0], rel=0.1)

    def test_is_wider_with_a_rare_class(self):
        rows, classes = draw_differences(5, 150), np.repeat([0, 1, 2], [100, 46, 4])
        balanced = compute_contrast(rows, classes)
        assert balanced.images < 40
        # With one seed the images alone count.
        assert (
            compute_contrast(rows[:1], classes).half_widths(0.05)[0]
            > 1.3 * compute_contrast(rows[:1]).half_widths(0.05)[0]
        )

    def test_refuses_a_table_without_spread(self):
        with pytest.raises(ValueError, match="no spread"):
            compute_contrast(np.zeros((3, 1)))


class TestRotatedContrast:
    """Seed s tests fold s mod 5 alone."""

    def rotate(self, differences, folds=5):
        table = np.full_like(differences, np.nan)
        for seed in range(len(table)):
            table[seed, seed % folds :: folds] = differences[seed, seed % folds :: folds]
        return table

    def test_is_the_mean_over_what_was_tested(self):
        differences = self.rotate(draw_differences(5, 100))
        contrast = compute_contrast(differences, folds=5)
        assert contrast.mean == pytest.approx(np.nanmean(differences)) and contrast.images == pytest.approx(100)

    def test_has_the_parts_of_a_nested_table(self):
        table = np.array([[1.0, 0, 1, 0, *[np.nan] * 4], [*[np.nan] * 4, 1, 1, 1, 0]])
        contrast = compute_contrast(table, folds=2)
        # By hand: means 1/2 and 3/4; within folds the variances 1/3 and 1/4, of a mean of four 1/12 and 1/16.
        assert contrast.seed_variance == pytest.approx(1 / 32)
        assert contrast.image_part_of_seeds == pytest.approx((1 / 12 + 1 / 16) / 2)
        assert contrast.image_variance == pytest.approx((1 / 12 + 1 / 16) / 4)

    @pytest.mark.parametrize(("seeds", "factor"), [(3, 1), (5, 1), (8, 8 / 5), (20, 20 / 5)])
    def test_counts_the_choices_of_training_images(self, seeds, factor):
        contrast = compute_contrast(self.rotate(draw_differences(seeds, 500, spread=0.3)), folds=5)
        seed_part = (contrast.seed_variance - contrast.image_part_of_seeds) / seeds
        within, between = (stdtrit(freedom, 0.975) ** 2 for freedom in (contrast.image_freedom, contrast.seed_freedom))
        expected = within * contrast.image_variance + between * factor * seed_part
        assert contrast.half_width(0.05) ** 2 == pytest.approx(expected) and seed_part > contrast.image_variance

    def test_counts_a_part_of_the_seeds_where_few_show_none(self):
        contrast = replace(compute_contrast(self.rotate(draw_differences(3, 500)), folds=5), seed_variance=0.0)
        images_alone = contrast.image_variance * stdtrit(contrast.image_freedom, 0.975) ** 2
        assert contrast.half_width(0.05) ** 2 == pytest.approx(images_alone * (1 + (2 / 2) ** 0.5))

    def test_gains_little_from_testing_images_again(self):
        differences = np.tile(draw_differences(1, 200), (10, 1))  # trainings that agree
        once, twice = (compute_contrast(self.rotate(differences[:seeds]), folds=5) for seeds in (5, 10))
        assert twice.images == pytest.approx(once.images)
        assert twice.image_variance == pytest.approx(once.image_variance)

    def test_stays_wide_where_seeds_scatter(self):
        calm, wild = (
            compute_contrast(self.rotate(draw_differences(5, 2000, spread=spread)), folds=5).half_widths(0.05)[0]
            for spread in (0.0, 0.2)
        )
        assert wild > 2 * calm

    def test_of_one_seed_is_an_exact_test(self):
        table = self.rotate(draw_differences(1, 100))
        assert compute_contrast(table, folds=5) == compute_contrast(table[:, ::5])


class TestGroups:
    def test_of_one_image_each_change_nothing(self):
        rows, classes = draw_differences(4, 60), np.arange(60) % 3
        alone = compute_contrast(rows, groups=np.arange(60))
        assert alone.half_widths(0.05) == pytest.approx(compute_contrast(rows).half_widths(0.05))
        assert compute_contrast(rows, classes, groups=np.arange(60)).mean == pytest.approx(
            compute_contrast(rows, classes).mean
        )

    def test_of_copies_count_once(self):
        rows = draw_differences(4, 40)
        copied = compute_contrast(np.repeat(rows, 12, axis=1), groups=np.repeat(np.arange(40), 12))
        assert copied.images == pytest.approx(40)
        assert copied.half_widths(0.05) == pytest.approx(compute_contrast(rows).half_widths(0.05))

    def test_of_different_sizes_keep_the_mean(self):
        rows, groups = draw_differences(3, 50), np.repeat([0, 1, 2, 3], [30, 10, 5, 5])
        contrast = compute_contrast(rows, groups=groups)
        assert contrast.mean == pytest.approx(rows.mean()) and contrast.images < 4

    def test_widen_a_single_seed_and_folds(self):
        row, groups = np.repeat(draw_differences(1, 20), 5, axis=1), np.repeat(np.arange(20), 5)
        assert (
            compute_contrast(row, groups=groups).half_widths(0.05)[0] > 1.5 * compute_contrast(row).half_widths(0.05)[0]
        )
        table = np.full((2, 100), np.nan)
        table[0, :50], table[1, 50:] = row[0, :50], row[0, 50:]
        grouped, plain = (compute_contrast(table, folds=5, groups=each) for each in (groups, None))
        assert grouped.image_variance > 3 * plain.image_variance

    def test_need_two(self):
        with pytest.raises(ValueError, match="one group"):
            compute_contrast(draw_differences(3, 10), groups=np.zeros(10, dtype=int))
