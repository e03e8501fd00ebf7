"""One large kernel or a stack of small ones, counted at the convolutions of the subject's own network."""

from collections.abc import Callable

from headstart.understand.architectures import kernel_stacks
from headstart.understand.claims import Chapter, Claim, Table
from headstart.understand.subject import Subject

CLAIMS = {
    "small-kernels-are-cheaper": "Stacked 3×3 kernels see as much as one large kernel, with fewer weights.",
}
NAME, SENTENCE = next(iter(CLAIMS.items()))
LAYERS = 3  # of 3×3
SIDE = 2 * LAYERS + 1
EVEN = 64  # channels, in and out: the lesson's case
SHOWN = 4  # convolutions of either kind in the table


def chapter(subject: Subject, tell: Callable[[str], None]) -> Chapter:
    """Three layers of 3×3 against one of 7×7 in the place of each convolution of the subject."""
    told = Chapter("width", "A stack of small kernels or one large kernel")
    told.content.append(
        f"{LAYERS} layers of 3×3 see {SIDE}×{SIDE} pixels, as one kernel of {SIDE}×{SIDE} does, and have {LAYERS} "
        "non-linearities for its one. With as many channels out as in they take 27 weights for every 49. But only the "
        "first of them works on the channels that come in, the others on those that go out: where many more go out "
        "than come in, as in the first layer of a network, the large kernel is the cheaper one."
    )
    tell("counting weights")
    rows = [
        (name, i, o, kernel_stacks.stacked(i, o, LAYERS), kernel_stacks.single(i, o, LAYERS))
        for name, i, o in kernel_stacks.convolutions(subject.network)
    ]
    if not rows:
        told.content.append("This network has no convolution that sees more than one place.")
        told.claims.append(Claim(NAME, SENTENCE, "not measured", command="give a network with convolutions"))
        return told
    cheaper = [row for row in rows if row[3] < row[4]]
    dearer = [row for row in rows if row[3] >= row[4]]
    told.content.append(
        Table(
            f"Weights of {LAYERS} layers of 3×3, or of one of {SIDE}×{SIDE}, in the place of convolutions of this "
            f"network: up to {SHOWN} where the one is cheaper, up to {SHOWN} where the stack is",
            ("layer", "channels in", "out", f"{LAYERS} of 3×3", f"one of {SIDE}×{SIDE}"),
            [*dearer[:SHOWN], *cheaper[:SHOWN]],
        )
    )
    even = EVEN, EVEN, kernel_stacks.stacked(EVEN, EVEN, LAYERS), kernel_stacks.single(EVEN, EVEN, LAYERS)
    told.claims.append(
        Claim(
            NAME,
            SENTENCE,
            kernel_stacks.depth_is_cheaper([row[1:3] for row in rows], LAYERS),
            f"{LAYERS} layers of 3×3 are cheaper at {len(cheaper)} of {len(rows)} convolutions",
            f"one kernel of {SIDE}×{SIDE}; between {EVEN} channels {even[2]:,} weights against its {even[3]:,}",
        )
    )
    columns = ("layer", "inputs", "outputs", "stacked", "single")
    told.numbers = {
        "cheaper": len(cheaper),
        "convolutions": len(rows),
        "kernels": (3, SIDE),
        "even": dict(zip(columns[1:], even, strict=True)),
        "weights": [dict(zip(columns, row, strict=True)) for row in rows],
    }
    return told
