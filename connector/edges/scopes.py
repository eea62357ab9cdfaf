"""SMART system scopes, v1 and v2, as pure functions (SMART App Launch 2.2, section on scopes).

The grammar is ``system/(Type|*).(c?r?u?d?s?|read|write|*)``, the letters in this order only. A scope
narrowed by search parameters (``system/Observation.rs?category=...``) grants less than it seems to:
this server cannot hold it to its words, so a token with one is refused and the scope never ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from connector.errors import Forbidden
from connector.fhir.elements import resource_types

VERBS: Final = "cruds"  # create, read, update, delete, search
V1: Final = {"read": "rs", "write": "cud", "*": "cruds"}
ANY: Final = "*"

_FORM: Final = re.compile(r"system/([A-Za-z]+|\*)\.(read|write|\*|(?=.)c?r?u?d?s?)\Z")
_CHARACTERS: Final = re.compile(
    r"[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*\Z"
)  # RFC 6749, 3.3


class Scope(NamedTuple):
    """What one scope grants: a resource type (or ``*``) and the letters of the interactions."""

    type: str
    verbs: frozenset[str]


def parse(text: str) -> frozenset[Scope]:
    """The system scopes of a ``scope`` claim (names separated by one space; "" is none).

    Scopes of other kinds (``openid``, ``patient/...``, ``user/...``) grant a system nothing and are left
    out. Raises ``Forbidden`` for a system scope that does not follow the grammar, names no resource type
    of R4, or is narrowed by search parameters, and for a claim that is no list of scopes.
    """
    if text and not _CHARACTERS.match(text):
        raise _refused("the scope claim is no list of scopes separated by single spaces")
    return frozenset(_scope(one) for one in text.split(" ") if one.startswith("system/"))


def others(text: str) -> frozenset[str]:
    """The names in a ``scope`` claim that are no system scopes, as they are; for who knows their meaning."""
    return frozenset(one for one in text.split(" ") if one and not one.startswith("system/"))


def _scope(text: str) -> Scope:
    if "?" in text:
        raise _refused("a scope is narrowed by search parameters, which this server does not support")
    found = _FORM.match(text)
    if found is None:
        raise _refused("a system scope does not follow the SMART grammar")
    kind, letters = found.groups()
    if kind != ANY and kind not in resource_types():
        raise _refused("a system scope names no resource type of FHIR R4")
    return Scope(kind, frozenset(V1.get(letters, letters)))


def _refused(what: str) -> Forbidden:
    fix = "ask the authorization server for scopes such as system/Patient.cu"
    return Forbidden(what, fix=fix, location="http.authorization")


def allows(scopes: Iterable[Scope], type_name: str, verb: str) -> bool:
    """Whether the scopes grant the interaction (a letter of ``VERBS``) on this resource type."""
    if verb not in VERBS or len(verb) != 1:
        return False
    return any(verb in scope.verbs and scope.type in (ANY, type_name) for scope in scopes)


def within(scopes: Iterable[Scope], ceiling: Iterable[Scope]) -> frozenset[Scope]:
    """What both grant: a token's scopes, and at most those that its client was given here."""
    most = list(ceiling)
    found = set()
    for scope in scopes:
        for other in most:
            verbs = scope.verbs & other.verbs
            if verbs and (scope.type == other.type or ANY in (scope.type, other.type)):
                found.add(Scope(other.type if scope.type == ANY else scope.type, verbs))
    return frozenset(found)
