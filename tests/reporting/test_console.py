"""Tables line up, and are plain text where nobody sees colours."""

from headstart.reporting.console import escape_control_characters, print_table


def test_columns_line_up_and_nothing_is_cut_or_coloured_in_a_file(capsys):
    long = "a/path/" * 40
    print_table(["image", "n"], [[long, "1"], ["[b]short[/b]", "22"]], right_aligned=["n"])
    header, first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(long)
    assert second.startswith("[b]short[/b]")
    assert {line.rstrip().rfind(end) + len(end) for line, end in [(header, "n"), (first, "1"), (second, "22")]} == {
        len(first.rstrip())
    }
    assert "\x1b" not in header + first + second


def test_a_name_cannot_command_the_terminal_and_every_script_is_shown(capsys):
    print_table(["image"], [["a\x1b[2J\x07\n\u202eb\x9b1m"], ["猫 שלום é <b>"]])
    _, first, second = capsys.readouterr().out.splitlines()
    assert first.rstrip() == r"a\x1b[2J\x07\n\u202eb\x9b1m"
    assert second.rstrip() == "猫 שלום é <b>"
    assert escape_control_characters("\ud800 caf\udce9") == r"\ud800 caf\xe9"


def test_a_table_is_shown_where_the_width_is_said_to_be_nothing(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "0")
    print_table(["image"], [["a.png"]])
    assert "a.png" in capsys.readouterr().out


def test_nothing_is_coloured_where_no_colour_is_wanted(capsys, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("FORCE_COLOR", "1")
    print_table(["arm"], [["frozen"]])
    assert "\x1b[3" not in capsys.readouterr().out
