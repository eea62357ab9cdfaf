"""From an authorised request to a submission: scopes, validation, and what this server offers.

The order is fixed: who asks, what they may, then what they sent. A bundle is taken whole or not at
all, also a batch: every entry must be allowed and valid.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from connector.edges import scopes
from connector.edges.http_ports import Kind, Peer, Submission
from connector.edges.oauth import Principal
from connector.errors import (
    Forbidden,
    InvalidJson,
    InvalidResource,
    TooManyEntries,
    UnsupportedInteraction,
)
from connector.fhir import bundle, json
from connector.fhir.elements import resource_types

Judge = Callable[[dict[str, Any]], list[InvalidResource]]


class Bounds(NamedTuple):
    """How much a body may hold."""

    nesting: int = json.MAX_DEPTH  # objects and arrays inside one another
    entries: int = 5000  # of a bundle


USUAL: Final = Bounds()
HANDLED: Final = frozenset(
    {
        "Account", "AllergyIntolerance", "Basic", "Condition", "Coverage", "DiagnosticReport",
        "DocumentReference", "Encounter", "EpisodeOfCare", "Location", "MessageHeader", "Observation",
        "Organization", "Patient", "Practitioner", "PractitionerRole", "Procedure", "Provenance",
        "RelatedPerson", "ServiceRequest", "Specimen",
    }
)  # fmt: skip
"""The types that can be created or updated one by one, and in transactions and batches."""

_TAG: Final = re.compile(r'(?:W/)?"[\x21\x23-\x7e]{1,64}"\Z')
_WORDS: Final = {"c": "create", "u": "update", "d": "delete"}


def may(principal: Principal, type_name: str, verb: str) -> None:
    """Raises ``Forbidden`` when no scope of the token grants the interaction on any resource of the type."""
    if not scopes.might_allow(principal.scopes, type_name, verb):
        raise _forbidden(type_name, verb, "http.authorization")


def may_something(principal: Principal) -> None:
    """Raises ``Forbidden`` for a token that grants no change at all: its bundle need not be read."""
    if not any(scope.verbs & _WORDS.keys() for scope in principal.scopes):
        what, fix = "no scope allows any change", "ask for scopes such as system/Patient.cu"
        raise Forbidden(what, fix=fix, location="http.authorization")


def _forbidden(type_name: str, verb: str, location: str) -> Forbidden:
    scope = f"system/{type_name}.{verb}"
    error = Forbidden(
        f"no scope allows this {_WORDS[verb]}", fix=f"ask for the scope {scope}", location=location
    )
    error.scope = scope
    return error


def _covers(principal: Principal, type_name: str, verb: str, resource: object) -> bool:
    """Whether a scope grants it; of a delete the resource is not here, so the intake asks once more."""
    if verb == "d":
        return scopes.might_allow(principal.scopes, type_name, verb)
    known = resource if isinstance(resource, dict) else None
    return scopes.allows(principal.scopes, type_name, verb, known)


def offered(type_name: str) -> None:
    """Raises ``UnsupportedInteraction`` for a type that cannot be sent by itself."""
    if type_name not in HANDLED:
        fix = "see GET /fhir/metadata for what is offered"
        raise UnsupportedInteraction("this resource type is not offered", fix=fix, location="http.url")


def tag(value: str) -> str:
    """An If-Match header, checked. Raises ``InvalidResource`` for anything but one entity tag."""
    if value and not _TAG.match(value):
        raise InvalidResource(
            "If-Match is not one version", fix='send W/"<version>"', location="http.if-match"
        )
    return value


def parsed(body: bytes, nesting: int = json.MAX_DEPTH) -> dict[str, Any]:
    """The resource of a body. Raises ``InvalidJson``, and ``InvalidResource`` when it is no object."""
    try:
        resource = json.loads(body, nesting)
    except InvalidJson as error:
        error.location = "http.body"
        raise
    if not isinstance(resource, dict):
        raise InvalidResource("a resource is a JSON object", location="http.body")
    return resource


def single(
    body: bytes,
    judge: Judge,
    verb: str,
    target: tuple[str, str],
    if_match: str,
    who: tuple[Principal, Peer],
    bounds: Bounds = USUAL,
) -> Submission:
    """The submission of a create (``target`` is (type, "")) or an update ((type, id)).

    Raises ``Forbidden`` when no scope covers this resource, an ``ExceptionGroup`` of what the judge finds,
    and ``InvalidResource`` when the resource is not the one that the address names.
    """
    resource, (kind, identity) = parsed(body, bounds.nesting), target
    if not _covers(who[0], kind, verb, resource):
        raise _forbidden(kind, verb, "http.body")
    _valid(resource, judge)
    if resource["resourceType"] != kind:
        raise InvalidResource("the resource is not of the type in the address", location="resourceType")
    if verb == "u" and resource.get("id") != identity:
        raise InvalidResource("the resource has not the id in the address", location=f"{kind}.id")
    how = Kind.UPDATE if verb == "u" else Kind.CREATE
    return Submission(how, resource, body, verb, kind, identity, if_match, *who)


def whole(
    body: bytes,
    judge: Judge,
    kinds: tuple[Kind, ...],
    who: tuple[Principal, Peer],
    bounds: Bounds = USUAL,
) -> Submission:
    """The submission of a bundle of one of these kinds.

    Raises an ``ExceptionGroup`` of one ``Forbidden`` for each entry that no scope covers, or of what the
    judge finds, or of one ``UnsupportedInteraction`` for each entry that asks for what is not offered;
    ``InvalidResource`` for other bodies and for no entries at all, ``TooManyEntries``.
    """
    sent = parsed(body, bounds.nesting)
    kind = next((kind for kind in kinds if sent.get("type") == kind.value), None)
    if sent.get("resourceType") != "Bundle" or kind is None:
        fix = f"send a Bundle of type {' or '.join(kinds)}"
        raise InvalidResource("this bundle is not taken here", fix=fix, location="Bundle.type")
    if len(bundle.entries(sent)) > bounds.entries:
        fix = f"send at most {bounds.entries} at once"
        raise TooManyEntries("the bundle has too many entries", fix=fix, location="Bundle.entry")
    asked = list(bundle.interactions(sent))
    _all_allowed(sent, asked, who[0])
    _valid(sent, judge)
    _all_offered(asked, kind)
    return Submission(kind, sent, body, "", "Bundle", "", "", *who)


def _valid(resource: dict[str, Any], judge: Judge) -> None:
    if found := judge(resource):
        raise ExceptionGroup("the resource is not valid", found)


def _all_allowed(sent: dict[str, Any], asked: list[bundle.Interaction], principal: Principal) -> None:
    """What has no known type or verb is left to ``_valid`` and ``_all_offered``, which refuse it."""
    known = (
        (one, entry.get("resource"))
        for one, entry in zip(asked, bundle.entries(sent), strict=True)
        if one.verb in _WORDS and one.type in resource_types()
    )
    refused = [
        _forbidden(one.type, one.verb, one.location)
        for one, resource in known
        if not _covers(principal, one.type, one.verb, resource)
    ]
    if refused:
        raise ExceptionGroup("entries are not allowed", refused)


def _all_offered(asked: list[bundle.Interaction], kind: Kind) -> None:
    if not asked:
        raise InvalidResource("the bundle has no entries", location="Bundle.entry")
    wrong = [one for one in asked if not _offers(one, kind)]
    if wrong:
        raise ExceptionGroup("entries are not offered", [_not_offered(one) for one in wrong])


def _offers(one: bundle.Interaction, kind: Kind) -> bool:
    if kind is Kind.MESSAGE:
        return one.type in resource_types()
    return one.verb in _WORDS and one.type in HANDLED and not one.conditional


def _not_offered(one: bundle.Interaction) -> UnsupportedInteraction:
    fix = "create, update or delete a type of GET /fhir/metadata, without conditions"
    return UnsupportedInteraction(
        "this interaction is not offered", fix=fix, location=f"{one.location}.request"
    )
