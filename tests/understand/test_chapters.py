import pytest
import torch

from headstart.errors import HeadstartError
from headstart.understand.chapters import ChapterBuilder, build_chapters, select_chapters
from headstart.understand.claims import Chapter


def build_easy_chapter(subject, report_progress):
    report_progress("counting")
    chapter = Chapter("easy", "Easy", ["All is well."], numbers={"images": 3}, sentences={"c": "It is easy."})
    chapter.add_claim("c", "holds")
    return chapter


def raise_error(subject, report_progress):
    raise subject


def make_builders(**builds):
    return {name: ChapterBuilder(build, {"c": f"It is {name}."}) for name, build in builds.items()}


class TestBuildChapters:
    @pytest.mark.parametrize(
        ("error", "reason"),
        [
            (HeadstartError("an unknown operation"), "an unknown operation"),
            (IndexError("out of range\nand more"), "IndexError: out of range"),
        ],
    )
    def test_continue_after_a_chapter_that_fails(self, error, reason):
        progress = []
        builders = make_builders(hard=raise_error, easy=build_easy_chapter)
        hard, easy = build_chapters(error, [], progress.append, builders)
        assert hard.claims[0].verdict == "not measured" and hard.claims[0].value == hard.numbers["error"] == reason
        assert easy.claims[0].verdict == "holds"
        assert progress == [
            "[1/2] hard: begins",
            f"[1/2] hard: left out: {reason}",
            "[2/2] easy: begins",
            "[2/2] easy: counting",
        ]

    def test_name_the_command_of_a_measured_claim(self, subject):
        claims = [claim for chapter in build_chapters(subject, ["width", "pooling"]) for claim in chapter.claims]
        commands = {claim.name: claim.command for claim in claims if claim.verdict != "not measured"}
        assert commands["max-keeps-strongest"] == "headstart understand RUN --only pooling"
        assert commands["small-kernels-are-cheaper"] == "headstart understand RUN --only width"

    @pytest.mark.parametrize("name", ["convolution", "why_convolutions", "receptive_field", "width"])
    def test_do_not_change_the_random_stream(self, subject, name):
        before = torch.get_rng_state()
        build_chapters(subject, [name])
        assert torch.equal(torch.get_rng_state(), before)


class TestSelectChapters:
    def test_keeps_the_reading_order(self):
        assert select_chapters(["sweeps", "convolution"]) == ["convolution", "sweeps"]

    def test_names_the_chapters_if_one_is_unknown(self):
        with pytest.raises(HeadstartError, match="there is no part 'easi'; the parts are easy"):
            select_chapters(["easi"], make_builders(easy=build_easy_chapter))
