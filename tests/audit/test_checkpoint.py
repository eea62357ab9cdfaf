from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import checkpoint as checkpoints
from audit import notes
from audit.checkpoint import Checkpoint, CheckpointRefused
from audit.merkle import EMPTY
from audit.notes import Kind, Note, NoteRefused, Signature
from audit.primitives import check, signer
from audit.signing import Trust, message, opened, sign
from tests.audit.signers import AT, FIRST, HEAD, LATTICE, LOG, ORIGIN, SECOND, STRANGER, TRUST, checkpoint

EXAMPLE = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
SIGNED = f"""{EXAMPLE}
— example.com/behind-the-sofa \
Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— witness.example.com/w1 \
jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
"""
ROOT = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="


def test_the_example_of_the_specification_is_read_and_written() -> None:
    note = notes.parse(SIGNED.encode())
    found = checkpoints.parse(note.text)
    assert found == Checkpoint("example.com/behind-the-sofa", 20852163, base64.b64decode(ROOT))
    assert found.text == EXAMPLE
    log, witness = note.signatures
    assert (len(log.value), len(witness.value)) == (64, 72)
    assert int.from_bytes(witness.value[:8], "big") == 1679315147  # as the specification says the time


def test_the_message_of_a_cosignature_is_that_of_the_specification() -> None:
    said = message(FIRST.key, EXAMPLE, 1679315147).decode()
    assert said == f"cosignature/v1\ntime 1679315147\n{EXAMPLE}"
    assert message(LOG.key, EXAMPLE, 5).decode() == EXAMPLE


def test_the_message_of_ml_dsa_44_has_the_structure_of_the_specification() -> None:
    key = SECOND.key
    said = message(key, HEAD.text, AT)
    label, rest = said[:12], said[12:]
    name, origin = key.name.encode(), ORIGIN.encode()
    assert label == b"subtree/v1\n\x00"
    assert rest == (
        bytes([len(name)]) + name + AT.to_bytes(8, "big") + bytes([len(origin)]) + origin
        + bytes(8) + (10).to_bytes(8, "big") + HEAD.root
    )  # fmt: skip
    assert key.kind == 6
    assert len(LATTICE.signature(HEAD.text, AT).value) == 8 + 2420


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n\n",
        EXAMPLE[:-1],
        EXAMPLE + "\n",
        "\n" + EXAMPLE,
        EXAMPLE.replace("\n", "\r\n"),
        EXAMPLE.replace("sofa", "so\tfa"),
        EXAMPLE.replace("sofa\n", "sofa\n\n"),
        EXAMPLE.replace("example.com/behind-the-sofa", ""),
        f"o\n1\n{ROOT}",
        "o\n1\n",
        f"o\n\n{ROOT}\n",
        f"o\n1\n{ROOT}\n\n",
        f"o\n1\n{ROOT}\n\nx\n",
        f"o\n1\n{ROOT}\nx",
        *(
            f"o\n{size}\n{ROOT}\n"
            for size in ("01", "+1", "-1", " 1", "1 ", "1_0", "0x1", "1.0", "1e3", "٣", "x")
        ),
        *(f"o\n{size}\n{ROOT}\n" for size in (2**63, 2**64 - 1, 10**40, "9" * 5000)),
        *(
            f"o\n1\n{root}\n"
            for root in (ROOT[:-1], ROOT + "=", ROOT[:-2] + "J=", "AAAA", ROOT[4:], "AAAA" + ROOT)
        ),
        f"o\n0\n{ROOT}\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(CheckpointRefused):
        checkpoints.parse(text)


def test_the_smallest_and_the_largest_checkpoint_are_read() -> None:
    for head in (Checkpoint("o", 0, EMPTY), Checkpoint("o", 2**63 - 1, bytes(32), ("x", "y z"))):
        assert checkpoints.parse(head.text) == head


@given(st.text(alphabet="o0123\n+=A ", max_size=30), st.integers(0, len(EXAMPLE)))
def test_whatever_is_read_is_written_back_as_it_was(text: str, at: int) -> None:
    for whole in (text, EXAMPLE[:at] + text + EXAMPLE[at:], EXAMPLE[:at] + text):
        try:
            found = checkpoints.parse(whole)
        except CheckpointRefused:
            continue
        assert found.text == whole


@pytest.mark.parametrize(
    "head",
    [
        HEAD._replace(origin=""),
        HEAD._replace(origin="a\nb"),
        HEAD._replace(size=-1),
        HEAD._replace(size=2**63),
        HEAD._replace(root=b"short"),
        HEAD._replace(extensions=("",)),
        HEAD._replace(extensions=("a\nb",)),
        Checkpoint("o", 0, bytes(32)),
    ],
)
def test_what_could_not_be_read_is_not_signed(head: Checkpoint) -> None:
    with pytest.raises(CheckpointRefused):
        sign(head, [LOG], AT)


