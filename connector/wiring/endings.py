"""What ends when: certificates and revocation lists, ours and partners'."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cryptography import x509

from connector.edges import certificates as pem
from connector.edges.anchors import Anchors
from connector.wiring.beliefs import End
from connector.wiring.secured import Secured

RECENT = dt.timedelta(days=1)  # a partner that has a new certificate shows the old one no more


class Ending(NamedTuple):
    """One thing that ends. ``name``: in which end of connections, and what; ``key``: this very one.

    ``everybody``: without it no handshake of a listener succeeds.
    """

    name: str
    until: dt.datetime
    key: str
    location: str = ""
    everybody: bool = False

    @property
    def said(self) -> str:
        """``ends 2026-12-01 04:00Z``."""
        return f"ends {self.until:%Y-%m-%d %H:%M}Z"


def endings(secured: Secured) -> Iterator[Ending]:
    """All of them; what several ends of connections share is told once."""
    told: set[str] = set()
    for end in secured.ends.values():
        for one in _of(end):
            if one.key not in told:
                told.add(one.key)
                yield one


def _of(end: End) -> Iterator[Ending]:
    leaf = end.own[0]
    yield _certificate(f"{end.name}: our certificate", leaf, end.files.certificate, everybody=end.listens)
    for held in end.trust.anchors:
        service = held is end.trust.service
        whose = end.name if service or not end.listens else f"{end.name} {_parties(end, held)}"
        yield from _anchors(whose, held, everybody=service)
    now = dt.datetime.now(dt.UTC)
    for mark, one in end.trust.seen().items():
        if now - one.at <= RECENT:
            whose = ", ".join(sorted(one.parties)) or "nobody"
            yield Ending(f"{end.name}: a certificate of {whose}", one.until, mark)


def _anchors(whose: str, held: Anchors, *, everybody: bool) -> Iterator[Ending]:
    for mark, one in held.lists.items():
        key = f"{mark.hex()} {one.until:%s}"
        yield Ending(f"{whose}: a revocation list", one.until, key, "", everybody and len(held.lists) == 1)
    for authority in held.authorities:
        yield _certificate(
            f"{whose}: an authority", authority, everybody=everybody and len(held.authorities) == 1
        )
    for pinned in held.pinned:
        yield _certificate(f"{whose}: a pinned certificate", pinned)


def _certificate(
    name: str, certificate: x509.Certificate, path: Path | None = None, *, everybody: bool = False
) -> Ending:
    until, mark = certificate.not_valid_after_utc, pem.fingerprint_of(certificate)
    return Ending(name, until, mark, str(path or ""), everybody)


def _parties(end: End, held: Anchors) -> str:
    return ", ".join(sorted(one.name for one in end.trust.parties if one.anchors is held))
