"""What the chapter says of depth on a few small images."""

import dataclasses
import json

import torch

from headstart.understand.architectures import skip_connections_chapter
from headstart.understand.claims import Picture, Table


def weights(network):
    return [tensor.clone() for tensor in network.state_dict().values()]


def test_every_claim_has_a_verdict_and_the_subject_stays_as_it_is(shallow, subject):
    before, steps = weights(subject.network), []
    said = skip_connections_chapter.build_arc_chapter(subject, steps.append)
    assert {claim.name for claim in said.claims} == set(skip_connections_chapter.CLAIMS)
    assert all(
        claim.verdict in ("holds", "depends", "fails")
        for claim in said.claims
        if claim.name in skip_connections_chapter.VERDICT_TEXTS
    )
    assert len(steps) == len(skip_connections_chapter.KINDS) * skip_connections_chapter.SEEDS == len(set(steps))
    assert [type(p) for p in said.content if not isinstance(p, str)] == [
        Picture,
        Picture,
        Table,
    ]
    assert all(torch.equal(a, b) for a, b in zip(before, weights(subject.network), strict=True))
    assert all(p.grad is None for p in subject.network.parameters())
    json.dumps(said.numbers, allow_nan=False)
    assert all(len(kind["losses"]) == skip_connections_chapter.SEEDS for kind in said.numbers["depth"])
    assert all(
        len(run) == skip_connections_chapter.STEPS and run[0] > 0
        for kind in said.numbers["depth"]
        for run in kind["losses"]
    )


def test_the_same_subject_gives_the_same_numbers(shallow, subject):
    assert (
        skip_connections_chapter.build_arc_chapter(subject, str).numbers
        == skip_connections_chapter.build_arc_chapter(subject, str).numbers
    )


def test_where_nobody_labelled_the_images_the_networks_own_labels_are_learned(shallow, subject):
    images, labels = skip_connections_chapter._downsample_images(dataclasses.replace(subject, labels=None))
    said = subject.network(subject.images).argmax(dim=1)
    assert images.shape == (60, 1, 8, 8) and torch.equal(labels, said.unique(return_inverse=True)[1])


def test_images_of_one_label_teach_nothing(shallow, subject):
    said = skip_connections_chapter.build_arc_chapter(
        dataclasses.replace(subject, labels=torch.zeros(60, dtype=torch.int64)), str
    )
    assert {claim.verdict for claim in said.claims} == {"not measured"} and all(claim.command for claim in said.claims)


def test_every_verdict_has_its_words():
    assert all(set(words) == {"holds", "depends", "fails"} for words in skip_connections_chapter.VERDICT_TEXTS.values())
