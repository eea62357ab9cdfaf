"""Which certificate may speak for which partner: decided at each handshake, and anew at each change.

A chain that OpenSSL has verified comes from an authority that somebody trusts. Here it is asked whose: each
partner has its anchors (its own authorities, or those of the service) and says whose certificates below them
are its own. So a certificate of one partner's authority never speaks for another, whatever its subject says.
"""

from __future__ import annotations

import ssl
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal, NamedTuple

from cryptography import x509

from connector.edges import certificates as pem
from connector.edges.anchors import FUTURE_LIST, NO_LIST, REVOKED, STALE_LIST, Anchors, Chain

Version = Literal["1.2", "1.3"]

NOT_OURS: Final = "no authority of ours vouches for it"
NO_PROFILE: Final = "no profile names this certificate"
SEVERAL: Final = "several profiles claim this certificate"
TOO_OLD: Final = "its profile asks for TLS 1.3"
_KNOWN: Final = 50_000  # certificates whose parties are remembered


class PeerRefused(ssl.SSLCertVerificationError):
    """The chain is sound and its holder may not come in all the same. ``leaf``: who it was."""

    def __init__(self, reason: str, leaf: x509.Certificate | None = None) -> None:
        super().__init__(ssl.SSL_ERROR_SSL, reason)
        self.verify_message, self.verify_code, self.leaf = reason, 0, leaf


@dataclass(frozen=True, slots=True)
class Speakers:
    """Whose certificates, of all below the anchors, may speak.

    ``certificates``: fingerprints; ``subjects``: RFC 4514; ``names``: alternative names (``DNS:name``);
    ``issuers``: where not empty, subjects or fingerprints of authorities, one of which must have issued it;
    ``anybody``: where nobody is named by these, everybody is meant.
    """

    certificates: frozenset[str] = frozenset()
    subjects: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    issuers: frozenset[str] = frozenset()
    anybody: bool = False

    def named(self, leaf: x509.Certificate, mark: str, path: Chain) -> int:
        """2: by its fingerprint, or pinned; 1: by what it says or as anybody; 0: not."""
        if mark in self.certificates or len(path) == 1:
            return 2
        if self.issuers and not self._issued(leaf, path):
            return 0
        if self.subjects and leaf.subject.rfc4514_string() in self.subjects:
            return 1
        if self.names and not self.names.isdisjoint(pem.alternative_names(leaf)):
            return 1
        return int(self.anybody and not (self.certificates or self.subjects or self.names))

    def _issued(self, leaf: x509.Certificate, path: Chain) -> bool:
        above = {pem.fingerprint_of(path[1])} if len(path) > 1 else set()
        return not self.issuers.isdisjoint({leaf.issuer.rfc4514_string(), *above})


@dataclass(frozen=True, slots=True)
class Party:
    """One who may come: a link's v2 side or FHIR side. ``alone``: a certificate speaks for no second one."""

    name: str
    anchors: Anchors
    speakers: Speakers
    minimum: Version = "1.2"
    alone: bool = False


class Seen(NamedTuple):
    """One that was admitted: for whom it may speak, when its certificate ends, when it came last."""

    parties: frozenset[str]
    until: datetime
    at: datetime


class _Found(NamedTuple):
    party: Party
    how: int


@dataclass(slots=True)
class _Asked:
    """Who is meant by a chain, and what the anchors say of it that know its authority."""

    found: list[_Found] = field(default_factory=list)
    vouched: set[Anchors] = field(default_factory=set)
    refusals: list[str] = field(default_factory=list)  # why some do not vouch
    blocked: list[str] = field(default_factory=list)  # why, of those with a party that is meant


