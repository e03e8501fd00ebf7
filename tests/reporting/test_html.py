"""Templates of the pages."""

from markupsafe import Markup

from headstart.reporting.html import load_template


class TestLoadTemplate:
    def test_keeps_percent_signs_on_the_line_of_their_number(self, tmp_path):
        page = tmp_path / "page.jinja"
        page.write_text("{{ text }}|{{ markup }}|{{ number }}")
        template = load_template(page)
        text = template.render(text="9 % of <all>", markup=Markup("<i>a % b</i>"), number=7)
        assert text == "9\N{NO-BREAK SPACE}% of &lt;all&gt;|<i>a % b</i>|7"
