"""What a witness answers: each status of tlog-witness, and that it never cosigns two ways of one log."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import notes, witness
from audit.checkpoint import Checkpoint
from audit.merkle import EMPTY
from audit.notes import Kind, NoteRefused
from audit.primitives import signer
from audit.signing import sign
from audit.witness import SIZE, Answer, Log, Request
from audit.witness_state import KEPT, REFUSED
from tests.audit import naive
from tests.audit.signers import AT, FIRST, LATTICE, LOG, ORIGIN, SECOND, STRANGER
from tests.audit.witness_site import FORK, LEAVES, believed, body, note, request
from tests.audit.witness_site import witness as one

CONFLICT = (409, SIZE)


def test_a_log_that_grows_is_cosigned_step_by_step(tmp_path: Path) -> None:
    with one(tmp_path / "state") as asked:
        old = 0
        for size in (0, 1, 1, 2, 7, 8, 24, 24):
            sent = body(old, size)
            assert believed(sent, asked.add(sent)) == Checkpoint(ORIGIN, size, naive.mth(LEAVES[:size]))
            old = size


def test_who_does_not_know_what_was_seen_is_told(tmp_path: Path) -> None:
    with one(tmp_path / "state") as asked:
        assert asked.add(body(3, 8)) == Answer(409, SIZE, b"0\n")
        assert asked.add(body(0, 8)).status == 200
        assert asked.add(body(0, 24)) == Answer(409, SIZE, b"8\n")
        assert asked.add(body(9, 24)) == Answer(409, SIZE, b"8\n")
        assert asked.add(body(8, 24)).status == 200


def test_a_fork_signed_with_the_real_key_is_not_cosigned(tmp_path: Path) -> None:
    with one(tmp_path / "state") as asked:
        assert asked.add(body(0, 8)).status == 200
        assert asked.add(body(8, 24, FORK)).status == 422
        assert asked.add(body(8, 8, FORK)) == Answer(409, SIZE, b"8\n")
        assert asked.add(body(8, 24)).status == 200


def test_before_the_fork_both_ways_are_the_same_and_after_it_only_one_is_cosigned(tmp_path: Path) -> None:
    with one(tmp_path / "state") as asked:
        assert asked.add(body(0, 5, FORK)).status == 200
        assert asked.add(body(5, 6, FORK)).status == 200
        assert asked.add(body(6, 7, LEAVES)).status == 422


REFUSED_AS: dict[str, tuple[int, bytes]] = {
    "nothing": (400, b""),
    "no blank line": (400, b"old 0\n"),
    "no old size": (400, b"new 0\n\n" + note(3)),
    "a leading zero": (400, b"old 00\n\n" + note(3)),
    "a negative size": (400, b"old -1\n\n" + note(3)),
    "a proof that is no hash": (400, b"old 0\nAAAA\n\n" + note(3)),
    "a proof of 64 lines": (400, Request(0, (EMPTY,) * 64, note(3)).written()),
    "not ASCII": (400, "old ٠\n\n".encode() + note(3)),
    "CRLF": (400, body(0, 3).replace(b"\n", b"\r\n")),
    "no note": (400, b"old 0\n\n" + note(3)[:-1]),
    "no checkpoint": (400, b"old 0\n\nward.example/2026\n3\n\n" + note(3).partition(b"\n\n")[2]),
    "an old size above the new one": (400, body(4, 3)),
    "another log": (404, b"old 0\n\n" + note(3, origin="other.example/2026")),
    "another year": (404, b"old 0\n\n" + note(3, origin="ward.example/2027")),
    "another's signature": (403, body(0, 3, signer=STRANGER)),
    "the log's name, another's key": (403, body(0, 3, signer=signer(ORIGIN, Kind.ED25519, bytes([9] * 32)))),
    "a signature that does not hold": (403, body(0, 3).replace(b"\n3\n", b"\n2\n")),
    "a proof from nothing": (422, Request(0, (EMPTY,), note(3)).written()),
}


@pytest.mark.parametrize("case", REFUSED_AS)
def test_what_is_refused_has_its_status_and_leaves_the_state(case: str, tmp_path: Path) -> None:
    status, sent = REFUSED_AS[case]
    with one(tmp_path / "state") as asked:
        answer = asked.add(sent)
        assert (answer.status, answer.kind) == (status, witness.PLAIN)
        assert b"ward" not in answer.content
        assert asked.add(body(0, 1)).status == 200


@pytest.mark.parametrize("spoil", ["shorter", "longer", "another", "for the same size"])
def test_a_proof_that_does_not_prove_it_is_422(spoil: str, tmp_path: Path) -> None:
    good = request(7, 20)
    proof = {
        "shorter": good.proof[:-1],
        "longer": (*good.proof, EMPTY),
        "another": (EMPTY, *good.proof[1:]),
        "for the same size": good.proof,
    }[spoil]
    sent = good._replace(proof=proof)
    if spoil == "for the same size":
        sent = sent._replace(note=note(7))
    with one(tmp_path / "state") as asked:
        asked.add(body(0, 7))
        assert asked.add(sent.written()).status == 422
        assert asked.add(good.written()).status == 200


def test_signatures_of_strangers_are_passed_over_and_not_kept(tmp_path: Path) -> None:
    head = Checkpoint(ORIGIN, 3, naive.mth(LEAVES[:3]))
    sent = b"old 0\n\n" + sign(head, [STRANGER, LOG], AT)
    with one(tmp_path / "state") as asked:
        assert asked.add(sent).status == 200
    (kept,) = (tmp_path / "state").glob("*.checkpoint")
    assert [line.name for line in notes.parse(kept.read_bytes()).signatures] == [
        ORIGIN,
        FIRST.key.name,
        SECOND.key.name,
    ]


def test_extension_lines_are_cosigned_by_the_key_that_can_say_them(tmp_path: Path) -> None:
    head = Checkpoint(ORIGIN, 3, naive.mth(LEAVES[:3]), ("more",))
    sent = b"old 0\n\n" + sign(head, [LOG], AT)
    with one(tmp_path / "both") as asked:
        (line,) = witness.cosignatures(asked.add(sent).content)
        assert line.name == FIRST.key.name
    with one(tmp_path / "lattice", (SECOND,)) as asked:
        assert asked.add(sent).status == 400


def test_what_the_log_signed_and_a_witness_refused_is_put_aside_within_bounds(tmp_path: Path) -> None:
    with one(tmp_path / "state") as asked:
        asked.add(body(0, 8))
        for size in range(9, 9 + KEPT):
            asked.add(body(8, size, FORK))
        asked.add(body(8, 8, FORK))
        asked.add(body(8, 8, FORK))
        asked.add(body(8, 9, FORK, STRANGER))
    kept = list((tmp_path / "state" / REFUSED).iterdir())
    assert len(kept) == KEPT
    assert body(8, 9, FORK) in {path.read_bytes() for path in kept}


def test_a_disk_that_fails_is_500_and_nothing_is_cosigned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    with one(tmp_path / "state", told=told) as asked:
        with monkeypatch.context() as patch:
            patch.setattr("audit.witness_state.os.fsync", _broken)
            answer = asked.add(body(0, 8))
        assert (answer.status, notes_in(answer)) == (500, 0)
        assert told[0] == f"{ORIGIN}: not kept: OSError"
        assert asked.add(body(0, 7, FORK)).status == 200  # nobody has the other's cosignature
        assert asked.add(body(7, 8)).status == 422


def _broken(descriptor: int) -> None:
    raise OSError(5, "the disk")


def notes_in(answer: Answer) -> int:
    try:
        return len(witness.cosignatures(answer.content))
    except NoteRefused:
        return 0


def test_a_log_of_every_year_is_known_by_one_key() -> None:
    log = Log("ward.example/*", (LOG.key, LATTICE.key))
    assert log.keys_of(ORIGIN) == (LOG.key, LATTICE.key)
    assert [key.name for key in log.keys_of("ward.example/2031")] == ["ward.example/2031"] * 2
    for other in (
        "ward.example/",
        "ward.example/20266",
        "ward.example/a/2026",
        "b.ward.example/2026",
        "2026",
    ):
        assert log.keys_of(other) == ()


def test_a_log_named_alone_counts_before_all_years_of_its_site() -> None:
    young = signer("ward.example/2027", Kind.ED25519, bytes([7] * 32))
    logs = (Log("ward.example/*", (LOG.key,)), Log("ward.example/2027", (young.key,)))
    check = lambda key, signature, message: True  # noqa: E731
    asked = witness.read(b"old 0\n\n" + note(3, signer=young, origin="ward.example/2027"), logs, check)
    assert asked.head.size == 3
    old = signer("ward.example/2027", Kind.ED25519, bytes([1] * 32))  # the key of all other years
    with pytest.raises(witness.Refused) as refused:
        witness.read(b"old 0\n\n" + note(3, signer=old, origin="ward.example/2027"), logs, check)
    assert refused.value.status == 403


steps = st.lists(
    st.tuples(st.booleans(), st.integers(0, 24), st.integers(0, 24), st.booleans()), min_size=1, max_size=12
)


@settings(max_examples=60, deadline=None)
@given(steps)
def test_whatever_is_asked_in_whatever_order_no_two_cosigned_checkpoints_disagree(
    asked: list[tuple[bool, int, int, bool]],
) -> None:
    with TemporaryDirectory() as folder, one(Path(folder) / "state", (FIRST,)) as held:
        cosigned: list[Checkpoint] = []
        for forked, old, size, told in asked:
            leaves = FORK if forked else LEAVES
            last = cosigned[-1].size if cosigned else 0
            sent = body(last if told else old, size, leaves)
            answer = held.add(sent)
            if answer.status == 200:
                cosigned.append(believed(sent, answer, (FIRST,)))
    sizes = [head.size for head in cosigned]
    assert sizes == sorted(sizes)
    ways = [all(head.root == naive.mth(way[: head.size]) for head in cosigned) for way in (LEAVES, FORK)]
    assert any(ways)


def test_many_at_once_are_answered_one_after_the_other(tmp_path: Path) -> None:
    """Two ways of one log, asked from many threads: one of them wins, and only that one."""
    with one(tmp_path / "state", (FIRST,)) as held:
        held.add(body(0, 5))
        answers: list[tuple[bytes, Answer]] = []
        sent = [body(5, size, way) for size in range(6, 20) for way in (LEAVES, FORK)]
        threads = [Thread(target=lambda one=one: answers.append((one, held.add(one)))) for one in sent]  # type: ignore[misc]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        good = [believed(sent, answer, (FIRST,)) for sent, answer in answers if answer.status == 200]
    assert len(good) == 1


def test_a_request_is_written_as_it_is_read() -> None:
    for old, size in ((0, 3), (3, 20), (7, 7)):
        assert witness.parse(body(old, size)) == request(old, size)


def test_the_example_of_the_specification_is_read() -> None:
    sent = """old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+=
""".encode()
    read = witness.parse(sent)
    assert (read.old, len(read.proof)) == (20852014, 4)
    assert read.written() == sent
