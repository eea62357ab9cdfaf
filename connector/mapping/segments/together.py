"""Fields that together say one extension: each is a part of it, an extension inside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ...hl7v2.tree import Segment
from ..across import sent
from ..fields import One
from ..lens import At, Row
from ..partner import Partner
from ..places import Json, same
from ..scope import Scope


@dataclass(frozen=True, slots=True)
class Together:
    """Fields <-> the parts of one extension.

    ``parts``: for each field, the url of its part, the value's element, and the rows that make the value.
    """

    segment: str
    url: str
    parts: tuple[tuple[int, str, str, tuple[Row, ...]], ...]

    def compile(self, partner: Partner) -> _Together:
        return _Together(self, partner)


class _Together:
    __slots__ = ("declared", "elements", "fields", "first", "marks", "numbers", "segment")

    def __init__(self, declared: Together, partner: Partner) -> None:
        self.declared = declared
        self.segment = declared.segment
        self.numbers = tuple(number for number, *_ in declared.parts)
        self.first = min(self.numbers)
        self.elements = frozenset({"extension"})
        self.marks = (("extension", {"url": declared.url}),)
        self.fields = [
            (number, url, value, One(f"{declared.segment}-{number}", "", (At(value, rows),)).compile(partner))
            for number, url, value, rows in declared.parts
        ]

    def get(self, segment: Segment, node: Json, scope: Scope) -> list[str] | None:
        if len(segment.texts) <= self.first:
            return None
        found: list[Json] = []
        unsaid: list[str] = []
        for number, url, _, field in self.fields:
            text = sent(segment, number)
            if not text:
                continue
            inside: Json = {}
            unsaid += [f"{number}{rest}" for rest in field.take(text, inside, scope) or ()]
            if inside:
                found.append({"url": url, **inside})
        if found:
            node.setdefault("extension", []).append({"url": self.declared.url, "extension": found})
        return unsaid or None

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        now, before = (self._parts(node) for node in (target, base))
        if same(now, before):
            return
        for _, url, _, field in self.fields:
            field.put(now.get(url, {}), before.get(url, {}), segment, scope)

    def over(self, before: Json, now: Json, deleted: frozenset[int]) -> Json:
        """What is said over what stands there: parts of absent fields stay."""
        said = {str(part["url"]): part for part in now.get("extension", ())}
        gone = {url for number, url, *_ in self.fields if number in deleted}
        kept = [
            part
            for part in before.get("extension", ())
            if part.get("url") in said or part.get("url") not in gone
        ]
        parts = [said.pop(str(part.get("url")), part) for part in kept] + [*said.values()]
        return {"url": self.declared.url, "extension": parts} if parts else {}

    def _parts(self, node: Json) -> dict[str, Any]:
        """The values of the parts, by url."""
        values = {url: value for _, url, value, _ in self.fields}
        return {
            str(part.get("url")): {values[str(part["url"])]: part.get(values[str(part["url"])], {})}
            for part in _extensions(node, self.declared.url)
            if part.get("url") in values
        }


def _extensions(node: Json, url: str) -> Iterator[Json]:
    """What stands inside the extensions of a url."""
    for one in node.get("extension") or ():
        if isinstance(one, dict) and one.get("url") == url:
            yield from (part for part in one.get("extension") or () if isinstance(part, dict))
