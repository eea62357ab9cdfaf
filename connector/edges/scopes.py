"""SMART system scopes, v1 and v2, as an algebra of pure functions (SMART App Launch 2.2, section on scopes).

The grammar is ``system/(Type|*).(c?r?u?d?s?|read|write|*)``, the letters in this order only; those of v2 may
be narrowed by search parameters (``system/Observation.cu?category=...``). A parameter that the resource
itself can answer is held to exactly (``connector.fhir.token_search``); a scope with any other is refused
together with its token, because without its parameters it would grant more than was meant.

A narrowed scope grants a create or an update whose resource, as sent, the search would find; and an update
or a delete of a resource that, as known here, the search would find. Nothing can be read here, so what a
scope says of reading and searching grants nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from connector.errors import Forbidden, UnsupportedInteraction
from connector.fhir import token_search
from connector.fhir.elements import resource_types
from connector.fhir.token_search import Constraint

VERBS: Final = "cruds"  # create, read, update, delete, search
V1: Final = {"read": "rs", "write": "cud", "*": "cruds"}
ANY: Final = "*"

_FORM: Final = re.compile(r"system/([A-Za-z]+|\*)\.(read|write|\*|(?=.)c?r?u?d?s?)\Z")
_CHARACTERS: Final = re.compile(
    r"[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*\Z"
)  # RFC 6749, 3.3


class Scope(NamedTuple):
    """What one scope grants: a resource type (or ``*``), the letters of the interactions, and on which
    resources of the type: those for which all constraints hold; without any, all."""

    type: str
    verbs: frozenset[str]
    constraints: frozenset[Constraint] = frozenset()


@lru_cache(maxsize=256)  # a client asks for the same scopes again and again
def parse(text: str) -> frozenset[Scope]:
    """The system scopes of a ``scope`` claim (names separated by one space; "" is none).

    Scopes of other kinds (``openid``, ``patient/...``, ``user/...``) grant a system nothing and are left
    out. Raises ``Forbidden`` for a system scope that does not follow the grammar, names no resource type
    of R4, or is narrowed by what cannot be held to, and for a claim that is no list of scopes.
    """
    if text and not _CHARACTERS.match(text):
        raise _refused("the scope claim is no list of scopes separated by single spaces")
    return frozenset(_scope(one) for one in text.split(" ") if one.startswith("system/"))


def others(text: str) -> frozenset[str]:
    """The names in a ``scope`` claim that are no system scopes, as they are; for who knows their meaning."""
    return frozenset(one for one in text.split(" ") if one and not one.startswith("system/"))


def _scope(text: str) -> Scope:
    plain, narrowed, query = text.partition("?")
    found = _FORM.match(plain)
    if found is None:
        raise _refused("a system scope does not follow the SMART grammar")
    kind, letters = found.groups()
    if kind != ANY and kind not in resource_types():
        raise _refused("a system scope names no resource type of FHIR R4")
    if narrowed and (kind == ANY or letters in V1):
        raise _refused("a scope is narrowed that SMART does not let be narrowed")
    return Scope(
        kind, frozenset(V1.get(letters, letters)), _constraints(kind, query) if narrowed else frozenset()
    )


def _constraints(kind: str, query: str) -> frozenset[Constraint]:
    try:
        return token_search.read(kind, query)
    except UnsupportedInteraction:
        pass
    raise _refused("a scope is narrowed by search parameters, which this server cannot hold it to")


def _refused(what: str) -> Forbidden:
    fix = "ask the authorization server for scopes such as system/Patient.cu"
    return Forbidden(what, fix=fix, location="http.authorization")


def allows(
    scopes: Iterable[Scope], type_name: str, verb: str, resource: Mapping[str, Any] | None = None
) -> bool:
    """Whether the scopes grant the interaction (a letter of ``VERBS``) on this resource.

    ``resource``: None where it is not known; then only a scope that is not narrowed grants it.
    """
    if verb not in VERBS or len(verb) != 1:
        return False
    return any(
        verb in scope.verbs
        and scope.type in (ANY, type_name)
        and (
            not scope.constraints
            or (resource is not None and token_search.holds(scope.type, scope.constraints, resource))
        )
        for scope in scopes
    )


def might_allow(scopes: Iterable[Scope], type_name: str, verb: str) -> bool:
    """Whether they grant the interaction on some resource of the type: what can be said before it is read."""
    return len(verb) == 1 and any(verb in scope.verbs and scope.type in (ANY, type_name) for scope in scopes)


def within(scopes: Iterable[Scope], ceiling: Iterable[Scope]) -> frozenset[Scope]:
    """What both grant: a token's scopes, and at most those that its client was given here."""
    most = list(ceiling)
    found = set()
    for scope in scopes:
        for other in most:
            verbs = scope.verbs & other.verbs
            if verbs and (scope.type == other.type or ANY in (scope.type, other.type)):
                kind = other.type if scope.type == ANY else scope.type
                found.add(Scope(kind, verbs, scope.constraints | other.constraints))
    return frozenset(found)


def written(scope: Scope) -> str:
    """A scope as SMART writes it, its constraints left out."""
    return f"system/{scope.type}.{''.join(letter for letter in VERBS if letter in scope.verbs)}"
