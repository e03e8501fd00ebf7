import dataclasses

import torch
from torch import nn

from headstart.understand.translation import chapter as why_convolutions
from headstart.understand.translation.chapter import CLAIMS, build_why_convolutions_chapter
from headstart.understand.translation.pixel_permutation import PermutationResult


def told(subject, monkeypatch):
    """The chapter with a permutation test that somebody else made: it has tests of its own, and takes seconds."""

    def test(images, labels, distance):
        right, wrong = torch.ones(2, 40, dtype=torch.bool), (torch.arange(40) % 2 == 0).expand(2, -1)
        return PermutationResult(0.25, right, wrong if distance else right, right, right)

    monkeypatch.setattr(why_convolutions, "run_permutation_test", test)
    return build_why_convolutions_chapter(subject, lambda text: None)


def test_every_claim_is_measured_on_the_lessons_network(subject, monkeypatch):
    found = told(subject, monkeypatch)
    verdicts = {claim.name: claim.verdict for claim in found.claims}
    assert set(verdicts) == set(CLAIMS)
    assert verdicts["translation-equivariance"] == "depends" and verdicts["locality"] == "holds"
    assert verdicts["parameter-sharing"] == verdicts["dense-ignores-space"] == "holds"
    assert any("614,656" in part and "95 %" in part for part in found.content if isinstance(part, str))
    assert any("learned by heart" in part for part in found.content if isinstance(part, str))


def test_the_network_stays_as_it_was(subject, monkeypatch):
    before = {name: value.clone() for name, value in subject.network.state_dict().items()}
    told(subject, monkeypatch)
    assert all(torch.equal(value, before[name]) for name, value in subject.network.state_dict().items())
    assert not any(module._forward_hooks for module in subject.network.modules())


def test_what_does_not_apply_is_said_in_plain_words_with_a_command(subject):
    torch.manual_seed(0)
    dense = nn.Sequential(nn.Flatten(), nn.Linear(784, 4))
    found = build_why_convolutions_chapter(dataclasses.replace(subject, network=dense, labels=None), lambda text: None)
    claims = {claim.name: claim for claim in found.claims}
    assert set(claims) == set(CLAIMS)
    for name in ("translation-equivariance", "locality", "parameter-sharing", "dense-ignores-space"):
        assert claims[name].verdict == "not measured" and claims[name].command, name
