"""The chapters together."""

from headstart.understand.run_chapters import build_chapters


def test_every_claim_that_was_measured_names_the_command_that_measures_it_again(subject):
    claims = [claim for chapter in build_chapters(subject, ["width", "pooling"]) for claim in chapter.claims]
    commands = {claim.name: claim.command for claim in claims if claim.verdict != "not measured"}
    assert commands["max-keeps-strongest"] == "headstart understand RUN --only pooling"
    assert commands["small-kernels-are-cheaper"] == "headstart understand RUN --only width"
