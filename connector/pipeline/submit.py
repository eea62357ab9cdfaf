"""FHIR comes in: an authorised, valid request is committed once and then accepted.

Whether the profile names a v2 message for the change is found out before it is accepted, by the same
pure function that plans the messages later: a request that could never be delivered is refused at once.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from connector.errors import (
    BodyTooLarge,
    ConnectorError,
    Forbidden,
    ShuttingDown,
    Unauthenticated,
    VersionConflict,
)
from connector.fhir import bundle as bundles
from connector.fhir import validate
from connector.pipeline import about, changes
from connector.pipeline.backlog import Backlog
from connector.pipeline.entries import Trail, client, reason, seen, whom
from connector.pipeline.links import NOBODY, Link, Links
from connector.pipeline.picture import known
from connector.pipeline.ports import Clock, Ids, Json, Peer, Principal, Submission, Taken
from connector.pipeline.tokens import Shown, Tokens
from connector.store import Direction, InboxKey, Received, Store

_IN: Final = Direction.TO_V2


class FhirReceiver:
    """Takes submissions of all links. ``arrived`` is called after each commit, with link and direction."""

    def __init__(
        self,
        links: Links,
        store: Store,
        clock: Clock,
        ids: Ids,
        arrived: Callable[[str, Direction], None] = lambda link, direction: None,
    ) -> None:
        self._links, self._store, self._clock, self._ids = links, store, clock, ids
        self._arrived = arrived
        self._backlog = Backlog(store, clock)
        self._tokens = Tokens(store.record)
        self.accepting = True
        self.barred: Callable[[], ConnectorError | None] = lambda: None

    async def submit(self, submission: Submission) -> Taken:
        """Durable and audited when this returns.

        Raises ``NotTranslatable``, ``VersionConflict``, ``InvalidResource`` (the judge of strict links),
        ``BodyTooLarge``, ``Forbidden``, ``ShuttingDown``, ``Overloaded``, ``StoreUnavailable``,
        ``AuditRefused``: then nothing was taken.
        """
        if not self.accepting:
            raise ShuttingDown("the connector is stopping", fix="send it again")
        if (barred := self.barred()) is not None:
            raise barred
        link = self._links.of_client(submission.principal.client_id)
        if link is None:
            raise Forbidden("no profile names this client")
        correlation = self._ids()
        await self._check(link, submission)
        await self._would_translate(link, submission, correlation)
        return await self._commit(link, submission, correlation)

    async def accepted(self, principal: Shown, peer: Peer) -> None:
        """Audit that a token counts, once for each. Raises ``StoreUnavailable``, ``AuditRefused``."""
        link = self._links.of_client(principal.client_id)
        trail = Trail(self._clock, link.name if link else NOBODY, _IN)
        actor = client(principal.client_id, peer)
        tag = "access:token:accepted"
        await self._tokens.accepted(
            principal, peer.fingerprint, lambda token: trail.did(tag, actor=actor, token=token)
        )

    async def refused(self, principal: Principal | None, peer: Peer | None, error: ConnectorError) -> None:
        """Audit a request that was answered with an error. Raises ``StoreUnavailable``, ``AuditRefused``."""
        link = self._links.of_client(principal.client_id) if principal else None
        name = link.name if link else NOBODY
        entry = Trail(self._clock, name, _IN).refused(_tag(error), error, actor=_actor(principal, peer))
        await self._store.refuse(name, _IN, reason(error), self._clock(), [entry])

    async def _check(self, link: Link, submission: Submission) -> None:
        if len(submission.raw) > link.body_bytes:
            raise BodyTooLarge("the body passes the limit of this link", fix="send less at once")
        if link.models:
            found = await asyncio.to_thread(validate.models, submission.resource)
            if found:
                raise found[0]
        await self._backlog.check(link, _IN)

    async def _would_translate(self, link: Link, submission: Submission, correlation: str) -> None:
        asked = changes.read(submission.resource, *_address(submission), correlation)
        before = await known(self._store, link.name, [change.key for change in asked])
        _all_covered(submission, asked, before)
        if submission.if_match and submission.if_match not in map(_tag_of, before.values()):
            raise VersionConflict(
                "the version is not the one that is known here",
                fix="read the resource again, or leave out If-Match",
                location="http.if-match",
            )
        event = changes.message_event(submission.resource, link.rules)
        changes.plan(asked, before, link.rules, event)

    async def _commit(self, link: Link, submission: Submission, correlation: str) -> Taken:
        verb, key = _address(submission)
        known = about.in_fhir(submission.resource)
        patients = whom(self._store.patients(known))
        received = Received(
            link=link.name,
            direction=_IN,
            key=_key(link, submission, correlation),
            payload=submission.raw,
            meta={"correlation": correlation, "kind": submission.kind, "verb": verb, "key": key, **patients},
            received_at=self._clock(),
            uid=correlation,
            about=known,
        )
        entry, again = (
            Trail(self._clock, link.name, _IN).did(
                f"message:fhir:{verb}",
                correlation,
                actor=_actor(submission.principal, submission.peer),
                interaction=str(submission.kind),
                resource=submission.resource_type,
                size=len(submission.raw),
                **patients,
            )
            for verb in ("received", "duplicate")
        )
        accepted = await self._store.accept(
            received, correlation.encode("ascii"), [entry], if_duplicate=[again]
        )
        self._arrived(link.name, _IN)
        return Taken(accepted.answer.decode("ascii"), accepted.duplicate)


def _all_covered(submission: Submission, asked: Sequence[changes.Change], before: Mapping[str, Json]) -> None:
    """Scopes may be narrowed to some resources of a type: what is changed must have been one of them.

    What was sent is judged where it came in; here is what only the store can tell.
    """
    verbs = {f"{one.location}.resource": one.verb for one in bundles.interactions(submission.resource)}
    alone = "u" if submission.resource_id else "c"
    for change in asked:
        verb, now = verbs.get(change.location, alone), before.get(change.key)
        fresh = now is None and verb != "d"
        if not fresh and not submission.principal.may(verb, change.type, now):
            raise Forbidden(
                "no scope allows a change of this resource as it is known here",
                fix="ask for a scope that is not narrowed, or leave the resource out",
                location=change.location or change.type,
            )


def _address(submission: Submission) -> tuple[str, str]:
    """Verb and ``Type/id``; for a bundle its entries say what they ask for."""
    if submission.resource_type == "Bundle":
        return "", ""
    verb = changes.UPDATE if submission.resource_id else changes.CREATE
    return verb, f"{submission.resource_type}/{submission.resource_id}"


def _key(link: Link, submission: Submission, correlation: str) -> InboxKey:
    digest = hashlib.sha256(submission.raw).hexdigest()
    if not _once(submission.resource):
        digest = hashlib.sha256(f"{digest}{correlation}".encode("ascii")).hexdigest()
    return InboxKey(
        partner=link.name,
        application=submission.principal.client_id,
        facility="",
        control_id=f"{submission.resource_type}/{_identity(submission)}",
        digest=digest,
    )


def _identity(submission: Submission) -> str:
    identifier = submission.resource.get("identifier")
    value = identifier.get("value") if isinstance(identifier, dict) else None
    return str(submission.resource_id or value or submission.resource.get("id") or "")


def _once(content: Json) -> bool:
    """Whether equal content can only be the same request again.

    An update back to an earlier content (A, B, A) is a change of its own, so content alone is no key
    for it: it is one if the content carries a version, a time of change or the identity of its bundle.
    A plain update that is really repeated changes nothing and is found to be an echo later.
    """
    if content.get("resourceType") == "Bundle":
        named = any(content.get(name) for name in ("identifier", "id", "timestamp"))
        return named or all(_once(resource) for resource in bundles.resources(content))
    meta = content.get("meta")
    stamped = isinstance(meta, dict) and bool(meta.get("versionId") or meta.get("lastUpdated"))
    return stamped or not content.get("id")


def _tag_of(resource: Json) -> str:
    """The entity tag of a resource as last known."""
    return f'W/"{(resource.get("meta") or {}).get("versionId", "")}"'


def _tag(error: ConnectorError) -> str:
    if isinstance(error, Unauthenticated):
        return "access:token:refused"
    return "access:scope:refused" if isinstance(error, Forbidden) else "message:fhir:refused"


def _actor(principal: Principal | None, peer: Peer | None) -> dict[str, str]:
    return client(principal.client_id, peer) if principal else seen(peer)
