"""The chapter on kernel stacks: weights of 3×3 stacks and large kernels at the network's own convolutions."""

from collections.abc import Callable

from headstart.understand.architectures.kernel_stacks import (
    count_single_kernel_weights,
    count_stack_weights,
    list_spatial_convolutions,
    stack_cost_verdict,
)
from headstart.understand.claims import Chapter, Table
from headstart.understand.subject import Subject

KERNEL_STACK_CLAIMS = {
    "small-kernels-are-cheaper": "Stacked 3×3 kernels see as much as one large kernel, with fewer weights.",
}
NUM_LAYERS = 3
KERNEL_SIZE = 2 * NUM_LAYERS + 1
KERNEL = f"{KERNEL_SIZE}×{KERNEL_SIZE}"
EXAMPLE_CHANNELS = 64  # in and out, as in the course
MAX_ROWS = 4  # of each kind in the table


def build_width_chapter(subject: Subject, report_progress: Callable[[str], None]) -> Chapter:
    """Three layers of 3×3 against one of 7×7 in place of each convolution of the network."""
    chapter = Chapter("width", "A stack of small kernels or one large kernel", sentences=KERNEL_STACK_CLAIMS)
    chapter.content.append(
        f"{NUM_LAYERS} layers of 3×3 see {KERNEL} pixels, like one kernel of {KERNEL}, and have {NUM_LAYERS} "
        "non-linearities instead of one. With equal input and output channels they have 27 weights for every 49. But "
        "only the first layer has the input channels; the others have the output channels on both sides. With many "
        "more output than input channels, as in the first layer of a network, the large kernel is cheaper."
    )
    report_progress("counting weights")
    rows = [(name, i, o, *_count_both(i, o)) for name, i, o in list_spatial_convolutions(subject.network)]
    if not rows:
        chapter.content.append("This network has no convolution larger than 1×1.")
        chapter.add_unmeasured("", command="give a network with convolutions")
        return chapter
    cheaper = [row for row in rows if row[3] < row[4]]
    others = [row for row in rows if row[3] >= row[4]]
    chapter.content.append(
        Table(
            f"Weights of {NUM_LAYERS} layers of 3×3 and of one of {KERNEL} in place of convolutions of this network: "
            f"up to {MAX_ROWS} where the large kernel is cheaper, up to {MAX_ROWS} where the stack is",
            ("layer", "channels in", "out", f"{NUM_LAYERS} of 3×3", f"one of {KERNEL}"),
            [*others[:MAX_ROWS], *cheaper[:MAX_ROWS]],
        )
    )
    stack, single = _count_both(EXAMPLE_CHANNELS, EXAMPLE_CHANNELS)
    chapter.add_claim(
        "small-kernels-are-cheaper",
        stack_cost_verdict([row[1:3] for row in rows], NUM_LAYERS),
        f"{NUM_LAYERS} layers of 3×3 are cheaper at {len(cheaper)} of {len(rows)} convolutions",
        f"one kernel of {KERNEL}; between {EXAMPLE_CHANNELS} channels {stack:,} weights against its {single:,}",
    )
    columns = ("layer", "inputs", "outputs", "stacked", "single")
    chapter.numbers = {
        "cheaper": len(cheaper),
        "convolutions": len(rows),
        "kernels": (3, KERNEL_SIZE),
        "even": {"inputs": EXAMPLE_CHANNELS, "outputs": EXAMPLE_CHANNELS, "stacked": stack, "single": single},
        "weights": [dict(zip(columns, row, strict=True)) for row in rows],
    }
    return chapter


def _count_both(inputs: int, outputs: int) -> tuple[int, int]:
    """Weights of the stack and of the single kernel."""
    return (
        count_stack_weights(inputs, outputs, NUM_LAYERS),
        count_single_kernel_weights(inputs, outputs, NUM_LAYERS),
    )
