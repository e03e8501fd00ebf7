"""Changes and wraps command lines, whose words are quoted for a shell."""

import re

QUOTED_WORD = re.compile(r"""(?:\$'(?:\\.|[^'\\])*'|'[^']*'|"[^"]*"|\\.|[^\s'"\\])+""")  # of a command line


def split_command(command: str) -> list[str]:
    """The words of a command line, each quoted as it is there."""
    return QUOTED_WORD.findall(command)


def wrap_command(command: str, width: int) -> str:
    """Breaks a command line between its words, with a backslash at the end of each line but the last.

    Args:
        command: quoted for a shell.
        width: columns of a line, where no word is longer.
    """
    lines = [""]
    for word in split_command(command):
        if lines[-1] and len(lines[-1]) + len(word) + 3 > width:
            lines.append(f"    {word}")
        else:
            lines[-1] += f"{' ' if lines[-1] else ''}{word}"
    return " \\\n".join(lines)


def replace_words(command: str, values: dict[str, str]) -> str:
    """Replaces overrides of a command line, or adds them at its end.

    Args:
        command: quoted for a shell.
        values: by key; they need no quotes.
    """
    words = split_command(command)
    for key, value in values.items():
        is_typed = [word.strip("'").partition("=")[0].lstrip("+") == key for word in words]
        words = [f"{key}={value}" if typed else word for typed, word in zip(is_typed, words, strict=True)]
        words += [] if any(is_typed) else [f"{key}={value}"]
    return " ".join(words)
