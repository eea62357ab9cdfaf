from __future__ import annotations

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import notes
from audit.notes import Key, Kind, Note, NoteRefused, Signature, decoded, encoded, named, parse, parse_key
from audit.primitives import check, signer
from audit.signing import Signed, checked
from tests.audit.signers import ALL, AT, HEAD, LATTICE, LOG, ORIGIN, STRANGER, checkpoint

# the example of Go's sumdb/note, where the format comes from
SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]  # behind its type
VERIFIER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
LINE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZIn"
    "NIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
POEM = """Ognuno sta solo sul cuor della terra
trafitto da un raggio di sole:

ed è subito sera.

— quasimodo.example/salvatore \
NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=
"""
GOOD = TEXT + "\n" + LINE


def test_the_known_key_makes_the_known_note() -> None:
    neumann = signer("PeterNeumann", Kind.ED25519, SEED)
    assert str(neumann.key) == VERIFIER
    assert neumann.key == parse_key(VERIFIER)
    made = Note(TEXT, (neumann.signature(TEXT, 0),)).written()
    assert made.decode() == GOOD
    assert checked(parse(made), [parse_key(VERIFIER)], check) == (Signed(neumann.key, None),)


def test_the_example_of_the_specification_is_read() -> None:
    note = parse(POEM.encode())
    assert note.text.endswith("sole:\n\ned è subito sera.\n")
    (signature,) = note.signatures
    assert (signature.name, signature.key_id) == ("quasimodo.example/salvatore", bytes.fromhex("367ba04b"))
    assert len(signature.value) == 64
    assert note.written() == POEM.encode()


@pytest.mark.parametrize(
    "spoilt",
    [
        "",
        "\n",
        "\n\n",
        "text\n",
        "text\n\n",
        TEXT + LINE,
        GOOD[:-1],
        GOOD + "\n",
        GOOD + "rest\n",
        GOOD + "x",
        GOOD.replace("— ", "- "),
        GOOD.replace("— ", "—"),
        GOOD.replace("— ", "—  "),
        GOOD.replace("Neumann ", "Neumann  "),
        GOOD.replace("PeterNeumann", "Peter Neumann"),
        GOOD.replace("PeterNeumann", "Peter+Neumann"),
        GOOD.replace("PeterNeumann", "Peter\N{NO-BREAK SPACE}Neumann"),
        GOOD.replace("PeterNeumann", "Peter\N{IDEOGRAPHIC SPACE}N"),
        GOOD.replace("PeterNeumann", ""),
        GOOD.replace("nAM=", "nAM"),
        GOOD.replace("nAM=", "nAN="),
        GOOD.replace("nAM=", "nAM=="),
        GOOD.replace("x08g", "x08-"),
        GOOD.replace("x08g", "x0 8g"),
        GOOD.replace("\n", "\r\n"),
        GOOD.replace("think", "th\tink"),
        GOOD.replace("think", "th\x00ink"),
        GOOD.replace("think", "th\x1fink"),
        GOOD.replace("nAM=\n", "nAM= \n"),
        GOOD + LINE[:-1] + " \n",
        TEXT + "\n— PeterNeumann x08gow==\n",
        TEXT + "\n— PeterNeumann\n",
        TEXT + "\n— PeterNeumann \n",
        GOOD + LINE * 100,
        "x" * (1 << 20) + GOOD,
        TEXT + "\n" + LINE + "\n" + LINE[:-1],
    ],
)
def test_what_is_no_note_is_refused(spoilt: str) -> None:
    with pytest.raises(NoteRefused):
        parse(spoilt.encode())


@pytest.mark.parametrize(
    "raw", [GOOD.encode("utf-16"), GOOD.encode("latin-1", "replace"), b"\xff" + GOOD.encode()]
)
def test_a_note_is_utf_8(raw: bytes) -> None:
    with pytest.raises(NoteRefused):
        parse(raw)


def test_a_hundred_signatures_are_read() -> None:
    assert len(parse((TEXT + "\n" + LINE * 100).encode()).signatures) == 100


@given(st.text(alphabet="a\n— +=AB\x00é\r", max_size=60).map(str.encode) | st.binary(max_size=60))
def test_whatever_is_read_is_written_back_as_it_was(raw: bytes) -> None:
    for whole in (raw, TEXT.encode() + raw, raw + GOOD.encode(), GOOD.encode() + raw):
        try:
            note = parse(whole)
        except NoteRefused:
            continue
        assert note.written() == whole


@given(st.integers(0, len(GOOD.encode()) - 1), st.integers(1, 255))
def test_no_byte_of_a_signed_note_can_be_changed(at: int, by: int) -> None:
    raw = bytearray(GOOD.encode())
    raw[at] ^= by
    with pytest.raises(NoteRefused):
        checked(parse(bytes(raw)), [parse_key(VERIFIER)], check)


@pytest.mark.parametrize("text", ["", "no end", "\x00\n", "a\ud800\n"])
def test_a_text_that_cannot_be_read_back_is_not_written(text: str) -> None:
    with pytest.raises(NoteRefused):
        Note(text, (Signature("n", bytes(4), b"s"),)).written()


