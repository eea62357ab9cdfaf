"""Every key of a settings file or a profile with its value, and where that comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel

from connector.profile.reading import Document, Loc


class Shown(NamedTuple):
    """One key. ``value``: as JSON says it, files by their path alone; ``line``: 0 for a default."""

    key: str
    value: Any
    line: int


def shown(document: Document[Any], model: BaseModel) -> Iterator[Shown]:
    """The keys of a document's model, tables before what is in them, in the order of the model."""
    yield from _keys(document, model, ())


def _keys(document: Document[Any], model: BaseModel, loc: Loc) -> Iterator[Shown]:
    for name, field in type(model).model_fields.items():
        here, value = (*loc, field.alias or name), getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _keys(document, value, here)
        elif isinstance(value, tuple) and value and all(isinstance(one, BaseModel) for one in value):
            for number, one in enumerate(value):
                yield from _keys(document, one, (*here, number))
        else:
            line = document.positions.line(here) if here in document.positions.paths else 0
            yield Shown(_name(here), _plain(value), line)


def _name(loc: Loc) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc)
    return text.removeprefix(".")


def _plain(value: Any) -> Any:
    """A value without what only Python knows. Of a file its path: nothing here opens one."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, tuple | list | frozenset):
        return [_plain(one) for one in value]
    return value
