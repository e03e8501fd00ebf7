from headstart.understand.architectures.architecture_gains import build_architecture_claim, collect_paired_accuracies


def runs(budget=20, **accuracies):
    return [
        {"model": model, "seed": seed, "labels_per_class": budget, "metrics": {"test/accuracy": accuracy}}
        for model, its in accuracies.items()
        for seed, accuracy in enumerate(its)
    ]


RISING = {"lenet": [0.7, 0.71, 0.9], "alexnet": [0.8, 0.81], "scratch_backbone": [0.9, 0.92]}
FALLING = {**RISING, "alexnet": [0.5, 0.51]}


def test_the_climb_is_read_from_the_seeds_that_all_three_have():
    said = build_architecture_claim(collect_paired_accuracies(runs(**RISING, plain_resnet=[0.1, 0.1])))
    assert said.verdict == "holds" and said.value == "lenet 70.5 %, alexnet 80.5 %, scratch_backbone 91.0 %"


def test_a_network_that_lost_to_the_one_before_it_ends_the_climb():
    assert build_architecture_claim(collect_paired_accuracies(runs(**FALLING))).verdict == "fails"


def test_the_largest_budget_that_has_all_three_counts():
    assert (
        build_architecture_claim(
            collect_paired_accuracies(runs(5, **RISING) + runs(10, **FALLING) + runs(20, lenet=[0.7, 0.7]))
        ).verdict
        == "fails"
    )
    assert (
        build_architecture_claim(collect_paired_accuracies(runs(None, **RISING) + runs(10, **FALLING))).verdict
        == "holds"
    )


def test_without_all_three_nothing_is_measured():
    said = build_architecture_claim(collect_paired_accuracies(runs(lenet=[0.7, 0.7])))
    assert said.verdict == "not measured" and "experiment=architectures" in said.command
