"""Documents: statements have tests, links lead to files, and tables list what there is."""

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ROOT = TESTS.parent
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
STATEMENTS = re.findall(r"^- (.+?)(?=^- |^#|\Z)", (ROOT / "docs" / "inputs.md").read_text("utf-8"), re.M | re.S)


def list_tests(path):
    """The names of a file's tests and test classes, a class's tests as ``Class::test``."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node.name
        if isinstance(node, ast.ClassDef):
            yield from (f"{node.name}::{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef))


class TestInputs:
    @pytest.mark.parametrize("statement", STATEMENTS, ids=lambda text: text[:40])
    def test_each_statement_names_a_test_that_exists(self, statement):
        (test,) = re.findall(r"<!-- (\S+) -->", statement)
        path, _, name = test.partition("::")
        assert name in list(list_tests(TESTS / path))


class TestLinks:
    @pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
    def test_lead_to_files(self, page):
        links = re.findall(r"\]\(([^):#]+)\)", page.read_text(encoding="utf-8"))
        assert [link for link in links if not (page.parent / link).exists()] == []


class TestReadme:
    @pytest.mark.parametrize("group", ["callbacks", "debug", "logger", "trainer"])
    def test_lists_each_choice_of_a_group(self, group):
        (row,) = re.findall(rf"^\| `{group}=` \|(.*)$", (ROOT / "README.md").read_text(encoding="utf-8"), re.M)
        choices = {path.stem for path in (ROOT / "conf" / group).glob("*.yaml")}
        assert {choice for choice in choices if f"`{choice}`" not in row} == set()

    def test_output_fits_80_columns(self):
        blocks = re.findall(r"^```\n(.*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.S)
        assert [line for line in blocks[0].splitlines() if len(line) > 80] == []
