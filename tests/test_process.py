"""Whatever went wrong is one line."""

import errno

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from headstart.errors import HeadstartError
from headstart.process import format_error, run_command


def raised(work) -> Exception:
    with pytest.raises(Exception) as caught:
        work()
    return caught.value


def test_an_error_below_a_constructor_is_still_its_own_line(tmp_path):
    error = raised(
        lambda: instantiate(
            {"_target_": "headstart.runs.run_directory.resolve_checkpoint", "path": str(tmp_path / "gone")}
        )
    )
    assert not isinstance(error, HeadstartError)
    assert format_error(error).startswith(f"{tmp_path}/gone: there is no such file")


def test_an_error_below_an_interpolation_is_still_its_own_line():
    def refuse():
        raise HeadstartError("no directory without a name; give one")

    OmegaConf.register_new_resolver("refuse", refuse, replace=True)
    try:
        error = raised(lambda: OmegaConf.create({"x": "${refuse:}"}).x)
    finally:
        OmegaConf.clear_resolver("refuse")
    assert format_error(error) == "no directory without a name; give one"


def test_a_wrong_argument_of_a_constructor_is_named_with_its_place():
    config = OmegaConf.create({"model": {"_target_": "headstart.image_spec.ImageSpec", "shapes": 1}})
    line = format_error(raised(lambda: instantiate(config.model)))
    assert line.startswith("model: TypeError: ")
    assert "'shapes'" in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "/runs/x"), "/runs/x: Permission denied"),
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full; make room"),
        (MemoryError(), "out of memory; a smaller data.batch_size"),
        (ValueError("a\nb"), "ValueError: a b; HYDRA_FULL_ERROR=1 shows where"),
    ],
)
def test_other_errors_name_the_thing(error, line):
    assert format_error(error).startswith(line)


def test_work_that_succeeds_says_nothing(capsys):
    assert run_command("program", lambda: 3) == 3
    assert capsys.readouterr() == ("", "")
