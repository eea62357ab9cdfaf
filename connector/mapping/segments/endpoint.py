"""HD <-> the endpoint of a party of a message.

Guide: HD[MessageHeader.source-endpoint], HD[MessageHeader.destination-endpoint].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..datatypes.identifiers import universal_id, universal_parts
from ..lens import Bound, Unsaid
from ..partner import Partner
from ..places import Comps, Json, comp, same, write_comp
from ..scope import Scope

_DNS = "urn:dns:"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """HD.2 and HD.3 <-> ``endpoint``; HD.1 is another row's business, unless it stands ``alone``."""

    alone: bool = False

    def compile(self, partner: Partner) -> Bound:
        alone = self.alone

        def get(comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
            oid, kind = scope.unescape(comp(comps, 1)), scope.unescape(comp(comps, 2))
            unsaid = ["1"] if alone and comp(comps, 0) else []
            if uri := endpoint_of(oid, kind):
                node["endpoint"] = uri
                return unsaid or None
            return unsaid + [str(n) for n, text in ((2, oid), (3, kind)) if text] or None

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            if not same(target.get("endpoint"), base.get("endpoint")):
                for at, text in enumerate(endpoint_parts(target.get("endpoint")), 1):
                    write_comp(comps, at, scope.escape(text))

        reads = frozenset({0, 1, 2} if alone else {1, 2})
        return Bound(put, whole=get, reads=reads, elements=frozenset({"endpoint"}))


def endpoint_of(oid: str, kind: str) -> str:
    """HD.2 and HD.3 as a URI, empty where they are none."""
    if kind == "DNS":
        return universal_id(_DNS + oid, "URI") if oid and not oid[0].isspace() else ""
    return universal_id(oid, kind)


def endpoint_parts(uri: Any) -> tuple[str, str]:
    """A URI as HD.2 and HD.3."""
    if isinstance(uri, str) and uri.startswith(_DNS):
        return uri.removeprefix(_DNS), "DNS"
    return universal_parts(uri)
