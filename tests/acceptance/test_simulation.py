"""The simulation in a real browser: every control by mouse and by keyboard alone, and what people should learn."""

import re

import pytest
from PIL import Image

from headstart.understand.simulation import render_simulation
from headstart.understand.simulation.layer_list import build_layer_list

pytestmark = pytest.mark.acceptance

ROOT = "document.getElementById('receptive-field-simulation').shadowRoot"
# What one can reach by Tab, in view; of a group of radios one.
REACHED = f"""[...{ROOT}.querySelectorAll("button, input, select, summary, pre, [tabindex='0']")].filter((e) =>
    e.checkVisibility() && !e.disabled && e.tabIndex === 0 && (e.type !== "radio" || e.checked))"""
WORD = """(e) => e.id || e.dataset.key || e.getAttribute("aria-label") ||
    `${e.name ?? ""} ${e.value ?? ""} ${e.textContent}`.trim()"""
USES = {
    "button": "Enter", "range": "ArrowRight", "number": "ArrowUp", "checkbox": " ", "radio": "ArrowRight",
    "select-one": "ArrowDown", "summary": "Enter", "canvas": "ArrowRight",
}  # fmt: skip
TABS = ("field", "stack", "convolution")


@pytest.fixture(scope="module")
def page(tmp_path_factory, browser):
    import timm

    folder = tmp_path_factory.mktemp("simulation")
    network = timm.create_model("resnet18")
    own = build_layer_list("Your network", network, (3, 64, 64))
    import torch

    maps = {"layer2": torch.rand(64, 64)}
    (folder / "plain.html").write_text(render_simulation(), encoding="utf-8")
    (folder / "own.html").write_text(
        render_simulation(own, maps, [torch.zeros(3, 9, 9, dtype=torch.uint8)]), encoding="utf-8"
    )
    Image.new("RGB", (40, 30), "teal").save(folder / "mine.png")
    return folder


def address(page, name="plain"):
    return (page / f"{name}.html").as_uri()


def text(browser, name):
    return browser.evaluate(f"{ROOT}.getElementById('{name}').textContent")


def press(browser, words):
    """Clicks the button or link of these words, which lies in view then."""
    place = browser.evaluate(
        f"""(() => {{
            const all = [...{ROOT}.querySelectorAll("button, summary")];
            const e = all.find((e) => e.checkVisibility() && e.textContent === {words!r});
            e.scrollIntoView({{ block: "center" }});
            const {{ x, y, width, height }} = e.getBoundingClientRect();
            return [x + width / 2, y + height / 2];
        }})()"""
    )
    browser.click(*place)


def untroubled(browser):
    assert browser.complaints == []
    assert [a for a in browser.asked if not re.match(r"(about|file|data|blob):", a)] == []


def columns(browser):
    """(jump, field) of each layer of the table, the image left out."""
    lines = f"[...{ROOT}.querySelectorAll('#layers tr')]"
    rows = browser.evaluate(f"{lines}.map((line) => [...line.cells].map((cell) => cell.textContent))")
    return [(int(jump), int(field)) for _, _, jump, field, *_ in rows[1:]]


@pytest.mark.parametrize(
    ("preset", "expected"),
    [
        ("The lesson’s network", [3, 4, 8, 10, 34, 34]),
        ("LeNet-5", [5, 6, 14, 16, 32]),
        ("AlexNet", [11, 19, 51, 67, 99, 131, 163, 195]),
        ("Dilated 1, 2, 4, 8, 16", [3, 7, 15, 31, 63]),
        ("Three 3×3", [3, 5, 7]),
    ],
)
def test_presets_stand_in_the_table_as_known(browser, page, preset, expected):
    browser.open(address(page))
    press(browser, preset)
    assert [field for _, field in columns(browser)] == expected
    untroubled(browser)


@pytest.mark.parametrize(("preset", "layer", "expected"), [("VGG-16", -1, (32, 212)), ("ResNet-18", 9, (32, 435))])
def test_deep_presets_end_as_known(browser, page, preset, layer, expected):
    browser.open(address(page))
    press(browser, preset)
    assert columns(browser)[layer] == expected


