"""Which tags of the audit log code may write, read out of its source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]


def written() -> dict[str, set[str]]:
    """The tags that code may write, by pattern: where it does.

    A tag that is put together, as ``f"{self._tag}:intended"``, is the pattern of all that it may become.
    """
    found: dict[str, set[str]] = {}
    paths = [*(ROOT / "connector").rglob("*.py"), *(ROOT / "audit").glob("*.py")]
    for path in sorted(path for path in paths if path.name not in _TABLES):
        for pattern in _patterns(ast.parse(path.read_text("utf-8"))):
            found.setdefault(pattern, set()).add(str(path.relative_to(ROOT)))
    return found


def _patterns(tree: ast.Module) -> Iterator[str]:
    known = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Constant)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name) and isinstance(node.value.value, str)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and ":" in node.value:
            yield re.escape(node.value)
        elif isinstance(node, ast.JoinedStr):
            parts = [_part(one, known) for one in node.values]
            if len("".join(parts).replace(_ANY, "")) > len(":verb") - 1:
                yield "".join(parts)


_TABLES: Final = ("entry.py", "vocabulary.py", "fields.py", "events.py", "described.py")  # of tags themselves
_ANY: Final = "[a-z0-9:]+"


def _part(node: ast.expr, known: Mapping[str, str]) -> str:
    if isinstance(node, ast.Constant):
        return re.escape(str(node.value))
    inner = node.value if isinstance(node, ast.FormattedValue) else node
    return re.escape(known[inner.id]) if isinstance(inner, ast.Name) and inner.id in known else _ANY
