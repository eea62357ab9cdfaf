"""CWE <-> Organization: a maker, a pharmacy, an entering organization (guide: CWE[Organization])."""

from __future__ import annotations

from typing import Any

from ..lens import Codec, Item, Row
from ..partner import Partner
from .references import Refer, identified


def coding_system(partner: Partner) -> Codec:
    """The name of a coding system <-> its URI."""

    def to_v2(value: Any) -> str | None:
        return partner.system_name(value) if isinstance(value, str) else None

    return Codec(lambda sent: partner.system_uri(sent) if sent.strip() else None, to_v2)


_CWE: tuple[Row, ...] = (
    Item("1", "identifier.0.value"),
    Item("2", "name"),
    Item("3", "identifier.0.system", coding_system),
)


def _named(resource: dict[str, Any]) -> str:
    return identified(resource) or (f"name|{resource['name']}" if resource.get("name") else "")


def coded_organization(path: str) -> tuple[Row, ...]:
    """A code and a name <-> the Organization they stand for."""
    return (Refer("Organization", _CWE, path, _named),)
