"""Hydra's flags, taken apart before Hydra reads them."""

import pytest
from hydra._internal.utils import get_args_parser

from headstart.config.command_line import SHORT_FLAGS, SWITCHES, VALUE_FLAGS, parse_command_line, split_flags
from headstart.errors import HeadstartError


class TestFlags:
    def test_are_those_of_hydra(self):
        actions = [action for action in get_args_parser()._actions if action.option_strings]
        names = {string for action in actions for string in action.option_strings}
        assert names == {*SWITCHES, *VALUE_FLAGS, *SHORT_FLAGS}
        takes_value = {string for a in actions if a.nargs != 0 for string in a.option_strings if string in VALUE_FLAGS}
        assert takes_value == set(VALUE_FLAGS)
        for action in actions:
            for flag in VALUE_FLAGS.keys() & set(action.option_strings):
                assert tuple(action.choices or ()) in (VALUE_FLAGS[flag], ())


class TestSplitFlags:
    def test_keeps_values_with_their_flags(self):
        argv = ["seed=0", "-m", "--config-dir", "my=conf", "model=frozen", "-i", "defaults"]
        assert split_flags(argv) == (["-m", "--config-dir", "my=conf", "-i", "defaults"], ["seed=0", "model=frozen"])


class TestParseCommandLine:
    def test_reads_values(self):
        line = parse_command_line(["-c", "job", "seed=0", "--config-name=mine", "-m"])
        assert line.values == {"--cfg": "job", "--config-name": "mine", "--multirun": ""}
        assert line.is_multirun and line.is_display_only and line.overrides == ["seed=0"]

    @pytest.mark.parametrize("argv", [["--cfg"], ["--cfg", "jobs"], ["--config-path", "x"], ["-p", "x"], ["--gpus"]])
    def test_refuses_wrong_flags(self, argv):
        with pytest.raises(HeadstartError, match=argv[0]):
            parse_command_line(argv)
