"""OBX and NTE of a document <-> its content (guide: OBX[DocumentReference], NTE[DocumentReference]).

Text stands in FHIR as base64. A content keeps the value type as its format, by which the way back knows
formatted text from plain text; a remark has none. What a part of a document is called, is its title; its
code and its status, which an attachment has no elements for, are extensions of the content.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Final

from ...hl7v2.tree import Segment
from ..across import sent
from ..datatypes.attachments import is_pointer, said_data, said_pointer, written_data, written_pointer
from ..datatypes.coded import ALTERNATE, Concept
from ..datatypes.kept import Kept
from ..datatypes.primitives import Code, date_time
from ..fields import DELETE, Field, One, write_field
from ..lens import EVERY, Bound, Item, Unsaid
from ..partner import V2, Partner
from ..places import Comps, Json, comp, same
from ..scope import Scope
from .rows import value

_TYPES: Final = V2 + "0125"
_FORMATTED, _PLAIN, _BINARY = "text/hl7v2", "text/plain", "application/octet-stream"
_ELEMENTS: Final = frozenset({"attachment.contentType", "attachment.data", "attachment.url", "format"})


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "surrogatepass")).decode()


def _decoded(attachment: Json) -> str | None:
    """The text of an Attachment; ``None`` where it is none."""
    try:
        text = base64.b64decode(str(attachment.get("data", "")), validate=True).decode(
            "utf-8", "surrogatepass"
        )
    except (ValueError, binascii.Error):
        return None
    return text if text.strip() else None


def _lines(text: str, scope: Scope) -> str:
    return "\n".join(scope.unescape(line) for line in text.split(scope.delimiters.repetition))


class Body:
    """OBX-2 and OBX-5 <-> ``attachment`` and ``format``: data, a pointer to it, or text."""

    def compile(self, partner: Partner) -> _Body:
        return _Body()


class _Body:
    segment: Final = "OBX"
    numbers: Final = (2, 5)
    elements: Final = _ELEMENTS

    def get(self, segment: Segment, node: Json, scope: Scope) -> list[str] | None:
        kind, text = sent(segment, 2), sent(segment, 5)
        if not text:
            return ["2"] if kind else None
        attachment, unsaid = self._said(kind, text, scope)
        if not attachment:
            return ["5", *(["2"] if kind else [])]
        node.setdefault("attachment", {}).update(attachment)
        known = kind.isalnum() and kind.isascii()
        node["format"] = {"system": _TYPES, "code": kind if known else "TX"}
        return [*unsaid, "2"] if kind and not known else unsaid or None

    @staticmethod
    def _said(kind: str, text: str, scope: Scope) -> tuple[Json, list[str]]:
        if kind not in ("ED", "RP"):
            said = _lines(text, scope)
            form = _FORMATTED if kind == "FT" else _PLAIN
            return ({"contentType": form, "data": _encoded(said)}, []) if said.strip() else ({}, [])
        first, *others = text.split(scope.delimiters.repetition)
        comps = first.split(scope.component)
        found = said_data(comps, scope) if kind == "ED" else said_pointer(comps, scope)
        if found is None:
            return {}, []
        attachment, rest = found
        if "data" in attachment:
            attachment.setdefault("contentType", _BINARY)  # FHIR R4 invariant att-1
        unsaid = [f"5.{n}" for n in rest] + [f"5({n})" for n, one in enumerate(others, 2) if one]
        return attachment, unsaid

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        new, old = target.get("attachment") or {}, base.get("attachment") or {}
        names = ("contentType", "data", "url", "extension")
        if all(same(new.get(name), old.get(name)) for name in names) and same(
            target.get("format"), base.get("format")
        ):
            return
        kind, text = self._written(new, _kind(target), segment, scope)
        write_field(segment, 2, [kind], scope)
        write_field(segment, 5, [text], scope)

    @staticmethod
    def _written(new: Json, kind: str, segment: Segment, scope: Scope) -> tuple[str, str]:
        before = sent(segment, 5).split(scope.component) if sent(segment, 2) == kind else []
        if kind == "RP":
            comps = written_pointer(new, before, scope)
        elif kind == "ED":
            comps = written_data(_without_guess(new), before, scope)
        else:
            return kind, scope.escape(_decoded(new) or "")
        return kind, scope.component.join(comps).rstrip(scope.component)


def _without_guess(attachment: Json) -> Json:
    """A type that was kept as the sender's code goes back as that."""
    kept = any(one.get("url") == ALTERNATE for one in attachment.get("extension") or ())
    if kept and attachment.get("contentType") == _BINARY:
        return {name: value for name, value in attachment.items() if name != "contentType"}
    return attachment


