"""The certificates of a throw-away site (RFC 5280): an authority, its leaves, its revocation list.

Everything is ECDSA P-256 and lives for ``LIFE``; nothing here is meant to outlast a demonstration.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFE: Final = dt.timedelta(days=14)
_SKEW: Final = dt.timedelta(minutes=5)  # clocks of partners that run a little behind
_HOSTS: Final = (
    x509.DNSName("localhost"),
    x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    x509.IPAddress(ipaddress.ip_address("::1")),
)


def write_private(path: Path, content: bytes) -> None:
    """Write ``content`` where only the owner can read it, from the first byte on; never over a file."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), 0o600)  # whatever the umask is
        file.write(content)


class Authority:
    """A certificate authority that lives in ``folder`` as ``ca.pem`` and ``ca.key``."""

    def __init__(self, folder: Path, now: dt.datetime) -> None:
        self.folder, self.now = folder, now
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._own_certificate()
        (folder / "ca.pem").write_bytes(self.certificate.public_bytes(Encoding.PEM))
        write_private(folder / "ca.key", _pem(self.key))

    def issue(self, name: str, *, client_only: bool = False) -> x509.Certificate:
        """A leaf for ``name``, good for localhost; written as ``<name>.pem`` and ``<name>.key``."""
        key = ec.generate_private_key(ec.SECP256R1())
        uses = [ExtendedKeyUsageOID.CLIENT_AUTH]
        if not client_only:
            uses.insert(0, ExtendedKeyUsageOID.SERVER_AUTH)
        builder = (
            self._builder(name, key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
            .add_extension(x509.SubjectAlternativeName(_HOSTS), critical=False)
        )
        leaf = builder.sign(self.key, hashes.SHA256())
        (self.folder / f"{name}.pem").write_bytes(leaf.public_bytes(Encoding.PEM))
        write_private(self.folder / f"{name}.key", _pem(key))
        return leaf

    def publish_revocations(self, revoked: Iterable[x509.Certificate]) -> None:
        """Write ``crl.pem``, the list of ``revoked``; it replaces the list before it."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(self.now - _SKEW)
            .next_update(self.now + LIFE)
            .add_extension(x509.CRLNumber(int(self.now.timestamp())), critical=False)
            .add_extension(_issued_by(self.key.public_key()), critical=False)
        )
        for leaf in revoked:
            builder = builder.add_revoked_certificate(_revocation(leaf, self.now - _SKEW))
        signed = builder.sign(self.key, hashes.SHA256())
        (self.folder / "crl.pem").write_bytes(signed.public_bytes(Encoding.PEM))

    def _own_certificate(self) -> x509.Certificate:
        return (
            self._builder("authority", self.key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(signs_certificates=True), critical=True)
            .sign(self.key, hashes.SHA256())
        )

    def _builder(self, name: str, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(_subject(name))
            .issuer_name(_subject("authority"))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.now - _SKEW)
            .not_valid_after(self.now + LIFE)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(_issued_by(self.key.public_key()), critical=False)
        )


def fingerprint(pem: bytes) -> str:
    """``sha256:<hex>`` of the certificate in ``pem``, as a profile names a peer."""
    return f"sha256:{x509.load_pem_x509_certificate(pem).fingerprint(hashes.SHA256()).hex()}"


def _subject(name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Throw-away demo site"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )


def _issued_by(key: ec.EllipticCurvePublicKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key)


def _revocation(leaf: x509.Certificate, at: dt.datetime) -> x509.RevokedCertificate:
    return x509.RevokedCertificateBuilder().serial_number(leaf.serial_number).revocation_date(at).build()


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
