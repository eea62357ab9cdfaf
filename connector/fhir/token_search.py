"""Search parameters of type token, asked of one resource (https://hl7.org/fhir/R4/search.html#token).

Only what a resource itself can tell exactly: the parameters of ``PARAMETERS``, each one path to codes,
booleans, Codings, CodeableConcepts or Identifiers. No modifiers, no chains, no terminology.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from urllib.parse import unquote_to_bytes

from connector.errors import UnsupportedInteraction

_CONCEPT: Final = "CodeableConcept"


class Parameter(NamedTuple):
    """Where a parameter looks: the names of the elements on the way, and the type of the last one."""

    path: tuple[str, ...]
    type: str


def _all(**found: str) -> Mapping[str, Parameter]:
    """``name="type path.of.names"``; a name's "_" stands for the hyphen of FHIR."""
    rows = {name.replace("_", "-"): said.split(" ") for name, said in found.items()}
    return MappingProxyType(
        {name: Parameter(tuple(path.split(".")), kind) for name, (kind, path) in rows.items()}
    )


_ID: Final = "Identifier identifier"
_PERSON: Final = {"active": "boolean active", "gender": "code gender", "identifier": _ID}

PARAMETERS: Final[Mapping[str, Mapping[str, Parameter]]] = MappingProxyType(
    {
        "Account": _all(identifier=_ID, status="code status", type=f"{_CONCEPT} type"),
        "AllergyIntolerance": _all(
            category="code category",
            clinical_status=f"{_CONCEPT} clinicalStatus",
            criticality="code criticality",
            identifier=_ID,
            type="code type",
            verification_status=f"{_CONCEPT} verificationStatus",
        ),
        "Basic": _all(code=f"{_CONCEPT} code", identifier=_ID),
        "Condition": _all(
            category=f"{_CONCEPT} category",
            clinical_status=f"{_CONCEPT} clinicalStatus",
            code=f"{_CONCEPT} code",
            identifier=_ID,
            severity=f"{_CONCEPT} severity",
            verification_status=f"{_CONCEPT} verificationStatus",
        ),
        "Coverage": _all(identifier=_ID, status="code status", type=f"{_CONCEPT} type"),
        "DiagnosticReport": _all(
            category=f"{_CONCEPT} category", code=f"{_CONCEPT} code", identifier=_ID, status="code status"
        ),
        "DocumentReference": _all(
            category=f"{_CONCEPT} category",
            security_label=f"{_CONCEPT} securityLabel",
            status="code status",
            type=f"{_CONCEPT} type",
        ),
        "Encounter": _all(
            **{"class": "Coding class"}, identifier=_ID, status="code status", type=f"{_CONCEPT} type"
        ),
        "EpisodeOfCare": _all(identifier=_ID, status="code status", type=f"{_CONCEPT} type"),
        "Location": _all(
            identifier=_ID,
            operational_status="Coding operationalStatus",
            status="code status",
            type=f"{_CONCEPT} type",
        ),
        "Observation": _all(
            category=f"{_CONCEPT} category", code=f"{_CONCEPT} code", identifier=_ID, status="code status"
        ),
        "Organization": _all(active="boolean active", identifier=_ID, type=f"{_CONCEPT} type"),
        "Patient": _all(**_PERSON, language=f"{_CONCEPT} communication.language"),
        "Practitioner": _all(**_PERSON),
        "PractitionerRole": _all(
            active="boolean active",
            identifier=_ID,
            role=f"{_CONCEPT} code",
            specialty=f"{_CONCEPT} specialty",
        ),
        "Procedure": _all(
            category=f"{_CONCEPT} category", code=f"{_CONCEPT} code", identifier=_ID, status="code status"
        ),
        "RelatedPerson": _all(**_PERSON, relationship=f"{_CONCEPT} relationship"),
        "ServiceRequest": _all(
            category=f"{_CONCEPT} category",
            code=f"{_CONCEPT} code",
            identifier=_ID,
            intent="code intent",
            priority="code priority",
            status="code status",
        ),
        "Specimen": _all(identifier=_ID, status="code status", type=f"{_CONCEPT} type"),
    }
)

