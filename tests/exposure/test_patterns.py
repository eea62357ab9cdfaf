"""No text of a profile or of a message is ever used as a regular expression."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from connector.profile.verbs import Mapping

ROOT: Final = Path(__file__).parents[2]
COMPILERS: Final = {"compile", "match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"}
FIXED: Final = {  # patterns that are not written where they are used: where, and whose they are
    ("section.py", "self"): "of the model: the forms of texts",
    ("delimiters.py", "known"): "of MSH-2: single delimiters, escaped",
    ("delimiters.py", "special"): "of MSH-2: single delimiters, escaped",
    ("primitives.py", "pattern"): "of the forms of FHIR's primitives, in the same file",
    ("quick.py", "allowed references sorted"): "of FHIR's resource types",
}
SOURCES: Final = sorted(path for room in ("connector", "audit") for path in (ROOT / room).rglob("*.py"))


def _patterns(tree: ast.AST) -> Iterator[ast.expr]:
    """The first argument of every call of the module ``re``."""
    for node in ast.walk(tree):
        called = node.func if isinstance(node, ast.Call) else None
        if (
            isinstance(called, ast.Attribute)
            and ast.unparse(called.value) == "re"
            and called.attr in COMPILERS
        ):
            assert isinstance(node, ast.Call)
            yield node.args[0]


def _names(tree: ast.Module) -> set[str]:
    """Names that are bound once to what is written in the file."""
    found = set()
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if isinstance(target, ast.Name) and _is_written(getattr(node, "value", None), found):
            found.add(target.id)
    return found


def _is_written(node: ast.expr | None, names: set[str]) -> bool:
    """Whether a pattern consists of literals and of names of such."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str | bytes)
    if isinstance(node, ast.JoinedStr):
        return all(_is_written(one, names) for one in node.values)
    if isinstance(node, ast.FormattedValue):
        return _is_written(node.value, names)
    if isinstance(node, ast.BinOp):
        return _is_written(node.left, names) and _is_written(node.right, names)
    if isinstance(node, ast.Call):  # what is escaped, or joined from what is escaped, stands for itself
        return ast.unparse(node.func) in ("re.escape", "'|'.join", '"|".join')
    return isinstance(node, ast.Name) and node.id in names


def _free(source: str) -> list[str]:
    """The patterns of a source that are not written in it."""
    tree = ast.parse(source)
    names = _names(tree)
    return [_made_of(one) for one in _patterns(tree) if not _is_written(one, names)]


def _made_of(pattern: ast.expr) -> str:
    """The names in a pattern."""
    return " ".join(sorted({node.id for node in ast.walk(pattern) if isinstance(node, ast.Name)}))


def test_every_pattern_is_written_in_the_source() -> None:
    free = {(path.name, one) for path in SOURCES for one in _free(path.read_text())}
    assert free == set(FIXED)


@pytest.mark.parametrize("pattern", ["text.pattern", "f'{text}x'", "'a' + text", "text[0]"])
def test_a_pattern_that_comes_from_elsewhere_is_found(pattern: str) -> None:
    assert _free(f"import re\nA = 'a'\nre.compile(A + 'b')\nre.search({pattern}, text)\n") == ["text"]


def test_the_verbs_of_a_profile_are_closed_and_none_takes_a_pattern() -> None:
    verbs = {
        "drop",
        "default",
        "constant",
        "codes",
        "authorities",
        "systems",
        "move",
        "extension",
        "identifier",
    }
    assert set(Mapping.model_fields) <= verbs
