"""One large kernel or a stack of small ones, counted at the convolutions of the subject's own network."""

from collections.abc import Callable

from headstart.understand.architectures import kernel_stacks
from headstart.understand.claims import Chapter, Claim, Table
from headstart.understand.subject import Subject

CLAIMS = {
    "small-kernels-are-cheaper": "Stacked 3×3 kernels see as much as one large kernel, with fewer weights.",
}
CLAIM_NAME, CLAIM_SENTENCE = next(iter(CLAIMS.items()))
NUM_LAYERS = 3  # of 3×3
KERNEL_SIZE = 2 * NUM_LAYERS + 1
EXAMPLE_CHANNELS = 64  # channels, in and out: the lesson's case
MAX_ROWS = 4  # convolutions of either kind in the table


def build_width_chapter(subject: Subject, report_progress: Callable[[str], None]) -> Chapter:
    """Three layers of 3×3 against one of 7×7 in the place of each convolution of the subject."""
    told = Chapter("width", "A stack of small kernels or one large kernel")
    told.content.append(
        f"{NUM_LAYERS} layers of 3×3 see {KERNEL_SIZE}×{KERNEL_SIZE} pixels, as one kernel of {KERNEL_SIZE}×{KERNEL_SIZE} does, and have {NUM_LAYERS} "
        "non-linearities for its one. With as many channels out as in they take 27 weights for every 49. But only the "
        "first of them works on the channels that come in, the others on those that go out: where many more go out "
        "than come in, as in the first layer of a network, the large kernel is the cheaper one."
    )
    report_progress("counting weights")
    rows = [
        (
            name,
            i,
            o,
            kernel_stacks.count_stack_weights(i, o, NUM_LAYERS),
            kernel_stacks.count_single_kernel_weights(i, o, NUM_LAYERS),
        )
        for name, i, o in kernel_stacks.list_spatial_convolutions(subject.network)
    ]
    if not rows:
        told.content.append("This network has no convolution that sees more than one place.")
        told.claims.append(
            Claim(CLAIM_NAME, CLAIM_SENTENCE, "not measured", command="give a network with convolutions")
        )
        return told
    cheaper = [row for row in rows if row[3] < row[4]]
    dearer = [row for row in rows if row[3] >= row[4]]
    told.content.append(
        Table(
            f"Weights of {NUM_LAYERS} layers of 3×3, or of one of {KERNEL_SIZE}×{KERNEL_SIZE}, in the place of convolutions of this "
            f"network: up to {MAX_ROWS} where the one is cheaper, up to {MAX_ROWS} where the stack is",
            ("layer", "channels in", "out", f"{NUM_LAYERS} of 3×3", f"one of {KERNEL_SIZE}×{KERNEL_SIZE}"),
            [*dearer[:MAX_ROWS], *cheaper[:MAX_ROWS]],
        )
    )
    even = (
        EXAMPLE_CHANNELS,
        EXAMPLE_CHANNELS,
        kernel_stacks.count_stack_weights(EXAMPLE_CHANNELS, EXAMPLE_CHANNELS, NUM_LAYERS),
        kernel_stacks.count_single_kernel_weights(EXAMPLE_CHANNELS, EXAMPLE_CHANNELS, NUM_LAYERS),
    )
    told.claims.append(
        Claim(
            CLAIM_NAME,
            CLAIM_SENTENCE,
            kernel_stacks.stack_cost_verdict([row[1:3] for row in rows], NUM_LAYERS),
            f"{NUM_LAYERS} layers of 3×3 are cheaper at {len(cheaper)} of {len(rows)} convolutions",
            f"one kernel of {KERNEL_SIZE}×{KERNEL_SIZE}; between {EXAMPLE_CHANNELS} channels {even[2]:,} weights against its {even[3]:,}",
        )
    )
    columns = ("layer", "inputs", "outputs", "stacked", "single")
    told.numbers = {
        "cheaper": len(cheaper),
        "convolutions": len(rows),
        "kernels": (3, KERNEL_SIZE),
        "even": dict(zip(columns[1:], even, strict=True)),
        "weights": [dict(zip(columns, row, strict=True)) for row in rows],
    }
    return told
