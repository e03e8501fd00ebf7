"""Overrides reach the program as they were typed."""

import contextlib
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import example, given
from hypothesis import strategies as st

from headstart.config.overrides import quote_overrides


def read(override: str):
    """What Hydra makes of an override once it is quoted."""
    (line,) = quote_overrides([override])
    return OverridesParser.create().parse_override(line)


@pytest.mark.parametrize(
    "name",
    [
        "My photos (1)",
        "josé=é",
        "a[b]",
        "{a}",
        "[1,2]",
        "it's",
        'a "b"',
        "back\\slash\\",
        "a:b",
        " lead",
        "a,b",
        "(",
        "#x",
    ],
)
def test_a_path_reaches_the_program_as_it_was_typed(name):
    assert read(f"data.root={name}").value() == name


@pytest.mark.parametrize("name", ["2024", "1e5", "true", "[x]", "~odd"])
def test_a_folder_with_the_name_of_another_type_stays_a_name(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).mkdir()
    assert read(f"data.root={name}").value() == name
    assert read(f"backbone.weights={name}").value() == name
    assert read(f"hydra.run.dir={name}").value() == name


def test_null_means_null_unless_there_is_such_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert read("data.root=null").value() is None
    (tmp_path / "null").mkdir()
    assert read("data.root=null").value() == "null"


def test_a_leading_tilde_is_the_home_folder_in_a_path_alone(monkeypatch):
    monkeypatch.setenv("HOME", "/home/josé b")
    assert read("data.root=~/x").value() == "/home/josé b/x"
    assert read("data.note=~/x").value() == "~/x"


def test_commas_sweep_over_places_that_all_exist(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a (1)", "2024"):
        (tmp_path / name).mkdir()
    assert list(read("data.root=a (1),2024").sweep_string_iterator()) == ["'a (1)'", "'2024'"]
    assert list(read("backbone.weights=embedded,none").sweep_string_iterator()) == ["embedded", "none"]
    assert read("data.root=a (1),gone").value() == "a (1),gone"


@pytest.mark.parametrize(
    "line",
    [
        "seed=0,1,2",
        "seed=range(1,4)",
        "model=choice(frozen,finetune)",
        "model.betas=[0.9,0.95]",
        "backbone.options={pad_type:same}",
        "data.root='My photos (1)'",
        "data.root='a b','c d'",
        "model.note='quoted already'",
        "model.lr=${model.head_lr}",
        "+new=1",
        "++new=1",
        "~logger",
        "~logger=none",
        "model=",
    ],
)
def test_the_syntax_of_hydra_stays_as_it_is(line):
    assert quote_overrides([line]) == [line]


@pytest.mark.parametrize("value", ["é", "a=b", "(1)", "~x", "it's"])
def test_other_values_that_hydra_rejects_become_strings(value):
    assert read(f"model.note={value}").value() == value


@pytest.mark.parametrize("line", ["data.root=josé (1)", "data.root=2024", "data.root='a b','c d'", "x=a=b"])
def test_quoting_twice_is_quoting_once(line):
    assert quote_overrides(quote_overrides([line])) == quote_overrides([line])


def test_a_folder_may_have_a_name_like_an_interpolation(tmp_path, monkeypatch):
    from omegaconf import OmegaConf

    monkeypatch.chdir(tmp_path)
    (tmp_path / "in${x}").mkdir()
    (line,) = quote_overrides(["data.root=in${x}"])
    assert OmegaConf.create({"root": read(line).value()}).root == "in${x}"
    assert quote_overrides(["hydra.run.dir=runs/${seed}"]) == ["hydra.run.dir=runs/${seed}"]


def test_a_backbone_option_needs_no_plus():
    assert quote_overrides(["backbone.options.pad_type=same"]) == ["++backbone.options.pad_type=same"]
    assert quote_overrides(["+backbone.options.pad_type=same"]) == ["+backbone.options.pad_type=same"]


@example("???")
@example("a\\${x}")
@given(st.text(st.sampled_from("\\${}'\"abx, =()[]:?~#%*\n\t\udce9é"), min_size=1, max_size=7))
def test_a_folder_of_any_name_is_that_folder(tmp_path_factory, name):
    from omegaconf import OmegaConf

    folder = tmp_path_factory.mktemp("root")
    (folder / name).mkdir()
    with contextlib.chdir(folder):
        (line,) = quote_overrides([f"data.root={name}"])
        assert quote_overrides([line]) == [line]
        root = OmegaConf.create({"root": OverridesParser.create().parse_override(line).value()}).root
        assert Path(root).samefile(name)


class TestPatternKeys:
    @pytest.mark.parametrize(
        "pattern", [r"(p\d+)_", r"p\(1\)", r"p\d{1,3}", "[a-z]", "a,b", r"^[^_]+$", "{a}", "1", r"it's\d", "~x", " a"]
    )
    def test_take_a_pattern_as_it_was_typed(self, pattern):
        assert read(f"data.group={pattern}").value() == pattern

    def test_null_and_quotes_are_those_of_hydra(self):
        assert read("data.group=null").value() is None
        assert read(r"data.group='p\d'").value() == r"p\d"
        assert read("data.group='a','b'").is_choice_sweep()
