from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import audit
from audit import merkle, proofs
from audit.checkpoint import CheckpointRefused
from audit.merkle import ProofRefused
from audit.notes import NoteRefused, encoded
from audit.primitives import check
from audit.proofs import TlogProof
from tests.audit import naive
from tests.audit.signers import ENTRIES, FIRST, HEAD, LEAVES, LOG, ORIGIN, SECOND, TRUST, checkpoint

SIGNED = checkpoint()
SHORT = checkpoint(LOG, FIRST)  # without the large signatures
FEWER = TRUST._replace(quorum=1)


def _proof(index: int, signed: bytes = SIGNED) -> TlogProof:
    return TlogProof(index, tuple(naive.path(index, LEAVES)), signed)


@pytest.mark.parametrize("index", range(len(ENTRIES)))
def test_every_entry_is_proven_by_its_file(index: int) -> None:
    raw = _proof(index).written()
    assert proofs.parse(raw) == _proof(index)
    assert proofs.verify(raw, ENTRIES[index], TRUST, check).checkpoint == HEAD


def test_the_file_has_the_lines_of_the_specification() -> None:
    raw = _proof(3)._replace(extra=b"hello").written().decode()
    first, extra, index, *path = raw.partition("\n\n")[0].split("\n")
    assert (first, extra, index) == ("c2sp.org/tlog-proof@v1", "extra aGVsbG8=", "index 3")
    assert path == [encoded(one) for one in naive.path(3, LEAVES)]
    assert raw.partition("\n\n")[2] == SIGNED.decode()
    assert f"\n\n{ORIGIN}\n10\n" in raw


def test_a_log_of_one_entry_has_a_proof_without_hashes() -> None:
    head = HEAD._replace(size=1, root=LEAVES[0])
    raw = TlogProof(0, (), checkpoint(head=head)).written()
    assert b"index 0\n\n" in raw
    assert proofs.verify(raw, ENTRIES[0], TRUST, check).checkpoint == head


def test_extra_bytes_are_given_back_and_prove_nothing() -> None:
    proof = _proof(3)._replace(extra=b"\x00salt")
    assert proofs.parse(proof.written()).extra == b"\x00salt"
    proofs.verify(proof.written(), ENTRIES[3], TRUST, check)


def test_another_entry_another_place_and_another_way_are_refused() -> None:
    other = checkpoint(head=HEAD._replace(size=9, root=naive.mth(LEAVES[:9])))
    for proof, entry in (
        (_proof(3), ENTRIES[4]),
        (_proof(3), ENTRIES[3] + b" "),
        (_proof(3)._replace(leaf_index=2), ENTRIES[3]),
        (_proof(3)._replace(leaf_index=10), ENTRIES[3]),
        (_proof(3)._replace(leaf_index=2**63 - 1), ENTRIES[3]),
        (_proof(3)._replace(path=_proof(3).path[:-1]), ENTRIES[3]),
        (_proof(3)._replace(path=_proof(3).path * 2), ENTRIES[3]),
        (_proof(3)._replace(path=_proof(4).path), ENTRIES[3]),
        (_proof(3, other), ENTRIES[3]),
    ):
        with pytest.raises(ProofRefused):
            proofs.verify(proof.written(), entry, TRUST, check)


def test_a_true_way_to_a_root_that_nobody_signed_is_refused() -> None:
    raw = _proof(3, checkpoint(LOG)).written()
    with pytest.raises(CheckpointRefused, match="witnesses"):
        proofs.verify(raw, ENTRIES[3], TRUST, check)
    with pytest.raises(CheckpointRefused, match="not signed by the log"):
        proofs.verify(_proof(3, checkpoint(FIRST, SECOND)).written(), ENTRIES[3], TRUST, check)
    with pytest.raises(NoteRefused):
        proofs.verify(raw, ENTRIES[3], TRUST._replace(keys=(FIRST.key,), witnesses=()), check)


RAW = _proof(3)._replace(extra=b"x").written().decode()


