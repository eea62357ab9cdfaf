"""The field by field reference in ``profiles/README.md``, as the models give it.

``python -m tests.profile.reference`` writes it anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from connector.mapping.messages.changes import DEFAULTS, split
from connector.profile.schema import schema, schema_of
from connector.settings import Settings
from tests.profile.planted import ROOT

Json = dict[str, Any]

README: Final = ROOT / "profiles" / "README.md"
NAMES: Final = ("events", "profile", "settings")
_FORMS: Final = {"boolean": "true or false", "integer": "whole number", "number": "number", "string": "text"}


def rendered(name: str) -> str:
    """The reference of ``profile``, ``settings`` or ``events`` as Markdown."""
    if name == "events":
        return "\n".join(_events()) + "\n"
    root = schema() if name == "profile" else schema_of(Settings)
    return "\n".join(_table(root, root, "")).rstrip() + "\n"


def written(readme: str, name: str) -> str:
    """The reference that stands in the README."""
    return readme.partition(_begin(name))[2].partition(_end(name))[0].lstrip("\n")


def rewritten(readme: str) -> str:
    """The README with the references of today."""
    for name in NAMES:
        before, _, rest = readme.partition(_begin(name))
        after = rest.partition(_end(name))[2]
        readme = f"{before}{_begin(name)}\n\n{rendered(name)}\n{_end(name)}{after}"
    return readme


def _events() -> Iterator[str]:
    """The default events, a line for each kind of resource."""
    yield from ("| Resource | What happens to it, and what is sent |", "| --- | --- |")
    for resource in dict.fromkeys(split(key)[0] for key in DEFAULTS):
        mine = {key.partition(".")[2]: event for key, event in DEFAULTS.items() if split(key)[0] == resource}
        said = (
            f"{', '.join(f'`{what}`' for what in mine if mine[what] == event)}: {event}"
            for event in dict.fromkeys(mine.values())
        )
        yield f"| `{resource}` | {'; '.join(said)} |"


def _begin(name: str) -> str:
    return f"<!-- reference of {name}: written by python -m tests.profile.reference -->"


def _end(name: str) -> str:
    return f"<!-- end of the reference of {name} -->"


def _table(root: Json, table: Json, path: str, many: bool = False) -> Iterator[str]:
    header = f"[[{path}]]" if many else f"[{path}]"
    yield from (f"#### `{header}`" if path else "#### At the top", "", f"{table['description']}", "")
    inner = {key: found for key, one in table["properties"].items() if (found := _inner(root, one))}
    rows = [_row(key, one, table) for key, one in table["properties"].items() if key not in inner]
    yield from (
        ("| Key | Takes | Without it | Meaning |", "| --- | --- | --- | --- |", *rows, "") if rows else ()
    )
    for key, (section, repeated) in inner.items():
        yield from _table(root, section, f"{path}.{key}".lstrip("."), repeated)


def _inner(root: Json, one: Json) -> tuple[Json, bool] | None:
    """The section that a key holds, and whether it can hold several."""
    ref = one.get("$ref") or one.get("items", {}).get("$ref")
    return (root["$defs"][ref.removeprefix("#/$defs/")], "items" in one) if ref else None


def _row(key: str, one: Json, table: Json) -> str:
    required = key in table.get("required", ())
    default = "required" if required else f"`{json.dumps(one['default'])}`" if "default" in one else "none"
    cells = (f"`{key}`", _takes(one), default, one["description"])
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _takes(one: Json) -> str:
    if "enum" in one:
        return ", ".join(f"`{json.dumps(value)}`" for value in one["enum"])
    if one["type"] == "array":
        return f"list of {_takes(one['items'])}"
    if one["type"] == "object":
        return f"table of {_takes(one['additionalProperties'])}"
    if one.get("format") == "path":
        return "path"
    return _FORMS[one["type"]] + _range(one)


def _range(one: Json) -> str:
    least = one.get("minimum", one.get("exclusiveMinimum"))
    above = "" if "minimum" in one else "above "
    return f", {above}{least:,} to {one['maximum']:,}" if least is not None else ""


if __name__ == "__main__":
    README.write_text(rewritten(README.read_text()))
