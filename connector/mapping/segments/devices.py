"""Devices that v2 names by an EI or a unique device identifier (guide: EI[Device-udiCarrier])."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from ..datatypes.identifiers import EI_IDENTIFIER
from ..lens import Bound, Case, OneOf, Row, Unsaid
from ..partner import Partner
from ..places import Comps, Json, comp, place, same, write_comp
from ..scope import Scope

# How a whole UDI begins: GS1 in its readable form, HIBCC, ICCBBA (FHIR R4 Device.udiCarrier).
_UDI: Final = re.compile(r"\(01\)\d{14}|\+[A-Z]\w{3}|=/|=\)")


def is_udi(text: str) -> bool:
    """Whether a text is the readable form of a whole UDI."""
    return bool(_UDI.match(text))


def is_bare_device(device: Json) -> bool:
    """Whether no more is said of a device than one identifier; PRT says the others."""
    return device.keys() <= {"resourceType", "id", "identifier"} and len(device.get("identifier", ())) == 1


@dataclass(frozen=True, slots=True)
class Udi:
    """EI.1 that is a whole UDI <-> the element at ``path``."""

    path: str

    def compile(self, partner: Partner) -> Bound:
        reader, writer = place(self.path)

        def get(comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
            text = scope.unescape(comp(comps, 0))
            said = is_udi(text) and scope.subcomponent not in comp(comps, 0)
            if said:
                writer(node, text)
            return [
                str(n) for n, sent in enumerate(comps, 1) if sent and sent != '""' and (n > 1 or not said)
            ]

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            new = reader(target)
            other = comp(comps, 0) and not is_udi(scope.unescape(comp(comps, 0)))
            if not other and not same(new, reader(base)):
                write_comp(comps, 0, scope.escape(new) if isinstance(new, str) else "")

        return Bound(put, whole=get, reads=frozenset(range(8)), elements=frozenset({self.path}))


EI_DEVICE: tuple[Row, ...] = (
    OneOf(
        (
            Case(
                EI_IDENTIFIER,
                lambda comps: not is_udi(comp(comps, 0)),
                says=lambda node: not is_udi(str(node.get("value", ""))),
            ),
            Case((), writes=False),
        )
    ),
)
"""EI <-> Identifier, but for a whole UDI."""
