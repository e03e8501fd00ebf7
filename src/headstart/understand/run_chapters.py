"""The explanation as a whole: its chapters in the order of reading, and the claims that none of them measured."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from importlib import import_module

from headstart.errors import HeadstartError
from headstart.understand.claims import Chapter, Claim
from headstart.understand.subject import Subject

CHAPTERS = {  # in the order of reading
    "convolution": "convolution.chapter",
    "why_convolutions": "translation.chapter",
    "pooling": "pooling.chapter",
    "receptive_field": "receptive_field.chapter",
    "effective_field": "receptive_field.effective_chapter",
    "filters": "features.filters_chapter",
    "hierarchy": "features.hierarchy_chapter",
    "grad_cam": "features.grad_cam_chapter",
    "transfer": "transfer.chapter",
    "width": "architectures.kernel_stacks_chapter",
    "arc": "architectures.skip_connections_chapter",
    "sweeps": "transfer.sweep_chapter",
}


def build_chapters(
    subject: Subject,
    only: Collection[str] = (),
    report_progress: Callable[[str], None] = lambda text: None,
) -> list[Chapter]:
    """The chapters, each measured on the network of ``subject``, which stays as it was.

    A part that cannot be measured on this network says why, and its claims stay unmeasured; the others go on.

    Args:
        subject: a network and images, and a sweep's runs for what takes one.
        only: names of the parts that are wanted; none: all.
        tell: is told in a line what is being done.

    Raises:
        HeadstartError: there is no such part.
    """
    return list(iter_chapters(subject, only, report_progress))


def iter_chapters(subject: Subject, only: Collection[str], report_progress: Callable[[str], None]) -> Iterator[Chapter]:
    """The chapters as ``explained`` has them, each as soon as it is measured, so that a stop loses one alone."""
    wanted = select_chapters(only)
    for position, name in enumerate(wanted, start=1):
        room = import_module(f"headstart.understand.{CHAPTERS[name]}")

        def told(text: str, at: str = f"[{position}/{len(wanted)}] {name}") -> None:
            report_progress(f"{at}: {text}")

        told("begins")
        try:
            chapter = getattr(room, f"build_{name}_chapter")(subject, told)
        except Exception as error:  # whatever a stranger's network does to one part, the others are worth having
            reason = _format_reason(error)
            told(f"left out: {reason}")
            chapter = _build_error_chapter(name, room.CLAIMS, reason)
        chapter.claims = [_add_command(claim, name) for claim in chapter.claims]
        yield chapter


def _add_command(claim: Claim, part: str) -> Claim:
    """With the command that measures it again, where it was measured and none is named."""
    if claim.verdict == "not measured" or claim.command:
        return claim
    return replace(claim, command=f"headstart understand RUN --only {part}{' --sweep DIR' * (part == 'sweeps')}")


def select_chapters(only: Collection[str]) -> list[str]:
    """The names of the parts that are wanted, in the order of reading.

    Raises:
        HeadstartError: there is no such part.
    """
    if unknown := [name for name in only if name not in CHAPTERS]:
        raise HeadstartError(f"there is no part {unknown[0]!r}; the parts are {', '.join(CHAPTERS)}")
    return [name for name in CHAPTERS if name in only or not only]


def _format_reason(error: Exception) -> str:
    line = next(iter(str(error).splitlines()), "")
    return line if isinstance(error, HeadstartError) else f"{type(error).__name__}: {line}"


def _build_error_chapter(name: str, claims: dict[str, str], reason: str) -> Chapter:
    unmeasured = [Claim(slug, sentence, "not measured", value=reason) for slug, sentence in claims.items()]
    title = name.replace("_", " ").capitalize()
    return Chapter(name, title, [f"This part could not be measured here: {reason}."], unmeasured, {"error": reason})