@pytest.mark.parametrize(
    "spoilt",
    [
        "",
        "\n\n",
        RAW[:-1],
        RAW + "\n",
        RAW + "rest",
        RAW.replace("\n", "\r\n"),
        RAW.replace("@v1", "@v2"),
        RAW.replace("@v1", "@v1 "),
        "\n" + RAW,
        RAW.replace("extra eA==", "extra "),
        RAW.replace("extra eA==", "extra"),
        RAW.replace("extra eA==", "extra eB=="),
        RAW.replace("extra eA==", "Extra eA=="),
        RAW.replace("extra eA==", "extra eA==\nextra eA=="),
        RAW.replace("extra eA==\nindex 3", "index 3\nextra eA=="),
        RAW.replace("index 3", "index 03"),
        RAW.replace("index 3", "index -3"),
        RAW.replace("index 3", "index  3"),
        RAW.replace("index 3", "index 3 "),
        RAW.replace("index 3", f"index {2**63}"),
        RAW.replace("index 3", "index"),
        RAW.replace("index 3\n", ""),
        RAW.replace("index 3\n", "index 3\nindex 3\n"),
        RAW.replace("index 3\n", "index 3\n\n"),
        RAW.replace("index 3\n", "index 3\nAAAA\n"),
        RAW.replace("index 3\n", "index 3\n" + f"{encoded(bytes(32))}\n" * 62),
        RAW.partition("\n\n")[0],
        RAW.partition("\n\n")[0] + "\n\n",
        RAW.replace("extra eA==", "extra " + "AAAA" * (1 << 19)),
    ],
)
def test_what_is_no_proof_is_refused(spoilt: str) -> None:
    with pytest.raises(ProofRefused):
        proofs.parse(spoilt.encode())


def test_no_bit_of_a_proof_file_can_be_changed() -> None:
    raw = _proof(6, SHORT).written()
    proofs.verify(raw, ENTRIES[6], FEWER, check)
    held = []
    for at in range(len(raw)):
        for bit in range(8):
            spoilt = bytearray(raw)
            spoilt[at] ^= 1 << bit
            try:
                proofs.verify(bytes(spoilt), ENTRIES[6], FEWER, check)
            except (ProofRefused, NoteRefused, CheckpointRefused):
                continue
            held.append((at, bit))
    assert held == []


def test_a_proof_file_that_is_cut_short_anywhere_is_refused() -> None:
    raw = _proof(6, SHORT).written()
    for end in range(len(raw)):
        with pytest.raises((ProofRefused, NoteRefused, CheckpointRefused)):
            proofs.verify(raw[:end], ENTRIES[6], FEWER, check)


@given(st.text(alphabet="index era0123\n+=Aé", max_size=30), st.integers(0, 400))
def test_whatever_is_read_is_written_back_as_it_was(text: str, at: int) -> None:
    for whole in (text, RAW[:at] + text + RAW[at:], RAW[:at] + text + RAW[at + len(text) :]):
        try:
            proof = proofs.parse(whole.encode())
        except ProofRefused:
            continue
        assert proof.written() == whole.encode()


@pytest.mark.parametrize(
    "proof",
    [
        _proof(3)._replace(leaf_index=-1),
        _proof(3)._replace(leaf_index=2**63),
        _proof(3)._replace(path=(b"short",)),
        _proof(3)._replace(checkpoint=b"x"),
    ],
)
def test_what_could_not_be_read_is_not_written(proof: TlogProof) -> None:
    with pytest.raises(ProofRefused):
        proof.written()


PURE = ("merkle", "tiles", "notes", "checkpoint", "signing", "proofs")


@pytest.mark.parametrize("name", PURE)
def test_what_verifies_does_no_io_and_needs_only_the_standard_library(name: str) -> None:
    source = Path(audit.__file__).with_name(f"{name}.py").read_text()
    tree = ast.walk(ast.parse(source))
    named = {node.module or "" for node in tree if isinstance(node, ast.ImportFrom)}
    named |= {
        one.name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import) for one in node.names
    }
    outside = {"os", "io", "pathlib", "sqlite3", "socket", "time", "random", "secrets"}
    roots = {module.split(".")[0] for module in named}
    assert roots & outside == set()
    assert roots <= sys.stdlib_module_names | {"audit"}


def test_a_proof_is_checked_without_any_installed_package() -> None:
    """All but the signature, for which a function is given: here one that says yes."""
    program = (
        "import sys; from audit import proofs, notes, signing\n"
        "raw = open(0, 'rb').read()\n"
        f"key = notes.parse_key({str(LOG.key)!r})\n"
        f"proofs.verify(raw, {ENTRIES[3]!r}, signing.Trust({ORIGIN!r}, (key,)), lambda *_: True)\n"
        "assert not {'cryptography', 'sqlalchemy'} & set(sys.modules)\n"
    )
    root = Path(audit.__file__).parent.parent
    raw = _proof(3).written()
    done = subprocess.run(
        [sys.executable, "-S", "-c", program], input=raw, cwd=root, check=False, capture_output=True
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_many_proofs_under_one_checkpoint_check_its_signatures_once() -> None:
    for index, entry in enumerate(ENTRIES):
        proofs.included(_proof(index), entry, HEAD)
    with pytest.raises(ProofRefused):
        proofs.included(_proof(1), ENTRIES[0], HEAD)
    assert merkle.leaf_hash(ENTRIES[0]) == LEAVES[0]
