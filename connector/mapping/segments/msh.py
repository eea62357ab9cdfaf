"""MSH <-> Bundle and MessageHeader (guide: MSH[Bundle], MSH[MessageHeader])."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from ..datatypes.identifiers import universal_id, universal_parts
from ..datatypes.primitives import code_text, instant, raw_code
from ..datatypes.references import Refer, hd_organization
from ..fields import One
from ..lens import Bound, Codec, Item, Unsaid
from ..messages.events import EVENT_URN, EVENTS, code_of
from ..partner import Partner
from ..places import Comps, Json, comp, same, write_comp
from ..scope import Scope
from ..units import Around
from .rows import V2, absent, value


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
class Endpoint:
    """HD.2 and HD.3 <-> ``endpoint`` (guide: HD[MessageHeader.source-endpoint])."""

    def compile(self, partner: Partner) -> Bound:
        def get(comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
            oid, kind = scope.unescape(comp(comps, 1)), scope.unescape(comp(comps, 2))
            if uri := universal_id(oid, kind):
                node["endpoint"] = uri
                return None
            return [str(n) for n, text in ((2, oid), (3, kind)) if text] or None

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            if not same(target.get("endpoint"), base.get("endpoint")):
                for at, text in enumerate(universal_parts(target.get("endpoint")), 1):
                    write_comp(comps, at, scope.escape(text))

        return Bound(put, whole=get, reads=frozenset({1, 2}), elements=frozenset({"endpoint"}))


def processing_id(_: Partner) -> Codec:
    """PT.1 <-> a tag of table 0103."""

    def to_v2(tag: Any) -> str | None:
        return tag.get("code") if isinstance(tag, dict) and tag.get("system") == V2 + "0103" else None

    return Codec(
        lambda sent: {"system": V2 + "0103", "code": code} if (code := code_text(sent)) else None, to_v2
    )


def complete(node: Json, around: Around) -> None:
    """``endpoint`` is required of source and destination: without an address, absent for a reason."""
    absent(node.setdefault("source", {}), "endpoint")
    for destination in node.get("destination", ()):
        absent(destination, "endpoint")


def message_key(nodes: list[Json]) -> str:
    """The sender and the control id, or without one the time; empty where there is neither."""
    header, bundle = nodes
    which = bundle.get("identifier", {}).get("value") or bundle.get("timestamp")
    source, sender = header.get("source", {}), header.get("sender", {})
    sent_by = (source.get("name", ""), source.get("endpoint", ""), sender.get("reference", ""))
    return "|".join((*sent_by, which)) if which else ""


MSH_BUNDLE = (value("MSH-7", "timestamp", instant), value("MSH-10", "identifier.value"))

MSH_MESSAGEHEADER = (
    One("MSH-3", "source", (Item("1", "name"), Endpoint()), shared=True),
    One("MSH-4", "", (Refer("Organization", *hd_organization("sender")),), shared=True),
    One("MSH-5", "destination.0", (Item("1", "name"), Endpoint())),
    One("MSH-6", "destination.0", (Refer("Organization", *hd_organization("receiver")),)),
    One("MSH-9", "", (MessageType(),), shared=True),
    value("MSH-11", "meta.tag.0", processing_id),
    value("MSH-19", "language", raw_code),
)

# What governs the exchange itself is the connector's own business on either side.
MSH_STRUCTURAL = frozenset(f"MSH-{n}" for n in (1, 2, 12, 13, 15, 16, 18))
