"""The page: all of it in report.json, safe with any name, the same each time."""

import html
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest

from headstart.compare.report import text as words
from headstart.compare.report.content import write_report
from headstart.runs.predictions import write_thumbnails
from headstart.runs.result import read_result, write_result

HOSTILE = (
    "<script>alert(1)</script>",
    "..",
    "猫",
    "שלום \u202e abc",
    "x" * 150 + "y" * 150,
    '"><img src=x onerror=alert(1)>',
)
VOID = {"meta", "img", "br", "link", "input", "hr"}


class PageText(HTMLParser):
    """What a reader sees outside the charts: its text, and the names, which may be cut, in full."""

    def __init__(self):
        super().__init__()
        self.open, self.text, self.names, self.tags, self.loads = [], [], [], [], []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append(tag)
        self.loads += [attrs[k] for k in ("src", "href", "xlink:href", "action", "data", "srcset") if k in attrs]
        assert not [name for name in attrs if name.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)
            if tag == "bdi":
                self.names.append([attrs.get("title"), ""])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        if "bdi" in self.open:
            self.names[-1][1] += data
        elif not {"style", "svg", "title"} & set(self.open):
            self.text.append(data)


def parse_page(page):
    parser = PageText()
    parser.feed(page.read_text(encoding="utf-8"))
    assert parser.open == []
    return parser


SENTENCES = {"answer", "unbeaten_text", "frozen_loss", "brief", "cautions", "next_steps", "text", "reason", "notes"}
CONSTANTS = re.compile(r"data\.folds=5|seed=0,1,2,3,4")  # that a sentence always has
INTERVAL = re.compile(r"\(([+−]?[\d.]+) to ([+−]?[\d.]+)\)")  # of what stands before it, in its unit
NUMBER = re.compile(r"(?<![\w.])(\d[\d,]*(?:\.\d+)?)(?:\s?(%|points?\b))?")


def leaves(value, key=None):
    """Each plain value of report.json with the key that it stands under."""
    if isinstance(value, dict):
        for inner, part in value.items():
            yield from leaves(part, "reason" if key == "excluded" else inner)
    elif isinstance(value, list):
        for part in value:
            yield from leaves(part, key)
    else:
        yield key, value


def list_numbers(report):
    """The numbers of report.json, and the lengths of its lists."""
    numbers = [value for _, value in leaves(report) if isinstance(value, int | float)]
    return np.abs(np.array([*numbers, *lengths(report)], dtype=float))


def sentence_sources(report):
    """What sentences may be of: among the thousands of other numbers, any one would be unknown."""
    keys = ("answers", "changes", "table", "conclusions", "next_step", "questions")
    data = [{key: data[key] for key in keys} for data in report["data"]]
    runs_ = [{key: run[key] for key in ("seed", "training_loss", "training_label_entropy")} for run in report["runs"]]
    return {**report, "data": data, "runs": runs_, "conditions": []}


def list_unknown(text, numbers, loose):
    """The numbers in a text that none of ``numbers`` rounds to: as it is, or as per cent and points where it says so.

    Args:
        text: of the page, or a sentence of report.json.
        numbers: of report.json.
        loose: whether per cent, and thousands, millions and so on, may go without their sign, as in a table.
    """
    unknown = []
    for number, sign in NUMBER.findall(INTERVAL.sub(r"(\1 % to \2 %)", CONSTANTS.sub(" ", text))):
        scales = (100,) if sign else (1, 100, 1e-3, 1e-6, 1e-9) if loose else (1,)
        decimals = len(number.partition(".")[2])
        apart = np.abs(np.outer(scales, numbers) - float(number.replace(",", "")))
        if not (apart <= 0.5000001 * 10.0**-decimals).any():
            unknown.append(number)
    return unknown


