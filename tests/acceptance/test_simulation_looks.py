"""Accessibility of the simulation, checked by axe, and its figures on random networks."""

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


def random_address(generator):
    """The address of a random network; most of its layers differ between the axes."""

    def pair(low, high):
        return "x".join(str(generator.randint(low, high)) for _ in range(2))

    layers = []
    for _ in range(generator.randint(0, 5)):
        kind = generator.choice(["conv", "conv", "max", "avg", "residual", "gap", "dense", "block"])
        most = 15 if kind in ("conv", "block") else 1
        layers.append(
            f"{kind}.k{pair(1, 7)}.s{pair(1, 4)}.p{pair(0, most)}.d{pair(1, 3)}.c{generator.randint(1, 9)}.n2"
        )
    pixels, kernel = "_".join("1" * 25), "_".join("1" * 9)
    at = ".".join(str(generator.randint(0, 9)) for _ in range(3))
    return (
        f"#sim&in=3x{pair(1, 60)}&net={'_'.join(layers)}&at={at}"
        f"&show={generator.choice(['box', 'paths', 'measured'])}&axis={generator.randint(0, 1)}&tab=field"
        f"&stack=3.8&by-hand=1_0_1_0&pixels={pixels}&kernel={kernel}"
    )


class TestAccessibility:
    @pytest.mark.skipif(not AXE, reason="HEADSTART_AXE names no axe.min.js")
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize("width", [360, 1440])
    @pytest.mark.parametrize("tab", ["field", "stack", "convolution"])
    def test_axe_finds_no_violation(self, browser, address, tab, width, scheme):
        browser.open(address, width=width)
        browser("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        browser.evaluate(f"{ROOT}.getElementById('tab-{tab}').click()")
        browser.evaluate(f"{ROOT}.querySelectorAll('#tries button.plain').forEach((button) => button.click())")
        # axe cannot determine a color behind the shadow at a table's edge.
        browser.evaluate(f"{ROOT}.querySelectorAll('.scroll').forEach((e) => (e.style.background = 'none'))")
        browser.wait_for_drawing()
        browser.evaluate(f"{Path(AXE).read_text(encoding='utf-8')}; 0")
        violations_found = browser.evaluate(
            "axe.run(document, { rules: { 'target-size': { enabled: true } } }).then(({ violations }) => "
            "violations.map(({ id, impact, nodes }) => [impact, id, nodes.map((node) => node.html)]))"
        )
        assert violations_found == []
        assert browser.errors == []


class TestRandomNetworks:
    @pytest.mark.parametrize("seed", range(40))
    def test_figures_are_numbers(self, browser, address, seed):
        network = random_address(random.Random(seed))
        browser.open(address + network)
        assert browser.evaluate(f"{ROOT}.querySelectorAll('#layers tr').length") == 1 + network.count(".c")
        browser.evaluate(f"{ROOT}.querySelectorAll('#tries button.plain').forEach((button) => button.click())")
        for key in ("Home", "End", "PageDown", "c", "ArrowLeft"):
            browser.evaluate(f"{ROOT}.getElementById('units').focus()")
            browser.key(key)
            panel = browser.evaluate(f"{ROOT}.getElementById('panel-field').innerText")
            assert not [word for word in ("NaN", "undefined", "Infinity", "null", "[object") if word in panel]
        browser.evaluate(f"{ROOT}.getElementById('png').click()")
        browser.wait_for_drawing()
        assert browser.errors == []
