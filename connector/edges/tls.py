"""TLS contexts, made to fail closed, and who the peer of a connection is.

Sources: IHE ITI TF-2 3.19 (Authenticate Node, "BCP195 TLS" options), BCP 195 (RFC 9325), RFC 5280.
TLS 1.2 is the floor, ECDHE with AES-GCM the only suites there (TLS 1.3 brings its own), both ends show a
certificate, and nobody resumes a session: a resumed session skips the look at the revocation list.
"""

from __future__ import annotations

import re
import ssl
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Literal

from cryptography import x509

from connector.errors import ConfigurationError, UntrustedPeer

_CRL = re.compile(rb"-----BEGIN X509 CRL-----.+?-----END X509 CRL-----", re.DOTALL)
_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The files of one end of a connection, all PEM.

    ``certificate``: the own chain, leaf first; ``key``: its private key, which only its owner may read;
    ``trust``: the authorities that may vouch for the other end, and no others; ``crl``: their revocation
    lists in one file, or None where the authority publishes none; ``minimum``: the lowest TLS version.
    """

    certificate: Path
    key: Path
    trust: Path
    crl: Path | None = None
    minimum: Literal["1.2", "1.3"] = "1.2"


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end, as its verified certificate says.

    ``fingerprint``: ``sha256:<hex>`` of the certificate; ``subject``: RFC 4514; ``sans``: ``DNS:name``,
    ``IP:address``, ``URI:...``, ``email:...``; ``address``: ``ip:port``.
    """

    fingerprint: str
    subject: str
    sans: tuple[str, ...]
    serial: int
    not_after: datetime
    address: str

    @classmethod
    def of(cls, connection: ssl.SSLObject, address: str) -> Peer:
        """The peer of a connection after its handshake. Raises UntrustedPeer without a certificate."""
        encoded = connection.getpeercert(binary_form=True)
        if not encoded:
            raise UntrustedPeer("the peer shows no certificate")
        try:
            return cls._from(x509.load_der_x509_certificate(encoded), encoded, address)
        except ValueError:
            raise UntrustedPeer("the certificate of the peer cannot be read") from None

    @classmethod
    def _from(cls, certificate: x509.Certificate, encoded: bytes, address: str) -> Peer:
        return cls(
            fingerprint=f"sha256:{sha256(encoded).hexdigest()}",
            subject=certificate.subject.rfc4514_string(),
            sans=_alternative_names(certificate),
            serial=certificate.serial_number,
            not_after=certificate.not_valid_after_utc,
            address=address,
        )


class _Unresumed(ssl.SSLObject):
    """Ends a handshake that resumes a session.

    ``OP_NO_TICKET`` leaves the session ids of TLS 1.2 alive and Python cannot switch that cache off.
    Ending the handshake here also drops the session from the cache: the peer's next attempt is a full one.
    """

    def do_handshake(self) -> None:
        super().do_handshake()
        if self.server_side and self.session_reused:
            raise ssl.SSLError(ssl.SSL_ERROR_SSL, "a session may not be resumed")


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """A context for listening that asks every peer for a certificate. Raises ConfigurationError."""
    context = _context(ssl.PROTOCOL_TLS_SERVER, files)
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_SINGLE_ECDH_USE
    context.num_tickets = 0
    context.sslobject_class = _Unresumed
    return context


def client_context(files: TlsFiles) -> ssl.SSLContext:
    """A context for connecting: own certificate shown, host name checked. Raises ConfigurationError."""
    return _context(ssl.PROTOCOL_TLS_CLIENT, files)


def revoked_serials(files: TlsFiles) -> frozenset[int]:
    """The serial numbers that the revocation lists name: what ``Acceptor.drop`` sweeps after a reload."""
    if files.crl is None:
        return frozenset()
    authorities = _certificates(files.trust, "the trust anchor")
    return frozenset(entry.serial_number for crl in _crls(files.crl, authorities) for entry in crl)