def find_unknown_numbers(page):
    """The numbers of the page's text that are no number of report.json, however it is rounded for showing.

    A sentence that stands in report.json is none of the page's own: its numbers must be in report.json as numbers, and
    as what they are report to be. Names, commands and what other programs report are quoted as they are.
    """
    report = json.loads(page.with_name("report.json").read_text())
    numbers = list_numbers(report)
    texts = [(key, value) for key, value in leaves(report) if isinstance(value, str) and re.search(r"\d", value)]
    quoted = compile_pattern({value for _, value in texts})
    names = compile_pattern({value for key, value in texts if key not in SENTENCES})
    unknown = [
        (number, sentence)
        for key, sentence in texts
        if key in SENTENCES
        for number in list_unknown(names.sub(" ", sentence), list_numbers(sentence_sources(report)), loose=False)
    ]
    for piece in parse_page(page).text:
        unknown += [(number, piece) for number in list_unknown(quoted.sub(" ", piece), numbers, loose=True)]
    return unknown


def read_report(page):
    return json.loads(page.with_name("report.json").read_text())


def compile_pattern(texts):
    """Any of the texts, the longest first, where no word goes on."""
    longest = sorted(texts, key=len, reverse=True)
    return re.compile("|".join(rf"(?<![\w.,]){re.escape(text)}(?!\w)" for text in longest) or r"(?!)")


def lengths(value):
    if isinstance(value, list):
        yield len(value)
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from lengths(part)


class TestNumbers:
    def test_of_the_page_are_in_the_json(self, fake_sweep):
        assert find_unknown_numbers(write_report(fake_sweep())) == []

    def test_of_all_sentences_are_in_the_json(self, fake_sweep, fake_run, fake_command, missing_run):
        """Refused arms, seeds that are left out, looks, open questions, declarations, missing and debug runs."""
        sweep = fake_sweep(budgets=(5, 20), compare={"margin": 0.01}, started="2026-01-02", images=150)
        fake_command(sweep, [*sweep.glob("*-photos-*"), *(missing_run(seed=seed, budget=40) for seed in range(3))])
        run = fake_run("frozen", 3, 5, images=150, compare={"margin": 0.02}, started="2026-02-02")
        fake_command(sweep, [run], started="2026-02-01")
        fake_run("frozen", 4, 5, debug="trainer.fast_dev_run=true")
        stuck = next(sweep.glob("scratch_cnn-photos-20-seed1-*"))
        write_result(stuck, replace(read_result(stuck), training={"loss": 1.0873, "label_entropy": 1.0986}))
        page = write_report(sweep)
        report = json.loads(page.with_name("report.json").read_text())
        sentences = " ".join(
            [*report["cautions"], *report["next_steps"], *(state["text"] for state in report["unfinished"])]
        )
        for part in (
            "loss of 1.087",
            "seed 3 of frozen",
            "2 looks",
            "0.01 or 0.02",
            "3 of 28 runs are missing",
        ):
            assert part in sentences
        assert find_unknown_numbers(page) == []

    def test_may_be_missing_where_probabilities_are_nan(self, fake_sweep, visible):
        page = write_report(fake_sweep(budgets=(5,), seeds=(0,), nan=True))
        assert "Its probabilities are not numbers (NaN)." in visible(page.read_text())
        assert find_unknown_numbers(page) == []


class TestFindUnknownNumbers:
    def test_checks_sentences_of_the_json(self, fake_sweep, monkeypatch):
        loss = words.describe_frozen_loss
        monkeypatch.setattr(
            words, "describe_frozen_loss", lambda verdict: loss(verdict) + ", or 91.7 points, or 77 more"
        )
        page = write_report(fake_sweep(seeds=(0,), budgets=(5,)))
        assert {number for number, _ in find_unknown_numbers(page)} == {"91.7", "77"}

    def test_finds_a_number_of_the_page_alone(self, fake_sweep):
        page = write_report(fake_sweep(seeds=(0,)))
        page.write_text(page.read_text().replace("</footer>", " 777.7 % and 98,765</footer>"))
        assert [number for number, _ in find_unknown_numbers(page)] == ["777.7", "98,765"]


