"""A look at a TLS listener as we would connect to it: what it shows, what we make of it, what it asks of us.

Three connections: one that verifies nothing and sends nothing, to see what is shown; one as we really
connect; one without a certificate, to see whether one is asked for. Blocking.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from dataclasses import dataclass
from typing import Any, Final

from cryptography import x509

from connector.edges import certificates as pem
from connector.edges.tls import Context

_DER: Final = 2  # _ssl.ENCODING_DER
_LISTENS: Final = 0.7  # seconds in which a listener of TLS 1.3 says that it does not take our certificate


@dataclass(frozen=True, slots=True)
class Shown:
    """What the other end shows: its chain as it sent it, leaf first; version and suite where they are known
    without a certificate of ours, else ``""``."""

    version: str
    cipher: str
    chain: tuple[x509.Certificate, ...]


@dataclass(frozen=True, slots=True)
class Probe:
    """``shown``: None where not even that worked; ``verdict``: "" where we would talk to it, else why not;
    ``takes_us``: "" where it takes our certificate, else what it says; ``asks``: of us."""

    shown: Shown | None
    verdict: str
    takes_us: str
    asks: str


def probe(host: str, port: int, context: Context, server_name: str = "", seconds: float = 5.0) -> Probe:
    """Look at it. Raises OSError where nothing listens there."""
    name = server_name or host
    with socket.create_connection((host, port), seconds):
        pass
    shown = _shown(host, port, name, seconds)
    verdict, takes_us, *spoken = _tried(host, port, name, context, seconds)
    if shown is not None and spoken:
        shown = Shown(spoken[0], spoken[1], shown.chain)
    return Probe(shown, verdict, takes_us, _asks(host, port, name, seconds))


def _bare() -> ssl.SSLContext:
    """Verifies nothing: nothing is ever sent or read over it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _shown(host: str, port: int, name: str, seconds: float) -> Shown | None:
    with (
        socket.create_connection((host, port), seconds) as plain,
        _bare().wrap_socket(plain, server_hostname=name, do_handshake_on_connect=False) as secure,
    ):
        with contextlib.suppress(OSError):
            secure.do_handshake()  # TLS 1.2 ends it where we show nothing; the chain is here by then
        return _seen(secure)


def _seen(secure: Any) -> Shown | None:
    inner = secure._sslobj
    chain = inner.get_unverified_chain() if inner is not None else None
    if not chain:
        return None
    certificates = tuple(x509.load_der_x509_certificate(one.public_bytes(_DER)) for one in chain)
    cipher = inner.cipher()
    return Shown(inner.version() or "", cipher[0] if cipher else "", certificates)


def _tried(host: str, port: int, name: str, context: Context, seconds: float) -> tuple[str, ...]:
    """Verdict, what it says to us, and of a handshake that succeeded version and suite."""
    try:
        with (
            socket.create_connection((host, port), seconds) as plain,
            context.wrap_socket(plain, server_hostname=name) as secure,
        ):
            cipher = secure.cipher()
            return "", _said(secure), secure.version() or "", cipher[0] if cipher else ""
    except ssl.SSLCertVerificationError as error:
        return error.verify_message, ""
    except OSError as error:
        return _words(error), _words(error)


def _said(secure: ssl.SSLSocket) -> str:
    """What the listener says to what it was shown: in TLS 1.3 after the handshake, in an alert."""
    secure.settimeout(_LISTENS)
    try:
        return "" if secure.recv(1) else "it closes the connection"
    except TimeoutError:
        return ""
    except OSError as error:
        return _words(error)


def _asks(host: str, port: int, name: str, seconds: float) -> str:
    try:
        with (
            socket.create_connection((host, port), seconds) as plain,
            _bare().wrap_socket(plain, server_hostname=name) as secure,
        ):
            said = _said(secure)
    except OSError as error:
        said = _words(error)
    return f"a certificate (without one: {said})" if said else "no certificate"


def _words(error: OSError) -> str:
    return getattr(error, "reason", None) or error.strerror or type(error).__name__


def described(certificate: x509.Certificate) -> dict[str, str]:
    """A certificate in words."""
    return {
        "subject": certificate.subject.rfc4514_string(),
        "issuer": certificate.issuer.rfc4514_string(),
        "names": ", ".join(pem.alternative_names(certificate)),
        "from": f"{certificate.not_valid_before_utc:%Y-%m-%d %H:%M}Z",
        "until": f"{certificate.not_valid_after_utc:%Y-%m-%d %H:%M}Z",
        "fingerprint": pem.fingerprint_of(certificate),
    }
