"""HD, CX, EI <-> Identifier (guide: CX[Identifier], HD[uri], EI[Identifier-Extension])."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..emit import Leaf
from ..lens import At, Bound, Item, Nested, Row, Unsaid
from ..partner import V2, Partner, is_oid, local_name, local_uri
from ..places import Comps, Json, same, write_comp
from ..scope import Scope
from .coded import first_coding
from .primitives import End, IdentifierType, code_text, date, text_code

CHECK_DIGIT = "http://hl7.org/fhir/StructureDefinition/identifier-checkDigit"
CHECK_SCHEME = "http://terminology.hl7.org/StructureDefinition/identifier-checkDigitScheme"
_UNIVERSAL = V2 + "0301"
_URN = {"ISO": "urn:oid:", "UUID": "urn:uuid:", "GUID": "urn:uuid:"}


@dataclass(frozen=True, slots=True)
class Authority:
    """An HD <-> ``system``, and its name in ``assigner.display`` where the system does not say it.

    The system is the profile's for HD.1, else the universal id as a URN, else ``urn:id:`` and HD.1. A
    universal id that the system does not bring back is the assigner's identifier (guide: HD[Organization]).
    """

    def compile(self, partner: Partner) -> Bound:
        known: dict[str, str] = {}

        def get(comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
            name, oid, kind = _parts(comps, scope)
            configured = partner.authorities.get(name)
            universal = universal_id(oid, kind)
            if configured:
                node["system"] = configured
                return None if not oid or universal == configured else _assigned(node, oid, kind)
            if universal:
                node["system"] = universal
                if name and not name.isspace():
                    node["assigner"] = {"display": name}
                if kind == "GUID":
                    _assigned(node, oid, kind)
                return ["1"] if name.isspace() else None
            if system := known.get(name) or _remembered(known, name):
                node["system"] = system
            return _assigned(node, oid, kind) if oid or kind else None

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            if same(target.get("system"), base.get("system")) and same(
                target.get("assigner"), base.get("assigner")
            ):
                return
            said = _said(target, partner)
            for at, sent in enumerate(said):
                write_comp(comps, at, scope.escape(sent))

        return Bound(put, whole=get, reads=frozenset(range(3)), elements=frozenset({"system", "assigner"}))


def _assigned(node: Json, oid: str, kind: str) -> Unsaid | None:
    """Keep HD.2 and HD.3 as an identifier of the assigner; what of them stays unsaid."""
    code = code_text(kind)
    if not oid or oid.isspace() or (kind and code is None):
        return [str(n) for n, sent in ((2, oid), (3, kind)) if sent]
    kept = {"type": {"coding": [{"system": _UNIVERSAL, "code": code}]}} if code else {}
    node.setdefault("assigner", {})["identifier"] = {**kept, "value": oid}
    return None


def _remembered(known: dict[str, str], name: str) -> str:
    """The URI of a name only the partner knows; there are few, and they come again and again."""
    if not name.strip():
        return ""
    if len(known) > 1000:
        known.clear()
    known[name] = local_uri(name)
    return known[name]


def _parts(comps: Comps, scope: Scope) -> tuple[str, str, str]:
    if not scope.clean:
        comps = [scope.unescape(sent) if sent != '""' else "" for sent in comps[:3]]
    count = len(comps)
    return comps[0] if comps else "", comps[1] if count > 1 else "", comps[2] if count > 2 else ""


def universal_id(oid: str, kind: str) -> str:
    """HD.2 and HD.3 as a URI, empty where they are none."""
    if not oid or len(oid.split()) != 1 or oid[0].isspace() or oid[-1].isspace():
        return ""
    if kind in _URN:
        return _URN[kind] + oid
    if kind == "URI":
        return oid
    return f"urn:oid:{oid}" if not kind and is_oid(oid) else ""


def _said(target: Json, partner: Partner) -> tuple[str, str, str]:
    system = target.get("system")
    assigner = target.get("assigner")
    assigner = assigner if isinstance(assigner, dict) else {}
    display, kept = assigner.get("display", ""), _kept(assigner)
    if not isinstance(system, str):
        return "", *kept
    if system in partner.authority_names:
        return partner.authority_names[system], *kept
    if system.startswith("urn:id:"):
        return local_name(system), *kept
    if kept[0] and universal_id(*kept) == system:
        return display, *kept
    name = local_name(system)
    if kept[0] and not display and local_uri(name) == system:
        return name, *kept
    return display, *universal_parts(system)


def _kept(assigner: Json) -> tuple[str, str]:
    """HD.2 and HD.3 as an assigner has them for its identifier."""
    identifier: Any = assigner.get("identifier")
    if not isinstance(identifier, dict) or identifier.keys() - {"type", "value"}:
        return "", ""
    value, kind = identifier.get("value", ""), identifier.get("type")
    coding = first_coding(kind)
    if not value or (kind and coding.get("system") != _UNIVERSAL):
        return "", ""
    return str(value), str(coding.get("code", ""))


def universal_parts(uri: Any) -> tuple[str, str]:
    """A URI as HD.2 and HD.3."""
    if not isinstance(uri, str):
        return "", ""
    for kind, urn in (("ISO", "urn:oid:"), ("UUID", "urn:uuid:")):
        if uri.startswith(urn):
            return uri[len(urn) :], kind
    return uri, "URI"


@dataclass(frozen=True, slots=True)
class Extension:
    """One leaf <-> one extension with a primitive value, in the node's ``extension`` list."""

    at: str
    url: str
    value: str = "valueString"
    under: str = ""  # a primitive element's companion, such as "_family"
    codec: Any = text_code

    def compile(self, partner: Partner) -> Bound:
        item = Item(self.at, self.value, self.codec).compile(partner)
        ((component, _),) = item.leaves.items()
        url, under, value = self.url, self.under, self.value
        to_fhir = self.codec(partner).to_fhir

        def get(sent: str, node: Json) -> bool:
            said = to_fhir(sent)
            if said is None:
                return False
            holder = node.setdefault(under, {}) if under else node
            holder.setdefault("extension", []).append({"url": url, value: said})
            return True

        def found(node: Json) -> Json:
            holder = node.get(under) if under else node
            extensions = holder.get("extension") if isinstance(holder, dict) else None
            mine = (one for one in extensions or () if isinstance(one, dict) and one.get("url") == url)
            one = next(mine, {})
            return {value: one[value]} if value in one else {}

        marks = ((f"{under}.extension" if under else "extension", {"url": url}),)

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            item.put(found(target), found(base), comps, scope)

        elements = frozenset({under or "extension"})
        return Bound(put, leaves={component: Leaf(get)}, elements=elements, marks=marks)


