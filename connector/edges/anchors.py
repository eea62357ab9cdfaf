"""Who may vouch for the other end of a connection, and who of theirs is revoked.

OpenSSL has verified the chain by the time it is judged here: signatures, days, uses. What it cannot tell
apart is whose authority it was, when several partners have each their own; and it looks for a revocation
list of everybody or of nobody. So both are decided here. Sources: RFC 5280 section 6, IHE ITI TF-2 3.19.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from connector.edges import certificates as pem
from connector.errors import ConfigurationError

Chain = Sequence[x509.Certificate]  # leaf first

REVOKED = "certificate revoked"  # as OpenSSL says it, and so the others
NO_LIST = "unable to get certificate CRL"
STALE_LIST = "CRL has expired"
FUTURE_LIST = "CRL is not yet valid"


@dataclass(frozen=True, slots=True)
class RevocationList:
    """What a list says: whom it names, and from when until when it counts."""

    since: datetime
    until: datetime
    serials: frozenset[int]


@dataclass(frozen=True, slots=True)
class TrustFiles:
    """The files that say who may vouch, all PEM.

    ``trust``: authorities; ``crl``: their revocation lists in one file; ``pinned``: certificates that are
    taken as they are. ``required``: without current lists nothing starts.
    """

    trust: Path | None
    crl: Path | None = None
    pinned: Path | None = None
    required: bool = False


@dataclass(frozen=True, eq=False)
class Anchors:
    """Authorities with their lists, and pinned certificates. Two are the same only if they are one object.

    ``listed``: every certificate below an authority needs a current list.
    """

    authorities: tuple[x509.Certificate, ...] = ()
    pinned: tuple[x509.Certificate, ...] = ()
    crls: tuple[x509.CertificateRevocationList, ...] = ()
    listed: bool = False
    pins: frozenset[str] = field(init=False)
    marks: frozenset[str] = field(init=False)
    lists: dict[bytes, RevocationList] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pins", frozenset(map(pem.fingerprint_of, self.pinned)))
        object.__setattr__(self, "marks", frozenset(map(pem.fingerprint_of, self.authorities)))
        object.__setattr__(self, "lists", dict(self._bound()))

    @cached_property
    def roots(self) -> int:
        """How many authorities there are that no other one here has issued."""
        return sum(not self._has_issuer(one) for one in self.authorities)

    def encoded(self) -> Iterator[bytes]:
        """All of them in DER, for a context of OpenSSL."""
        return (one.public_bytes(Encoding.DER) for one in (*self.authorities, *self.pinned))

    def path(self, chain: Chain) -> Chain | None:
        """The chain up to one of our authorities; the leaf alone, where it is pinned; None: not ours."""
        marks = [pem.fingerprint_of(one) for one in chain]
        if marks[0] in self.pins:
            return chain[:1]
        if marks[0] in self.marks:
            return None  # an authority speaks for nobody
        for at, mark in enumerate(marks[1:], start=2):
            if mark in self.marks:
                return chain[:at]
        now = datetime.now(UTC)
        above = next(
            (one for one in self.authorities if pem.valid(one, now) and pem.issued(chain[-1], one)), None
        )
        return None if above is None else (*chain, above)

    def refusal(self, path: Chain, now: datetime) -> str:
        """Why a certificate of this path may not come in; ``""``: it may."""
        for below, above in pairwise(path):
            if said := self._said(below, above, now):
                return said
        return ""

    def until(self) -> datetime | None:
        """When the first list ends; None: there is none."""
        return min((one.until for one in self.lists.values()), default=None)

    def _said(self, below: x509.Certificate, above: x509.Certificate, now: datetime) -> str:
        found = self.lists.get(_identity(above))
        if found is None:
            return NO_LIST if self.listed else ""
        if below.serial_number in found.serials:
            return REVOKED
        if now < found.since:
            return FUTURE_LIST
        return STALE_LIST if now >= found.until else ""

    def _has_issuer(self, one: x509.Certificate) -> bool:
        return any(one is not other and pem.issued(one, other) for other in self.authorities)

    def _bound(self) -> Iterator[tuple[bytes, RevocationList]]:
        """By who signed them; several of one authority count together, to the last end."""
        for authority in self.authorities:
            mine = [one for one in self.crls if pem.signed(one, authority)]
            if mine:
                serials = frozenset(entry.serial_number for one in mine for entry in one)
                yield (
                    _identity(authority),
                    RevocationList(min(one.last_update_utc for one in mine), max(map(_end, mine)), serials),
                )


def load(files: TrustFiles) -> Anchors:
    """What the files hold. Raises ConfigurationError: not readable, no anchor, a list that does not count."""
    found = compose(
        files,
        pem.authorities(files.trust) if files.trust else (),
        pem.pinned(files.pinned) if files.pinned else (),
        current_lists(files.crl) if files.crl else (),
    )
    for fault in faults(files, found):
        raise fault
    return found


def current_lists(path: Path) -> tuple[x509.CertificateRevocationList, ...]:
    """The revocation lists of a file. Raises ConfigurationError, also where one of them is out of date."""
    found = pem.revocation_lists(path)
    now = datetime.now(UTC)
    if not all(one.last_update_utc <= now < _end(one) for one in found):
        fix = "fetch the current list"
        raise ConfigurationError("the revocation list is out of date", fix=fix, location=str(path))
    return found


def compose(
    files: TrustFiles,
    authorities: tuple[x509.Certificate, ...],
    pinned: tuple[x509.Certificate, ...],
    crls: tuple[x509.CertificateRevocationList, ...],
) -> Anchors:
    """The anchors of what was read from the files."""
    return Anchors(authorities, pinned, crls, files.crl is not None or files.required)


def faults(files: TrustFiles, found: Anchors) -> Iterator[ConfigurationError]:
    """What must not be at a start, and is told of while running."""
    if not (found.authorities or found.pinned):
        yield ConfigurationError(
            "nobody may vouch for the other end",
            fix="name authorities under trust, or certificates under pinned",
        )
    if files.required and files.trust is not None and files.crl is None:
        yield ConfigurationError(
            "revocation lists are required and none is given",
            fix="name them under crl",
            location=str(files.trust),
        )
    now = datetime.now(UTC)
    for crl in found.crls:
        if not any(pem.signed(crl, one) for one in found.authorities):
            yield ConfigurationError(
                "no trusted authority signed the revocation list", location=str(files.crl)
            )
        elif not crl.last_update_utc <= now < _end(crl):
            yield ConfigurationError(
                "the revocation list is out of date", fix="fetch the current list", location=str(files.crl)
            )
    if files.required and files.crl is not None:
        yield from _unlisted(files.crl, found)


def _unlisted(path: Path, found: Anchors) -> Iterator[ConfigurationError]:
    """Authorities that issue to partners, as far as one can tell, and have no list."""
    for one in found.authorities:
        above = any(other is not one and pem.issued(other, one) for other in found.authorities)
        if not above and _identity(one) not in found.lists:
            yield ConfigurationError(
                "an authority has no revocation list in the file", fix="add its list", location=str(path)
            )


def _identity(authority: x509.Certificate) -> bytes:
    """Its name with its key: another key under the same name is another authority."""
    key = authority.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return sha256(authority.subject.public_bytes() + key).digest()


def _end(crl: x509.CertificateRevocationList) -> datetime:
    """A list that does not say when the next one comes has ended."""
    return crl.next_update_utc or crl.last_update_utc
