"""The package as others get it, and the walls between its rooms."""

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import headstart

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src" / "headstart").rglob("*.py"))


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize(
    ("room", "forbidden"),
    [
        ("models", ("headstart.data", "headstart.compare", "headstart.train", "hydra")),
        ("data", ("headstart.models", "headstart.compare", "headstart.train", "hydra")),
        ("compare", ("torch", "lightning", "headstart.models", "headstart.data", "hydra")),
        (
            "understand",
            ("headstart.models", "headstart.data", "headstart.compare", "headstart.runs.run_directory", "hydra"),
        ),
    ],
)
def test_a_room_knows_only_what_stands_to_its_left(room, forbidden):
    for path in (ROOT / "src" / "headstart" / room).rglob("*.py"):
        known = [name for name in imports(path) if any(name == f or name.startswith(f"{f}.") for f in forbidden)]
        assert not known, path


def test_everything_up_to_the_question_whether_a_run_is_done_loads_no_torch():
    code = (
        "import sys, headstart, headstart.cli.main, headstart.config.command_line, headstart.train, headstart.sweep.planner, headstart.data.image_folder,"
        "headstart.data.digits, headstart.data.mnist, headstart.data.audit.audit, headstart.compare.report.html,"
        "headstart.compare.report.content;"
        "sys.exit(bool({'torch', 'lightning', 'timm'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_wheel_carries_configuration_and_weights(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path],
        check=True, cwd=ROOT, capture_output=True,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    inside = set(zipfile.ZipFile(wheel).namelist())
    conf = {f"headstart/conf/{p.relative_to(ROOT / 'conf').as_posix()}" for p in (ROOT / "conf").rglob("*.yaml")}
    assert conf <= inside and "headstart/backbones/embedded.safetensors" in inside


def test_the_lock_is_exact_hashed_and_names_no_address():
    lock = (ROOT / "requirements.lock").read_text()
    assert "://" not in lock and "index-url" not in lock
    entries = re.split(r"\n(?=\S)", lock.strip())
    assert all(re.match(r"[\w.-]+==\S+ ", entry) and "--hash=sha256:" in entry for entry in entries), entries


def test_the_lock_holds_every_requirement_at_a_version_that_is_asked_for():
    lock = dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for line in [*asked["project"]["dependencies"], *asked["dependency-groups"]["dev"]]:
        requirement = Requirement(line)
        assert requirement.specifier.contains(lock.get(requirement.name, "nothing")), line


def test_the_version_is_written_once_more_and_the_same():
    written = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert written == headstart.__version__