CX_IDENTIFIER: tuple[Row, ...] = (
    Item("1", "value"),
    Extension("2", CHECK_DIGIT),
    Extension("3", CHECK_SCHEME),
    Nested("4", (Authority(),), shared=True),
    Item("5", "type", IdentifierType()),
    At("period", (Item("7", "start", date), End("8", date))),
)


@dataclass(frozen=True, slots=True)
class FlatAuthority:
    """An HD laid out as three components from ``first`` (counted from 0): EI.2 to EI.4, CNN.9 to CNN.11."""

    first: int

    def compile(self, partner: Partner) -> Bound:
        inner = Authority().compile(partner)
        first, look = self.first, inner.whole
        assert look is not None  # noqa: S101 - Authority looks at the whole

        def get(comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
            unsaid = look(comps[first : first + 3], node, scope) if len(comps) > first else None
            return [str(int(at) + first) for at in unsaid] if unsaid else None

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            before = comps[first : first + 3]
            after = list(before)
            inner.put(target, base, after, scope)
            if after != before:
                for at in range(3):
                    write_comp(comps, first + at, after[at] if at < len(after) else "")

        reads = frozenset(range(first, first + 3))
        return Bound(put, whole=get, reads=reads, elements=inner.elements)


EI_IDENTIFIER: tuple[Row, ...] = (Item("1", "value"), FlatAuthority(1))
