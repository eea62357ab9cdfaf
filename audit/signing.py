"""What is signed for each type of signature, and whose signatures make a checkpoint one to be believed.

Pure: the signature itself comes from, and goes to, a function that is given (``primitives`` has them).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from audit import checkpoint as checkpoints
from audit.checkpoint import Checkpoint, CheckpointRefused
from audit.merkle import LARGEST
from audit.notes import SIGNED, STAMP, Key, Kind, Note, NoteRefused, Signature, parse

Sign = Callable[[bytes], bytes]
Check = Callable[[Key, bytes, bytes], bool]  # key, signature, message

_SUBTREE: Final = b"subtree/v1\n\x00"


class Signer(NamedTuple):
    """A key and the way to sign with it: in this process or in a box of its own."""

    key: Key
    sign: Sign

    def signature(self, text: str, at: int) -> Signature:
        """A line below ``text`` (a checkpoint's, but for plain Ed25519). ``at``: POSIX seconds.

        Raises ``CheckpointRefused`` for a text that this type cannot sign: ML-DSA-44 says nothing about
        extension lines, so it does not sign a checkpoint that has any.
        """
        if self.key.kind is Kind.ML_DSA_44 and checkpoints.parse(text).extensions:
            raise CheckpointRefused("ML-DSA-44 would leave the extension lines unsigned")
        signed = self.sign(message(self.key, text, at))
        stamp = at.to_bytes(STAMP, "big") if self.key.kind.stamped else b""
        return Signature(self.key.name, self.key.id, stamp + signed)


class Signed(NamedTuple):
    """A signature that was checked. ``at``: the time it says, in POSIX seconds; None where it says none."""

    key: Key
    at: int | None


class Trust(NamedTuple):
    """Whom a reader believes, known from elsewhere than from what is read.

    ``keys``: the log's; one of them must have signed. ``witnesses``: who may have cosigned; ``quorum``: how
    many of them, counted by name, must have.
    """

    origin: str
    keys: tuple[Key, ...]
    witnesses: tuple[Key, ...] = ()
    quorum: int = 0


class Opened(NamedTuple):
    """A checkpoint that is to be believed, and who signed it."""

    checkpoint: Checkpoint
    signed: tuple[Signed, ...]


def message(key: Key, text: str, at: int) -> bytes:
    """The bytes that a key of this type signs for a text. Raises ``CheckpointRefused``."""
    if key.kind is Kind.ED25519:
        return text.encode("utf-8")
    if not 0 <= at <= LARGEST:
        raise CheckpointRefused("a time that no cosignature can say")
    if key.kind is Kind.COSIGNATURE:
        checkpoints.parse(text)
        return f"cosignature/v1\ntime {at}\n{text}".encode()
    head = checkpoints.parse(text)
    numbers = (part.to_bytes(8, "big") for part in (0, head.size))  # of a whole tree: from its first leaf
    return b"".join(
        (_SUBTREE, _short(key.name), at.to_bytes(8, "big"), _short(head.origin), *numbers, head.root)
    )


def _short(name: str) -> bytes:
    """``opaque<1..2^8-1>`` of RFC 8446 section 3.4."""
    said = name.encode("utf-8")
    if len(said) > 255:
        raise CheckpointRefused("a name of more than 255 bytes")
    return bytes([len(said)]) + said


def sign(head: Checkpoint, signers: Iterable[Signer], at: int) -> bytes:
    """A checkpoint as a signed note. ``at``: POSIX seconds, for the types that say a time."""
    text = head.text
    return Note(text, tuple(signer.signature(text, at) for signer in signers)).written()


def checked(note: Note, keys: Sequence[Key], check: Check) -> tuple[Signed, ...]:
    """The signatures of known keys; those of others are passed over.

    Raises ``NoteRefused`` where a known key's does not hold, or where there is none.
    """
    known = {(key.name, key.id): key for key in keys}
    found = []
    for signature in note.signatures:
        key = known.get((signature.name, signature.key_id))
        if key is not None:
            found.append(_held(key, signature, note.text, check))
    if not found:
        raise NoteRefused("no signature of a known key")
    return tuple(found)


def _held(key: Key, signature: Signature, text: str, check: Check) -> Signed:
    cut = STAMP if key.kind.stamped else 0
    stamp, value = signature.value[:cut], signature.value[cut:]
    at = int.from_bytes(stamp, "big")
    if len(value) != SIGNED[key.kind] or not check(key, value, message(key, text, at)):
        raise NoteRefused("the signature of a known key does not hold")
    return Signed(key, at if cut else None)


def opened(raw: bytes, trust: Trust, check: Check) -> Opened:
    """A signed checkpoint of the log that is trusted.

    Raises ``NoteRefused`` and ``CheckpointRefused``: no note, another log, no or bad signatures of the log,
    fewer witnesses than asked for, or lines that nobody of the log's keys has signed.
    """
    _coherent(trust)
    note = parse(raw)
    head = checkpoints.parse(note.text)
    if head.origin != trust.origin:
        raise CheckpointRefused("the checkpoint of another log")
    signed = checked(note, (*trust.keys, *trust.witnesses), check)
    own = [one.key.kind for one in signed if one.key in trust.keys]
    if not own:
        raise CheckpointRefused("not signed by the log")
    if head.extensions and set(own) == {Kind.ML_DSA_44}:
        raise CheckpointRefused("extension lines that the log has not signed")
    witnesses = {one.key.name for one in signed if one.key in trust.witnesses}
    if len(witnesses) < trust.quorum:
        raise CheckpointRefused(f"{len(witnesses)} witnesses have cosigned; {trust.quorum} are asked for")
    return Opened(head, signed)


def _coherent(trust: Trust) -> None:
    """Nobody is a witness of himself, and a witness says when."""
    if not all(key.kind.stamped for key in trust.witnesses):
        raise CheckpointRefused("a witness's key is one of a cosignature")
    pairs = [(own, one) for own in trust.keys for one in trust.witnesses]
    if any(own.name == one.name or own.public == one.public for own, one in pairs):
        raise CheckpointRefused("the log cannot be its own witness")
    names = {key.public: key.name for key in trust.witnesses}
    if any(names[key.public] != key.name for key in trust.witnesses):
        raise CheckpointRefused("two witnesses have one key")
