"""Certificates, private keys and revocation lists as files hold them (PEM), read whole or refused.

A file that holds a begun block without its end, as one that is just being written, is refused: half of a
revocation list is no list. Sources: RFC 5280, RFC 7468.
"""

from __future__ import annotations

import re
import stat
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization

from connector.errors import ConfigurationError

_CRL: Final = re.compile(rb"-----BEGIN X509 CRL-----.+?-----END X509 CRL-----", re.DOTALL)
_KINDS: Final = (
    ("DNS", x509.DNSName),
    ("IP", x509.IPAddress),
    ("URI", x509.UniformResourceIdentifier),
    ("email", x509.RFC822Name),
)


def certificates(path: Path, what: str) -> tuple[x509.Certificate, ...]:
    """All certificates of a file, in its order. Raises ConfigurationError, also for half a certificate."""
    content = read(path, what)
    try:
        found = tuple(x509.load_pem_x509_certificates(content))
    except ValueError:
        raise ConfigurationError(f"{what} holds no PEM certificate", location=str(path)) from None
    if len(found) != content.count(b"-----BEGIN CERTIFICATE-----"):
        raise ConfigurationError(f"{what} breaks off in a certificate", location=str(path))
    return found


def pinned(path: Path) -> tuple[x509.Certificate, ...]:
    """The certificates of a file of pinned ones. Raises ConfigurationError."""
    return certificates(path, "the file of pinned certificates")


def authorities(path: Path) -> tuple[x509.Certificate, ...]:
    """The certificates of a trust anchor. Raises ConfigurationError where none of them is an authority."""
    found = certificates(path, "the trust anchor")
    if not any(is_authority(one) for one in found):
        raise ConfigurationError("the trust anchor holds no authority", location=str(path))
    return tuple(one for one in found if is_authority(one))


def revocation_lists(path: Path) -> tuple[x509.CertificateRevocationList, ...]:
    """The lists of a file, whoever signed them. Raises ConfigurationError; also for what we cannot judge.

    A delta list, an indirect one and one of a part of the certificates say less than they seem to.
    """
    content = read(path, "the revocation list")
    blocks = _CRL.findall(content)
    if not blocks:
        raise ConfigurationError("the file holds no revocation list", location=str(path))
    if len(blocks) != content.count(b"-----BEGIN X509 CRL-----"):
        raise ConfigurationError("the revocation list breaks off", location=str(path))
    try:
        lists = tuple(x509.load_pem_x509_crl(block) for block in blocks)
        whole = all(_whole(one) for one in lists)
    except ValueError:
        raise ConfigurationError("the revocation list is not PEM", location=str(path)) from None
    if not whole:
        raise ConfigurationError(
            "the revocation list is a delta, indirect or partial one",
            fix="fetch the full list",
            location=str(path),
        )
    return lists


def check_own(certificate: Path, key: Path) -> x509.Certificate:
    """Our own leaf certificate, valid today, with the key that belongs to it and that nobody else may read.

    Raises ConfigurationError.
    """
    leaf = certificates(certificate, "the certificate")[0]
    if not valid(leaf, datetime.now(UTC)):
        raise ConfigurationError("the certificate is not valid today", location=str(certificate))
    check_private(key)
    try:
        private = serialization.load_pem_private_key(read(key, "the private key"), None)
        belongs = _encoded(private.public_key()) == _encoded(leaf.public_key())
    except (ValueError, TypeError):
        belongs = False
    if not belongs:
        raise no_key(key)
    return leaf


def no_key(key: Path) -> ConfigurationError:
    """What is said of a key that does not serve."""
    return ConfigurationError(
        "the private key cannot be read or does not belong to the certificate",
        fix="give the unencrypted PEM key of that certificate",
        location=str(key),
    )


def check_private(path: Path) -> None:
    """Raises ConfigurationError for a file that is not there or that others may read."""
    try:
        mode = path.stat().st_mode
    except OSError:
        raise ConfigurationError("the private key is not there", location=str(path)) from None
    if stat.S_IMODE(mode) & 0o077:
        raise ConfigurationError("others may read the private key", fix="chmod 600", location=str(path))


def read(path: Path, what: str) -> bytes:
    """The bytes of a file. Raises ConfigurationError."""
    try:
        return path.read_bytes()
    except OSError:
        raise ConfigurationError(f"{what} cannot be read", location=str(path)) from None


def fingerprint(encoded: bytes) -> str:
    """``sha256:<hex>`` of a certificate in DER."""
    return f"sha256:{sha256(encoded).hexdigest()}"


def fingerprint_of(certificate: x509.Certificate) -> str:
    """``sha256:<hex>`` of a certificate."""
    return fingerprint(certificate.public_bytes(serialization.Encoding.DER))


def valid(certificate: x509.Certificate, at: datetime) -> bool:
    """Whether a certificate is neither of tomorrow nor over."""
    return certificate.not_valid_before_utc <= at < certificate.not_valid_after_utc


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether it may issue others, as its basic constraints say; without them it is of version 1 and may."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return certificate.issuer == certificate.subject
    except ValueError:
        return False


def issued(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """Whether the authority's key signed the certificate in the authority's name."""
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def signed(crl: x509.CertificateRevocationList, authority: x509.Certificate) -> bool:
    """Whether the authority's key signed the list in the authority's name."""
    if crl.issuer != authority.subject:
        return False
    try:
        return crl.is_signature_valid(authority.public_key())  # type: ignore[arg-type]
    except (ValueError, TypeError):
        return False


def alternative_names(certificate: x509.Certificate) -> tuple[str, ...]:
    """``DNS:name``, ``IP:address``, ``URI:...``, ``email:...`` of a certificate."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(f"{label}:{value}" for label, kind in _KINDS for value in names.get_values_for_type(kind))


def _encoded(key: object) -> bytes:
    encoded: bytes = key.public_bytes(  # type: ignore[attr-defined]
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return encoded


def _whole(crl: x509.CertificateRevocationList) -> bool:
    """Whether every certificate of its signer that is not on it is good."""
    kinds = {type(one.value) for one in crl.extensions}
    odd = {x509.DeltaCRLIndicator, x509.IssuingDistributionPoint}
    critical = any(
        one.critical and not isinstance(one.value, x509.CRLNumber | x509.AuthorityKeyIdentifier)
        for one in crl.extensions
    )
    return not (kinds & odd or critical)
