"""The page as a whole: one file that asks nothing of anyone."""

import json
import re
from base64 import b64decode

import torch

from headstart.understand.simulation import (
    DOM_FREE_SCRIPTS,
    PAGE_SCRIPTS,
    TEMPLATE_FOLDER,
    render_simulation,
    render_simulation_fragment,
)

OWN = {
    "title": "</script><b>mine",
    "size": [8, 8],
    "channels": 1,
    "notes": [],
    "layers": [{"kind": "conv", "kernel": [3, 3], "padding": [1, 1], "channels": 2, "name": "a", "names": ["a", "b"]}],
}


def given(page):
    return json.loads(re.search(r'<script type="application/json" id="given">(.*?)</script>', page, re.DOTALL)[1])


class TestRenderSimulation:
    def test_is_small_and_has_no_address(self):
        page = render_simulation()
        assert len(page.encode()) < 300_000
        assert not re.search(r"https?:|//[a-z]+\.|@import|url\(|\bsrc=|<link|\bfetch\(|XMLHttpRequest|\bimport\(", page)
        assert "default-src 'none'" in page

    def test_includes_every_script(self):
        there = {str(path.relative_to(TEMPLATE_FOLDER).with_suffix("")) for path in TEMPLATE_FOLDER.rglob("*.js")}
        assert there == {*DOM_FREE_SCRIPTS, *(f"page/{name}" for name in PAGE_SCRIPTS)}

    def test_contains_the_fragment(self):
        assert render_simulation_fragment(OWN) in render_simulation(OWN)
        assert "<html" not in render_simulation_fragment()

    def test_escapes_names(self):
        page = render_simulation(OWN)
        assert "</script><b>" not in page
        assert given(page)["own"]["title"] == OWN["title"]

    def test_finds_measured_maps_by_any_name(self):
        values = torch.zeros(128, 96)
        values[:2, :2] = 3.0
        found = given(render_simulation(OWN, effective_fields={"b": values}))["measured"]["1"]
        pixels = b64decode(found["values"])
        assert (found["height"], found["width"]) == (64, 64) and len(pixels) == 64 * 64
        assert pixels[0] == 255 and pixels[-1] == 0

    def test_embeds_pictures(self):
        pictures = [torch.zeros(1, 8, 8, dtype=torch.uint8), torch.zeros(3, 8, 8, dtype=torch.uint8)]
        page = render_simulation(pictures=pictures)
        assert [address[:22] for address in given(page)["pictures"]] == ["data:image/png;base64,"] * 2


class TestScripts:
    def test_have_at_most_300_lines(self):
        for path in TEMPLATE_FOLDER.rglob("*.js"):
            assert len(path.read_text().splitlines()) <= 300, path
