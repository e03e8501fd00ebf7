"""Renders the simulation of receptive-field growth: one page that needs only a browser."""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from headstart.reporting.html import load_template

if TYPE_CHECKING:
    from torch import Tensor

TEMPLATE_FOLDER = Path(__file__).parent
# Arithmetic and text without the DOM, which the tests run too.
DOM_FREE_SCRIPTS = ("fields", "presets", "notation", "figures", "sentence", "walks", "reckoned")
PAGE_SCRIPTS = (
    "dom",
    "state",
    "picture",
    "stage",
    "sheets",
    "cut",
    "words",
    "layers",
    "editor",
    "formula",
    "tries",
    "stack",
    "byhand",
    "takeaway",
    "page",
)
MAX_MAP_SIDE = 64  # of a measured map on the page
MAX_PICTURES = 12


def render_simulation(
    layer_list: Mapping[str, Any] | None = None,
    effective_fields: Mapping[str, "Tensor"] | None = None,
    pictures: Sequence["Tensor"] | None = None,
) -> str:
    """The simulation as a separate HTML page without any address.

    Args:
        layer_list: a network beside the presets, as from ``build_layer_list``.
        effective_fields: effective fields of its layers' center units by layer name, as in ``receptive_fields``:
            values ≥ 0, (H, W).
        pictures: shown under the field, uint8 (C, H, W), C of 1 or 3; at most the first 12.
    """
    return load_template(TEMPLATE_FOLDER / "page.html.jinja").render(
        fragment=Markup(render_simulation_fragment(layer_list, effective_fields, pictures))
    )


def render_simulation_fragment(
    layer_list: Mapping[str, Any] | None = None,
    effective_fields: Mapping[str, "Tensor"] | None = None,
    pictures: Sequence["Tensor"] | None = None,
) -> str:
    """The simulation for another page with the style of ``headstart.reporting.html``: an element with a shadow tree.

    Styles and names of both stay apart; the colors are the page's. The page's policy must allow inline scripts and
    ``img-src data: blob:``. A page can hold one simulation. Arguments as ``render_simulation``.
    """
    scripts = [TEMPLATE_FOLDER / f"{name}.js" for name in DOM_FREE_SCRIPTS] + [
        TEMPLATE_FOLDER / "page" / f"{name}.js" for name in PAGE_SCRIPTS
    ]
    given = {
        "own": layer_list,
        "measured": _encode_maps(layer_list, effective_fields or {}),
        "pictures": _encode_pictures((pictures or ())[:MAX_PICTURES]),
    }
    return load_template(TEMPLATE_FOLDER / "simulation.html.jinja").render(
        own_style=Markup((TEMPLATE_FOLDER / "simulation.css").read_text(encoding="utf-8")),
        script=Markup("\n".join(path.read_text(encoding="utf-8") for path in scripts)),
        given=Markup(json.dumps(given).replace("<", "\\u003c")),
    )


def _encode_maps(
    layer_list: Mapping[str, Any] | None, effective_fields: Mapping[str, "Tensor"]
) -> dict[int, dict[str, Any]]:
    """Maps by the layer's number, from 1: bytes from 0 to 255 (the maximum), base64."""
    maps: dict[int, dict[str, Any]] = {}
    for i, layer in enumerate(layer_list["layers"] if layer_list else (), 1):
        names = layer.get("names", [layer.get("name")])
        values = next((effective_fields[name] for name in names if name in effective_fields), None)
        if values is None:
            continue
        from torch.nn.functional import adaptive_avg_pool2d

        height, width = (min(n, MAX_MAP_SIDE) for n in values.shape)
        coarse = adaptive_avg_pool2d(values[None].float(), (height, width))[0]
        scaled = (coarse / coarse.max().clamp(min=1e-30) * 255).round().byte()
        maps[i] = {"height": height, "width": width, "values": b64encode(scaled.numpy().tobytes()).decode()}
    return maps


def _encode_pictures(pictures: Sequence["Tensor"]) -> list[str]:
    if not pictures:
        return []
    from headstart.understand.pictures import encode_png

    return [encode_png(picture) for picture in pictures]
