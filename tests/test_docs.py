"""Documents: statements have tests, links lead to files, and tables list what there is."""

import ast
import re
import shlex
import tomllib
from pathlib import Path

import pytest

from headstart.config.compose import compose_command
from headstart.config.overrides import quote_overrides

TESTS = Path(__file__).parent
ROOT = TESTS.parent
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
COMMANDS = re.findall(r"^(?:\$ )?headstart-train (.*)$", "".join(BLOCKS).replace("\\\n", ""), re.MULTILINE)
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
    def test_lists_the_choices_of_a_group(self, group):
        (row,) = re.findall(rf"^\| `{group}=` \|(.*)$", README, re.M)
        choices = {path.stem for path in (ROOT / "conf" / group).glob("*.yaml")}
        assert set(re.findall(r"`(\w+)`", row)) == choices

    def test_lists_the_extras(self):
        table = README.partition("### Extras")[2].partition("\n## ")[0]
        extras = re.findall(r"`(\w+)`", "".join(re.findall(r"^\|([^|]*)\|", table, re.M)))
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        assert sorted(extras) == sorted(project["optional-dependencies"])

    @pytest.mark.parametrize("words", COMMANDS)
    def test_its_commands_compose(self, words):
        compose_command(quote_overrides(shlex.split(words)))

    def test_output_fits_80_columns(self):
        assert [line for line in BLOCKS[0].splitlines() if len(line) > 80] == []
