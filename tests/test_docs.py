"""Each statement of docs/inputs.md names a test that holds it."""

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
STATEMENTS = re.findall(r"^- (.+?)(?=^- |^#|\Z)", (TESTS.parent / "docs" / "inputs.md").read_text("utf-8"), re.M | re.S)


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
