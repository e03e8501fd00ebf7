import pytest
from jinja2 import UndefinedError

from headstart.understand.prose import render_paragraphs


@pytest.fixture
def template(tmp_path):
    path = tmp_path / "chapter.txt.jinja"
    path.write_text(
        "{% block one %}\nA line\nand {{ share | percent }}.\n\nMore: {{ count | thousands }}\n{% endblock %}\n"
        "{% block two %}<b>{{ name }}</b>{% endblock %}\n"
    )
    return path


class TestRenderParagraphs:
    def test_joins_lines_and_splits_at_blank_lines(self, template):
        assert render_paragraphs(template, "one", share=0.123, count=1234) == ["A line and 12 %.", "More: 1,234"]

    def test_renders_plain_text(self, template):
        assert render_paragraphs(template, "two", name="a & b") == ["<b>a & b</b>"]

    def test_rejects_missing_values(self, template):
        with pytest.raises(UndefinedError):
            render_paragraphs(template, "two")
