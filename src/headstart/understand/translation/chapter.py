"""Why convolutions: maps that move with the image, small fields, shared weights; each measured on the network."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from headstart.networks.hooks import Layer, layers, milestones
from headstart.understand.bootstrap import over_images
from headstart.understand.claims import Chapter, Claim, Picture, Table, Verdict
from headstart.understand.pictures import heat, sheet, shown
from headstart.understand.subject import Subject, copied
from headstart.understand.translation.equivariance import Moved, equivariance, equivariance_verdict, error_map
from headstart.understand.translation.locality import Local, Unit, locality, locality_verdict
from headstart.understand.translation.parameter_sharing import (
    Twins,
    first_dense,
    lesson_network,
    sharing_verdict,
    twins,
)
from headstart.understand.translation.pixel_permutation import (
    FEWEST,
    SIDE,
    Permuted,
    permutation_test,
    permutation_verdict,
    permuted,
)
from headstart.understand.translation.shifts import answers_by_chance, directions, recognised_verdict, same_answers
from headstart.understand.unseen import unseen

CLAIMS = {
    "translation-equivariance": "When a pattern moves in the image, its trace in a layer's map moves along, unchanged.",
    "recognised-elsewhere": "What the network recognises in one part of an image it recognises in another.",
    "locality": "Each unit depends on a small region of the image only.",
    "parameter-sharing": "The same weights at every place make the number of parameters dramatically smaller.",
    "dense-ignores-space": "A fully connected network ignores where a pixel lies; a convolutional one lives by it.",
}
IMAGES = 4  # for what is exact, and so the same in each of them
ANSWERS = 60  # images whose classes are asked for
SCATTER = 3  # of 16 pixels
MORE = "headstart understand RUN --data FOLDER --only why_convolutions"


@torch.random.fork_rng(devices=[])  # fresh layers draw from the stream that everybody shares
def chapter(subject: Subject, tell: Callable[[str], None]) -> Chapter:
    found = Chapter("why_convolutions", "Why convolutions")
    network = copied(subject.network)
    few = subject.images[unseen(subject, IMAGES)]
    passed = layers(network, few)
    chosen = milestones([layer for layer in passed if len(layer.given) == 3])
    tell("moving the image")
    _moved(found, network, chosen, few)
    _elsewhere(found, network, subject.images[unseen(subject, ANSWERS)])
    tell("changing pixels outside and inside a field")
    _local(found, network, chosen, few)
    _shared(found, subject, [twins(layer) for layer in passed])
    tell("training on permuted pixels")
    _permuted(found, subject)
    return found


def _claim(
    found: Chapter, name: str, verdict: Verdict, value: str, control: str = "", command: str = "",
    interval: tuple[float, float] | None = None,
) -> None:  # fmt: skip
    found.claims.append(Claim(name, CLAIMS[name], verdict, value, control, interval, command))


def _none(found: Chapter, name: str, title: str) -> None:
    """What cannot be asked of a network without a convolution."""
    found.content.append(f"{title}: your network has no convolution with a map, so there is nothing to measure.")
    _claim(found, name, "not measured", "the network has no convolution", command="headstart understand OTHER_RUN")


def _moved(found: Chapter, network: nn.Module, chosen: list[Layer], images: Tensor) -> None:
    if not chosen:
        return _none(found, "translation-equivariance", "Does each map move with the picture?")
    shifts = [2**n for n in range(6) if 2**n <= max(1, images.shape[3] // 4)]
    rows = equivariance(network, [layer.name for layer in chosen], images, shifts)
    exact = [row for row in rows if row.whole and row.interior is not None]
    found.content += [
        "Your pictures are moved to the right, pixel by pixel, with a mirrored strip where something must come in. "
        "If a "
        "layer is equivariant to translation, its map is the old one moved along. A layer with a stride of S in all "
        "(S pixels to one step in its map) can only move by whole steps, so that shifts are compared to the nearest "
        "one.",
        Table(
            "How far a layer's map is from the old one moved along, in per cent of it: in the interior, where no field "
            "reaches the border / everywhere. 0 is exact; – means that no unit of the layer is in the interior.",
            ("layer", "stride S", *(f"shift {shift}" for shift in shifts)),
            [
                (layer.name, next(r.stride for r in rows if r.layer == layer.name), *_cells(rows, layer.name))
                for layer in chosen
            ],
        ),
    ]
    exact_layers = list(dict.fromkeys(row.layer for row in exact))
    broken = [row.interior for row in rows if not row.whole and row.interior is not None]
    worst = max((row.interior or 0 for row in exact), default=0)
    if exact:
        found.content.append(
            f"In the interior, {len(exact_layers)} layers can be checked, and at multiples of their stride they are "
            f"{100 * worst:.2g} % off at most."
            + (f" Between two steps it is {100 * min(broken):.0f} to {100 * max(broken):.0f} %." if broken else "")
            + " Where a unit sees the border, it sees the zeros there too, and those do not move with the picture."
        )
        found.content.append(_pictures(network, rows, exact, images))
    else:
        found.content.append(
            "No unit of these layers is free of the border at both places, so exactness cannot be checked anywhere."
        )
    border = [row.everywhere for row in rows if row.whole]
    _claim(
        found, "translation-equivariance", equivariance_verdict(rows),
        f"interior, at multiples of the stride: {100 * worst:.2g} % off; between them up to "
        f"{100 * max(broken, default=0):.0f} %; with the border up to {100 * max(border, default=0):.0f} %",
        f"a map that stayed where it was is off by {100 * max((r.unmoved for r in exact), default=0):.0f} %",
        "" if exact else "headstart understand RUN --only why_convolutions, at a larger data.image_size",
    )  # fmt: skip
    found.numbers["equivariance"] = [
        {k: getattr(r, k) for k in ("layer", "stride", "shift", "interior", "everywhere", "unmoved")} for r in rows
    ]


def _cells(rows: list[Moved], layer: str) -> list[str]:
    return [
        f"{'–' if row.interior is None else f'{100 * row.interior:.2g}'} / {100 * row.everywhere:.2g}"
        for row in rows
        if row.layer == layer
    ]


def _pictures(network: nn.Module, rows: list[Moved], exact: list[Moved], images: Tensor) -> Picture:
    """For each layer that has an interior, its errors at the smallest whole shift."""
    first = {row.layer: row for row in reversed(exact)}
    errors = [error_map(network, row.layer, images, row.shift, row.stride) for row in reversed(first.values())]
    tiles = torch.stack([F.interpolate(heat(e)[None].float(), (96, 96))[0].byte() for e in errors])
    names = "; ".join(f"{row.layer} (shift {row.shift})" for row in reversed(first.values()))
    return Picture(
        shown(sheet(tiles, len(tiles), gap=4), "Errors after a whole shift: bright at the border, none inside"),
        f"Where the map did not move along, from dark (exact) to yellow: {names}. It is the border.",
    )


def _elsewhere(found: Chapter, network: nn.Module, images: Tensor) -> None:
    distance = max(1, min(images.shape[2:]) // 4)
    stayed = same_answers(network, images, directions(distance)).float().mean(dim=0)
    low, high = over_images(stayed)
    chance = answers_by_chance(network, images)
    found.content.append(
        f"Then {len(images)} pictures are moved by a quarter of their side ({distance} pixels) up, down, left and "
        f"right. The network names the same class in {100 * stayed.mean():.0f} % of the cases (95 % interval "
        f"{100 * low:.0f} to {100 * high:.0f} %). "
        f"Two different pictures get the same class in {100 * chance:.0f} %."
    )
    _claim(
        found, "recognised-elsewhere", recognised_verdict((low, high), chance),
        f"same class after a shift by a quarter of the side: {100 * stayed.mean():.0f} %",
        f"two different pictures: {100 * chance:.0f} %", interval=(100 * low, 100 * high),
    )  # fmt: skip
    told = {"share": float(stayed.mean()), "interval": [low, high], "by_chance": chance}
    found.numbers["elsewhere"] = told | {"pictures": list(images.shape), "distance": distance}


def _local(found: Chapter, network: nn.Module, chosen: list[Layer], images: Tensor) -> None:
    if not chosen:
        return _none(found, "locality", "Which pixels decide a unit?")
    rows = locality(network, [Unit(x.name, x.given[1] // 2, x.given[2] // 2) for x in chosen], images)
    whole = [row for row in rows if row.outside is None]
    height, width = images.shape[2:]
    found.content += [
        "Which pixels decide a unit? For the unit amid the maps of some convolutions the field was found; then all "
        "pixels outside were replaced by those of another picture, and after that one pixel amid the field.",
        Table(
            f"The field of the middle unit, and how much the unit changes, in per cent of itself; {height}×{width} "
            "pixels",
            ("layer", "field", "share of the image", "all outside changed", "one pixel inside changed"),
            [_local_row(row) for row in rows],
        ),
        "Changing everything outside changes nothing at all, and one pixel inside is noticed."
        if locality_verdict(rows) in ("holds", "depends")
        else "For these layers locality could not be shown.",
    ]
    if whole:
        found.content.append(
            f"But {len(whole)} of the {len(rows)} layers here see the whole picture, so that for them there is no "
            "outside: locality is a property of each step, and depth wears it away."
        )
    _claim(
        found, "locality", locality_verdict(rows),
        f"all pixels outside its field change a unit by {100 * max((r.outside or 0 for r in rows), default=0):.2g} %; "
        f"{len(whole)} of {len(rows)} layers see the whole picture",
        f"one pixel inside changes it by {100 * min(r.inside for r in rows):.2g} % at least",
    )  # fmt: skip
    found.numbers["locality"] = [
        {"layer": r.unit.layer, "box": list(r.box), "share": r.share, "outside": r.outside, "inside": r.inside}
        for r in rows
    ]


def _local_row(row: Local) -> tuple[str, ...]:
    size = f"{row.box.bottom - row.box.top}×{row.box.right - row.box.left}"
    outside = "no outside" if row.outside is None else f"{100 * row.outside:.2g}"
    share = f"{100 * row.share:.3g} %"
    return row.unit.layer, size, share, outside, f"{100 * row.inside:.3g}"


def _shared(found: Chapter, subject: Subject, rows: list[Twins]) -> None:
    lesson = first_dense(lesson_network())
    assert lesson is not None
    found.content.append(
        "Sharing is counted. To lead from one map of 28×28 to another, a fully connected layer needs 784² = "
        f"{784**2:,} weights, one for each pair of pixels. With a window of 3×3 but a kernel of its own at each place "
        f"it needs {784 * 9:,}. With the same kernel everywhere: 9. But mind where a network's parameters are: in the "
        f"lesson's own network {100 * lesson[1]:.0f} % of them are in its first fully connected layer, which shares "
        "nothing."
    )
    if not rows:
        return _none(found, "parameter-sharing", "How much does sharing save?")
    own, local, dense = (sum(getattr(row, kind) for row in rows) for kind in ("own", "local", "dense"))
    found.content.append(
        Table(
            f"The weights of your network's {len(rows)} convolutions, biases left out, and of its twins",
            ("network", "weights", "times as many"),
            [
                ("as it is", f"{own:,}", "1"),
                ("small windows, nothing shared", f"{local:,}", f"{local / own:,.1f}"),
                ("fully connected", f"{dense:,}", f"{dense / own:,.1f}"),
            ],
        )
    )
    mine = first_dense(subject.network)
    if mine:
        held = f"{100 * mine[1]:.1f} % of its parameters"
        found.content.append(f"Your network's first fully connected layer holds {held}.")
    _claim(
        found, "parameter-sharing", sharing_verdict(rows),
        f"{own:,} weights instead of {dense:,} fully connected: {dense / own:,.1f} times fewer",
        f"small windows, nothing shared: {local:,}, {local / own:,.1f} times as many",
    )  # fmt: skip
    found.numbers["sharing"] = {
        "own": own, "local": local, "dense": dense, "local_times": local / own, "dense_times": dense / own,
        "first_dense": mine and mine[1], "lesson_first_dense": lesson[1],
    }  # fmt: skip


def _permuted(found: Chapter, subject: Subject) -> None:
    name, chosen = "dense-ignores-space", torch.arange(len(subject.images))
    if subject.labels is None or len(chosen) < FEWEST or len(subject.labels.unique()) < 2:
        found.content.append(
            f"The permutation test trains small networks, and needs {FEWEST} labelled images of two classes or more."
        )
        return _claim(found, name, "not measured", "too few labelled images", command=MORE)
    pixels = F.interpolate(subject.images, (SIDE, SIDE), mode="area")
    lying, moving = (permutation_test(pixels, subject.labels, distance) for distance in (0, SCATTER))
    some = (F.interpolate(subject.pictures[unseen(subject, 4)].float(), (SIDE, SIDE), mode="area")).byte()
    cnn, mlp = moving.loss("cnn"), moving.loss("mlp")
    accuracy = {
        kind: [float(getattr(t, kind).double().mean()) for t in (lying, moving)]
        for kind in ("cnn", "cnn_permuted", "mlp", "mlp_permuted")
    }
    found.content += [
        "Now all pixels of your pictures are put into another order, the same for each picture. Nothing is lost, but "
        "neighbours are torn apart. Small networks are trained from scratch on half of the pictures, and tested on the "
        f"others, plain and permuted. All pictures are {SIDE}×{SIDE} for this.",
        Picture(
            shown(sheet(torch.cat([some, permuted(some)]), len(some)), "Pictures, plain and permuted", scale=4),
            "Above, pictures as they are; below, the same with their pixels in the new order.",
        ),
        Table(
            "Accuracy in per cent on pictures that these networks were not trained on",
            ("network", "pixels", "pictures as they lie", f"each moved at random, up to {SCATTER} pixels"),
            [
                (title, pixels_, *(f"{100 * a:.1f}" for a in accuracy[kind]))
                for title, pixels_, kind in (
                    ("convolutional", "plain", "cnn"), ("convolutional", "permuted", "cnn_permuted"),
                    ("fully connected", "plain", "mlp"), ("fully connected", "permuted", "mlp_permuted"),
                )
            ],
        ),
        f"Where each picture lies somewhere else, the permutation costs the convolutional network {_points(cnn[0])} "
        f"({_points(cnn[1][0])} to {_points(cnn[1][1])}) and the fully connected one {_points(mlp[0])} "
        f"({_points(mlp[1][0])} to {_points(mlp[1][1])}). Where all pictures lie alike it costs the convolutional one "
        f"{_points(lying.loss('cnn')[0])}."
        + (" There, even a scrambled order can be learned by heart." if _by_heart(lying, moving) else ""),
    ]  # fmt: skip
    verdict = permutation_verdict(moving)
    _claim(
        found, name, verdict,
        f"permuting the pixels costs the convolutional network {_points(cnn[0])}, the fully connected one "
        f"{_points(mlp[0])}" + (" (it learned nothing to lose)" if verdict == "not measured" else ""),
        f"pictures that all lie alike: {_points(lying.loss('cnn')[0])} and {_points(lying.loss('mlp')[0])}",
        MORE if verdict == "not measured" else "", (100 * cnn[1][0], 100 * cnn[1][1]),
    )  # fmt: skip
    found.numbers["permutation"] = {
        "accuracy": {kind: dict(zip(("as_they_lie", "moved"), a, strict=True)) for kind, a in accuracy.items()},
        "side": SIDE, "cnn_loss": [cnn[0], *cnn[1]], "mlp_loss": [mlp[0], *mlp[1]],
        "loss_as_they_lie": [lying.loss("cnn")[0], lying.loss("mlp")[0]],
    }  # fmt: skip


def _by_heart(lying: Permuted, moving: Permuted) -> bool:
    """Permuting costs the convolutional network something for sure, but less where the pictures lie alike."""
    return moving.loss("cnn")[1][0] > max(0.0, lying.loss("cnn")[0])


def _points(share: float) -> str:
    return f"{100 * share:.1f} points".replace("-", "−")
