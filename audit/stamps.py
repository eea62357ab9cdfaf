"""Time-stamps of checkpoints by somebody whose clock is believed (RFC 3161): made, checked, and read again.

What is stamped is the text of a checkpoint (origin, size, root), so a stamp proves that this very tree was
there at its time, whatever signatures have come beside it since. Needs ``rfc3161-client``, an extra of its
own: ``pip install "connector[stamps]"``.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from cryptography import x509

FOLDER: Final = "stamps"  # in a shard
SUFFIX: Final = ".tsr"
QUERY: Final = "application/timestamp-query"
REPLY: Final = "application/timestamp-reply"
LONGEST: Final = 64 * 1024  # bytes of an answer, with the certificates in it
_OPENSSL: Final = re.compile(r'reason: "([^"]{1,100})"')
_SHA256: Final = x509.ObjectIdentifier("2.16.840.1.101.3.4.2.1")


class StampRefused(ValueError):
    """No time-stamp, or one that is not to be believed; the text holds nothing of it."""


class Stamp(NamedTuple):
    """A time-stamp that was checked. ``at``: when, by the authority's clock; ``within``: seconds by which
    that may be off, or None where it does not say; ``serial``: its number there."""

    at: dt.datetime
    within: float | None
    serial: int


class Asked(NamedTuple):
    """A request that was made for a text; an answer is good only for this very one."""

    text: str
    query: bytes
    nonce: int | None


def path_of(size: int) -> str:
    """Where the time-stamp of a checkpoint lies in its shard."""
    return f"{FOLDER}/{size}{SUFFIX}"


def ask(text: str) -> Asked:
    """A request for the SHA-256 of a checkpoint's text, with a nonce that nobody can foresee."""
    from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

    builder = TimestampRequestBuilder().data(text.encode("utf-8")).hash_algorithm(HashAlgorithm.SHA256)
    request = builder.nonce(nonce=True).cert_request(cert_request=True).build()
    return Asked(text, request.as_bytes(), request.nonce)


def accept(asked: Asked, answer: bytes, trusted: Sequence[x509.Certificate]) -> Stamp:
    """The stamp that answers a request. Raises ``StampRefused``, also for one of another request."""
    return _checked(answer, asked.text, trusted, asked.nonce)


def verify(answer: bytes, text: str, trusted: Sequence[x509.Certificate]) -> Stamp:
    """The stamp of a checkpoint's text, as it was kept. Raises ``StampRefused``.

    ``trusted``: the authorities that may vouch for who stamps, and no others. Their certificates and that of
    the stamp have to be good at the time of the stamp, not today.
    """
    return _checked(answer, text, trusted, None)


def authorities(pem: bytes) -> list[x509.Certificate]:
    """The certificates in a PEM file. Raises ``StampRefused`` where there are none."""
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise StampRefused("no certificates of authorities that may vouch for time-stamps") from None


def _checked(answer: bytes, text: str, trusted: Sequence[x509.Certificate], nonce: int | None) -> Stamp:
    from rfc3161_client import VerificationError, decode_timestamp_response
    from rfc3161_client.verify import VerifierBuilder

    if len(answer) > LONGEST or not trusted:
        raise StampRefused("longer than a time-stamp is, or nobody to vouch for it")
    try:
        found = decode_timestamp_response(answer)
        if found.as_bytes() != answer:
            raise StampRefused("a time-stamp in another than its one form")
        VerifierBuilder(roots=list(trusted), nonce=nonce).build().verify_message(found, text.encode("utf-8"))
        return _stamp(found.tst_info)
    except VerificationError as error:
        raise StampRefused(_reason(str(error))) from None
    except StampRefused:
        raise
    except Exception as error:  # whatever the parser makes of bytes of strangers
        raise StampRefused(f"no time-stamp ({type(error).__name__})") from None


def _stamp(info: Any) -> Stamp:
    if info.message_imprint.hash_algorithm != _SHA256:
        raise StampRefused("a time-stamp of another hash than SHA-256")
    at: dt.datetime = info.gen_time
    said = info.accuracy
    within = None
    if said is not None:
        within = (said.seconds or 0) + (said.millis or 0) / 1e3 + (said.micros or 0) / 1e6
    return Stamp(at.astimezone(dt.UTC), within, info.serial_number)


def _reason(said: str) -> str:
    """The library's reason in a line, without the stack of OpenSSL's errors."""
    line = said.splitlines()[0] if said else "it does not hold"
    found = _OPENSSL.search(line)
    return f"signature or certificate does not hold: {found[1]}" if found else line[:200]
