"""What the page has before it, in a JavaScript engine that draws nothing."""

import json

import pytest
from py_mini_racer import MiniRacer

from headstart.understand.simulation import DOM_FREE_SCRIPTS, TEMPLATE_FOLDER


@pytest.fixture
def page():
    """A function that runs statements of the page, its own network being the three layers of a preset."""
    engine = MiniRacer()
    for name in (*DOM_FREE_SCRIPTS, "page/state"):
        engine.eval((TEMPLATE_FOLDER / f"{name}.js").read_text(encoding="utf-8"))
    engine.eval("globalThis.requestAnimationFrame = () => 1; const say = () => {};")
    engine.eval("PRESETS.own = { ...PRESETS.three, title: 'mine' }; load('own');")
    yield lambda code: json.loads(engine.eval(f"JSON.stringify({code}) ?? 'null'"))
    engine.close()


class TestState:
    def test_keeps_measured_maps_of_the_own_network(self, page):
        address = page("toAddress({ ...state, layer: 2, unit: [1, 4], show: 'measured' })")
        page(f"(load('lesson'), follow(fromAddress({address!r})))")
        assert page("[origin, state.layer, state.unit, state.show]") == ["own", 2, [1, 4], "measured"]

    @pytest.mark.parametrize("other", ["k5.s1", "k3.s2"])
    def test_drops_measured_maps_of_other_networks(self, page, other):
        address = page("toAddress({ ...state, show: 'measured' })").replace("k3.s1", other, 1)
        page(f"follow(fromAddress({address!r}))")
        assert page("[origin, state.show]") == [None, "box"]

    def test_restores_units_and_clamps_them(self, page):
        page("change({ size: [1024, 1024], layers: [complete({ kind: 'conv', kernel: 1, padding: 20 })], layer: 1 })")
        page("change({ unit: [1060, 3] })")
        address = page("toAddress(state)")
        page(f"(load('lesson'), follow(fromAddress({address!r})))")
        assert page("[state.layer, state.unit]") == [1, [1060, 3]]
        page(f"follow(fromAddress({address.replace('1060', '5000')!r}))")
        assert page("[state.layer, state.unit]") == [1, [1063, 3]]

    def test_refuses_an_edit_that_does_not_fit(self, page):
        page("(load('lenet'), edit(4, { kernel: [6, 6] }))")
        assert page("[state.layer, state.layers[4].kernel]") == [5, [5, 5]]
        assert page("refused") == "the window does not fit: its input is 5×5"
        page("edit(4, { kernel: [3, 3] })")
        assert page("[state.layer, state.layers[4].kernel, refused]") == [5, [3, 3], ""]