class Trust:
    """All who may come to a listener, or the one whom we call. Never changed: a new one takes its place.

    ``service``: its anchors let in who is nobody's yet (the listener's API says who that is); None: nobody.
    """

    def __init__(self, service: Anchors | None, parties: Sequence[Party] = ()) -> None:
        self.service, self.parties = service, tuple(parties)
        self.anchors: tuple[Anchors, ...] = tuple(
            dict.fromkeys([*([service] if service else []), *(one.anchors for one in parties)])
        )
        self._by_mark: dict[str, list[Anchors]] = {}
        self._by_subject: dict[bytes, list[Anchors]] = {}
        self._of: dict[Anchors, list[Party]] = {}
        for one in self.parties:
            self._of.setdefault(one.anchors, []).append(one)
        for anchors in self.anchors:
            self._index(anchors)
        self._known: OrderedDict[str, Seen] = OrderedDict()

    def admit(
        self, chain: Chain, version: str | None, now: datetime | None = None, *, open_already: bool = False
    ) -> frozenset[str]:
        """The parties for which the holder of a verified chain (leaf first) may speak; none: nobody's yet.

        ``version``: as OpenSSL names it, ``TLSv1.3``. ``open_already``: of a connection that was admitted
        before; that a list has ended since says nothing new of it. Raises PeerRefused.
        """
        if not chain:
            raise PeerRefused(NOT_OURS)
        leaf, now = chain[0], now or datetime.now(UTC)
        asked = self._asked(chain, now, () if open_already else (NO_LIST, STALE_LIST, FUTURE_LIST))
        if REVOKED in asked.refusals:
            raise PeerRefused(REVOKED, leaf)
        recent = [one for one in asked.found if one.party.minimum != "1.3" or version == "TLSv1.3"]
        if not recent:
            if asked.found:
                raise PeerRefused(TOO_OLD, leaf)
            if asked.blocked or not (self.service and self.service in asked.vouched):
                why = asked.blocked or [*asked.refusals, NO_PROFILE if asked.vouched else NOT_OURS]
                raise PeerRefused(why[0], leaf)
        names = frozenset(_unambiguous(recent, leaf))
        self._remember(pem.fingerprint_of(leaf), Seen(names, leaf.not_valid_after_utc, now))
        return names

    def parties_of(self, fingerprint: str) -> frozenset[str]:
        """The parties of one that was admitted; none for everybody else."""
        found = self._known.get(fingerprint)
        if found is None:
            return frozenset()
        self._known.move_to_end(fingerprint)
        return found.parties

    def seen(self) -> dict[str, Seen]:
        """Who was admitted, by fingerprint."""
        return dict(self._known)

    def _index(self, anchors: Anchors) -> None:
        for mark in anchors.marks | anchors.pins:
            self._by_mark.setdefault(mark, []).append(anchors)
        for one in anchors.authorities:
            self._by_subject.setdefault(one.subject.public_bytes(), []).append(anchors)

    def _candidates(self, chain: Chain) -> Iterable[Anchors]:
        marks = [one for cert in chain for one in self._by_mark.get(pem.fingerprint_of(cert), ())]
        return dict.fromkeys([*marks, *self._by_subject.get(chain[-1].issuer.public_bytes(), ())])

    def _asked(self, chain: Chain, now: datetime, lists: Sequence[str]) -> _Asked:
        """``lists``: what counts against a chain beside that it is revoked."""
        asked = _Asked()
        mark = pem.fingerprint_of(chain[0])
        for anchors in self._candidates(chain):
            path = anchors.path(chain)
            if path is None:
                continue
            parties = self._of.get(anchors, ())
            found = [_Found(one, how) for one in parties if (how := one.speakers.named(chain[0], mark, path))]
            said = anchors.refusal(path, now)
            if said == REVOKED or said in lists:
                asked.refusals.append(said)
                asked.blocked += [said] if found else []
                continue
            asked.vouched.add(anchors)
            asked.found += found
        return asked

    def _remember(self, mark: str, seen: Seen) -> None:
        self._known[mark] = seen
        self._known.move_to_end(mark)
        if len(self._known) > _KNOWN:
            self._known.popitem(last=False)


def _unambiguous(found: Sequence[_Found], leaf: x509.Certificate) -> Iterator[str]:
    """Of those that no other may share with: the one that names the fingerprint, or the only one."""
    yield from (one.party.name for one in found if not one.party.alone)
    alone = [one for one in found if one.party.alone]
    best = [one for one in alone if one.how == max(other.how for other in alone)]
    if len(best) > 1:
        raise PeerRefused(SEVERAL, leaf)
    yield from (one.party.name for one in best)
