"""TLS contexts, made to fail closed, and who the peer of a connection is.

Sources: IHE ITI TF-2 3.19 (Authenticate Node, "BCP195 TLS" options), BCP 195 (RFC 9325), RFC 5280.
TLS 1.2 is the floor, ECDHE with AES-GCM the only suites there (TLS 1.3 brings its own; ITI-19's DHE suites
where a group is given), both ends show a certificate, and nobody resumes a session: a resumed session skips
the look at the revocation list. What OpenSSL has verified is then judged by ``trust``, within the handshake.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from weakref import WeakSet

from cryptography import x509

from connector.edges import anchors
from connector.edges import certificates as pem
from connector.edges.anchors import Anchors, TrustFiles
from connector.edges.trust import Party, PeerRefused, Speakers, Trust, Version
from connector.errors import ConfigurationError, UntrustedPeer

_VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_SUITES: Final = "@SECLEVEL=2:ECDHE+AESGCM"
_DER: Final = 2  # _ssl.ENCODING_DER


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The files of one end of a connection, all PEM.

    ``certificate``: the own chain, leaf first; ``key``: its private key, which only its owner may read;
    ``trust``: the authorities that may vouch for the other end, and no others; ``crl``: their revocation
    lists in one file, or None where the authority publishes none; ``minimum``: the lowest TLS version;
    ``pinned``: certificates that are taken as they are; ``required``: without lists nothing starts;
    ``group``: Diffie-Hellman parameters, with which the DHE suites are spoken too.
    """

    certificate: Path
    key: Path
    trust: Path | None
    crl: Path | None = None
    minimum: Version = "1.2"
    pinned: Path | None = None
    required: bool = False
    group: Path | None = None

    @property
    def trusted(self) -> TrustFiles:
        """Those that say who may vouch."""
        return TrustFiles(self.trust, self.crl, self.pinned, self.required)


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end, as its verified certificate says.

    ``fingerprint``: ``sha256:<hex>`` of the certificate; ``subject``: RFC 4514; ``sans``: ``DNS:name``,
    ``IP:address``, ``URI:...``, ``email:...``; ``address``: ``ip:port``; ``chain``: as it was verified, leaf
    first; ``version``: of TLS, as OpenSSL names it.
    """

    fingerprint: str
    subject: str
    sans: tuple[str, ...]
    serial: int
    not_after: datetime
    address: str
    chain: tuple[x509.Certificate, ...] = field(default=(), repr=False, compare=False)
    version: str = field(default="", compare=False)

    @classmethod
    def of(cls, connection: ssl.SSLObject | ssl.SSLSocket, address: str) -> Peer:
        """The peer of a connection after its handshake. Raises UntrustedPeer without a certificate."""
        encoded = connection.getpeercert(binary_form=True)
        if not encoded:
            raise UntrustedPeer("the peer shows no certificate")
        try:
            chain = getattr(connection, "chain", ()) or chain_of(connection)
            leaf = chain[0] if chain else x509.load_der_x509_certificate(encoded)
            return cls.shown(leaf, address, chain, connection.version() or "")
        except ValueError:
            raise UntrustedPeer("the certificate of the peer cannot be read") from None

    @classmethod
    def shown(
        cls,
        leaf: x509.Certificate,
        address: str,
        chain: Sequence[x509.Certificate] = (),
        version: str = "",
    ) -> Peer:
        """The holder of a certificate. Raises ValueError where it cannot be read."""
        return cls(
            fingerprint=pem.fingerprint_of(leaf),
            subject=leaf.subject.rfc4514_string(),
            sans=pem.alternative_names(leaf),
            serial=leaf.serial_number,
            not_after=leaf.not_valid_after_utc,
            address=address,
            chain=tuple(chain),
            version=version,
        )


def chain_of(connection: Any) -> tuple[x509.Certificate, ...]:
    """The chain of a connection as OpenSSL has verified it, leaf first; empty where there is none.

    Python shows it from 3.13 on; before, only the object beneath does. Raises ValueError.
    """
    public = getattr(connection, "get_verified_chain", None)
    if public is not None:
        return tuple(x509.load_der_x509_certificate(one) for one in public() or ())
    found = connection._sslobj.get_verified_chain() or ()
    return tuple(x509.load_der_x509_certificate(one.public_bytes(_DER)) for one in found)


class Context(ssl.SSLContext):
    """A context whose handshakes end with the question whether ``trust`` admits the peer.

    ``live``: the connections made with it that are still there.
    """

    trust: Trust
    live: WeakSet[Any]

    @classmethod
    def of(cls, protocol: int, trust: Trust) -> Context:
        """A context for one side that knows nobody but ``trust``, without a certificate of its own."""
        made = cls(protocol)
        made.sslobject_class, made.sslsocket_class = _GuardedObject, _GuardedSocket
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        made.set_ciphers(_SUITES)
        made.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
        made.verify_mode = ssl.CERT_REQUIRED
        made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_TRUSTED_FIRST
        made.live = WeakSet()
        made.believe(trust)
        return made

    def believe(self, trust: Trust) -> None:
        """Judge by this from now on. What OpenSSL trusted before it goes on trusting; ``trust`` does not."""
        self.trust = trust
        encoded = b"".join(dict.fromkeys(one for held in trust.anchors for one in held.encoded()))
        if encoded:
            self.load_verify_locations(cadata=encoded)


class _Guarded:
    """Ends a handshake that resumes a session, and one whose peer ``trust`` does not admit.

    ``OP_NO_TICKET`` leaves the session ids of TLS 1.2 alive and Python cannot switch that cache off.
    Ending the handshake here also drops the session from the cache: the peer's next attempt is a full one.
    """

    chain: tuple[x509.Certificate, ...] = ()

    def do_handshake(self, *given: Any) -> None:
        super().do_handshake(*given)  # type: ignore[misc]
        judge(self)


def judge(connection: Any) -> None:
    """Look at a connection after its handshake. Raises SSLError (PeerRefused)."""
    if connection.server_side and connection.session_reused:
        raise ssl.SSLError(ssl.SSL_ERROR_SSL, "a session may not be resumed")
    context: Context = connection.context
    try:
        connection.chain = chain_of(connection)
        context.trust.admit(connection.chain, connection.version())
    except PeerRefused:
        raise
    except ValueError:
        raise PeerRefused("the certificate of the peer cannot be read") from None
    context.live.add(connection)


class _GuardedObject(_Guarded, ssl.SSLObject):
    """What asyncio and anyio speak through."""


class _GuardedSocket(_Guarded, ssl.SSLSocket):
    """What blocking clients speak through."""


def server_context(files: TlsFiles, trust: Trust | None = None) -> Context:
    """A context for listening that asks every peer for a certificate. Raises ConfigurationError.

    ``trust``: who may come; left out: everybody for whom the files vouch.
    """
    context = _context(ssl.PROTOCOL_TLS_SERVER, files, trust or Trust(anchors.load(files.trusted)))
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_SINGLE_ECDH_USE | ssl.OP_SINGLE_DH_USE
    context.num_tickets = 0
    if files.group is not None:
        _load_group(context, files.group)
    return context


def client_context(files: TlsFiles, trust: Trust | None = None) -> Context:
    """A context for connecting: own certificate shown, host name checked. Raises ConfigurationError.

    ``trust``: whom we talk to; left out: everybody for whom the files vouch. A pinned certificate is known by
    itself, so then no host name is looked at.
    """
    trust = trust or whom_we_call(anchors.load(files.trusted), files.minimum)
    return _context(ssl.PROTOCOL_TLS_CLIENT, files, trust)


def whom_we_call(
    held: Anchors, minimum: Version = "1.2", certificates: frozenset[str] = frozenset(), name: str = ""
) -> Trust:
    """Trust in the one whom we call. ``certificates``: fingerprints, one of which it must show."""
    speakers = Speakers(certificates=certificates, anybody=True)
    return Trust(None, [Party(name, held, speakers, minimum)])


def revoked_serials(files: TlsFiles) -> frozenset[int]:
    """The serial numbers that the revocation lists name."""
    lists = anchors.load(files.trusted).lists.values()
    return frozenset(serial for one in lists for serial in one.serials)


def good_until(files: TlsFiles) -> datetime:
    """When handshakes begin to fail: the own certificate or a revocation list is over. For health checks."""
    own = pem.certificates(files.certificate, "the certificate")[0].not_valid_after_utc
    return min(own, anchors.load(files.trusted).until() or own)


def _load_group(context: ssl.SSLContext, path: Path) -> None:
    """OpenSSL refuses groups under 2,048 bits at this security level, as RFC 9325 (4.1) asks."""
    try:
        context.load_dh_params(str(path))
    except OSError:
        raise ConfigurationError(
            "this is no Diffie-Hellman group of 2,048 bits",
            fix="make one: openssl dhparam -out FILE 2048",
            location=str(path),
        ) from None


def _context(protocol: int, files: TlsFiles, trust: Trust) -> Context:
    context = Context.of(protocol, trust)
    context.minimum_version = _VERSIONS[files.minimum]
    if files.group is not None:
        context.set_ciphers(f"{_SUITES}:DHE+AESGCM")
    pinned = all(party.anchors.pinned or party.speakers.certificates for party in trust.parties)
    context.check_hostname = protocol == ssl.PROTOCOL_TLS_CLIENT and not (trust.parties and pinned)
    pem.check_own(files.certificate, files.key)
    try:
        context.load_cert_chain(files.certificate, files.key, password=lambda: b"")
    except (OSError, ValueError):
        raise pem.no_key(files.key) from None
    return context