@pytest.mark.parametrize("name", ["plain", "own"])
@pytest.mark.parametrize("tab", TABS)
def test_every_control_works_by_mouse(browser, page, name, tab):
    browser.open(address(page, name))
    browser.evaluate(f"{ROOT}.getElementById('tab-{tab}').click()")
    browser.settled()
    count = browser.evaluate(f"{REACHED}.length")
    assert count > 5
    for i in range(count):
        place = browser.evaluate(
            f"""(() => {{
                const e = {REACHED}[{i}];
                if (!e || e.type === "file" || e.id === "picture" || e.getAttribute("role") === "tab") return null;
                e.scrollIntoView({{ block: "center" }});
                const {{ x, y, width, height }} = e.getBoundingClientRect();
                return [x + width * 0.6, y + height / 2];
            }})()"""
        )
        if place:
            browser.click(*place)
    untroubled(browser)


@pytest.mark.parametrize("tab", TABS)
@pytest.mark.parametrize("reduced", [False, True])
def test_every_control_is_reached_and_works_by_keyboard_alone(browser, page, tab, reduced):
    browser.open(address(page, "own"), reduced=reduced)
    browser.key("Tab")
    for _ in range(TABS.index(tab)):
        browser.key("ArrowRight")
    expected = set(browser.evaluate(f"{REACHED}.map({WORD})"))
    reached = set()
    for _ in range(len(expected) + 40):
        reached.add(browser.evaluate(f"(({WORD}))({ROOT}.activeElement ?? document.body)"))
        browser.key("Tab")
        if browser.evaluate(f"{ROOT}.activeElement === null"):
            break
    assert expected <= reached
    # Now used: each key where it means something, from the first control to the last.
    browser.open(address(page, "own"), reduced=reduced)
    browser.key("Tab")
    for _ in range(TABS.index(tab)):
        browser.key("ArrowRight")
    pressed, used = set(), set()
    for _ in range(500):  # presses add layers, and so controls
        browser.key("Tab")
        if browser.evaluate(f"{ROOT}.activeElement === null"):
            break
        word = browser.evaluate(f"(({WORD}))({ROOT}.activeElement)")
        kind = browser.evaluate(f"(({ROOT}.activeElement.type ?? {ROOT}.activeElement.tagName) || '').toLowerCase()")
        # Once each: "earlier" and "later" in turn would move the same layer for ever.
        if kind in USES and word not in pressed:
            browser.key(USES[kind])
            pressed.add(word)
            used.add(kind)
    there = {
        "field": set(USES) - {"checkbox"},
        "stack": {"range", "number"},
        "convolution": {"button", "range", "number"},
    }
    assert used == there[tab]
    untroubled(browser)


def test_each_axis_is_set_by_itself_by_keyboard(browser, page):
    browser.open(address(page))
    for what, key in (("#apart", " "), ("#dials [type=range]", "ArrowRight")):
        browser.evaluate(f"{ROOT}.querySelector('{what}').focus()")
        browser.key(key)
    line = browser.evaluate(f"{ROOT}.querySelector('#layers .chosen').textContent")
    assert "max 3×2" in line and "12 | 10" in line
    untroubled(browser)


def test_a_unit_is_pointed_at_pinned_and_walked(browser, page):
    browser.open(address(page))
    pinned = text(browser, "sentence")
    area = f"{ROOT}.getElementById('units').getBoundingClientRect()"
    x, y, width = (browser.evaluate(f"{area}.{name}") for name in ("x", "y", "width"))
    browser.mouse("mouseMoved", x + 3, y + 3)
    browser.settled()
    assert text(browser, "sentence").startswith("Unit (0, 0) of pool 2")
    browser.mouse("mouseMoved", 5, 5)
    browser.settled()
    assert text(browser, "sentence") == pinned
    browser.click(x + width - 3, y + 3)
    browser.mouse("mouseMoved", 5, 5)
    browser.settled()
    assert text(browser, "sentence").startswith("Unit (0, 6) of pool 2")
    for key, expected in (("ArrowDown", "(1, 6) of pool 2"), ("Home", "(0, 0) of pool 2"), ("PageDown", "of conv 2")):
        browser.key(key)
        assert expected in text(browser, "sentence")
    untroubled(browser)


def test_a_residual_blocks_kernel_stays_odd(browser, page):
    browser.open(address(page))
    press(browser, "ResNet-18")
    browser.evaluate(f"{ROOT}.querySelector('#dials [type=range]').focus()")
    before = columns(browser)[5][1]
    browser.key("ArrowRight")
    assert columns(browser)[5][1] == before + 2 * 8 + 2 * 8  # both of its 3×3 are 5×5 now, at jump 8
    untroubled(browser)


