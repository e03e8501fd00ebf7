"""Tables line up, and are plain text where nobody sees colours."""

from headstart.terminal import print_table


def test_columns_line_up_and_nothing_is_cut_or_coloured_in_a_file(capsys):
    long = "a/path/" * 40
    print_table(["image", "n"], [[long, "1"], ["[b]short[/b]", "22"]], numbers=["n"])
    header, first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(long)
    assert second.startswith("[b]short[/b]")
    assert {line.rstrip().rfind(end) + len(end) for line, end in [(header, "n"), (first, "1"), (second, "22")]} == {
        len(first.rstrip())
    }
    assert "\x1b" not in header + first + second


def test_nothing_is_coloured_where_no_colour_is_wanted(capsys, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("FORCE_COLOR", "1")
    print_table(["arm"], [["frozen"]])
    assert "\x1b[3" not in capsys.readouterr().out