@pytest.mark.parametrize(
    "name", ["", " ", "a b", "a+b", "a\n", "a\t", "\N{NO-BREAK SPACE}", "\u0085", "\u2028", "\ud800", "a\x00"]
)
def test_a_name_that_no_key_may_have_is_refused(name: str) -> None:
    with pytest.raises(NoteRefused):
        named(name)
    with pytest.raises(NoteRefused):
        signer(name, Kind.ED25519, bytes(32))


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.key.name + one.key.kind.name)
def test_a_key_is_read_as_it_is_written(one: notes.Key) -> None:
    assert parse_key(str(one.key)) == one.key
    assert re.fullmatch(r"[^+]+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+", str(one.key))


def test_name_type_and_public_key_all_go_into_the_id() -> None:
    key = LOG.key
    others = [
        key._replace(name="x"),
        key._replace(kind=Kind.COSIGNATURE),
        key._replace(public=bytes(32)),
        key,
    ]
    assert len({other.id for other in others}) == 4


@pytest.mark.parametrize(
    "written",
    [
        "",
        "PeterNeumann",
        VERIFIER + "=",
        VERIFIER[:-4],
        VERIFIER + "\n",
        VERIFIER.replace("c74f20a3", "c74f20a4"),
        VERIFIER.replace("c74f20a3", "C74F20A3"),
        VERIFIER.replace("c74f20a3", ""),
        VERIFIER.replace("Peter", "peter"),
        VERIFIER.replace("PeterNeumann", "Peter Neumann"),
        VERIFIER.replace("+AR", "+Ax"),
        VERIFIER.replace("+AR", "+/x"),
        "n+00000000+",
        "n+00000000+AQ==",
        "n+00000000+=",
    ],
)
def test_what_is_no_key_is_refused(written: str) -> None:
    with pytest.raises(NoteRefused):
        parse_key(written)


@given(st.text(max_size=80))
def test_a_key_is_read_only_as_it_would_be_written(written: str) -> None:
    for text in (written, VERIFIER + written, written + VERIFIER):
        try:
            key = parse_key(text)
        except NoteRefused:
            continue
        assert str(key) == text


@given(st.binary(min_size=1, max_size=80))
def test_base_64_has_one_form(value: bytes) -> None:
    text = encoded(value)
    assert decoded(text) == value
    for spoilt in (text.rstrip("="), text + "=", f" {text}", f"{text}\n", text.replace("+", "-")):
        if spoilt != text:
            with pytest.raises(NoteRefused):
                decoded(spoilt)


def test_signatures_of_unknown_keys_are_passed_over() -> None:
    note = parse(checkpoint(LOG, STRANGER, LATTICE))
    assert [one.key for one in checked(note, [LATTICE.key], check)] == [LATTICE.key]
    same_name = Key(ORIGIN, Kind.ED25519, STRANGER.key.public)
    assert checked(note, [same_name, LOG.key], check) == (Signed(LOG.key, None),)
    for known in ([], [same_name], [Key("x", *LOG.key[1:])]):
        with pytest.raises(NoteRefused, match="no signature of a known key"):
            checked(note, known, check)


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.key.name + one.key.kind.name)
def test_one_bad_signature_of_a_known_key_spoils_the_note(one: notes.Key) -> None:
    good = parse(checkpoint())
    keys = [signing.key for signing in ALL]
    stamps = [AT if key.kind.stamped else None for key in keys]
    assert checked(good, keys, check) == tuple(map(Signed, keys, stamps))
    (bad,) = (signature for signature in good.signatures if signature.key_id == one.key.id)
    value = bad.value
    spoilt = [value[:-1], value + b"\x00", b"x", value[1:], bytes(len(value)), value[::-1]]
    spoilt += [value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :] for at in range(0, len(value), 41)]
    for other in spoilt:
        line = bad._replace(value=other)
        lines = tuple(line if signature is bad else signature for signature in good.signatures)
        with pytest.raises(NoteRefused, match="does not hold"):
            checked(good._replace(signatures=lines), keys, check)
        with pytest.raises(NoteRefused, match="does not hold"):  # beside the good one as well
            checked(good._replace(signatures=(*good.signatures, line)), keys, check)


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.key.name + one.key.kind.name)
def test_a_signature_of_another_length_does_not_even_get_to_the_check(one: notes.Key) -> None:
    (good,) = parse(checkpoint(one)).signatures
    for value in (good.value[:-1], good.value + b"\x00", good.value[:8]):
        note = Note(HEAD.text, (good._replace(value=value),))
        with pytest.raises(NoteRefused, match="does not hold"):
            checked(note, [one.key], lambda *_: True)


def test_a_seed_and_a_public_key_have_their_length() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        signer("n", Kind.ED25519, bytes(31))
    for kind in Kind:
        with pytest.raises(NoteRefused, match="public key of type"):
            notes.key("n", kind, bytes(31))
    assert not check(Key("n", Kind.ML_DSA_44, bytes(5)), b"", b"")
    assert not check(Key("n", Kind.ED25519, bytes(5)), bytes(64), b"")
