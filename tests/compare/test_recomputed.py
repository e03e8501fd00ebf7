"""The numbers of a report, recomputed from the predictions with pandas alone."""

import json
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

from headstart.compare.inference.analysis import analyze_sweep
from headstart.compare.report.content import build_report


def load_frame(sweep):
    """All predictions of a sweep."""
    frames = []
    for path in sweep.rglob("predictions.parquet"):
        result = json.loads((path.parent / "result.json").read_text())
        frame = pd.read_parquet(path)
        frames.append(frame.assign(**{k: result[k] for k in ("arm", "labels_per_class", "seed", "fold")}))
    frame = pd.concat(frames, ignore_index=True)
    return frame.assign(right=frame["label"] == frame["predicted"], sure=frame["probabilities"].map(max))


def howe_by_pandas(table, mean_variance, num_arms):
    """The mean of a table of seeds by images, and half the width of its interval at a level.

    The variance between seeds is moderated towards the mean of all pairs of arms.
    """
    seeds, images = table.shape
    mean = table.to_numpy().mean()
    own, prior = seeds - 1, (num_arms - 2) * (seeds - 1) / 2
    variance = (prior * mean_variance + own * table.mean(axis=1).var()) / (prior + own)
    by_seed, by_image = images * variance, seeds * table.mean(axis=0).var()
    rest = table.sub(table.mean(axis=1), axis=0).sub(table.mean(axis=0)).add(mean)
    rest = (rest**2).to_numpy().sum() / ((seeds - 1) * (images - 1))

    def half(alpha):
        of_seeds, of_images = (t.ppf(1 - alpha / 2, freedom) ** 2 for freedom in (own + prior, images - 1))
        both = of_seeds * by_seed + of_images * max(by_image - rest, 0)
        howe = (max(both, of_images * by_image) / (seeds * images)) ** 0.5
        return max(howe, 1 - (alpha / 2) ** (1 / images))

    return mean, half


