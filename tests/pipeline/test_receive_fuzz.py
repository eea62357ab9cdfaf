"""Whatever comes in a frame: nothing is raised, what is answered fits into a frame, and the books balance."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from connector.hl7v2 import batch, envelope
from connector.hl7v2.tree import Message
from connector.mllp import frame
from connector.store import Store
from tests.pipeline.site import TO_FHIR, Cycle, message, peer

PIECES = (
    *(bytes([code]) for code in b"\r\n\x0b\x1c\xff\x00|^~\\&"),
    *(b"MSH|^~\\&|", b"MSH#", b"BHS|^~\\&|", b"BTS|1\r", b"FHS|^~\\&|\r", b"FTS|1\r", b"MSA|AA|1\r", b"ACK"),
    *(b"\xef\xbb\xbf", b"\xff\xfe", b"PID|1||", b'""'),
)


def mangled(chance: random.Random, number: int) -> bytes:
    """A few good messages, with or without an envelope, in which something is out of place."""
    texts = [
        message(
            f"F{number}-{n}",
            msh={
                13: chance.choice(["", "0", "-1", str(number)]),
                15: chance.choice(["", "AL", "NE"]),
                16: "AL",
            },
        )
        for n in range(chance.randint(1, 3))
    ]
    whole = "".join(texts)
    if chance.random() < 0.5:
        whole = f"BHS|^~\\&|A\r{whole}BTS|{chance.choice(['', len(texts), 9])}\r"
    content = bytearray(whole.encode("utf-16" if chance.random() < 0.1 else "utf-8"))
    for _ in range(chance.randint(0, 4)):
        at = chance.randrange(len(content) + 1)
        content[at : at + chance.choice([0, 0, 1, 30])] = chance.choice(PIECES)
    return bytes(content)


@pytest.mark.parametrize("rule", ["ignored", "where sent"])
async def test_anything_in_a_frame_is_taken_or_refused_and_never_raises(
    store: Store, tmp_path: Path, rule: str
) -> None:
    cycle, chance = Cycle(store, tmp_path, numbers=rule), random.Random(7)
    for number in range(150):
        content = mangled(chance, number)
        answer = await cycle.v2.receive(content, peer())
        if answer:
            frame(answer)
            read = envelope.read(answer)
            assert read.faults == (), content
            parts = [one for found in read.batches for one in found.messages]
            assert all(_acknowledges(part) for part in parts), content
    counts = await cycle.counts(TO_FHIR)
    assert counts.reconciled
    assert counts.received + counts.refused + counts.quarantined + counts.duplicates > 100


def _acknowledges(part: bytes) -> bool:
    text = part.decode("utf-16" if part[:2] in batch.MARKS else "latin-1")
    return Message.parse(text).first("MSA") is not None