def test_a_checkpoint_of_the_log_with_its_witnesses_is_believed() -> None:
    found = opened(checkpoint(), TRUST, check)
    assert found.checkpoint == HEAD
    assert [(one.key.name, one.at) for one in found.signed] == [
        (ORIGIN, None),
        (ORIGIN, AT),
        (FIRST.key.name, AT),
        (SECOND.key.name, AT),
    ]
    assert opened(checkpoint(LOG), Trust(ORIGIN, (LOG.key,)), check).checkpoint == HEAD
    assert opened(checkpoint(LATTICE), Trust(ORIGIN, (LATTICE.key,)), check).checkpoint == HEAD


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (checkpoint(LOG, FIRST), "1 witnesses have cosigned; 2 are asked for"),
        (checkpoint(LOG, FIRST, FIRST), "1 witnesses have cosigned; 2 are asked for"),
        (checkpoint(LOG), "0 witnesses"),
        (checkpoint(FIRST, SECOND), "not signed by the log"),
        (checkpoint(STRANGER), "no signature of a known key"),
        (checkpoint(head=HEAD._replace(origin="ward.example/2025")), "another log"),
        (checkpoint()[:-1], "a note has"),
        (Note("hello\n", (LOG.signature("hello\n", 0),)).written(), "three lines"),
    ],
)
def test_a_checkpoint_that_is_not_to_be_believed_is_refused(raw: bytes, why: str) -> None:
    with pytest.raises((CheckpointRefused, NoteRefused), match=why):
        opened(raw, TRUST, check)


def test_two_keys_of_one_witness_are_one_witness() -> None:
    twin = signer(FIRST.key.name, Kind.ML_DSA_44, bytes([9] * 32))
    trust = TRUST._replace(witnesses=(FIRST.key, twin.key))
    with pytest.raises(CheckpointRefused, match="1 witnesses"):
        opened(checkpoint(LOG, FIRST, twin), trust, check)


def test_extension_lines_are_believed_only_where_a_key_of_the_log_signs_them() -> None:
    head = HEAD._replace(extensions=("more",))
    assert opened(checkpoint(LOG, FIRST, head=head), TRUST._replace(quorum=1), check).checkpoint == head
    with pytest.raises(CheckpointRefused, match="unsigned"):
        checkpoint(LATTICE, head=head)
    bare = notes.parse(checkpoint(LATTICE))  # a true signature, to which somebody adds a line
    forged = Note(bare.text + "more\n", bare.signatures).written()
    with pytest.raises(CheckpointRefused, match="has not signed"):
        opened(forged, Trust(ORIGIN, (LATTICE.key,)), check)


def test_the_time_of_a_cosignature_is_signed_too() -> None:
    note = notes.parse(checkpoint(LOG, FIRST, SECOND))
    for at in (1, 2):
        late = note.signatures[at]
        moved = (AT + 1).to_bytes(8, "big") + late.value[8:]
        lines = [*note.signatures]
        lines[at] = Signature(late.name, late.key_id, moved)
        with pytest.raises(NoteRefused, match="does not hold"):
            opened(Note(note.text, tuple(lines)).written(), TRUST, check)


@pytest.mark.parametrize("at", [-1, 2**63])
def test_a_time_that_no_cosignature_can_say_is_refused(at: int) -> None:
    for one in (FIRST, SECOND):
        with pytest.raises(CheckpointRefused, match="time"):
            one.signature(HEAD.text, at)


def test_a_name_too_long_for_ml_dsa_44_is_refused() -> None:
    head = HEAD._replace(origin="o" * 256)
    with pytest.raises(CheckpointRefused, match="255"):
        checkpoint(LATTICE, head=head)


def test_one_key_is_not_two_witnesses() -> None:
    alias = signer("alias.example/w", Kind.COSIGNATURE, bytes([3] * 32))
    with pytest.raises(CheckpointRefused, match="one key"):
        opened(checkpoint(LOG, FIRST, alias), TRUST._replace(witnesses=(FIRST.key, alias.key)), check)


def test_the_log_is_not_its_own_witness_and_a_witness_says_when() -> None:
    own = signer(ORIGIN, Kind.COSIGNATURE, bytes([9] * 32))
    disguised = signer(
        "other.example/w", Kind.COSIGNATURE, bytes([1] * 32)
    )  # the log's key under another name
    for witness in (own.key, disguised.key, STRANGER.key):
        with pytest.raises(CheckpointRefused, match="witness"):
            opened(checkpoint(), TRUST._replace(witnesses=(witness,), quorum=0), check)
