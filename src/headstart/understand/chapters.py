"""Builds the chapters of the explanation in reading order."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from headstart.errors import HeadstartError
from headstart.understand.architectures import kernel_stacks_chapter, skip_connections_chapter
from headstart.understand.claims import Chapter, Claim
from headstart.understand.convolution import chapter as convolution_chapter
from headstart.understand.features import filters_chapter, grad_cam_chapter, hierarchy_chapter
from headstart.understand.pooling import chapter as pooling_chapter
from headstart.understand.receptive_field import chapter as receptive_field_chapter
from headstart.understand.receptive_field import effective_chapter, growth_claims
from headstart.understand.subject import Subject
from headstart.understand.transfer import chapter as transfer_chapter
from headstart.understand.transfer import sweep_chapter
from headstart.understand.translation import chapter as translation_chapter

ProgressReporter = Callable[[str], None]


@dataclass(frozen=True)
class ChapterBuilder:
    """Builds one chapter.

    Args:
        build: measures the chapter on a subject. Its second argument takes lines of progress.
        claims: the sentence of each of the chapter's claims, by the claim's name.

    Example:
        >>> chapter = CHAPTERS["pooling"].build(subject, print)
    """

    build: Callable[[Subject, ProgressReporter], Chapter]
    claims: Mapping[str, str]


CHAPTERS: Mapping[str, ChapterBuilder] = {  # by the name that --only takes, in reading order
    "convolution": ChapterBuilder(
        convolution_chapter.build_convolution_chapter, convolution_chapter.CONVOLUTION_CLAIMS
    ),
    "why_convolutions": ChapterBuilder(
        translation_chapter.build_why_convolutions_chapter, translation_chapter.TRANSLATION_CLAIMS
    ),
    "pooling": ChapterBuilder(pooling_chapter.build_pooling_chapter, pooling_chapter.POOLING_CLAIMS),
    "receptive_field": ChapterBuilder(
        receptive_field_chapter.build_receptive_field_chapter, growth_claims.GROWTH_CLAIMS
    ),
    "effective_field": ChapterBuilder(
        effective_chapter.build_effective_field_chapter, effective_chapter.EFFECTIVE_FIELD_CLAIMS
    ),
    "filters": ChapterBuilder(filters_chapter.build_filters_chapter, filters_chapter.FILTER_CLAIMS),
    "hierarchy": ChapterBuilder(hierarchy_chapter.build_hierarchy_chapter, hierarchy_chapter.HIERARCHY_CLAIMS),
    "grad_cam": ChapterBuilder(grad_cam_chapter.build_grad_cam_chapter, grad_cam_chapter.GRAD_CAM_CLAIMS),
    "transfer": ChapterBuilder(transfer_chapter.build_transfer_chapter, transfer_chapter.TRANSFER_CLAIMS),
    "width": ChapterBuilder(kernel_stacks_chapter.build_width_chapter, kernel_stacks_chapter.KERNEL_STACK_CLAIMS),
    "skip_connections": ChapterBuilder(
        skip_connections_chapter.build_skip_connections_chapter, skip_connections_chapter.SKIP_CONNECTION_CLAIMS
    ),
    "sweeps": ChapterBuilder(sweep_chapter.build_sweeps_chapter, sweep_chapter.SWEEP_CLAIMS),
}


def build_chapters(
    subject: Subject,
    only: Collection[str] = (),
    report_progress: ProgressReporter = lambda text: None,
    builders: Mapping[str, ChapterBuilder] = CHAPTERS,
) -> list[Chapter]:
    """The chapters, measured on the network of ``subject``, which is not changed.

    A chapter that fails on this network contains the reason, and its claims are not measured; the others continue.

    Args:
        subject: a network, images, and a sweep's runs for the claims that need them.
        only: names of the requested chapters; empty: all.
        report_progress: takes lines of progress.
        builders: of all chapters, by name.

    Raises:
        HeadstartError: a requested chapter does not exist.
    """
    return list(iter_chapters(subject, only, report_progress, builders))


def iter_chapters(
    subject: Subject,
    only: Collection[str],
    report_progress: ProgressReporter,
    builders: Mapping[str, ChapterBuilder] = CHAPTERS,
) -> Iterator[Chapter]:
    """Yields each chapter of :func:`build_chapters` once it is measured, so that an interruption loses at most one."""
    names = select_chapters(only, builders)
    for position, name in enumerate(names, start=1):

        def report(text: str, prefix: str = f"[{position}/{len(names)}] {name}") -> None:
            report_progress(f"{prefix}: {text}")

        report("begins")
        try:
            chapter = builders[name].build(subject, report)
        except Exception as error:  # one chapter's failure on an unusual network must not lose the others
            reason = _format_reason(error)
            report(f"left out: {reason}")
            chapter = _build_error_chapter(name, builders[name].claims, reason)
        chapter.claims = [_add_command(claim, name) for claim in chapter.claims]
        yield chapter


def _add_command(claim: Claim, chapter_name: str) -> Claim:
    """The claim with the command that measures it again, unless it is not measured or names one."""
    if claim.verdict == "not measured" or claim.command:
        return claim
    sweep = " --sweep DIR" if chapter_name == "sweeps" else ""
    return replace(claim, command=f"headstart understand RUN --only {chapter_name}{sweep}")


def select_chapters(only: Collection[str], builders: Mapping[str, ChapterBuilder] = CHAPTERS) -> list[str]:
    """The names of the requested chapters in reading order.

    Raises:
        HeadstartError: a requested chapter does not exist.
    """
    if unknown := [name for name in only if name not in builders]:
        raise HeadstartError(f"there is no part {unknown[0]!r}; the parts are {', '.join(builders)}")
    return [name for name in builders if name in only or not only]


def _format_reason(error: Exception) -> str:
    line = next(iter(str(error).splitlines()), "")
    return line if isinstance(error, HeadstartError) else f"{type(error).__name__}: {line}"


def _build_error_chapter(name: str, claims: Mapping[str, str], reason: str) -> Chapter:
    title = name.replace("_", " ").capitalize()
    text = f"This part could not be measured here: {reason}."
    chapter = Chapter(name, title, [text], numbers={"error": reason}, sentences=claims)
    chapter.add_unmeasured(reason)
    return chapter
