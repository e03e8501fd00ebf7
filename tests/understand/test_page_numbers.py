"""The page against its JSON: each number in a part's text and tables and beside its claims is there as a number."""

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
import timm
import torch

from headstart.understand.claims import Chapter, Claim, Table
from headstart.understand.html import explanation_to_json, render_explanation
from headstart.understand.run_chapters import CHAPTERS, build_chapters

NUMBER = re.compile(r"(?<![\w.])(\d[\d,]*(?:\.\d+)?(?:e[−+-]?\d+)?)(?!\w|\.\d)")
RAW = 32  # a list of more numbers is what others were computed of: among so many any one would be found
FIELDS = ("receptive_field", "effective_field", "convolution", "pooling", "width")
TEXTS = {"p", "td", "caption", "figcaption"}
CONSTANTS = re.compile(  # of sentences, whatever was measured
    r"the lesson's pool makes 14 of 28, Sobel 2 of 5|the lesson's 5×5 (stays 5×5 with padding 1|becomes 3×3)"
    r"|learned: below 0\.001|left out: below 5 pixels|\(2×2, 4×4, global\)|0\.25 where all|1 is a Gaussian exactly"
    r"|, 1 with themselves|95 % intervals?|95 of 100 random|\(\d{4}\)|et al\. \d{4}, arXiv:[\d.]+"
    r"|784² = 614,656|it needs 7,056|everywhere: 9\.|a 16×16 map|one map of 28×28|about 141 %|27 weights for every 49"
)


class Texts(HTMLParser):
    """Paragraphs, captions and table cells, each with the part that it stands in."""

    def __init__(self) -> None:
        super().__init__()
        self.part, self.within, self.found = "", False, []

    def handle_starttag(self, tag, attrs):
        if tag == "section":
            self.part = dict(attrs)["id"]
        if tag in TEXTS:
            self.within = True
            self.found.append([self.part, ""])

    def handle_endtag(self, tag):
        if tag == "section":
            self.part = ""
        self.within &= tag not in TEXTS

    def handle_data(self, data):
        if self.within:
            self.found[-1][1] += data


def measured(value: Any) -> Iterator[float]:
    """The numbers in a part of the JSON, raw lists left out, and the places in its lists, counted from 1."""
    if isinstance(value, dict):
        yield from (float(key) for key in value if key.isdecimal())
        for inner in value.values():
            yield from measured(inner)
    elif isinstance(value, list):
        yield len(value)
        if sum(isinstance(each, int | float) for each in value) <= RAW:
            for place, inner in enumerate(value, start=1):
                yield place
                yield from measured(inner)
    elif isinstance(value, int | float):
        yield value


def unknown(text: str, known: list[float]) -> list[str]:
    """The numbers in a text that none of those known rounds to, as it is or as per cent, whatever its sign."""
    found = []
    for number in NUMBER.findall(CONSTANTS.sub(" ", text.replace("\N{NO-BREAK SPACE}", " "))):
        digits, _, power = number.replace(",", "").replace("−", "-").partition("e")
        unit = 10.0 ** (int(power or 0) - len(digits.partition(".")[2]))
        apart = np.abs(np.outer((1, 100), np.abs(known)) - float(digits) * 10.0 ** int(power or 0))
        if not (apart <= 0.5000001 * unit).any():
            found.append(number)
    return found


def strangers(page: str, measurements: str) -> list[tuple[str, str, str]]:
    """Part, number and text of each number on the page that its part of the JSON does not hold."""
    texts, lost = Texts(), []
    texts.feed(page)
    for chapter in json.loads(measurements)["chapters"]:
        intervals = [claim["interval"] or [] for claim in chapter["claims"]]
        known = [*measured(chapter["numbers"]), *measured(intervals)]
        told = [claim[key] for claim in chapter["claims"] for key in ("value", "control")]
        told += [text for part, text in texts.found if part == chapter["name"]]
        lost += [(chapter["name"], number, text) for text in told for number in unknown(text, known)]
    return lost


def both(chapters: list[Chapter]) -> tuple[str, str]:
    """The page and its JSON."""
    return render_explanation("it", chapters, [], "command"), explanation_to_json("it", chapters, [], "command", {})


def results(model: str, accuracy: float, test_loss: float, **more: Any) -> list[dict[str, Any]]:
    """A sweep's runs of a model, three seeds."""
    return [
        {
            "status": "finished",
            "model": model,
            "data": "digits",
            "labels_per_class": 20,
            "seed": seed,
            "settings": {},
            "metrics": {"test/accuracy": accuracy + 0.013 * seed, "test/log_loss": test_loss + 0.017 * seed},
            "training": {"loss": 0.0123},
            **more,
        }
        for seed in range(3)
    ]


@pytest.fixture
def whole(subject, shallow, transplanted):
    """All chapters, of a network that was pretrained, with a sweep of each kind."""
    network = deepcopy(subject.random_network)
    with torch.no_grad():
        network.conv2.weight += 2 * torch.randn(network.conv2.weight.shape, generator=torch.Generator().manual_seed(0))
    arms = {"lenet": (0.612, 1.31), "alexnet": (0.723, 1.07), "scratch_backbone": (0.811, 0.93)}
    pretrained = results("finetune", 0.917, 0.411, starts={"backbone": {"weights": "embedded"}})
    rows = [*transplanted(), *pretrained, *(row for arm, figures in arms.items() for row in results(arm, *figures))]
    labels = subject.labels.clone()
    labels[::3] = labels[::3].roll(1)  # so that no probe comes near to 100 %
    return build_chapters(
        replace(subject, network=network, pretrained_network=subject.random_network, labels=labels, sweep=rows)
    )


def test_every_number_of_every_part_is_in_the_json(whole):
    assert [chapter.name for chapter in whole] == list(CHAPTERS)
    assert not [chapter.name for chapter in whole if "error" in chapter.numbers], "a part was left out"
    assert strangers(*both(whole)) == []


def test_so_it_is_of_a_network_with_stacks_strides_and_skips(subject):
    network = timm.create_model("resnet10t", in_chans=1, num_classes=4)
    parts = build_chapters(replace(subject, network=network, random_network=deepcopy(network)), FIELDS)
    assert not [chapter.name for chapter in parts if "error" in chapter.numbers], "a part was left out"
    assert next(each for each in parts if each.name == FIELDS[0]).numbers["stacks"] and strangers(*both(parts)) == []


def test_the_checker_finds_a_number_that_is_not():
    numbers = {"share": 0.4321, "times": 37.08, "few": 2.04e-7, "raw": [float(n) for n in range(100)]}
    right = Claim("c", "It is.", "holds", "43 % or 0.43, 37.1 times, within 2e-07 of 100", "43.2 %", (1.5, 2.5))
    wrong = Claim("d", "It is not.", "fails", "44 %, 0.432 but 37.2 and 3e-07", "57")
    content = ["By 37.1, not 38.", Table("Sizes", ("a", "b"), [(0.4321, 1234)])]
    chapter = Chapter("sizes", "Sizes", content, [right, wrong], numbers)
    assert [number for _, number, _ in strangers(*both([chapter]))] == ["44", "37.2", "3e-07", "57", "38", "1,234"]
