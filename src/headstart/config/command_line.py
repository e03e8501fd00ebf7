"""Splits a command line into Hydra's flags and overrides. Torch-free."""

from dataclasses import dataclass
from pathlib import Path

from headstart.config.suggestions import suggest_closest
from headstart.errors import HeadstartError
from headstart.file_names import expand_home

TRAIN_PROGRAM = "headstart-train"

# Flags of Hydra; those with a value, with the values that Hydra takes (empty: any).
SWITCHES = ("--help", "--hydra-help", "--version", "--resolve", "--run", "--multirun", "--shell-completion")
VALUE_FLAGS: dict[str, tuple[str, ...]] = {
    "--cfg": ("job", "hydra", "all"),
    "--info": ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath"),
    "--config-name": (),
    "--config-dir": (),
    "--config-path": (),
    "--package": (),
    "--experimental-rerun": (),
}
SHORT_FLAGS = {
    "-h": "--help",
    "-r": "--run",
    "-m": "--multirun",
    "-sc": "--shell-completion",
    "-c": "--cfg",
    "-i": "--info",
    "-cn": "--config-name",
    "-cd": "--config-dir",
    "-cp": "--config-path",
    "-p": "--package",
}
OPTIONAL_VALUE = "--info"  # the only flag whose value may be left out
CONFIG_PATH_HINT = "the configuration is the package's own; name a folder of further choices by --config-dir"
REFUSED_FLAGS = {
    "--config-path": CONFIG_PATH_HINT,
    "--package": "the configuration's keys stand at its root; leave it out",
    "--experimental-rerun": "give the run's command again, as result.json has it",
}
DISPLAY_FLAGS = {"--help", "--hydra-help", "--version", "--cfg", "--info", "--shell-completion"}


@dataclass(frozen=True)
class CommandLine:
    """A command line in parts.

    Args:
        overrides: words such as ``seed=0``.
        flags: the other words as typed, each value after its flag.
        values: value of each flag by its long name; empty for a switch.

    Example:
        >>> parse_command_line(["-m", "seed=0,1"]).values
        {'--multirun': ''}
    """

    overrides: list[str]
    flags: list[str]
    values: dict[str, str]

    @property
    def is_multirun(self) -> bool:
        return "--multirun" in self.values

    @property
    def is_display_only(self) -> bool:
        """Whether Hydra shows something and runs nothing."""
        return bool(DISPLAY_FLAGS & self.values.keys())

    @property
    def config_dir(self) -> Path | None:
        """The folder of ``--config-dir``.

        Raises:
            HeadstartError: there is no such folder.
        """
        if "--config-dir" not in self.values:
            return None
        folder = expand_home(self.values["--config-dir"]).absolute()
        if not folder.is_dir():
            raise HeadstartError(f"--config-dir {self.values['--config-dir']}: there is no such folder")
        return folder


def split_flags(argv: list[str]) -> tuple[list[str], list[str]]:
    """Splits a command line into flags (with their values) and overrides; Hydra does not read them interleaved."""
    flags: list[str] = []
    overrides: list[str] = []
    value_follows = False
    for word in argv:
        is_topic = flags[-1:] in (["-i"], ["--info"]) and "=" not in word
        is_flag = word.startswith("-") or value_follows or is_topic
        (flags if is_flag else overrides).append(word)
        name = _long_name(word)
        value_follows = not value_follows and name in VALUE_FLAGS and name != OPTIONAL_VALUE
    return flags, overrides


def parse_command_line(argv: list[str]) -> CommandLine:
    """Reads the flags of a command line.

    Raises:
        HeadstartError: an unknown flag, one that is refused, or one without its value.
    """
    flags, overrides = split_flags(argv)
    values: dict[str, str] = {}
    words = iter(flags)
    for word in words:
        typed, equals, value = word.partition("=")
        name = _long_name(typed)
        if name in REFUSED_FLAGS:
            raise HeadstartError(f"{typed}: {REFUSED_FLAGS[name]}")
        if name not in (*SWITCHES, *VALUE_FLAGS):
            near = suggest_closest(typed, [*SWITCHES, *VALUE_FLAGS], cutoff=0.7)
            raise HeadstartError(f"no flag '{word}'{near or '; --help shows what there is'}")
        if name in VALUE_FLAGS and not equals:
            value = next(words, "all" if name == OPTIONAL_VALUE else "")
        choices = VALUE_FLAGS.get(name, ())
        if name in VALUE_FLAGS and (not value or (choices and value not in choices)):
            raise HeadstartError(f"{typed}: give a value{f', one of {chr(44).join(choices)}' if choices else ''}")
        values[name] = value
    return CommandLine(overrides, flags, values)


def _long_name(flag: str) -> str:
    return SHORT_FLAGS.get(flag, flag)