_PLAIN: Final = frozenset({"code", "boolean"})  # types whose system the value alone does not tell
_ESCAPED: Final = re.compile(r"\\([\\,|$])")
_PIECES: Final = re.compile(r"(?:[^\\,|$]|\\[\\,|$])*")


class Token(NamedTuple):
    """One value that is looked for; None: any, a ``system`` of "": none."""

    system: str | None
    code: str | None


class Constraint(NamedTuple):
    """One parameter and the values of which one must be there."""

    parameter: str
    values: frozenset[Token]


def read(kind: str, query: str) -> frozenset[Constraint]:
    """The constraints of a query (``category=a|b,c&status=final``) on a resource type; all must hold.

    Raises ``UnsupportedInteraction`` for a parameter, a modifier or a value that is not as this module's
    first lines say, for an empty value, and for "+", which some read as a space.
    """
    return frozenset(_constraint(kind, one) for one in query.split("&"))


def holds(kind: str, constraints: frozenset[Constraint], resource: Mapping[str, Any]) -> bool:
    """Whether a resource is one that a search for this type with these constraints would find."""
    parameters = PARAMETERS.get(kind, {})
    return resource.get("resourceType") == kind and all(
        one.parameter in parameters and _found(one, parameters[one.parameter], resource)
        for one in constraints
    )


def _constraint(kind: str, text: str) -> Constraint:
    name, equals, value = text.partition("=")
    parameter = PARAMETERS.get(kind, {}).get(name)
    if parameter is None or not equals or "+" in value:
        raise _unsupported()
    try:
        plain = unquote_to_bytes(value).decode()
    except UnicodeDecodeError:
        plain = ""
    if re.search(r"%(?![0-9A-Fa-f]{2})", value) or not plain.isprintable():
        raise _unsupported()
    return Constraint(name, frozenset(_token(one, parameter.type) for one in _split(plain, ",")))


def _token(text: str, kind: str) -> Token:
    parts = _split(text, "|")
    if len(parts) > 2 or not any(parts) or any(not _PIECES.fullmatch(part) for part in parts):
        raise _unsupported()
    said = [_ESCAPED.sub(r"\1", part) for part in parts]
    if len(said) == 2 and kind not in _PLAIN:
        return Token(said[0], said[1] or None)
    if len(said) == 1 and (kind != "boolean" or said[0] in ("true", "false")):
        return Token(None, said[0])
    raise _unsupported()


def _split(text: str, mark: str) -> list[str]:
    """The pieces between the marks that are not escaped."""
    found, escaped = [""], False
    for letter in text:
        if letter == mark and not escaped:
            found.append("")
        else:
            found[-1] += letter
        escaped = letter == "\\" and not escaped
    return found


def _found(constraint: Constraint, parameter: Parameter, resource: Mapping[str, Any]) -> bool:
    there = [token for value in _values(resource, parameter.path) for token in _tokens(value, parameter.type)]
    return any(_fits(wanted, token) for wanted in constraint.values for token in there)


def _fits(wanted: Token, there: Token) -> bool:
    system = wanted.system is None or wanted.system == (there.system or "")
    return system and (wanted.code is None or wanted.code == there.code)


def _values(node: Any, path: tuple[str, ...]) -> Iterator[Any]:
    if isinstance(node, list):
        for one in node:
            yield from _values(one, path)
    elif not path:
        yield node
    elif isinstance(node, dict):
        yield from _values(node.get(path[0]), path[1:])


def _tokens(value: Any, kind: str) -> Iterator[Token]:
    if kind == "boolean" and isinstance(value, bool):
        yield Token(None, str(value).lower())
    elif kind == "code" and isinstance(value, str):
        yield Token(None, value)
    elif kind == _CONCEPT and isinstance(value, dict):
        for coding in _values(value, ("coding",)):
            yield from _tokens(coding, "Coding")
    elif kind in ("Coding", "Identifier") and isinstance(value, dict):
        system, code = value.get("system"), value.get("code" if kind == "Coding" else "value")
        yield Token(system if isinstance(system, str) else None, code if isinstance(code, str) else None)


def _unsupported() -> UnsupportedInteraction:
    return UnsupportedInteraction(
        "this search parameter, or this value of it, cannot be asked of a resource here",
        fix="use a token parameter without modifiers, such as category=system|code",
    )
