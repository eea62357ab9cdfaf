"""A small certificate authority for tests: real X.509, made in memory, ECDSA P-256 throughout.

ca = Authority("Test CA")
cert_pem, key_pem = ca.issue("hospital", sans=["localhost"], ip=["127.0.0.1"])
crl_pem = ca.crl(revoked=[serial_of(cert_pem)])
site = ca.write(tmp_path, "hospital")          # the files as a site would hold them
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = timedelta(days=1)
_SIGNS = ("key_cert_sign", "crl_sign")
_USES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


@dataclass(frozen=True)
class SiteFiles:
    """Where ``Authority.write`` put things. ``crl`` is the authority's list at that time."""

    certificate: Path
    key: Path
    trust: Path
    crl: Path


class Authority:
    """A certificate authority with its own key; ``pem`` is what others put in their trust store."""

    def __init__(self, name: str = "Test CA", *, days: int = 30, talks: bool = False) -> None:
        """``talks``: its certificate may be shown in a handshake too, as that of ``openssl req -x509``."""
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._crl_number = 0
        builder = self._builder(self.name, self._key.public_key(), _now(), days)
        self.certificate = (
            builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(*_SIGNS, *(["digital_signature"] if talks else [])), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    @property
    def pem(self) -> bytes:
        """The authority's own certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The authority's private key, for a site that goes on issuing by itself."""
        return _key_pem(self._key)

    def issue(
        self,
        name: str,
        *,
        sans: Sequence[str] = (),
        ip: Sequence[str] = (),
        server: bool = True,
        client: bool = True,
        days: int = 30,
        not_before: datetime | None = None,
        extra: Sequence[x509.ExtensionType] = (),
    ) -> tuple[bytes, bytes]:
        """A leaf certificate for ``name`` and its private key, both PEM (key: PKCS#8, not encrypted).

        ``extra``: further extensions, such as malformed ones.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = self._builder(subject, key.public_key(), not_before or _now(), days)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_key_usage("digital_signature"), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage(_extended(server, client)), critical=False)
        names = [x509.DNSName(san) for san in sans] + [x509.IPAddress(ip_address(text)) for text in ip]
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        for extension in extra:
            builder = builder.add_extension(extension, critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        return certificate.public_bytes(serialization.Encoding.PEM), _key_pem(key)

    def sign(self, name: x509.Name, key: CertificatePublicKeyTypes, sans: Sequence[str] = ()) -> bytes:
        """A leaf certificate for a key of any kind, PEM."""
        builder = self._builder(name, key, _now(), 30)
        names = x509.SubjectAlternativeName([x509.DNSName(san) for san in sans])
        certificate = builder.add_extension(names, critical=False).sign(self._key, hashes.SHA256())
        return certificate.public_bytes(serialization.Encoding.PEM)

    def intermediate(self, below: Authority) -> x509.Certificate:
        """A certificate of another authority's name and key, signed by this one."""
        builder = self._builder(below.name, below.certificate.public_key(), _now(), 30)
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        return builder.add_extension(constraints, critical=True).sign(self._key, hashes.SHA256())

    def crl(
        self,
        revoked: Iterable[int] = (),
        *,
        last_update: datetime | None = None,
        next_update: datetime | None = None,
        extra: Sequence[x509.ExtensionType] = (),
    ) -> bytes:
        """A revocation list (PEM) of these serial numbers, good for a week unless told otherwise.

        ``extra``: further extensions, critical ones.
        """
        self._crl_number += 1
        since = last_update or _now() - timedelta(hours=1)
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.name)
            .last_update(since)
            .next_update(next_update or since + 7 * DAY)
            .add_extension(x509.CRLNumber(self._crl_number), critical=False)
            .add_extension(self._authority_key_identifier(), critical=False)
        )
        for extension in extra:
            builder = builder.add_extension(extension, critical=True)
        for serial in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(since).build()
            builder = builder.add_revoked_certificate(entry)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def write(
        self,
        folder: Path,
        name: str,
        *,
        sans: Sequence[str] = ("localhost",),
        ip: Sequence[str] = ("127.0.0.1",),
        server: bool = True,
        client: bool = True,
    ) -> SiteFiles:
        """Issue for ``name`` and write ``name.pem``, ``name.key`` (0600), ``ca.pem`` and ``crl.pem``."""
        certificate, key = self.issue(name, sans=sans, ip=ip, server=server, client=client)
        files = SiteFiles(
            folder / f"{name}.pem", folder / f"{name}.key", folder / "ca.pem", folder / "crl.pem"
        )
        files.certificate.write_bytes(certificate)
        write_private(files.key, key)
        files.trust.write_bytes(self.pem)
        if not files.crl.exists():
            files.crl.write_bytes(self.crl())
        return files

    def _builder(
        self, subject: x509.Name, key: CertificatePublicKeyTypes, start: datetime, days: int
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(start - timedelta(hours=1))
            .not_valid_after(start + days * DAY)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(self._authority_key_identifier(), critical=False)
        )

    def _authority_key_identifier(self) -> x509.AuthorityKeyIdentifier:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())


def serial_of(certificate_pem: bytes) -> int:
    """The serial number, as ``Authority.crl`` takes it."""
    return x509.load_pem_x509_certificate(certificate_pem).serial_number


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, from its first byte on."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def _now() -> datetime:
    return datetime.now(UTC)


def _key_usage(*uses: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{use: use in uses for use in _USES})


def _extended(server: bool, client: bool) -> list[x509.ObjectIdentifier]:
    kinds = [(server, ExtendedKeyUsageOID.SERVER_AUTH), (client, ExtendedKeyUsageOID.CLIENT_AUTH)]
    return [usage for wanted, usage in kinds if wanted]


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