def test_the_keyboard_goes_with_a_layer_that_is_moved(browser, page):
    browser.open(address(page))
    browser.evaluate(f"{ROOT}.querySelector('[data-key=\"move later1\"]').focus()")
    for _ in range(2):
        browser.key("Enter")
    names = browser.evaluate(f"[...{ROOT}.querySelectorAll('#layers tr')].map((line) => line.cells[1].textContent)")
    assert [name.split("\xa0")[0] for name in names[1:4]] == ["max 2×2 stride", "3×3 pad", "3×3 pad"]
    assert browser.evaluate(f"{ROOT}.activeElement.dataset.key") == "move later3"


def test_what_is_set_stands_in_the_address_and_comes_back(browser, page):
    browser.open(address(page))
    press(browser, "LeNet-5")
    press(browser, "+ dilated")
    press(browser, "Stack or one big kernel")
    browser.until("location.hash.includes('tab=stack')")
    said, where = text(browser, "sentence"), browser.evaluate("location.href")
    browser.open(where)
    assert browser.evaluate("location.href") == where
    assert browser.evaluate(f"{ROOT}.getElementById('panel-stack').checkVisibility()")
    press(browser, "Receptive field")
    assert text(browser, "sentence") == said
    untroubled(browser)


def test_ones_own_picture_lies_below_and_goes_nowhere(browser, page):
    browser.open(address(page))
    browser.evaluate(f"{ROOT}.getElementById('picture').value = 'file'")
    browser.evaluate(f"{ROOT}.getElementById('picture').dispatchEvent(new Event('change'))")
    drawn = f"{ROOT}.getElementById('units').toDataURL()"
    before = browser.evaluate(drawn)
    found = browser("Runtime.evaluate", expression=f"{ROOT}.getElementById('file')")["result"]["objectId"]
    browser("DOM.setFileInputFiles", files=[str(page / "mine.png")], objectId=found)
    browser.until(f"{drawn} !== {before!r}")
    mine = browser.evaluate(drawn)
    for choice, expected in (("drawn", before), ("file", mine)):
        browser.evaluate(f"{ROOT}.getElementById('picture').value = {choice!r}")
        browser.evaluate(f"{ROOT}.getElementById('picture').dispatchEvent(new Event('change'))")
        browser.until(f"{drawn} === {expected!r}")
    browser("DOM.setFileInputFiles", files=[str(page / "plain.html")], objectId=found)
    browser.until(f"{ROOT}.getElementById('file-said').textContent === 'This file cannot be shown as a picture.'")
    untroubled(browser)


def test_the_address_of_another_page_of_the_own_network_brings_its_maps(browser, page):
    browser.open(address(page, "own"))
    assert "measured" not in text(browser, "crowd")
    press(browser, "layer2.1")
    browser.evaluate(f"{ROOT}.querySelector('[value=measured]').click()")
    browser.until("location.hash.includes('show=measured')")
    browser.open(browser.evaluate("location.href"))
    assert text(browser, "crowd").startswith("Measured on your network")


@pytest.mark.parametrize("width", [360, 768, 1440])
@pytest.mark.parametrize("tab", TABS)
def test_nothing_is_wider_than_the_screen(browser, page, width, tab):
    browser.open(address(page), width=width)
    browser.evaluate(f"{ROOT}.getElementById('tab-{tab}').click()")
    browser.settled()
    assert browser.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.mark.parametrize(
    ("question", "sentence", "answer"),
    [
        (
            0,
            "Unit (0, 0) of pool 2 sees rows 0 to 6 and columns 0 to 6: 49 of 784",
            "The pixels of rows 0 to 6 and columns 0 to 6",
        ),
        (1, "of pool 2 sees", "3 + 2 · 7 = 17"),
        (2, "of GAP 1 sees the whole image: 784 of 784 pixels", "10 + (7 − 1) · 4 = 34 pixels, and the image has 28"),
    ],
)
def test_the_three_questions_are_answered(browser, page, question, sentence, answer):
    browser.open(address(page))
    for i in range(2):
        browser.evaluate(f"{ROOT}.querySelectorAll('#tries li')[{question}].querySelectorAll('button')[{i}].click()")
    browser.settled()
    assert sentence in text(browser, "sentence")
    assert answer in browser.evaluate(f"{ROOT}.querySelectorAll('#tries li')[{question}].textContent")
    untroubled(browser)
