"""A FHIR request becomes a submission or a typed error, from its bytes to the v2 messages it would be."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from connector.edges import http_intake, scopes
from connector.edges.http_ports import Kind, Submission
from connector.edges.oauth import Principal
from connector.errors import ConnectorError
from connector.fhir import outcome, validate
from connector.mapping.messages.changes import rules
from connector.pipeline import changes
from tests.edges.http_site import KnownPeer
from tests.fuzz.json_mutator import mutated_behind_a_line

WORDS: Final = (
    b'"resourceType":"Bundle"', b'"type":"transaction"', b'"type":"message"', b'"entry":[', b'"fullUrl":',
    b'"request":{"method":"PUT","url":"Patient/1"}', b'"reference":"Patient/1"', b'"_birthDate":{}',
    b"null", b'"extension":[{"url":"x"}]', b'"contained":[]', b'"id":', b"1e400", b"-0", b"\\ud800",
    b"\\u0000",
)  # fmt: skip
_WHO: Final = (Principal("app", scopes.parse("system/*.cruds"), "sha256:00"), KnownPeer())
_BUNDLES: Final = (Kind.TRANSACTION, Kind.BATCH, Kind.MESSAGE)
_RULES: Final = rules(MappingProxyType({}))

mutated = mutated_behind_a_line


def check(data: bytes) -> None:
    """The first line is the address (``Type`` or ``Type/id``; nothing for a bundle), the rest the body."""
    line, _, body = data.partition(b"\n")
    kind, _, identity = line.decode("latin-1").partition("/")
    try:
        submission = _submitted(kind, identity, body)
    except ConnectorError as error:
        outcome.of(error)
        return
    except ExceptionGroup as several:
        ours, others = several.split(ConnectorError)
        assert ours is not None and others is None  # noqa: PT018 (one thing: all of them are ours)
        outcome.of(*(one for one in ours.exceptions if isinstance(one, ConnectorError)))
        return
    assert submission.raw == body


def _submitted(kind: str, identity: str, body: bytes) -> Submission:
    if not kind:
        submission = http_intake.whole(body, validate.fast, _BUNDLES, _WHO)
    else:
        http_intake.offered(kind)
        verb = "u" if identity else "c"
        submission = http_intake.single(body, validate.fast, verb, (kind, identity), "", _WHO)
    verb = "" if not kind else changes.UPDATE if identity else changes.CREATE
    asked = changes.read(submission.resource, verb, f"{kind}/{identity}" if kind else "", "fresh")
    event = changes.message_event(submission.resource, _RULES)
    changes.plan(asked, {}, _RULES, event)
    return submission