def good_until(files: TlsFiles) -> datetime:
    """When handshakes begin to fail: the own certificate or a revocation list is over. For health checks."""
    ends = [_certificates(files.certificate, "the certificate")[0].not_valid_after_utc]
    if files.crl is not None:
        lists = _crls(files.crl, _certificates(files.trust, "the trust anchor"))
        ends += [crl.next_update_utc for crl in lists if crl.next_update_utc is not None]
    return min(ends)


def _context(protocol: int, files: TlsFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = _VERSIONS[files.minimum]
    context.set_ciphers("@SECLEVEL=2:ECDHE+AESGCM")
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.check_hostname = protocol == ssl.PROTOCOL_TLS_CLIENT
    context.verify_mode = ssl.CERT_REQUIRED
    _load_own(context, files)
    _load_trust(context, files)
    return context


def _load_own(context: ssl.SSLContext, files: TlsFiles) -> None:
    leaf = _certificates(files.certificate, "the certificate")[0]
    if not leaf.not_valid_before_utc <= datetime.now(UTC) < leaf.not_valid_after_utc:
        raise ConfigurationError("the certificate is not valid today", location=str(files.certificate))
    _check_private(files.key)
    try:
        context.load_cert_chain(files.certificate, files.key, password=lambda: b"")
    except (OSError, ValueError):
        raise ConfigurationError(
            "the private key cannot be read or does not belong to the certificate",
            fix="give the unencrypted PEM key of that certificate",
            location=str(files.key),
        ) from None


def _load_trust(context: ssl.SSLContext, files: TlsFiles) -> None:
    authorities = _certificates(files.trust, "the trust anchor")
    try:
        context.load_verify_locations(cafile=files.trust)
        if not context.cert_store_stats()["x509_ca"]:
            raise ConfigurationError("the trust anchor holds no authority", location=str(files.trust))
        if files.crl is not None:
            _crls(files.crl, authorities)
            context.load_verify_locations(cafile=files.crl)
            context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    except OSError:
        raise ConfigurationError("the trust anchor cannot be loaded", location=str(files.trust)) from None


def _check_private(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except OSError:
        raise ConfigurationError("the private key is not there", location=str(path)) from None
    if stat.S_IMODE(mode) & 0o077:
        raise ConfigurationError("others may read the private key", fix="chmod 600", location=str(path))


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise ConfigurationError(f"{what} cannot be read", location=str(path)) from None


def _certificates(path: Path, what: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(_read(path, what))
    except ValueError:
        raise ConfigurationError(f"{what} holds no PEM certificate", location=str(path)) from None


def _crls(path: Path, authorities: list[x509.Certificate]) -> list[x509.CertificateRevocationList]:
    blocks = _CRL.findall(_read(path, "the revocation list"))
    if not blocks:
        raise ConfigurationError("the file holds no revocation list", location=str(path))
    try:
        lists = [x509.load_pem_x509_crl(block) for block in blocks]
    except ValueError:
        raise ConfigurationError("the revocation list is not PEM", location=str(path)) from None
    for crl in lists:
        _check_crl(crl, authorities, path)
    return lists


def _check_crl(crl: x509.CertificateRevocationList, authorities: list[x509.Certificate], path: Path) -> None:
    if not any(_signed(crl, authority) for authority in authorities):
        raise ConfigurationError("no trusted authority signed the revocation list", location=str(path))
    now = datetime.now(UTC)
    if crl.next_update_utc is None or not crl.last_update_utc <= now < crl.next_update_utc:
        raise ConfigurationError(
            "the revocation list is out of date", fix="fetch the current list", location=str(path)
        )


def _signed(crl: x509.CertificateRevocationList, authority: x509.Certificate) -> bool:
    key = authority.public_key()
    return crl.issuer == authority.subject and crl.is_signature_valid(key)  # type: ignore[arg-type]


def _alternative_names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    kinds = (
        ("DNS", x509.DNSName),
        ("IP", x509.IPAddress),
        ("URI", x509.UniformResourceIdentifier),
        ("email", x509.RFC822Name),
    )
    return tuple(f"{label}:{value}" for label, kind in kinds for value in names.get_values_for_type(kind))
