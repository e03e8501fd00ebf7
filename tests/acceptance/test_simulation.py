"""The simulation in a real browser: each control by mouse and by keyboard alone, and the answers that it gives."""

import re

import pytest
from PIL import Image

from headstart.understand.simulation import render_simulation
from headstart.understand.simulation.layer_list import build_layer_list

pytestmark = pytest.mark.acceptance

ROOT = "document.getElementById('receptive-field-simulation').shadowRoot"
# Elements in view that Tab reaches; of a group of radio buttons one.
FOCUSABLE = f"""[...{ROOT}.querySelectorAll("button, input, select, summary, pre, [tabindex='0']")].filter((e) =>
    e.checkVisibility() && !e.disabled && e.tabIndex === 0 && (e.type !== "radio" || e.checked))"""
LABEL = """(e) => e.id || e.dataset.key || e.getAttribute("aria-label") ||
    `${e.name ?? ""} ${e.value ?? ""} ${e.textContent}`.trim()"""
KEY_OF_CONTROL = {
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


def address_of(page, name="plain"):
    return (page / f"{name}.html").as_uri()


def text_of(browser, name):
    return browser.evaluate(f"{ROOT}.getElementById('{name}').textContent")


def press(browser, label):
    """Scrolls to the button of this text and clicks it."""
    place = browser.evaluate(
        f"""(() => {{
            const all = [...{ROOT}.querySelectorAll("button, summary")];
            const e = all.find((e) => e.checkVisibility() && e.textContent === {label!r});
            e.scrollIntoView({{ block: "center" }});
            const {{ x, y, width, height }} = e.getBoundingClientRect();
            return [x + width / 2, y + height / 2];
        }})()"""
    )
    browser.click(*place)


def assert_no_errors_or_requests(browser):
    assert browser.errors == []
    assert [a for a in browser.requests if not re.match(r"(about|file|data|blob):", a)] == []


def read_layers(browser):
    """(jump, field) of each layer in the table; the image's row is left out."""
    lines = f"[...{ROOT}.querySelectorAll('#layers tr')]"
    rows = browser.evaluate(f"{lines}.map((line) => [...line.cells].map((cell) => cell.textContent))")
    return [(int(jump), int(field)) for _, _, jump, field, *_ in rows[1:]]


class TestPresets:
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
    def test_show_their_fields_in_the_table(self, browser, page, preset, expected):
        browser.open(address_of(page))
        press(browser, preset)
        assert [field for _, field in read_layers(browser)] == expected
        assert_no_errors_or_requests(browser)

    @pytest.mark.parametrize(("preset", "layer", "expected"), [("VGG-16", -1, (32, 212)), ("ResNet-18", 9, (32, 435))])
    def test_deep_networks_have_their_last_field(self, browser, page, preset, layer, expected):
        browser.open(address_of(page))
        press(browser, preset)
        assert read_layers(browser)[layer] == expected


class TestControls:
    @pytest.mark.parametrize("name", ["plain", "own"])
    @pytest.mark.parametrize("tab", TABS)
    def test_each_works_by_mouse(self, browser, page, name, tab):
        browser.open(address_of(page, name))
        browser.evaluate(f"{ROOT}.getElementById('tab-{tab}').click()")
        browser.wait_for_drawing()
        count = browser.evaluate(f"{FOCUSABLE}.length")
        assert count > 5
        for i in range(count):
            place = browser.evaluate(
                f"""(() => {{
                    const e = {FOCUSABLE}[{i}];
                    if (!e || e.type === "file" || e.id === "picture" || e.getAttribute("role") === "tab") return null;
                    e.scrollIntoView({{ block: "center" }});
                    const {{ x, y, width, height }} = e.getBoundingClientRect();
                    return [x + width * 0.6, y + height / 2];
                }})()"""
            )
            if place:
                browser.click(*place)
        assert_no_errors_or_requests(browser)

    @pytest.mark.parametrize("tab", TABS)
    @pytest.mark.parametrize("reduced", [False, True])
    def test_each_works_by_keyboard_alone(self, browser, page, tab, reduced):
        browser.open(address_of(page, "own"), reduced=reduced)
        browser.key("Tab")
        for _ in range(TABS.index(tab)):
            browser.key("ArrowRight")
        expected = set(browser.evaluate(f"{FOCUSABLE}.map({LABEL})"))
        reached = set()
        for _ in range(len(expected) + 40):
            reached.add(browser.evaluate(f"(({LABEL}))({ROOT}.activeElement ?? document.body)"))
            browser.key("Tab")
            if browser.evaluate(f"{ROOT}.activeElement === null"):
                break
        assert expected <= reached
        # Then each control gets the key that it reacts to, from the first to the last.
        browser.open(address_of(page, "own"), reduced=reduced)
        browser.key("Tab")
        for _ in range(TABS.index(tab)):
            browser.key("ArrowRight")
        pressed, used = set(), set()
        for _ in range(500):  # presses add layers and thereby controls
            browser.key("Tab")
            if browser.evaluate(f"{ROOT}.activeElement === null"):
                break
            label = browser.evaluate(f"(({LABEL}))({ROOT}.activeElement)")
            kind = browser.evaluate(
                f"(({ROOT}.activeElement.type ?? {ROOT}.activeElement.tagName) || '').toLowerCase()"
            )
            # Once each: "earlier" and "later" in turn would move the same layer forever.
            if kind in KEY_OF_CONTROL and label not in pressed:
                browser.key(KEY_OF_CONTROL[kind])
                pressed.add(label)
                used.add(kind)
        expected_kinds = {
            "field": set(KEY_OF_CONTROL) - {"checkbox"},
            "stack": {"range", "number"},
            "convolution": {"button", "range", "number"},
        }
        assert used == expected_kinds[tab]
        assert_no_errors_or_requests(browser)

    def test_axes_are_set_separately_by_keyboard(self, browser, page):
        browser.open(address_of(page))
        for selector, key in (("#apart", " "), ("#dials [type=range]", "ArrowRight")):
            browser.evaluate(f"{ROOT}.querySelector('{selector}').focus()")
            browser.key(key)
        line = browser.evaluate(f"{ROOT}.querySelector('#layers .chosen').textContent")
        assert "max 3×2" in line and "12 | 10" in line
        assert_no_errors_or_requests(browser)

    def test_a_unit_is_hovered_pinned_and_moved(self, browser, page):
        browser.open(address_of(page))
        pinned = text_of(browser, "sentence")
        area = f"{ROOT}.getElementById('units').getBoundingClientRect()"
        x, y, width = (browser.evaluate(f"{area}.{name}") for name in ("x", "y", "width"))
        browser.mouse("mouseMoved", x + 3, y + 3)
        browser.wait_for_drawing()
        assert text_of(browser, "sentence").startswith("Unit (0, 0) of pool 2")
        browser.mouse("mouseMoved", 5, 5)
        browser.wait_for_drawing()
        assert text_of(browser, "sentence") == pinned
        browser.click(x + width - 3, y + 3)
        browser.mouse("mouseMoved", 5, 5)
        browser.wait_for_drawing()
        assert text_of(browser, "sentence").startswith("Unit (0, 6) of pool 2")
        for key, expected in (
            ("ArrowDown", "(1, 6) of pool 2"),
            ("Home", "(0, 0) of pool 2"),
            ("PageDown", "of conv 2"),
        ):
            browser.key(key)
            assert expected in text_of(browser, "sentence")
        assert_no_errors_or_requests(browser)

    def test_kernels_of_residual_blocks_stay_odd(self, browser, page):
        browser.open(address_of(page))
        press(browser, "ResNet-18")
        browser.evaluate(f"{ROOT}.querySelector('#dials [type=range]').focus()")
        before = read_layers(browser)[5][1]
        browser.key("ArrowRight")
        assert read_layers(browser)[5][1] == before + 2 * 8 + 2 * 8  # both of its 3×3 are 5×5 now, at jump 8
        assert_no_errors_or_requests(browser)

    def test_the_focus_follows_a_moved_layer(self, browser, page):
        browser.open(address_of(page))
        browser.evaluate(f"{ROOT}.querySelector('[data-key=\"move later1\"]').focus()")
        for _ in range(2):
            browser.key("Enter")
        names = browser.evaluate(f"[...{ROOT}.querySelectorAll('#layers tr')].map((line) => line.cells[1].textContent)")
        assert [name.split("\xa0")[0] for name in names[1:4]] == ["max 2×2 stride", "3×3 pad", "3×3 pad"]
        assert browser.evaluate(f"{ROOT}.activeElement.dataset.key") == "move later3"


class TestAddress:
    def test_restores_the_settings(self, browser, page):
        browser.open(address_of(page))
        press(browser, "LeNet-5")
        press(browser, "+ dilated")
        press(browser, "Stack or one big kernel")
        browser.wait_for("location.hash.includes('tab=stack')")
        sentence, url = text_of(browser, "sentence"), browser.evaluate("location.href")
        browser.open(url)
        assert browser.evaluate("location.href") == url
        assert browser.evaluate(f"{ROOT}.getElementById('panel-stack').checkVisibility()")
        press(browser, "Receptive field")
        assert text_of(browser, "sentence") == sentence
        assert_no_errors_or_requests(browser)

    def test_restores_measured_maps_of_a_network(self, browser, page):
        browser.open(address_of(page, "own"))
        assert "measured" not in text_of(browser, "crowd")
        press(browser, "layer2.1")
        browser.evaluate(f"{ROOT}.querySelector('[value=measured]').click()")
        browser.wait_for("location.hash.includes('show=measured')")
        browser.open(browser.evaluate("location.href"))
        assert text_of(browser, "crowd").startswith("Measured on your network")


class TestPicture:
    def test_a_local_file_is_shown_and_not_sent(self, browser, page):
        browser.open(address_of(page))
        browser.evaluate(f"{ROOT}.getElementById('picture').value = 'file'")
        browser.evaluate(f"{ROOT}.getElementById('picture').dispatchEvent(new Event('change'))")
        picture = f"{ROOT}.getElementById('units').toDataURL()"
        before = browser.evaluate(picture)
        file_input = browser("Runtime.evaluate", expression=f"{ROOT}.getElementById('file')")["result"]["objectId"]
        browser("DOM.setFileInputFiles", files=[str(page / "mine.png")], objectId=file_input)
        browser.wait_for(f"{picture} !== {before!r}")
        mine = browser.evaluate(picture)
        for choice, expected in (("drawn", before), ("file", mine)):
            browser.evaluate(f"{ROOT}.getElementById('picture').value = {choice!r}")
            browser.evaluate(f"{ROOT}.getElementById('picture').dispatchEvent(new Event('change'))")
            browser.wait_for(f"{picture} === {expected!r}")
        browser("DOM.setFileInputFiles", files=[str(page / "plain.html")], objectId=file_input)
        browser.wait_for(
            f"{ROOT}.getElementById('file-said').textContent === 'This file cannot be shown as a picture.'"
        )
        assert_no_errors_or_requests(browser)


class TestLayout:
    @pytest.mark.parametrize("width", [360, 768, 1440])
    @pytest.mark.parametrize("tab", TABS)
    def test_fits_the_width_of_the_screen(self, browser, page, width, tab):
        browser.open(address_of(page), width=width)
        browser.evaluate(f"{ROOT}.getElementById('tab-{tab}').click()")
        browser.wait_for_drawing()
        assert browser.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


class TestQuestions:
    @pytest.mark.parametrize(
        ("question", "sentence", "answer"),
        [
            (
                0,
                "Unit (0, 0) of pool 2 sees rows 0 to 6 and columns 0 to 6: 49 of 784",
                "The pixels of rows 0 to 6 and columns 0 to 6",
            ),
            (1, "of pool 2 sees", "3 + 2 · 7 = 17"),
            (
                2,
                "of GAP 1 sees the whole image: 784 of 784 pixels",
                "10 + (7 − 1) · 4 = 34 pixels, and the image has 28",
            ),
        ],
    )
    def test_are_answered_with_figures(self, browser, page, question, sentence, answer):
        browser.open(address_of(page))
        for i in range(2):
            browser.evaluate(
                f"{ROOT}.querySelectorAll('#tries li')[{question}].querySelectorAll('button')[{i}].click()"
            )
        browser.wait_for_drawing()
        assert sentence in text_of(browser, "sentence")
        assert answer in browser.evaluate(f"{ROOT}.querySelectorAll('#tries li')[{question}].textContent")
        assert_no_errors_or_requests(browser)