def _kind(content: Json) -> str:
    """The value type of a content: the one it names where that can say it, else the one that fits."""
    attachment, format_ = content.get("attachment") or {}, content.get("format") or {}
    named = str(format_.get("code", "")) if format_.get("system") == _TYPES else ""
    if is_pointer(attachment):
        return "RP"
    if "data" not in attachment:
        return ""
    form = str(attachment.get("contentType", "")).partition(";")[0]
    if form in (_PLAIN, _FORMATTED) and named != "ED" and _decoded(attachment) is not None:
        fits = named and (named == "FT") == (form == _FORMATTED) and named != "RP"
        return named if fits else "FT" if form == _FORMATTED else "TX"
    return "ED"


_CODE: Final = "http://hl7.org/fhir/4.0/StructureDefinition/extension-Observation.code"
_STATUS: Final = "http://hl7.org/fhir/4.0/StructureDefinition/extension-Observation.status"


@dataclass(frozen=True, slots=True)
class Called:
    """OBX-3 <-> ``attachment.title``, and where it is more than a text, its code as an extension."""

    def compile(self, partner: Partner) -> Bound:
        title = Item("2", "attachment.title").compile(partner)
        code = Concept().compile(partner)
        take = title.leaves[1].take
        assert code.whole is not None  # noqa: S101 - a concept looks at the whole
        look = code.whole

        def get(comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
            concept: Json = {}
            unsaid = look(comps, concept, scope)
            text = scope.unescape(comp(comps, 1).split(scope.subcomponent)[0])
            if "coding" in concept:
                text = concept["coding"][0].get("display", "")
            if text and text != DELETE:
                take(text, node)
            if concept.keys() & {"coding", "extension"}:
                node.setdefault("extension", []).append({"url": _CODE, "valueCodeableConcept": concept})
            return unsaid

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            code.put(_code(target), _code(base), comps, scope)
            title.put(target, base, comps, scope)

        marks = (("extension", {"url": _CODE}),)
        elements = frozenset({"attachment.title", "extension"})
        return Bound(put, whole=get, reads=EVERY, elements=elements, marks=marks)


def _code(content: Json) -> Json:
    extensions = (one for one in content.get("extension") or () if isinstance(one, dict))
    return next((one.get("valueCodeableConcept") or {} for one in extensions if one.get("url") == _CODE), {})


_RESULT_STATUS = Kept(Item("1", "valueCode", Code("HL70085")), "HL70085", "_valueCode", unknown=False)

OBX_CONTENT = (
    Body(),
    One("OBX-3", "", (Called(),)),
    Field("OBX-11", "extension", (_RESULT_STATUS,), tag={"url": _STATUS}, most=1),
    value("OBX-14", "attachment.creation", date_time),
)


class Remark:
    """NTE-3 <-> formatted text as an attachment."""

    def compile(self, partner: Partner) -> _Remark:
        return _Remark()


class _Remark:
    segment: Final = "NTE"
    numbers: Final = (3,)
    elements: Final = frozenset({"attachment.contentType", "attachment.data"})

    def get(self, segment: Segment, node: Json, scope: Scope) -> list[str] | None:
        text = sent(segment, 3)
        said = _lines(text, scope)
        if not said.strip():
            return ["3"] if text else None
        node["attachment"] = {"contentType": _FORMATTED, "data": _encoded(said)}
        return None

    def put(self, target: Json, base: Json, segment: Segment, scope: Scope) -> None:
        if not same(target.get("attachment"), base.get("attachment")):
            text = _decoded(target.get("attachment") or {}) or ""
            write_field(segment, 3, [scope.escape(text)], scope)


NTE_CONTENT = (Remark(),)


def is_remark(content: Json) -> bool:
    """Whether a content is a remark beside the document: formatted text that names no value type."""
    attachment = content.get("attachment") or {}
    return attachment.get("contentType") == _FORMATTED and "data" in attachment and "format" not in content


def is_body(content: Json) -> bool:
    """Whether a content is of the document itself."""
    return not is_remark(content) and bool(
        (content.get("attachment") or {}).keys() & {"data", "url", "title", "creation"}
    )
