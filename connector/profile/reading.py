"""Reading a TOML file into a model, with every fault at its line: for profiles and for settings alike."""

from __future__ import annotations

import difflib
import hashlib
import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from connector.errors import ConfigurationError
from connector.profile.positions import Positions

Model = TypeVar("Model", bound=BaseModel)
Fault = TypeVar("Fault", bound=ConfigurationError)
Loc = tuple[str | int, ...]

LARGEST: Final = 1024 * 1024  # bytes; a profile has a few thousand
_AT: Final = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)\Z")
_WANTED: Final = {
    "string_type": "write a text in quotes",
    "bool_type": "write true or false, without quotes",
    "int_type": "write a whole number, without quotes",
    "float_type": "write a number, without quotes",
    "tuple_type": 'write a list: ["one", "two"]',
    "dict_type": "write a table",
    "mapping_type": "write a table",
    "model_type": "write a table",
    "model_attributes_type": "write a table",
    "too_short": "name at least one",
}
_RANGES: Final = {"greater_than": "more than {gt}", "greater_than_equal": "{ge} or more",
                  "less_than_equal": "{le} or less", "less_than": "less than {lt}"}  # fmt: skip


@dataclass(frozen=True)
class Document(Generic[Fault]):
    """A TOML file that could be read: its tree, where its keys stand, its digest."""

    path: Path
    tree: dict[str, Any]
    positions: Positions
    sha256: str
    kind: type[Fault]

    @classmethod
    def open(cls, path: Path, kind: type[Fault]) -> Document[Fault]:
        """Read a file. Raises ``kind`` if it cannot be read or is no TOML."""
        try:
            raw = path.read_bytes()
        except (OSError, ValueError):
            raise kind(
                "this file cannot be read", fix="check its path and rights", location=f"{path}:1"
            ) from None
        return cls.of(raw, path, kind)

    @classmethod
    def of(cls, raw: bytes, path: Path, kind: type[Fault]) -> Document[Fault]:
        """The document of a file's bytes. Raises ``kind`` if they are no TOML."""
        if len(raw) > LARGEST:
            raise kind("this file is too large", fix=f"keep it under {LARGEST} bytes", location=f"{path}:1")
        text = _decoded(raw, path, kind)
        try:
            tree = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise _not_toml(error, text, path, kind) from None
        except RecursionError:
            raise kind("this file is nested too deeply", location=f"{path}:1") from None
        return cls(path, tree, Positions(text), hashlib.sha256(raw).hexdigest(), kind)

    def fault(self, loc: Loc, what: str, fix: str = "") -> Fault:
        """A fault at the line of the key that ``loc`` leads to."""
        return self.kind(what, fix=fix, location=f"{self.path}:{self.positions.line(loc)}")

    def read(self, model: type[Model]) -> Model | list[Fault]:
        """The model of the tree, or every fault that keeps it from being one, by line."""
        context = {"folder": self.path.parent, "path": self.path, "sha256": self.sha256}
        try:
            return model.model_validate(_tuples(self.tree), context=context)
        except ValidationError as error:
            return sorted_faults(
                fault for one in error.errors(include_url=False) for fault in self._said(one, model)
            )

    def _said(self, error: ErrorDetails, model: type[BaseModel]) -> Iterator[Fault]:
        loc: Loc = tuple(step for step in error["loc"] if step != "[key]")
        if error["type"] == "faults":
            yield from (self.fault((*loc, *one.key), one.what, one.fix) for one in error["ctx"]["found"])
        else:
            yield self.fault(loc, *_words(error, loc, model))


def sorted_faults(faults: Iterable[Fault]) -> list[Fault]:
    """Faults of one file in the order of their lines."""
    return sorted(faults, key=lambda one: int(one.location.rpartition(":")[2]))


def refusal(faults: Sequence[Fault]) -> Fault:
    """The fault to raise: the only one, or one that lists them all and stands where the first stands."""
    if len(faults) == 1:
        return faults[0]
    listed = "".join(f"\n  {one}" for one in faults)
    return type(faults[0])(f"{len(faults)} faults{listed}", location=faults[0].location)


def _decoded(raw: bytes, path: Path, kind: type[Fault]) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise kind("this is no UTF-8", fix="save the file as UTF-8", location=f"{path}:{line}") from None


def _not_toml(error: tomllib.TOMLDecodeError, text: str, path: Path, kind: type[Fault]) -> Fault:
    found = _AT.search(str(error))
    line = int(found[1]) if found and found[1] else text.rstrip("\n").count("\n") + 1
    what = _AT.sub("", str(error))
    return kind(f"this is no TOML: {what[:1].lower()}{what[1:]}", location=f"{path}:{line}")


def _tuples(node: Any) -> Any:
    """The tree with tuples for lists: strict models take nothing else, and nobody can change them."""
    if isinstance(node, dict):
        return {key: _tuples(value) for key, value in node.items()}
    return tuple(map(_tuples, node)) if isinstance(node, list) else node


def _words(error: ErrorDetails, loc: Loc, model: type[BaseModel]) -> tuple[str, str]:
    """What is wrong and what to do, in our words; never the value itself."""
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown(str(loc[-1]), known_keys(model, loc[:-1]))
    if kind == "missing":
        return f"{loc[-1]} is missing", "it is required here"
    if kind == "literal_error":
        return "this is none of the known values", f"write {context['expected']}"
    if kind in _RANGES:
        return "this number is out of range", f"write {_RANGES[kind].format(**context)}"
    return "this is not what is needed here", _WANTED.get(kind, "see profiles/README.md")


def _unknown(key: str, known: list[str]) -> tuple[str, str]:
    near = difflib.get_close_matches(key, known, 1, 0.5)
    fix = f'did you mean "{near[0]}"?' if near else f"the keys here are {', '.join(known)}"
    return f'there is no key "{key}" here', fix


def known_keys(model: type[BaseModel], loc: Loc) -> list[str]:
    """The keys that the table at ``loc`` of a file for ``model`` may have."""
    found = _model_at(model, loc)
    return [field.alias or name for name, field in found.model_fields.items()] if found else []


def _model_at(model: type[BaseModel] | None, loc: Loc) -> type[BaseModel] | None:
    for step in loc:
        if model is None or isinstance(step, int):
            continue
        fields = {field.alias or name: field for name, field in model.model_fields.items()}
        model = next(_models(fields[step].annotation), None) if step in fields else None
    return model


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models within a type: itself, or those of an optional or a tuple."""
    if isinstance(annotation, type) and get_origin(annotation) is None and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)
