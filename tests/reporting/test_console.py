"""Tables of the terminal."""

from headstart.reporting.console import escape_control_characters, print_table


class TestPrintTable:
    def test_aligns_columns_and_cuts_nothing_in_a_file(self, capsys):
        long = "a/path/" * 40
        print_table(["image", "n"], [[long, "1"], ["[b]short[/b]", "22"]], right_aligned=["n"])
        header, first, second = capsys.readouterr().out.splitlines()
        assert first.startswith(long)
        assert second.startswith("[b]short[/b]")
        assert {line.rstrip().rfind(end) + len(end) for line, end in [(header, "n"), (first, "1"), (second, "22")]} == {
            len(first.rstrip())
        }
        assert "\x1b" not in header + first + second

    def test_escapes_control_characters_alone(self, capsys):
        print_table(["image"], [["a\x1b[2J\x07\n\u202eb\x9b1m"], ["猫 שלום é <b>"]])
        _, first, second = capsys.readouterr().out.splitlines()
        assert first.rstrip() == r"a\x1b[2J\x07\n\u202eb\x9b1m"
        assert second.rstrip() == "猫 שלום é <b>"
        assert escape_control_characters("\ud800 caf\udce9") == r"\ud800 caf\xe9"

    def test_is_shown_where_the_width_is_unknown(self, capsys, monkeypatch):
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("COLUMNS", "0")
        print_table(["image"], [["a.png"]])
        assert "a.png" in capsys.readouterr().out

    def test_has_no_color_with_no_color_set(self, capsys, monkeypatch):
        monkeypatch.setenv("NO_COLOR", "1")
        monkeypatch.setenv("FORCE_COLOR", "1")
        print_table(["arm"], [["frozen"]])
        assert "\x1b[3" not in capsys.readouterr().out

    def test_keeps_names_and_numbers_whole_in_a_narrow_terminal(self, capsys, monkeypatch):
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("NO_COLOR", "1")
        monkeypatch.setenv("COLUMNS", "24")
        print_table(["arm", "n"], [["scratch_backbone head_lr=0.0001", "48.3 ± 11.8"]], ["n"])
        _, *lines = capsys.readouterr().out.splitlines()
        assert [line.split("  ")[0].rstrip() for line in lines] == ["scratch_backbone", "head_lr=0.0001"]
        assert lines[0].rstrip().endswith("  48.3 ± 11.8")
