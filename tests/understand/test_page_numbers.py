"""The page against its JSON: each number in a part's text and tables and beside its claims is there as a number."""

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from functools import partial
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
import timm
import torch

from headstart.understand.architectures.skip_connections_chapter import build_skip_connections_chapter
from headstart.understand.chapters import CHAPTERS, build_chapters
from headstart.understand.claims import Chapter, Claim, Table
from headstart.understand.html import explanation_to_json, render_explanation

NUMBER = re.compile(r"(?<![\w.])(\d[\d,]*(?:\.\d+)?(?:e[−+-]?\d+)?)(?!\w|\.\d)")


RAW = 32  # a list of more numbers is what others were computed of: among so many any one would be found


FIELDS = ("receptive_field", "effective_field", "convolution", "pooling", "width")
TEXTS = {"p", "td", "caption", "figcaption"}
CONSTANTS = re.compile(  # numbers of fixed sentences
    r"the course's pool makes 14 of 28, Sobel 2 of 5|the course's 5×5 (stays 5×5 with padding 1|becomes 3×3)"
    r"|learned: below 0\.001|left out: below 5 pixels|\(2×2, 4×4, global\)|0\.25 where all|1 is a Gaussian exactly"
    r"|, 1 with themselves|95 % intervals?|95 of 100 random|\(\d{4}\)|et al\. \d{4}, arXiv:[\d.]+"
    r"|784² = 614,656|it needs 7,056|everywhere: 9\.|a 16×16 map|one map of 28×28|about 141 %|27 weights for every 49"
)


class TextParser(HTMLParser):
    """Paragraphs, captions and table cells, each with the part that it stands in."""

    def __init__(self) -> None:
        super().__init__()
        self.part, self.within, self.texts = "", False, []

    def handle_starttag(self, tag, attrs):
        if tag == "section":
            self.part = dict(attrs)["id"]
        if tag in TEXTS:
            self.within = True
            self.texts.append([self.part, ""])

    def handle_endtag(self, tag):
        if tag == "section":
            self.part = ""
        self.within &= tag not in TEXTS

    def handle_data(self, data):
        if self.within:
            self.texts[-1][1] += data


def iter_numbers(value: Any) -> Iterator[float]:
    """The numbers in a part of the JSON, raw lists left out, and the places in its lists, counted from 1."""
    if isinstance(value, dict):
        yield from (float(key) for key in value if key.isdecimal())
        for inner in value.values():
            yield from iter_numbers(inner)
    elif isinstance(value, list):
        yield len(value)
        if sum(isinstance(each, int | float) for each in value) <= RAW:
            for place, inner in enumerate(value, start=1):
                yield place
                yield from iter_numbers(inner)
    elif isinstance(value, int | float):
        yield value


def find_unknown_numbers(text: str, known: list[float]) -> list[str]:
    """The numbers in a text that none of those known rounds to, as it is or as per cent, whatever its sign."""
    found = []
    for number in NUMBER.findall(CONSTANTS.sub(" ", text.replace("\N{NO-BREAK SPACE}", " "))):
        digits, _, power = number.replace(",", "").replace("−", "-").partition("e")
        unit = 10.0 ** (int(power or 0) - len(digits.partition(".")[2]))
        apart = np.abs(np.outer((1, 100), np.abs(known)) - float(digits) * 10.0 ** int(power or 0))
        if not (apart <= 0.5000001 * unit).any():
            found.append(number)
    return found


def find_unexplained_numbers(page: str, measurements: str) -> list[tuple[str, str, str]]:
    """Part, number and text of each number on the page that its part of the JSON does not hold."""
    texts, lost = TextParser(), []
    texts.feed(page)
    for chapter in json.loads(measurements)["chapters"]:
        intervals = [claim["interval"] or [] for claim in chapter["claims"]]
        known = [*iter_numbers(chapter["numbers"]), *iter_numbers(intervals)]
        told = [claim[key] for claim in chapter["claims"] for key in ("value", "control")]
        told += [text for part, text in texts.texts if part == chapter["name"]]
        lost += [(chapter["name"], number, text) for text in told for number in find_unknown_numbers(text, known)]
    return lost


def render_both(chapters: list[Chapter]) -> tuple[str, str]:
    """The page and its JSON."""
    return render_explanation("it", chapters, [], "command"), explanation_to_json("it", chapters, [], "command", {})


@pytest.fixture
def whole(subject, run_row, curve_rows, small_experiment):
    """All chapters of a pretrained network, with a sweep of each kind."""
    network = deepcopy(subject.random_network)
    with torch.no_grad():
        network.conv2.weight += 2 * torch.randn(network.conv2.weight.shape, generator=torch.Generator().manual_seed(0))
    arms = {
        "lenet": (0.612, 1.31),
        "alexnet": (0.723, 1.07),
        "scratch_backbone": (0.811, 0.93),
        "finetune": (0.917, 0.411),
    }
    rows = [
        run_row(
            model,
            seed,
            accuracy + 0.013 * seed,
            labels_per_class=20,
            test_loss=loss + 0.017 * seed,
            training_loss=0.0123,
            is_pretrained=model == "finetune",
        )
        for model, (accuracy, loss) in arms.items()
        for seed in range(3)
    ]
    labels = subject.labels.clone()
    labels[::3] = labels[::3].roll(1)  # so that no probe reaches 100 %
    build = partial(build_skip_connections_chapter, experiment=small_experiment)
    builders = {**CHAPTERS, "skip_connections": replace(CHAPTERS["skip_connections"], build=build)}
    return build_chapters(
        replace(
            subject,
            network=network,
            pretrained_network=subject.random_network,
            labels=labels,
            sweep=[*curve_rows(), *rows],
        ),
        builders=builders,
    )


class TestPageNumbers:
    def test_are_in_the_json(self, whole):
        assert [chapter.name for chapter in whole] == list(CHAPTERS)
        assert not [chapter.name for chapter in whole if "error" in chapter.numbers], "a part was left out"
        assert find_unexplained_numbers(*render_both(whole)) == []

    def test_of_a_resnet_are_in_the_json(self, subject):
        network = timm.create_model("resnet10t", in_chans=1, num_classes=4)
        parts = build_chapters(replace(subject, network=network, random_network=deepcopy(network)), FIELDS)
        assert not [chapter.name for chapter in parts if "error" in chapter.numbers], "a part was left out"
        assert (
            next(each for each in parts if each.name == FIELDS[0]).numbers["stacks"]
            and find_unexplained_numbers(*render_both(parts)) == []
        )


class TestFindUnknownNumbers:
    def test_finds_numbers_that_are_not_in_the_json(self):
        numbers = {"share": 0.4321, "times": 37.08, "few": 2.04e-7, "raw": [float(n) for n in range(100)]}
        right = Claim("c", "It is.", "holds", "43 % or 0.43, 37.1 times, within 2e-07 of 100", "43.2 %", (1.5, 2.5))
        wrong = Claim("d", "It is not.", "fails", "44 %, 0.432 but 37.2 and 3e-07", "57")
        content = ["By 37.1, not 38.", Table("Sizes", ("a", "b"), [(0.4321, 1234)])]
        chapter = Chapter("sizes", "Sizes", content, [right, wrong], numbers)
        assert [number for _, number, _ in find_unexplained_numbers(*render_both([chapter]))] == [
            "44",
            "37.2",
            "3e-07",
            "57",
            "38",
            "1,234",
        ]
