"""The package as users get it: layers, names, wheel, lock file, version."""

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

import headstart

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"
TESTS = ROOT / "tests"

# A room imports from itself and from rooms of earlier lines. A room is a module or a folder of src/headstart.
LAYERS = [
    *(
        [room]
        for room in ("errors", "version", "seeding", "constructors", "image_spec", "file_names", "files", "memory")
    ),
    *([room] for room in ("metrics", "reporting")),
    ["runs", "networks", "decoding", "process"],
    ["backbones", "data", "compare", "understand"],
    ["models", "config"],
    ["training"],
    ["cli"],
    ["sweep"],
    ["train", "hydra_plugins"],
    ["train_command"],
]
LAYER_OF = {room: number for number, layer in enumerate(LAYERS) for room in layer}
FORBIDDEN_LIBRARIES = {
    "compare": {"torch", "lightning", "timm", "hydra"},
    "data": {"hydra"},
    "models": {"hydra"},
    "networks": {"hydra", "lightning"},
    "understand": {"hydra"},
}
MOST_MODULES_IN_A_FOLDER = 18
LONGEST_TEST_NAME = 60
MOST_PRIVATE_ACCESSES = 5


def list_modules() -> dict[str, Path]:
    """The dotted name and the file of each module below src/."""
    paths = sorted(SOURCE.rglob("*.py"))
    return {".".join(p.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): p for p in paths}


MODULES = list_modules()
TREES = {module: ast.parse(path.read_text(encoding="utf-8")) for module, path in MODULES.items()}


def room_of(module: str) -> str:
    """``headstart.data.split`` → ``data``; the package's own ``__init__`` → ``headstart``."""
    parts = module.split(".")
    return parts[1] if parts[0] == "headstart" and len(parts) > 1 else parts[0]


def imported_names(tree: ast.Module) -> Iterator[str]:
    """Every import of a module, within functions and for type checkers too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if name in MODULES else node.module


def build_import_graph() -> dict[str, set[str]]:
    return {module: {*imported_names(tree)} & MODULES.keys() - {module} for module, tree in TREES.items()}


def find_layer_violations() -> set[str]:
    """``room -> room`` where the second is not to the left of the first."""
    found = set()
    for module, imports in build_import_graph().items():
        for room, other in ((room_of(module), room_of(name)) for name in imports):
            if room not in ("headstart", other) and LAYER_OF.get(other, len(LAYERS)) >= LAYER_OF[room]:
                found.add(f"{room} -> {other}")
    return found


def find_library_violations() -> set[str]:
    """``module imports library`` where the room must work without the library."""
    return {
        f"{module} imports {library}"
        for module, tree in TREES.items()
        for library in FORBIDDEN_LIBRARIES.get(room_of(module), set())
        if library in {name.split(".")[0] for name in imported_names(tree)}
    }


def find_modules_in_circles() -> set[str]:
    """Modules that import themselves through others."""
    graph = build_import_graph()

    def reachable(start: str) -> set[str]:
        reached: set[str] = set()
        waiting = [*graph[start]]
        while waiting:
            module = waiting.pop()
            if module not in reached:
                reached.add(module)
                waiting.extend(graph[module])
        return reached

    return {module for module in graph if module in reachable(module)}


def find_ambiguous_names() -> set[str]:
    """Public names that two modules define at their top level; type variables such as T apart."""
    files = defaultdict(set)
    for module, tree in TREES.items():
        for node in tree.body:
            names = []
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                names = [node.name]
            elif isinstance(node, ast.Assign):
                names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                names = [node.target.id]
            for name in names:
                files[name].add(module)
    return {n for n, where in files.items() if len(where) > 1 and len(n) > 1 and n[0] != "_" and n != "main"}


def find_full_folders() -> set[str]:
    counts = Counter(str(path.parent.relative_to(SOURCE)) for path in MODULES.values())
    return {folder for folder, count in counts.items() if count > MOST_MODULES_IN_A_FOLDER}


def find_long_test_names() -> set[str]:
    """Test files in which the name of a test is too long."""
    found = set()
    for path in TESTS.rglob("*.py"):
        functions = (n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.FunctionDef))
        if any(f.name.startswith("test_") and len(f.name) > LONGEST_TEST_NAME for f in functions):
            found.add(str(path.relative_to(TESTS)))
    return found


def list_private_accesses() -> list[str]:
    """``file: access`` of each access to a private name of a module or an object."""
    pattern = re.compile(r"(?<![\w.])(?!self\b|cls\b)[a-z][\w]*\._[a-z]\w+")
    return [
        f"{path.relative_to(TESTS)}: {access}"
        for path in sorted(TESTS.rglob("*.py"))
        for access in pattern.findall(path.read_text(encoding="utf-8"))
    ]


CHECKS = {
    "layer": find_layer_violations,
    "library": find_library_violations,
    "circle": find_modules_in_circles,
    "name": find_ambiguous_names,
    "folder": find_full_folders,
    "test_name": find_long_test_names,
}


def find_violations(kind: str) -> list[str]:
    """What breaks a rule."""
    return sorted(CHECKS[kind]())


class TestLayers:
    def test_a_room_imports_from_itself_and_its_left(self):
        assert find_violations("layer") == []

    def test_every_room_has_a_layer(self):
        assert {room_of(module) for module in MODULES} - {"headstart"} <= LAYER_OF.keys()

    def test_rooms_do_without_libraries_of_other_rooms(self):
        assert find_violations("library") == []

    def test_no_module_imports_itself_through_others(self):
        assert find_violations("circle") == []

    def test_commands_answer_without_torch(self):
        code = (
            "import sys, headstart, headstart.cli.main, headstart.config.launch, headstart.train,"
            "headstart.sweep.planner, headstart.data.image_folder, headstart.data.digits, headstart.data.mnist,"
            "headstart.data.audit.audit, headstart.compare.report.html, headstart.compare.report.content;"
            "sys.exit(bool({'torch', 'lightning', 'timm'} & set(sys.modules)))"
        )
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class TestNames:
    def test_a_public_name_is_defined_in_one_module(self):
        assert find_violations("name") == []

    def test_a_folder_has_few_modules(self):
        assert find_violations("folder") == []


class TestTests:
    def test_names_of_tests_are_short(self):
        assert find_violations("test_name") == []

    def test_private_names_are_hardly_used(self):
        accesses = list_private_accesses()
        assert len(accesses) <= MOST_PRIVATE_ACCESSES, accesses


class TestWheel:
    def test_has_configuration_and_weights(self, tmp_path):
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path]
        subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
        (wheel,) = tmp_path.glob("*.whl")
        files = set(zipfile.ZipFile(wheel).namelist())
        conf = {f"headstart/conf/{p.relative_to(ROOT / 'conf').as_posix()}" for p in (ROOT / "conf").rglob("*.yaml")}
        assert conf <= files and "headstart/backbones/embedded.safetensors" in files


class TestLockFile:
    def test_has_exact_versions_with_hashes_and_no_address(self):
        lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
        assert "://" not in lock and "index-url" not in lock
        entries = re.split(r"\n(?=\S)", lock.strip())
        assert all(re.match(r"[\w.-]+==\S+ ", entry) and "--hash=sha256:" in entry for entry in entries), entries

    def test_satisfies_every_requirement(self):
        lock = dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "requirements.lock").read_text("utf-8"), re.MULTILINE))
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        for line in [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]:
            requirement = Requirement(line)
            assert requirement.specifier.contains(lock.get(requirement.name, "nothing")), line


class TestVersion:
    def test_is_that_of_pyproject(self):
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        assert project["project"]["version"] == headstart.__version__
