"""What IHE BALP 1.1 asks of an AuditEvent, constraint by constraint, in words of our own.

Read off the profiles of BALP 1.1.4 (``IHE.BasicAudit.*``, CC BY 4.0), which say the same as 1.1.0 to 1.1.3
and sometimes less; where an earlier one is stricter (a deletion had exactly one subtype and entities without
details) the stricter holds, so that an event is good by all of them. Each constraint has a name, such as
``PatientRead: agent:client.network``, and is a question about the event that is answered with yes or no.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from audit import codes
from audit.codes import Code
from audit.events import BALP, OF_A_PATIENT, Pattern

Json = Mapping[str, Any]
Holds = Callable[[Json], bool]
Constraint = tuple[str, Holds]

_INSTANT: Final = re.compile(
    r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?"
    r"(Z|[+-](0\d:[0-5]\d|1[0-3]:[0-5]\d|14:00))",
    re.ASCII,
)
_ID: Final = re.compile(r"[A-Za-z0-9.-]{1,64}")
_ADVOCATE: Final = Code(codes.SNOMED, "429577009", "Patient Advocate")
_INFORMANT: Final = Code(codes.PARTICIPATION, "INF", "informant")
_REPORT: Final = Code(codes.OBJECT_ROLE, "3", "Report")
_AUTHORS: Final = (codes.AUTHOR, _INFORMANT, codes.KEEPER)  # value set DataSources
_READERS: Final = (codes.RECIPIENT,)
_ROLES: Final = (codes.DOMAIN_RESOURCE, _REPORT, codes.JOB)  # value set RestObjectRoles


class _Slice(NamedTuple):
    """One slice of ``agent`` or ``entity``: those whose type is one of ``kinds``."""

    path: str
    kinds: tuple[Code, ...]
    least: int = 1
    required: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()
    roles: tuple[Code, ...] = ()  # of an entity; required then


class _Rest(NamedTuple):
    """What differs between the profiles of the interactions."""

    action: str
    interactions: tuple[str, ...]
    client: Code
    server: Code
    users: tuple[Code, ...]


_INTERACTIONS: Final = {
    Pattern.CREATE: _Rest("C", ("create",), codes.SOURCE, codes.DESTINATION, _AUTHORS),
    Pattern.READ: _Rest("R", ("read", "vread"), codes.DESTINATION, codes.SOURCE, _READERS),
    Pattern.UPDATE: _Rest("U", ("update", "patch"), codes.SOURCE, codes.DESTINATION, _AUTHORS),
    Pattern.DELETE: _Rest("D", ("delete",), codes.APPLICATION, codes.CUSTODIAN, _AUTHORS),
    Pattern.QUERY: _Rest(
        "E", ("search", "search-type", "search-system"), codes.SOURCE, codes.DESTINATION, _READERS
    ),
}
_BASICS: Final = {of_a_patient: basic for basic, of_a_patient in OF_A_PATIENT.items()}
_BARE: Final = ("lifecycle", "name", "query", "detail")  # what entities of a deletion once could not have
_PATIENT: Final = _Slice("entity:patient", (codes.PERSON,), 1, ("what",), (), (codes.PATIENT,))


def broken(event: Json) -> list[str]:
    """The names of the constraints that an event does not keep: of R4, and of each profile it claims."""
    found = [name for name, holds in _base() if not _asked(holds, event)]
    for url in _claims(event):
        pattern = url.removeprefix(BALP)
        if not url.startswith(BALP) or pattern not in frozenset(Pattern):
            found.append(f"meta.profile: {url} is not known here")
            continue
        found += [name for name, holds in constraints(Pattern(pattern)) if not _asked(holds, event)]
    return found


def _claims(event: Json) -> list[str]:
    meta = event.get("meta")
    profiles = meta.get("profile", []) if isinstance(meta, dict) else []
    return [url for url in profiles if isinstance(url, str)]


def _asked(holds: Holds, event: Json) -> bool:
    """What has another shape than JSON of FHIR keeps nothing."""
    try:
        return holds(event)
    except (AttributeError, KeyError, TypeError, ValueError):
        return False


@lru_cache(maxsize=32)
def constraints(pattern: Pattern) -> tuple[Constraint, ...]:
    """Those of one profile, by name."""
    if pattern in (Pattern.DISCLOSED, Pattern.RECEIVED):
        found = list(_disclosure(pattern))
    else:
        basic = _BASICS.get(pattern, pattern)
        found = list(_restful(basic, _INTERACTIONS[basic]))
        if pattern in _BASICS:
            found += _of_a_patient(basic)
    return tuple((f"{pattern}: {name}", holds) for name, holds in found)


# --- R4 --------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _base() -> tuple[Constraint, ...]:
    """Of the resource itself, as far as events here use it (R4, AuditEvent)."""
    return (
        ("AuditEvent: resourceType", lambda event: event["resourceType"] == "AuditEvent"),
        ("AuditEvent: id", lambda event: "id" not in event or bool(_ID.fullmatch(event["id"]))),
        ("AuditEvent: type", lambda event: bool(event["type"]["system"] and event["type"]["code"])),
        ("AuditEvent: action", lambda event: event.get("action", "C") in set("CRUDE")),
        ("AuditEvent: recorded", lambda event: bool(_INSTANT.fullmatch(event["recorded"]))),
        ("AuditEvent: outcome", lambda event: event.get("outcome", "0") in {"0", "4", "8", "12"}),
        ("AuditEvent: agent", lambda event: len(event["agent"]) > 0),
        (
            "AuditEvent: agent.requestor",
            lambda event: all(type(one["requestor"]) is bool for one in event["agent"]),
        ),
        ("AuditEvent: agent.network.type", lambda event: all(map(_network, event["agent"]))),
        ("AuditEvent: source.observer", lambda event: bool(event["source"]["observer"])),
        (
            "AuditEvent: sev-1",
            lambda event: not any("name" in one and "query" in one for one in _entities(event)),
        ),
        ("AuditEvent: entity.detail", lambda event: all(map(_detailed, _entities(event)))),
    )


def _network(agent: Json) -> bool:
    return agent.get("network", {}).get("type", "1") in set("12345")


def _detailed(entity: Json) -> bool:
    """Each detail has a type and one value."""
    return all(
        one["type"] and bool(one.get("valueString")) != bool(one.get("valueBase64Binary"))
        for one in entity.get("detail", [])
    )


def _entities(event: Json) -> list[Json]:
    return list(event.get("entity", []))


# --- interactions (BALP 3:5.7.3) -------------------------------------------------------------------------


def _restful(pattern: Pattern, rest: _Rest) -> Iterator[Constraint]:
    yield "type", lambda event: _is(event["type"], codes.RESTFUL)
    yield "action", lambda event: event.get("action", rest.action) == rest.action
    yield "outcome", lambda event: event["outcome"] == "0"
    wanted = [Code(codes.REST, one, one) for one in rest.interactions]
    yield "subtype:any", lambda event: sum(_any(one, wanted) for one in event["subtype"]) == 1
    yield "agent 2..", lambda event: len(event["agent"]) >= 2
    yield "entity 1..", lambda event: len(event["entity"]) >= 1
    for slice in _parties(rest):
        yield from _sliced(slice)
    yield (
        "agent:user.requestor",
        lambda event: all(one["requestor"] is True for one in event["agent"] if _any_type(one, rest.users)),
    )
    request_id = _Slice("entity:transaction", (codes.REQUEST_ID,), 0)
    if pattern is Pattern.DELETE:  # BALP 1.1.0
        yield "subtype", lambda event: len(event["subtype"]) == 1
        request_id = request_id._replace(forbidden=_BARE)
    yield from _sliced(request_id)
    yield (
        "entity:transaction.what.identifier.value",
        lambda event: all(one["what"]["identifier"]["value"] for one in _of(event, request_id)),
    )
    yield from _sliced(_subject(pattern))


def _parties(rest: _Rest) -> tuple[_Slice, _Slice, _Slice]:
    ends = ("who", "network")
    older = ("role", "altId", "name", "location", "policy", "purposeOfUse") if rest.action == "D" else ()
    personal = ("altId", "location", "policy") if rest.action == "D" else ()
    return (
        _Slice("agent:client", (rest.client,), 1, ends, ("media", *older)),
        _Slice("agent:server", (rest.server,), 1, ends, ("media", *older)),
        _Slice("agent:user", rest.users, 0, ("who",), ("media", "network", *personal)),
    )


def _subject(pattern: Pattern) -> _Slice:
    """What was asked, or the resource it was done to."""
    if pattern is Pattern.QUERY:
        forbidden = ("what", "lifecycle", "detail")
        return _Slice("entity:query", (codes.SYSTEM_OBJECT,), 1, ("query",), forbidden, (codes.QUERIED,))
    bare = _BARE if pattern is Pattern.DELETE else ()
    return _Slice("entity:data", (codes.SYSTEM_OBJECT,), 1, ("what",), bare, _ROLES)


def _of_a_patient(basic: Pattern) -> Iterator[Constraint]:
    if basic is not Pattern.QUERY:
        yield "entity 2..", lambda event: len(event["entity"]) >= 2
    forbidden = (*_BARE, "securityLabel") if basic is Pattern.DELETE else ()
    yield from _person(_PATIENT._replace(forbidden=forbidden))


def _person(patient: _Slice) -> Iterator[Constraint]:
    yield from _sliced(patient)
    yield (
        "entity:patient.what is a Patient",
        lambda event: all(
            one["what"].get("type", "Patient") == "Patient"
            and one["what"].get("reference", "Patient/").rpartition("/")[0].endswith("Patient")
            for one in _of(event, patient)
        ),
    )


# --- disclosures (BALP 3:5.7.7) --------------------------------------------------------------------------


def _disclosure(pattern: Pattern) -> Iterator[Constraint]:
    released = pattern is Pattern.DISCLOSED
    kind, action = (codes.EXPORT, "R") if released else (codes.IMPORT, "C")
    yield "modifierExtension", lambda event: "modifierExtension" not in event
    yield "type", lambda event: _is(event["type"], kind)
    yield "action", lambda event: event.get("action", action) == action
    yield "outcome", lambda event: "outcome" in event
    yield "subtype:disclosure", lambda event: sum(_is(one, codes.DISCLOSE) for one in event["subtype"]) == 1
    yield "agent 2..", lambda event: len(event["agent"]) >= 2
    source = _Slice("agent:source", (codes.SOURCE,), 1, ("who", "network"))
    recipient = _Slice("agent:recipient", (codes.DESTINATION,), 1, ("who", "network"))
    yield from _sliced(source)
    yield from _sliced(recipient)
    yield from _sliced(_Slice("agent:custodian", (codes.RECORD_KEEPING,), 0, ("who",)))
    yield from _sliced(_Slice("agent:authorizer", (_ADVOCATE,), 0, ("who",)))
    ours = source if released else recipient
    yield (
        "val-audit-source",
        lambda event: all(one["who"] == event["source"]["observer"] for one in _of(event, ours)),
    )
    yield "entity 2..", lambda event: len(event["entity"]) >= 2
    yield from _person(_PATIENT)


# --- slices ----------------------------------------------------------------------------------------------


def _sliced(slice: _Slice) -> Iterator[Constraint]:
    """How many there are, and what each must have and must not."""
    yield slice.path, lambda event: slice.least <= len(_of(event, slice)) <= 1
    for element in slice.required:
        yield f"{slice.path}.{element}", _each(slice, element, present=True)
    for element in slice.forbidden:
        yield f"{slice.path} without {element}", _each(slice, element, present=False)
    if slice.roles:
        yield (
            f"{slice.path}.role",
            lambda event: all(_any(one["role"], slice.roles) for one in _of(event, slice)),
        )


def _each(slice: _Slice, element: str, *, present: bool) -> Holds:
    return lambda event: all(bool(one.get(element)) is present for one in _of(event, slice))


def _of(event: Json, slice: _Slice) -> list[Json]:
    if slice.path.startswith("agent:"):
        return [one for one in event["agent"] if _any_type(one, slice.kinds)]
    return [one for one in _entities(event) if _any(one.get("type", {}), slice.kinds)]


def _any_type(agent: Json, kinds: tuple[Code, ...]) -> bool:
    return any(_any(coding, kinds) for coding in agent.get("type", {}).get("coding", []))


def _any(coding: Json, kinds: tuple[Code, ...] | list[Code]) -> bool:
    return any(_is(coding, kind) for kind in kinds)


def _is(coding: Json, code: Code) -> bool:
    return coding.get("code") == code.code and coding.get("system") == code.system.uri
