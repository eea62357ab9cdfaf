"""The signatures themselves: the one place of the audit package that needs ``cryptography``."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from audit.notes import Key, Kind, key
from audit.signing import Signer

SEED = 32  # bytes of a private key, of either algorithm


def signer(name: str, kind: Kind, seed: bytes) -> Signer:
    """A signer with a private key given by its seed (RFC 8032: 32 bytes; FIPS 204: 32 bytes).

    Raises ``ValueError`` for another length and ``NoteRefused`` for a name that a key cannot have.
    """
    if len(seed) != SEED:
        raise ValueError("a seed has 32 bytes")
    if kind is Kind.ML_DSA_44:
        lattice = MLDSA44PrivateKey.from_seed_bytes(seed)
        return Signer(key(name, kind, lattice.public_key().public_bytes_raw()), lattice.sign)
    curve = Ed25519PrivateKey.from_private_bytes(seed)
    return Signer(key(name, kind, curve.public_key().public_bytes_raw()), curve.sign)


def check(key: Key, signature: bytes, message: bytes) -> bool:
    """Whether a signature is that of the key over the message."""
    try:
        if key.kind is Kind.ML_DSA_44:
            MLDSA44PublicKey.from_public_bytes(key.public).verify(signature, message)
        else:
            Ed25519PublicKey.from_public_bytes(key.public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
