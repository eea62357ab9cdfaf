"""Rooms and floors: imports go downward only, and the pure floors touch nothing of the world."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest

ROOT: Final = Path(__file__).parent.parent

# room: the rooms that it may import. Everybody in ``connector`` may import ``errors``.
MAY_IMPORT: Final[dict[str, set[str]]] = {
    "message_errors": set(),
    "errors": {"message_errors"},
    "log": set(),
    "hl7v2": set(),
    "fhir": set(),
    "mllp": set(),
    "mapping": {"hl7v2", "fhir"},
    "profile": {"mapping", "hl7v2", "fhir"},
    "settings": {"profile"},
    "limits": set(),
    "store": {"mapping", "hl7v2", "fhir"},
    "pipeline": {"store", "profile", "mapping", "hl7v2", "fhir", "log"},
    "edges": {"pipeline", "store", "profile", "mapping", "hl7v2", "fhir", "mllp", "log"},
    "demo": {"profile", "mapping", "hl7v2", "fhir", "mllp", "store", "log"},
    "audit": set(),
}
ABOVE: Final = {"app", "wiring", "cli", "commands", "__init__", "__main__"}  # may import every room
AUDITED_THROUGH_A_PORT: Final = {"store", "pipeline", "edges", "profile", "mapping", "hl7v2", "fhir", "mllp"}
PURE: Final = {"hl7v2", "fhir", "mllp", "mapping", "errors", "message_errors"}
WORLD: Final = {
    "aiohttp", "asyncio", "concurrent", "ctypes", "fastapi", "glob", "http", "httpx", "httpx2",
    "multiprocessing", "os", "random", "requests", "secrets", "select", "selectors", "shutil", "signal",
    "socket", "socketserver", "sqlalchemy", "sqlite3", "sqlmodel", "ssl", "starlette", "subprocess",
    "tempfile", "threading", "time", "urllib.request", "uvicorn",
}  # fmt: skip
WIRE: Final = {
    "socket",
    "ssl",
    "sqlite3",
    "sqlalchemy",
    "sqlmodel",
    "httpx2",
    "fastapi",
    "starlette",
    "uvicorn",
}
CLOCKS: Final = {"now", "utcnow", "today", "uuid1", "uuid4", "fromtimestamp"}


class Import(NamedTuple):
    """One import: the module it stands in (``connector.edges.tls``), its line, what it names."""

    path: Path
    line: int
    target: str

    @property
    def room(self) -> str:
        parts = self.path.relative_to(ROOT).with_suffix("").parts
        return parts[1] if parts[0] == "connector" else parts[0]

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line} imports {self.target}"


def _sources() -> list[Path]:
    return sorted([*(ROOT / "connector").rglob("*.py"), *(ROOT / "audit").rglob("*.py")])


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def _imports(path: Path) -> Iterator[Import]:
    for node in _running(_tree(path)):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield Import(path, node.lineno, name.name)
        elif isinstance(node, ast.ImportFrom):
            module = _absolute(path, node)
            for name in node.names:
                yield Import(path, node.lineno, f"{module}.{name.name}")


def _running(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node but those under ``if TYPE_CHECKING``, which never run."""
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)):
            yield node
            yield from _running(node)


def _absolute(path: Path, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = path.relative_to(ROOT).with_suffix("").parts[: -node.level]
    return ".".join((*package, node.module) if node.module else package)


def _room_of(target: str) -> str | None:
    """The room a target lies in; None for what is not ours; ``__init__`` for the package itself."""
    parts = target.split(".")
    if parts[0] == "audit":
        return "audit"
    if parts[0] != "connector":
        return None
    named = parts[1] if len(parts) > 1 else "__init__"
    known = (
        named in MAY_IMPORT
        or (ROOT / "connector" / named).is_dir()
        or (ROOT / "connector" / f"{named}.py").is_file()
    )
    return named if known else "__init__"


def _upward(found: Import) -> bool:
    target = _room_of(found.target)
    if target is None or target == found.room or found.room in ABOVE:
        return False
    if target == "audit":
        return found.room in AUDITED_THROUGH_A_PORT
    return not (target == "errors" and found.room != "audit") and target not in MAY_IMPORT[found.room]


def test_no_room_imports_a_room_above_it() -> None:
    assert [str(found) for path in _sources() for found in _imports(path) if _upward(found)] == []


def test_every_room_has_its_place_in_the_order() -> None:
    rooms = {found.room for path in _sources() for found in _imports(path)}
    assert rooms - ABOVE - set(MAY_IMPORT) == set()


def test_the_audit_package_knows_nothing_of_the_connector() -> None:
    found = [str(one) for path in _sources() for one in _imports(path) if one.room == "audit"]
    assert [one for one in found if "imports connector" in one] == []


def _touches(found: Import, modules: set[str]) -> bool:
    return any(found.target == module or found.target.startswith(f"{module}.") for module in modules)


def test_the_pure_floors_import_nothing_of_the_world() -> None:
    pure = [found for path in _sources() for found in _imports(path) if found.room in PURE]
    assert [str(found) for found in pure if _touches(found, WORLD)] == []


def test_the_pipeline_knows_no_socket_and_no_database() -> None:
    cycle = [found for path in _sources() for found in _imports(path) if found.room == "pipeline"]
    assert [str(found) for found in cycle if _touches(found, WIRE)] == []


@pytest.mark.parametrize("room", sorted(PURE - {"errors", "message_errors"}))
def test_the_pure_floors_read_no_clock(room: str) -> None:
    read = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((ROOT / "connector" / room).rglob("*.py"))
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCKS
    ]
    assert read == []


def test_only_one_module_imports_the_fhir_models() -> None:
    found = {
        found.path.name
        for path in _sources()
        for found in _imports(path)
        if _touches(found, {"fhir.resources"})
    }
    assert len(found) <= 1


def test_an_upward_import_would_be_found() -> None:
    path = ROOT / "connector" / "hl7v2" / "tree.py"
    assert _upward(Import(path, 1, "connector.edges.tls"))
    assert not _upward(Import(path, 1, "connector.errors.UnreadableMessage"))
    assert _upward(Import(ROOT / "audit" / "log.py", 1, "connector.errors"))
