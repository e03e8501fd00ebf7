"""The simulation as axe sees it, and on networks that nobody would draw by hand."""

import os
import random
from pathlib import Path

import pytest

from headstart.understand.simulation import render_simulation

pytestmark = pytest.mark.acceptance

ROOT = "document.getElementById('receptive-field-simulation').shadowRoot"
AXE = os.environ.get("HEADSTART_AXE")  # axe.min.js of the npm package axe-core


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    page = tmp_path_factory.mktemp("simulation") / "plain.html"
    page.write_text(render_simulation(), encoding="utf-8")
    return page.as_uri()


@pytest.mark.skipif(not AXE, reason="HEADSTART_AXE names no axe.min.js")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("tab", ["field", "stack", "convolution"])
def test_axe_finds_nothing(browser, address, tab, width, scheme):
    browser.open(address, width=width)
    browser("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.evaluate(f"{ROOT}.getElementById('tab-{tab}').click()")
    browser.evaluate(f"{ROOT}.querySelectorAll('#tries button.plain').forEach((button) => button.click())")
    # Behind the shadow at a table's edge axe cannot tell a colour.
    browser.evaluate(f"{ROOT}.querySelectorAll('.scroll').forEach((e) => (e.style.background = 'none'))")
    browser.settled()
    browser.evaluate(f"{Path(AXE).read_text(encoding='utf-8')}; 0")
    found = browser.evaluate(
        "axe.run(document, { rules: { 'target-size': { enabled: true } } }).then(({ violations }) => "
        "violations.map(({ id, impact, nodes }) => [impact, id, nodes.map((node) => node.html)]))"
    )
    assert found == []
    assert browser.complaints == []


def drawn_address(draw):
    """An address of a network at random, most of whose layers differ between the axes."""

    def pair(low, high):
        return "x".join(str(draw.randint(low, high)) for _ in range(2))

    layers = []
    for _ in range(draw.randint(0, 5)):
        kind = draw.choice(["conv", "conv", "max", "avg", "residual", "gap", "dense", "block"])
        most = 15 if kind in ("conv", "block") else 1
        layers.append(f"{kind}.k{pair(1, 7)}.s{pair(1, 4)}.p{pair(0, most)}.d{pair(1, 3)}.c{draw.randint(1, 9)}.n2")
    pixels, kernel = "_".join("1" * 25), "_".join("1" * 9)
    at = ".".join(str(draw.randint(0, 9)) for _ in range(3))
    return (
        f"#sim&in=3x{pair(1, 60)}&net={'_'.join(layers)}&at={at}"
        f"&show={draw.choice(['box', 'paths', 'measured'])}&axis={draw.randint(0, 1)}&tab=field"
        f"&stack=3.8&by-hand=1_0_1_0&pixels={pixels}&kernel={kernel}"
    )


@pytest.mark.parametrize("seed", range(40))
def test_whatever_network_stands_in_the_address_is_told_in_numbers(browser, address, seed):
    drawn = drawn_address(random.Random(seed))
    browser.open(address + drawn)
    assert browser.evaluate(f"{ROOT}.querySelectorAll('#layers tr').length") == 1 + drawn.count(".c")
    browser.evaluate(f"{ROOT}.querySelectorAll('#tries button.plain').forEach((button) => button.click())")
    for key in ("Home", "End", "PageDown", "c", "ArrowLeft"):
        browser.evaluate(f"{ROOT}.getElementById('units').focus()")
        browser.key(key)
        said = browser.evaluate(f"{ROOT}.getElementById('panel-field').innerText")
        assert not [word for word in ("NaN", "undefined", "Infinity", "null", "[object") if word in said]
    browser.evaluate(f"{ROOT}.getElementById('png').click()")
    browser.settled()
    assert browser.complaints == []
