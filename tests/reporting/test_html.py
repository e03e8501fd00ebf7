from markupsafe import Markup

from headstart.reporting.html import load_template


def test_a_per_cent_sign_stays_on_the_line_of_its_number_but_in_markup_nothing_is_touched(tmp_path):
    page = tmp_path / "page.jinja"
    page.write_text("{{ text }}|{{ markup }}|{{ number }}")
    room = load_template(page)
    said = room.render(text="9 % of <all>", markup=Markup("<i>a % b</i>"), number=7)
    assert said == "9\N{NO-BREAK SPACE}% of &lt;all&gt;|<i>a % b</i>|7"
