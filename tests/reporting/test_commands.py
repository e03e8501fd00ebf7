"""Command lines whose words are quoted."""

import pytest

from headstart.reporting.commands import replace_words, split_command, wrap_command

QUOTED = [
    "headstart-train",
    "-m",
    "'data.root=My photos (1)'",
    "seed=0,1",
    "$'data.root=caf\\xe9 \\'a'",
    "model=frozen",
]


class TestSplitCommand:
    def test_keeps_words_as_they_are_quoted(self):
        assert split_command(" ".join(QUOTED)) == QUOTED


class TestWrapCommand:
    @pytest.mark.parametrize("width", [20, 40, 80])
    def test_breaks_between_words_alone(self, width):
        wrapped = wrap_command(" ".join(QUOTED), width)
        assert split_command(wrapped.replace(" \\\n", "")) == QUOTED
        assert all(len(line) <= width or line.startswith(("    '", "    $'")) for line in wrapped.split("\n"))


class TestReplaceWords:
    def test_replaces_and_adds(self):
        changed = replace_words(" ".join(QUOTED), {"seed": "0,1,2", "data.folds": "5"})
        assert split_command(changed) == [*QUOTED[:3], "seed=0,1,2", *QUOTED[4:], "data.folds=5"]
