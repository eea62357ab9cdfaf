"""Who may do what: one table of roles, for the command line, the operators' API and everybody who logs in.

None but the analyst sees what messages say. Who needs that, or an act, in an emergency breaks the glass:
for a time and a reason, ``EMERGENCY`` comes on top of what the roles grant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, Literal, get_args

from connector.profile.operators import OperatorScope

Role = Literal["operator", "analyst", "auditor", "security-officer", "administrator"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)

Permission = (
    OperatorScope | Literal["audit:read", "access:read", "keys:manage", "store:backup", "configuration:read"]
)

MEANINGS: Final[Mapping[Permission, str]] = MappingProxyType(
    {
        "operator:read": "see lanes, findings, counts and where messages stand",
        "operator:content": "see what messages say",
        "operator:act": "replay, skip, pause, resume, drain, decide conflicts",
        "operator:edit": "put messages and corrected copies in",
        "audit:read": "read the audit log",
        "audit:export": "take the audit log away",
        "access:read": "see who and what has access",
        "keys:manage": "see, change, check and destroy keys",
        "store:backup": "make backups, restore them",
        "configuration:read": "see settings and profiles",
    }
)
EMERGENCY: Final[frozenset[Permission]] = frozenset({"operator:content", "operator:act", "operator:edit"})
GRANTS: Final[Mapping[Role, frozenset[Permission]]] = MappingProxyType(
    {
        "operator": frozenset({"operator:read", "operator:act"}),
        "analyst": frozenset(
            {"operator:read", "operator:content", "operator:edit", "configuration:read"},
        ),
        "auditor": frozenset({"operator:read", "audit:read", "audit:export"}),
        "security-officer": frozenset(
            {
                "operator:read",
                "audit:read",
                "audit:export",
                "access:read",
                "keys:manage",
                "configuration:read",
            }
        ),
        "administrator": frozenset(
            {"operator:read", "operator:act", "access:read", "store:backup", "configuration:read"}
        ),
    }
)


def granted(roles: Iterable[Role], *, emergency: bool = False) -> frozenset[Permission]:
    """What the roles grant together; ``emergency``: the glass is broken."""
    found = frozenset[Permission]().union(*(GRANTS[role] for role in roles))
    return found | EMERGENCY if emergency else found


def who_has(permission: Permission) -> tuple[Role, ...]:
    """The roles that grant a permission."""
    return tuple(role for role in ROLES if permission in GRANTS[role])
