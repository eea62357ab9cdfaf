"""XCN <-> PractitionerRole in one capacity (guide: OBX-25 is the medical director)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..lens import Bound, Row, Unsaid
from ..partner import Partner
from ..places import Comps, Json, includes, same
from ..scope import Scope
from .references import practitioner, reference_place
from .roles import role_identity


@dataclass(frozen=True, slots=True)
class CodedRole:
    """A person <-> a PractitionerRole that has this code; a role with another one is not said here."""

    path: str
    system: str
    code: str

    def compile(self, partner: Partner) -> Bound:
        person = practitioner("practitioner")[0].compile(partner)
        reader, writer = reference_place(self.path)
        code = {"code": [{"coding": [{"system": self.system, "code": self.code}]}]}
        assert person.whole is not None  # noqa: S101 - a reference looks at the whole
        look = person.whole

        def get(comps: Comps, node: Json, scope: Scope) -> Unsaid | None:
            role: Json = {"resourceType": "PractitionerRole"}
            unsaid = look(comps, role, scope)
            if "practitioner" in role:
                role["code"] = [{"coding": [dict(code["code"][0]["coding"][0])]}]
                writer(node, scope.refer("PractitionerRole", role_identity(role), role, scope.owner))
            return unsaid

        def put(target: Json, base: Json, comps: Comps, scope: Scope) -> None:
            new, old = reader(target), reader(base)
            now: Any = scope.target.resolve(new)
            if not same(new, old):
                comps.clear()
            if now is not None and includes(now, code):
                before = scope.base.resolve(old) if same(new, old) else None
                person.put(now, before or {}, comps, scope)

        return Bound(put, whole=get, reads=person.reads, elements=frozenset({self.path or "reference"}))


def coded_role(path: str, system: str, code: str) -> tuple[Row, ...]:
    """The rows of a field that names somebody in one capacity."""
    return (CodedRole(path, system, code),)
