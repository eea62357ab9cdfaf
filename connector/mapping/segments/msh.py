"""MSH <-> Bundle and MessageHeader (guide: MSH[Bundle], MSH[MessageHeader])."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..datatypes.identifiers import universal_id, universal_parts
from ..datatypes.primitives import code_text, instant, raw_code
from ..datatypes.references import Refer, hd_organization
from ..fields import One
from ..lens import Bound, Codec, Item, Unsaid
from ..partner import Partner
from ..places import Comps, Json, same, write_comp
from ..scope import Scope
from ..units import Around
from .rows import V2, absent, value

EVENT = V2 + "0003"


@dataclass(frozen=True, slots=True)
class MessageType:
    """MSG <-> ``eventCoding``: the event is the code, the three components are the display."""

    def compile(self, partner: Partner) -> Bound:
        def get(comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
            parts = [scope.unescape(text) for text in comps[:3]]
            event = code_text(parts[1]) if len(parts) > 1 and parts[1] else None
            if event:
                node["eventCoding"] = {"system": EVENT, "code": event, "display": "^".join(parts)}
            else:
                node["eventUri"] = "urn:hl7-org:v2:message:" + "".join(parts[0].split())
            return None

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            coding = target.get("eventCoding")
            if same(coding, base.get("eventCoding")) or not isinstance(coding, dict):
                return
            parts = str(coding.get("display", "")).split("^")
            if len(parts) < 2 or parts[1] != coding.get("code"):
                parts = ["ADT", str(coding.get("code", ""))]
            comps[:] = [scope.escape(text) for text in parts]

        return Bound(
            put, whole=get, reads=frozenset(range(3)), elements=frozenset({"eventCoding", "eventUri"})
        )


@dataclass(frozen=True, slots=True)
class Endpoint:
    """HD.2 and HD.3 <-> ``endpoint`` (guide: HD[MessageHeader.source-endpoint])."""

    def compile(self, partner: Partner) -> Bound:
        def get(comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
            oid, kind = (scope.unescape(text) for text in (comps[1:3] + ["", ""])[:2])
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
    """``source.endpoint`` and ``destination.endpoint`` are required; without an address they are absent with a reason."""
    absent(node.setdefault("source", {}), "endpoint")
    for destination in node.get("destination", ()):
        absent(destination, "endpoint")


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
