"""Who was not let in, and why: the other side sees only that the connection ends, so it is told here."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from connector.store import Store

_TAGS: Final = ("tls:handshake:refused", "tls:peer:refused", "tls:connection:cut", "tls:file:refused")
_HELPS: Final = (  # by what stands in a reason
    ("certificate revoked", "its authority has revoked it: the partner needs a new certificate"),
    ("CRL has expired", "the revocation list is out of date: put the current one in its place"),
    ("get certificate CRL", "add the list of its authority to the file under crl"),
    ("CRL is not yet valid", "compare the clocks, then the list"),
    ("no profile names", "name it in the profile; connector tls check --certificate FILE says who it is"),
    ("several profiles", "let one profile alone name it"),
    ("TLS 1.3", "the profile asks for TLS 1.3: the partner must speak it, or the profile ask for less"),
    ("vouches", "its authority is not this partner's: compare trust and pinned in the profile"),
    ("issuer certificate", "its authority is not trusted: name it under trust, or pin the certificate"),
    ("self-signed", "it is self-signed: put it under pinned, if it is the partner's"),
    ("has expired", "it is over: the partner needs a new certificate"),
    ("not yet valid", "it counts only later: compare the clocks"),
    ("purpose", "it is not made for clients: the partner needs another certificate"),
    ("DID_NOT_RETURN", "it shows no certificate: the partner must be set up to show one"),
    ("UNKNOWN_CA", "the partner does not trust the authority of our certificate: give it that"),
    ("ALERT", "the partner refuses us: compare what it trusts with connector tls check"),
    ("PROTOCOL", "the two ends share no version of TLS"),
    ("SHARED_CIPHER", "the two ends share no suite; see dh_parameters for partners that speak DHE alone"),
    ("HTTP_REQUEST", "somebody speaks HTTP without TLS here"),
    ("WRONG_VERSION", "somebody speaks without TLS here"),
    ("timeout", "somebody connects and says nothing: a port scan, a health check, or a slow partner"),
    ("closed during", "a port scan, a health check, or a partner that does not trust our certificate"),
    ("SIGNATURE", "it shows a certificate whose key it has not"),
    ("limit", "too many connections are open"),
    ("UntrustedPeer", "no profile names this certificate: connector tls check --certificate FILE"),
)  # fmt: skip


class Refusal(NamedTuple):
    """Refusals alike. ``host``: the address without its port; ``certificate``: where it is known."""

    tag: str
    where: str
    reason: str
    host: str
    certificate: str
    subject: str
    times: int
    first: str  # RFC 3339, UTC
    last: str

    @property
    def helps(self) -> str:
        """What to do about it."""
        return next((said for part, said in _HELPS if part in self.reason), "")

    @property
    def of_a_partner(self) -> bool:
        """Whether it looks like a partner that should come in: somebody may have to act; not for a scan."""
        return self.tag != _TAGS[0] or self.reason.startswith("certificate") or "ALERT" in self.reason

    @property
    def text(self) -> str:
        """``mllp: 12 times from 10.0.0.5 (CN=lab), last at 2026-11-23T10:15:00Z: certificate revoked``."""
        who = f" from {self.host}" if self.host else ""
        named = f" ({self.subject})" if self.subject else ""
        times = "once" if self.times == 1 else f"{self.times} times"
        return f"{self.where}: {times}{who}{named}, last at {self.last}: {self.reason}"


async def look(store: Store, since: dt.datetime) -> list[Refusal]:
    """All since then, as far back as the last entries of the audit log go; the youngest first."""
    found: dict[tuple[str, ...], Refusal] = {}
    begin = f"{since.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%S}"
    for entry in await store.audited(_TAGS):
        if entry["time"] < begin:
            break
        one = _of(entry)
        key = one[:6]
        before = found.get(key)
        found[key] = (
            one if before is None else before._replace(times=before.times + one.times, first=one.first)
        )
    return list(found.values())


def _of(entry: dict[str, Any]) -> Refusal:
    actor, what = entry["actor"], entry["object"]
    where = str(what.get("listener") or what.get("end") or what.get("link") or what.get("location", ""))
    return Refusal(
        entry["tag"],
        where,
        entry["reason"],
        str(actor.get("address", "")).rpartition(":")[0],
        str(actor.get("certificate", "")),
        str(actor.get("subject", "")),
        int(what.get("count", 1)),
        entry["time"],
        entry["time"],
    )