class TestReportNumbers:
    def test_accuracies_equal_the_predictions(self, fake_sweep):
        sweep = fake_sweep()
        report, frame = build_report(analyze_sweep(sweep)), load_frame(sweep)
        by_run = frame.groupby(["arm", "labels_per_class", "seed"])["right"].mean()
        assert len(report["runs"]) == len(by_run) == 24
        for run in report["runs"]:
            assert run["accuracy"] == pytest.approx(by_run[run["arm"], run["labels_per_class"], run["seed"]])
        over_seeds = by_run.groupby(["arm", "labels_per_class"]).agg(["mean", "std", "size"])
        (data,) = report["data"]
        assert len(data["table"]) == len(over_seeds) == 8
        for row in data["table"]:
            expected = over_seeds.loc[(row["arm"], row["labels_per_class"])]
            assert [row["accuracy"], row["spread"], row["n"]] == pytest.approx(list(expected))

    def test_differences_equal_the_predictions(self, fake_sweep):
        sweep = fake_sweep()
        frame = load_frame(sweep)
        for answer in build_report(analyze_sweep(sweep))["data"][0]["answers"]:
            right = frame[frame["labels_per_class"] == answer["labels_per_class"]].groupby("arm")["right"].mean()
            for pair in [answer["declared"], *answer["pairs"]]:
                assert pair["difference"] == pytest.approx(right[pair["first"]] - right[pair["second"]])
                assert pair["low"] < pair["difference"] < pair["high"]

    def test_intervals_are_howes(self, fake_sweep):
        sweep = fake_sweep()
        frame = load_frame(sweep)
        for answer in build_report(analyze_sweep(sweep))["data"][0]["answers"]:
            right = frame[frame["labels_per_class"] == answer["labels_per_class"]].astype({"right": float})
            arms = {
                arm: of_arm.pivot(index="seed", columns="image", values="right") for arm, of_arm in right.groupby("arm")
            }
            variance = np.mean([(arms[a] - arms[b]).mean(axis=1).var() for a, b in combinations(arms, 2)])
            for pair in [answer["declared"], *answer["pairs"]]:
                mean, half = howe_by_pandas(arms[pair["first"]] - arms[pair["second"]], variance, len(arms))
                width = half(1 - pair["confidence"])
                assert [pair["low"], pair["high"]] == pytest.approx([max(mean - width, -1), min(mean + width, 1)])
                if 1e-9 < pair["p_value"] < 1:  # the level whose interval just reaches zero
                    assert half(pair["p_value"]) == pytest.approx(abs(mean), rel=1e-4)

    def test_evaluation_is_of_the_best_arm(self, fake_sweep):
        sweep = fake_sweep()
        evaluation = build_report(analyze_sweep(sweep))["data"][0]["best_arm"]
        frame = load_frame(sweep)
        largest = frame[frame["labels_per_class"] == 20]
        assert (
            evaluation["arm"] == largest.groupby("arm")["right"].mean().idxmax()
            and evaluation["labels_per_class"] == 20
        )
        best = largest[largest["arm"] == evaluation["arm"]]
        assert evaluation["confusion"]["counts"] == pd.crosstab(best["label"], best["predicted"]).to_numpy().tolist()
        assert [row["recall"] for row in evaluation["confusion"]["recall"]] == pytest.approx(
            list(best.groupby("label")["right"].mean())
        )
        for row in evaluation["calibration"]:
            of_arm = largest[largest["arm"] == row["arm"]]
            bins = of_arm.groupby(pd.cut(of_arm["sure"].astype(float), np.linspace(0, 1, 16)), observed=True)
            gap = (bins["right"].mean() - bins["sure"].mean()).abs()
            assert row["ece"] == pytest.approx((gap * bins.size()).sum() / len(of_arm))
            assert [b["count"] for b in row["bins"]] == list(bins.size())
            ranked = np.array_split(of_arm.sort_values("sure", kind="stable")["right"].to_numpy(), len(of_arm) // 25)
            assert [point["accuracy"] for point in row["points"]] == pytest.approx([part.mean() for part in ranked])
            assert all(point["count"] >= 25 for point in row["points"])

    def test_errors_are_the_most_confident_ones(self, fake_sweep):
        sweep = fake_sweep()
        evaluation = build_report(analyze_sweep(sweep))["data"][0]["best_arm"]
        frame = load_frame(sweep)
        best = frame[(frame["labels_per_class"] == 20) & (frame["arm"] == evaluation["arm"])]
        mean = best.groupby("image")["probabilities"].agg(lambda rows: np.mean(np.stack(list(rows)), axis=0))
        label = best.groupby("image")["label"].first()
        wrong = mean[mean.map(np.argmax) != label].map(max).sort_values(ascending=False)
        assert [m["image"] for m in evaluation["mistakes"]] == list(wrong.index[:12])
        first = evaluation["mistakes"][0]
        assert (
            first["predictions"][0]["probability"] == pytest.approx(wrong.iloc[0])
            and first["predictions"][0]["class"] != first["class"]
        )
        assert {prediction["arm"] for prediction in first["predictions"]} == {
            "finetune",
            "frozen",
            "scratch_backbone",
            "scratch_cnn",
        }

    def test_agreement_is_counted_image_by_image(self, fake_sweep):
        sweep = fake_sweep()
        frame = load_frame(sweep).query("labels_per_class == 20").set_index(["seed", "image"])
        for pair in build_report(analyze_sweep(sweep))["data"][0]["best_arm"]["agreement"]:
            one, other = (frame[frame["arm"] == pair[k]].sort_index() for k in ("first", "second"))
            assert pair["same"] == pytest.approx((one["predicted"] == other["predicted"]).mean())
            assert pair["both_right"] == pytest.approx((one["right"] & other["right"]).mean())
            assert pair["first_right"] == pytest.approx((one["right"] & ~other["right"]).mean())
            shares = [pair[k] for k in ("both_right", "first_right", "second_right", "both_wrong")]
            assert sum(shares) == pytest.approx(1)
