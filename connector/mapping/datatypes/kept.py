"""The sender's own code beside what a table makes of it (guide: alternate-codes).

A code that comes back by the table needs none; it stands there where the table has no image of it, or
where another code would come back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..emit import Leaf
from ..lens import Bound, Row
from ..partner import V2, Partner
from ..places import Comps, Json, place, same, write_sub
from ..scope import Scope
from .coded import ALTERNATE, alternate, alternate_code
from .primitives import code_text

_MOST = 1024


@dataclass(frozen=True, slots=True)
class Kept:
    """A row about one code, and the sender's code in an extension where the row alone would lose it.

    ``table``: of the field (its first seven letters name the v2 table); ``under``: the element that is
    extended (empty: the node itself); ``own``: codes that have an extension of their own, by its url.
    ``unknown``: whether a code that the table does not know is kept too, or said nowhere.
    """

    row: Row
    table: str
    under: str = ""
    own: Mapping[str, str] = field(default_factory=dict)
    unknown: bool = True

    def compile(self, partner: Partner) -> Bound:
        inner = self.row.compile(partner)
        kept = _Keeping(self, inner)
        marks = tuple((kept.path, {"url": url}) for url in (*self.own.values(), ALTERNATE))
        return Bound(kept.put, leaves={kept.component: Leaf(kept.get)}, elements=inner.elements, marks=marks)


class _Keeping:
    """Both directions of a row whose code is kept where it would be lost."""

    __slots__ = (
        "_codes", "_inner", "_looks", "_lost", "_read", "_system", "_take", "_unknown", "_urls", "_write",
        "component", "path",
    )  # fmt: skip

    def __init__(self, declared: Kept, inner: Bound) -> None:
        ((self.component, taken),) = inner.leaves.items()
        self.path = f"{declared.under}.extension" if declared.under else "extension"
        self._read, self._write = place(self.path)
        self._inner, self._take = inner, taken.take
        self._system, self._unknown = V2 + declared.table[3:7], declared.unknown
        self._urls, self._codes = declared.own, {url: code for code, url in declared.own.items()}
        self._looks = [place(name)[0] for name in inner.elements]
        self._lost: dict[str, bool] = {}

    def get(self, sent: str, node: Json) -> bool:
        said = self._take(sent, node)
        lost = self._lost.get(sent)
        if lost is None:
            if len(self._lost) >= _MOST:
                self._lost.clear()
            lost = self._lost[sent] = self._loses(sent)
        if not lost or not (said or self._unknown):
            return said
        code = code_text(sent)
        if code is None:
            return said
        url = self._urls.get(code)
        element = {"url": url, "valueCode": code} if url else alternate(self._system, code)
        found = self._read(node)
        self._write(node, [element]) if found is None else found.append(element)
        return True

    def put(self, target: Json, base: Json, comps: Comps, scope: Scope) -> None:
        code = self._kept(target)
        if not code or not self._agrees(code, target, base):
            self._inner.put(target, base, comps, scope)
        elif code != self._kept(base) or not self._agrees(code, base, base):
            write_sub(comps, self.component, 0, scope.escape(code), scope.subcomponent)

    def _image(self, sent: str) -> Json:
        """What the row alone makes of a code."""
        said: Json = {}
        self._take(sent, said)
        return said

    def _loses(self, sent: str) -> bool:
        """Whether the row alone would write another code for this one."""
        comps = [""] * (self.component + 1)
        self._inner.put(self._image(sent), {}, comps, _PLAIN)
        return comps[self.component] != sent

    def _kept(self, node: Json) -> str:
        """The sender's code, if it stands beside the element."""
        extensions = self._read(node)
        if not extensions:
            return ""
        for one in extensions if self._codes else ():
            if self._codes.get(str(one.get("url"))) == one.get("valueCode", ""):
                return str(one["valueCode"])
        return alternate_code({"extension": extensions}, self._system)

    def _agrees(self, code: str, node: Json, base: Json) -> bool:
        """Whether an element still says what the code does, or without an image, what it did."""
        said = self._image(code) or base or node
        return all(same(look(node), look(said)) for look in self._looks)


class _Plain:
    """Where a code is only tried out: nothing is escaped."""

    subcomponent = "&"

    @staticmethod
    def escape(text: str) -> str:
        return text


_PLAIN: Scope = _Plain()  # type: ignore[assignment]
