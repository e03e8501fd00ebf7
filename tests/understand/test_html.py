import json
import math
from html.parser import HTMLParser

import pytest

from headstart.understand.claims import Chapter, Claim, Picture, Table
from headstart.understand.html import explanation_to_json, render_explanation

CLAIMS = [
    Claim("grows", "Fields grow <b>with depth</b>.", "holds", "3, then 5", "one layer", (2.5, 5.0)),
    Claim("always", "Always so.", "fails", "never"),
    Claim("sweep", "From many runs.", "not measured", command="headstart understand RUN --sweep DIR"),
]


@pytest.fixture
def page():
    chapter = Chapter(
        "large_fields",
        "Fields, and what a long title says of them",
        [
            "A sentence with <script>alert(1)</script>.",
            Picture('<svg role="img" aria-label="a curve"></svg>', "A curve <i>"),
            Table("Sizes", ("layer", "side", "share"), [("conv<1>", 12345, 0.04321), ("conv2", 7, None)]),
        ],
        CLAIMS,
        {"side": 5, "share": math.nan, "list": [1.0, math.inf]},
    )
    return render_explanation("run <1>", [chapter], ["Mind <this>."], "headstart understand 'run <1>'")


class Elements(HTMLParser):
    def __init__(self):
        super().__init__()
        self.seen, self.addresses = [], []

    def handle_starttag(self, tag, attributes):
        self.seen.append(tag)
        self.addresses += [v for k, v in attributes if k in ("src", "href") and v]


class TestRenderExplanation:
    def test_escapes_everything_but_pictures(self, page):
        elements = Elements()
        elements.feed(page)
        assert "script" not in elements.seen and "i" not in elements.seen and "b" not in elements.seen
        assert elements.seen.count("svg") == 1

    def test_has_no_outside_addresses(self, page):
        elements = Elements()
        elements.feed(page)
        assert all(address.startswith(("#", "data:")) for address in elements.addresses)
        assert "default-src 'none'" in page

    def test_shows_every_claim(self, page):
        for claim in CLAIMS:
            assert claim.verdict in page and claim.value in page
            assert claim.verdict != "not measured" or claim.command in page
        assert "headstart understand RUN --only PART" in page
        assert "2.5 to 5" in page
        assert "1 <span" in page  # of each verdict, how many

    def test_links_chapters_by_name(self, page):
        assert page.count(">large fields</a>") == 1, "in the list of parts"
        assert page.count("<code>large_<wbr>fields</code></a>") == len(CLAIMS), "beside each claim, as --only takes it"
        assert page.count(">Fields, and what a long title says of them<") == 1, "above the part alone"

    def test_aligns_short_numbers_right(self, page):
        for header, number in (("side", "12,345"), ("share", "0.0432")):
            assert f'<td role="cell" class="n" data-label="{header}">{number}</td>' in page
        assert "conv&lt;1&gt;" in page


class TestExplanationToJson:
    def test_has_null_for_nan(self):
        chapter = Chapter("fields", "Fields", [], CLAIMS, {"share": math.nan, "list": [1.0, math.inf], 3: (1, 2)})
        said = json.loads(explanation_to_json("run", [chapter], [], "headstart understand run", {"torch": "2"}))
        (only,) = said["chapters"]
        assert only["numbers"] == {"share": None, "list": [1.0, None], "3": [1, 2]}
        assert [claim["verdict"] for claim in only["claims"]] == ["holds", "fails", "not measured"]
        assert only["claims"][0]["interval"] == [2.5, 5.0]
