"""MSH <-> Bundle and MessageHeader (guide: MSH[Bundle], MSH[MessageHeader])."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, unquote

from ..datatypes.coded import OneCoding
from ..datatypes.primitives import code_text, instant, raw_code
from ..datatypes.references import Refer, hd_organization, organization
from ..emit import Leaf
from ..fields import Field, One
from ..lens import Bound, Item, Unsaid
from ..messages.events import EVENT_URN, EVENTS, code_of
from ..partner import Partner
from ..places import Comps, Json, comp, leaf, same, write_comp
from ..scope import Scope
from ..units import Around
from .endpoint import Endpoint
from .msa import complete_response
from .msh_parties import Parties
from .rows import UNKNOWN, absent, value


@dataclass(frozen=True, slots=True)
class MessageType:
    """MSG <-> ``eventCoding``: the event is the code, the three components are the display.

    Without an event that is a code, all three stand in ``eventUri``.
    """

    def compile(self, partner: Partner) -> Bound:
        def get(comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
            parts = [scope.unescape(comp(comps, at)) for at in range(min(len(comps), 3))]
            event = code_text(parts[1]) if len(parts) > 1 and parts[1] else None
            if event and "^" not in "".join(parts):
                node["eventCoding"] = {"system": EVENTS, "code": event, "display": "^".join(parts)}
            elif any(parts):
                node["eventUri"] = EVENT_URN + ":".join(quote(part, safe="") for part in parts)
            return None

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            names = ("eventCoding", "eventUri")
            if any(not same(target.get(name), base.get(name)) for name in names):
                comps[:] = [scope.escape(part) for part in event_parts(target)]

        return Bound(
            put, whole=get, reads=frozenset(range(3)), elements=frozenset({"eventCoding", "eventUri"})
        )


def event_parts(header: Json) -> list[str]:
    """MSH-9 as a MessageHeader says it: message code, trigger event, perhaps the structure; or nothing."""
    uri, coding = header.get("eventUri"), header.get("eventCoding")
    if isinstance(uri, str) and uri.startswith(EVENT_URN):
        return [unquote(part) for part in uri.removeprefix(EVENT_URN).split(":")]
    if not isinstance(coding, dict) or not isinstance(code := coding.get("code"), str):
        return []
    parts = str(coding.get("display", "")).split("^")
    return parts if parts[1:2] == [code] else [code_of(code), code]


@dataclass(frozen=True, slots=True)
class Tag:
    """A component of PT <-> the code of a tag (guide: PT[Meta]); one the table does not know is its own."""

    at: str
    table: str

    def compile(self, partner: Partner) -> Bound:
        component, _ = leaf(self.at)
        table = partner.table(self.table)
        system = table.system

        def get(sent: str, node: Json) -> bool:
            known = table.to_fhir.get(sent)
            if not (code := known.code if known else code_text(sent)):
                return False
            node.setdefault("meta", {}).setdefault("tag", []).append({"system": system, "code": code})
            return True

        def found(node: Json) -> str:
            tags = (node.get("meta") or {}).get("tag", ())
            code = next((str(tag.get("code", "")) for tag in tags if tag.get("system") == system), "")
            return table.v2_code(system, code) or code

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            new = found(target)
            if new != found(base):
                write_comp(comps, component, scope.escape(new))

        marks = (("meta.tag", {"system": system}),)
        return Bound(put, leaves={component: Leaf(get)}, elements=frozenset({"meta.tag"}), marks=marks)


def _is_classification(label: Json) -> bool:
    """Whether a security label says how confidential a message is."""
    return str(label.get("system", "")).endswith("/v3-Confidentiality")


def _is_text(label: Json) -> bool:
    """Whether a security label is a text of the sender's own, as MSH-8 has it."""
    return label.keys() == {"display"}


def complete(node: Json, around: Around) -> None:
    """An event is required, and an ``endpoint`` of source and destination: absent for a reason."""
    complete_response(node)
    if "eventCoding" not in node and "eventUri" not in node:
        node["eventCoding"] = dict(UNKNOWN)
    absent(node.setdefault("source", {}), "endpoint")
    for destination in node.get("destination", ()):
        absent(destination, "endpoint")


def message_key(nodes: list[Json]) -> str:
    """The sender and the control id, or without one the time; empty where there is neither."""
    header, bundle, *_ = nodes
    which = bundle.get("identifier", {}).get("value") or bundle.get("timestamp")
    source, sender = header.get("source", {}), header.get("sender", {})
    sent_by = (source.get("name", ""), source.get("endpoint", ""), sender.get("reference", ""))
    return "|".join((*sent_by, which)) if which else ""


MSH_BUNDLE = (value("MSH-7", "timestamp", instant), value("MSH-10", "identifier.value"))

MSH_MESSAGEHEADER = (
    One("MSH-3", "source", (Item("1", "name"), Endpoint()), shared=True),
    One("MSH-4", "", (Refer("Organization", *hd_organization("sender")),), shared=True),
    One("MSH-5", "destination.0", (Item("1", "name"), Endpoint()), shared=True),
    One("MSH-6", "destination.0", (Refer("Organization", *hd_organization("receiver")),), shared=True),
    Field("MSH-8", "meta.security", (Item("1", "display"),), only=_is_text, most=1),
    One("MSH-9", "", (MessageType(),), shared=True),
    One("MSH-11", "", (Tag("1", "HL70103"), Tag("2", "HL70207"))),
    value("MSH-19", "language", raw_code),
    One("MSH-22", "", organization("responsible")),
    Field("MSH-26", "meta.security", (OneCoding("HL70952"),), prefers=_is_classification, most=1),
    Field("MSH-27", "meta.security", (OneCoding(),), rest=True),
    Parties(),
)

# What governs the exchange itself is the connector's own business on either side.
MSH_STRUCTURAL = frozenset(f"MSH-{n}" for n in (1, 2, 12, 13, 15, 16, 18, 20))