class TestPage:
    def test_abbreviates_long_names_of_arms_by_letters(self, fake_run, tmp_path, visible):
        long = {"model.augment": "x" * 30 + "<b>", "model.head_lr": 0.001}
        for seed in range(2):
            fake_run("frozen", seed, settings=long)
            fake_run("frozen", seed, settings={"model.augment": "y" * 50, "model.head_lr": 0.001})
            fake_run("finetune", seed)
        page = write_report(tmp_path / "sweep")
        names = [name for name in read_report(page)["data"][0]["arms"] if "y" in name]
        text = visible(page.read_text())
        assert text.count(names[0]) == 1 and f"frozen A: {names[0]}; a pretrained network as it is" in text
        assert "frozen A" in text.partition("The arms")[0] and find_unknown_numbers(page) == []

    @pytest.mark.parametrize("nan", [False, True])
    def test_has_no_cost_where_all_arms_are_refused(self, fake_sweep, nan, visible):
        loss = float("nan") if nan else 1.09
        page = write_report(fake_sweep(budgets=(5,), training={"loss": loss, "label_entropy": 1.0986}, nan=nan))
        text, report = visible(page.read_text()), read_report(page)
        for part in (
            "no answer: finetune and scratch_backbone were refused",
            "no verdict: no arm is fit",
            "finetune, frozen, scratch_backbone, scratch_cnn; the reasons are below",
            "accurate arm, refused as evidence.",
        ):
            assert part in text
        reason = report["data"][0]["answers"][0]["excluded"]["finetune"]
        assert text.count(f"finetune is refused as evidence: {reason}") == 1 and "Cost of the unbeaten" not in text
        assert "0 seeds" not in text and "Differences of all pairs" not in text
        assert find_unknown_numbers(page) == []

    def test_has_a_level_for_each_data_set(self, fake_sweep):
        for data in ("photos", "plants"):
            sweep = fake_sweep(data=data)
        page = write_report(sweep)
        first = read_report(page)["cautions"][0]
        assert (
            first.startswith("Level: 5 % for each data set, 10 % for all together: ")
            and find_unknown_numbers(page) == []
        )

    def test_shows_names_and_runs_nothing_of_them(self, fake_sweep, fake_run, tmp_path):
        files = [f"{HOSTILE[i % 6]}/{i} $x$ .png" for i in range(60)]
        sweep = fake_sweep(budgets=(5,), seeds=(0,), classes=HOSTILE, data=HOSTILE[2], names=files)
        fake_run("frozen", 1, classes=HOSTILE, data=HOSTILE[2], names=files, settings={"model.weights": HOSTILE[0]})
        page = write_report(sweep)
        parsed = parse_page(page)
        assert not {"script", "iframe", "object", "embed", "link"} & set(parsed.tags)
        assert all(link.startswith(("#", "data:image/webp;base64,")) for link in parsed.loads)
        whole = {title or text for title, text in parsed.names}
        assert set(HOSTILE) <= whole and f"frozen weights={HOSTILE[0]}" in whole
        assert all(len(text) <= 320 for _, text in parsed.names)
        assert find_unknown_numbers(page) == []

    def test_loads_nothing(self, fake_sweep):
        text = write_report(fake_sweep(budgets=(5,), seeds=(0,))).read_text()
        assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in html.unescape(text)
        assert not re.search(r"https?://|@import|url\((?!#)", text)

    def test_shows_thumbnails_beside_errors(self, fake_sweep):
        sweep = fake_sweep(budgets=(5,))
        page = write_report(sweep)
        first = json.loads(page.with_name("report.json").read_text())["data"][0]["best_arm"]["mistakes"][0]["image"]
        assert "no picture" in page.read_text()
        write_thumbnails(next(sweep.glob("finetune-*")), [first, "other.png"], [b"RIFF", b"else"])
        again = write_report(sweep)
        assert [link for link in parse_page(again).loads if link.startswith("data:")] == [
            "data:image/webp;base64,UklGRg=="
        ]

    def test_has_headings_without_gaps(self, fake_sweep):
        levels = [
            int(tag[1])
            for tag in parse_page(write_report(fake_sweep(budgets=(5,), seeds=(0,)))).tags
            if re.fullmatch(r"h\d", tag)
        ]
        assert levels[0] == 1 and all(deeper - level <= 1 for level, deeper in pairwise(levels))
