import pytest

from headstart.understand.claims import Chapter, Claim


@pytest.fixture
def chapter():
    return Chapter("pooling", "Pooling", sentences={"first": "One.", "second": "Two."})


class TestChapter:
    def test_adds_a_claim_with_its_sentence(self, chapter):
        chapter.add_claim("first", "holds", "3 of 3", "0 of 3", (1.0, 3.0))
        assert chapter.claims == [Claim("first", "One.", "holds", "3 of 3", "0 of 3", (1.0, 3.0))]

    def test_adds_all_that_is_not_measured(self, chapter):
        chapter.add_claim("first", "holds")
        chapter.add_unmeasured("no labels", command="headstart understand OTHER_RUN")
        [_, claim] = chapter.claims
        assert claim == Claim("second", "Two.", "not measured", "no labels", command="headstart understand OTHER_RUN")

    def test_adds_named_claims_that_are_not_measured(self, chapter):
        chapter.add_unmeasured("no labels", ["second"])
        assert [claim.name for claim in chapter.claims] == ["second"]
