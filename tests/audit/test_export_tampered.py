"""What is done to an export or a log is found: by the export alone, by an earlier one, or by a witness."""

from __future__ import annotations

import json
import os
import random
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from audit.entry import Tag
from audit.export import Head
from audit.merkle import leaf_hash
from audit.notes import Kind
from audit.primitives import signer
from audit.selection import Selection
from tests.audit.exported import PROGRAMS, WITNESS, Log, Program, between, checked, day, operator, small
from tests.audit.tampering import Contents, chained, changed, contents, flipped, rebuilt, with_entries
from tests.faults.full import FULL

EVERY = 1 if FULL else 199  # a prime: sampled bytes fall into all parts
THIEF = signer(day().shard.origin, Kind.ED25519, bytes([66] * 32))

program = pytest.mark.parametrize("check", PROGRAMS, ids=lambda one: one.__name__)


def _entries() -> list[bytes]:
    return contents(small())["entries.ndjson"].splitlines()


def _put(folder: Path, raw: bytes, name: str = "x.zip") -> Path:
    path = folder / name
    path.write_bytes(raw)
    return path


# --- without the key ----------------------------------------------------------------------------------


def _undetected(where: tuple[Path, int, int]) -> list[str]:
    folder, start, step = where
    raw, missed = small(), []
    path = folder / f"{start}.zip"
    for at in range(start, len(raw), step):
        path.write_bytes(flipped(raw, at))
        found = [(check.__name__, check(path)) for check in PROGRAMS]
        if not all(one.code == 1 for _, one in found) or len({one.bad for _, one in found}) > 1:
            missed.append(f"byte {at}: {[(name, one.code, one.bad) for name, one in found]}")
    return missed


@pytest.mark.timeout(3600 if FULL else 300)
def test_no_byte_can_be_changed(tmp_path: Path) -> None:
    if not FULL:
        assert _undetected((tmp_path, 7, EVERY)) == []
        return
    workers = min(4, os.cpu_count() or 1)
    with ProcessPoolExecutor(workers) as pool:
        found = list(pool.map(_undetected, [(tmp_path, start, workers) for start in range(workers)]))
    print(f"{len(small())} bytes flipped, each in turn, by {len(PROGRAMS)} programs")
    assert [one for part in found for one in part] == []


@pytest.mark.timeout(3600 if FULL else 300)
def test_no_piece_can_be_cut_out_put_in_or_moved(tmp_path: Path) -> None:
    chance, raw, path = random.Random(6962), small(), tmp_path / "x.zip"
    for _ in range(20_000 if FULL else 100):
        a, b, c = sorted(chance.randrange(len(raw)) for _ in range(3))
        forged = chance.choice(
            (
                raw[:a] + raw[b:],
                raw[:a] + raw[b:c] + raw[a:b] + raw[c:],
                raw[:b] + raw[a:b] + raw[b:],
                raw[:a] + chance.randbytes(min(b - a, 40)) + raw[min(b, a + 40) :],
                raw[:a],
                raw[a:],
            )
        )
        if forged != raw:
            path.write_bytes(forged)
            assert checked(path).code == 1


def _leaves(said: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The ways to every value of a manifest; of its members, to those of the first and the last."""
    if isinstance(said, dict):
        return [way, *(leaf for name, one in said.items() for leaf in _leaves(one, (*way, name)))]
    if isinstance(said, list):
        some = {0, len(said) - 1} & {*range(len(said))}
        return [way, *(leaf for at in some for leaf in _leaves(said[at], (*way, at)))]
    return [way]


def test_a_manifest_of_another_form_is_refused_and_not_stumbled_over(tmp_path: Path) -> None:
    """By who has the key, so that its signature holds."""
    key, path, odd = (
        day().signer(day().shard.origin),
        tmp_path / "x.zip",
        [None, -1, "x", [], {}, 1 << 80, True],
    )
    ways = [way for way in _leaves(json.loads(contents(small())["manifest.json"])) if way]
    for at, way in enumerate(ways):
        for value in odd if FULL else odd[at % 7 :: 4]:

            def change(manifest: dict[str, Any], way: tuple[Any, ...] = way, value: Any = value) -> None:
                place: Any = manifest
                for step in way[:-1]:
                    place = place[step]
                place[way[-1]] = value

            path.write_bytes(rebuilt(small(), key, said=change))
            assert checked(path).code in (0, 1)  # 0: what was made, why, and whatever else proves nothing


@program
def test_no_byte_can_be_taken_away_or_added_at_the_end(check: Program, tmp_path: Path) -> None:
    for raw in (small()[:-1], small() + b"\0", small()[1:], b"\0" + small(), small()[:1000], b""):
        assert check(_put(tmp_path, raw)).code == 1


@program
def test_an_entry_whose_bytes_are_changed_is_named(check: Program, tmp_path: Path) -> None:
    lines = _entries()
    lines[3] = lines[3].replace(b'"success"', b'"refused"')
    found = check(_put(tmp_path, with_entries(small(), THIEF, lines)))
    assert (found.code, found.bad) == (1, 103)


@program
def test_an_export_with_another_key_throughout_is_found_by_who_knows_the_key(
    check: Program, tmp_path: Path
) -> None:
    forged = Log(tmp_path)
    forged.fill(20)
    path = forged.file()
    assert check(path).code == 0
    assert "anybody can make an export" in check(path).report
    assert check(path, keys=[forged.public]).code == 0
    assert check(path, keys=[day().public]).code == 1


# --- with the real key: the manifest fits, the tree does not -------------------------------------------


def _is_found(check: Program, folder: Path, lines: list[bytes], bad: int | None) -> None:
    forged = with_entries(small(), day().signer(day().shard.origin), lines)
    found = check(_put(folder, forged))
    assert (found.code, found.bad) == (1, bad), found.report


@program
def test_what_is_only_packed_again_is_good(check: Program, tmp_path: Path) -> None:
    same = with_entries(small(), day().signer(day().shard.origin), _entries())
    assert check(_put(tmp_path, same)).code == 0


@program
def test_an_entry_that_is_removed(check: Program, tmp_path: Path) -> None:
    lines = _entries()
    _is_found(check, tmp_path, lines[:2] + lines[3:], 102)
    _is_found(check, tmp_path, chained(lines[:2] + lines[3:]), 102)


@program
def test_entries_cut_off_at_an_end(check: Program, tmp_path: Path) -> None:
    key = day().signer(day().shard.origin)
    for lines in (_entries()[1:], _entries()[:-1]):
        found = check(_put(tmp_path, with_entries(small(), key, lines)))
        assert found.code == 1
        assert "range" in found.report


@program
def test_entries_in_another_order(check: Program, tmp_path: Path) -> None:
    lines = _entries()
    lines[2], lines[3] = lines[3], lines[2]
    _is_found(check, tmp_path, lines, 102)
    _is_found(check, tmp_path, chained(lines), 102)


@program
def test_an_entry_that_comes_twice(check: Program, tmp_path: Path) -> None:
    lines = _entries()
    _is_found(check, tmp_path, [*lines[:4], lines[3], *lines[4:]], 104)


@program
def test_an_entry_with_another_time(check: Program, tmp_path: Path) -> None:
    lines = _entries()
    lines[1] = changed(lines[1], time="2026-11-23T00:00:01.000Z")
    _is_found(check, tmp_path, lines, 101)
    _is_found(check, tmp_path, chained(lines), 101)


@program
def test_an_entry_of_another_log(check: Program, tmp_path: Path) -> None:
    lines = _entries()
    lines.append(changed(lines[-1], seq=107, previous=leaf_hash(lines[-1]).hex()))
    _is_found(check, tmp_path, lines, 107)


@program
@pytest.mark.parametrize(
    ("name", "was", "now", "bad"),
    [
        ("entries.csv", b'"success"', b'"refused"', True),
        ("entries.csv", b"\r\n", b"\n", None),
        ("neighbours.ndjson", b'"success"', b'"refused"', None),
        ("log/2026/tile/0/000", b"", b"x", None),
    ],
)
def test_a_form_that_does_not_say_what_the_entries_say(
    check: Program, tmp_path: Path, name: str, was: bytes, now: bytes, bad: object
) -> None:
    def change(held: Contents) -> None:
        assert was in held[name]
        held[name] = held[name].replace(was, now, 1)

    found = check(_put(tmp_path, rebuilt(small(), day().signer(day().shard.origin), change)))
    assert found.code == 1
    assert (found.bad is not None) == bool(bad) or name.startswith("log")


@program
def test_a_proof_that_is_another(check: Program, tmp_path: Path) -> None:
    def change(held: Contents) -> None:
        name = "proofs/000000100-000000106.zip"
        held[name] = held[name].replace(b"index 103\n", b"index 104\n")

    found = check(_put(tmp_path, rebuilt(small(), day().signer(day().shard.origin), change)))
    assert found.code == 1


@program
@pytest.mark.parametrize("name", ["../x", "/x", "entries.NDJSON", "log/2026/tile/0/../../keys", "notes.txt"])
def test_a_file_that_does_not_belong(check: Program, tmp_path: Path, name: str) -> None:
    key = day().signer(day().shard.origin)
    forged = rebuilt(small(), key, lambda held: held.update({name: b"x"}))
    assert check(_put(tmp_path, forged)).code == 1


@program
def test_a_file_that_comes_twice(check: Program, tmp_path: Path) -> None:
    """Some programs show the first of them, others the last."""
    key = day().signer(day().shard.origin)
    forged = rebuilt(small(), key, lambda held: held.update({"entries.csw": b"seq\r\n"}))
    found = check(_put(tmp_path, forged.replace(b"entries.csw", b"entries.csv")))
    assert found.code == 1
    assert "comes twice" in found.report


@program
def test_what_is_hidden_behind_the_list_of_files(check: Program, tmp_path: Path) -> None:
    for hidden in (small()[:-2] + b"\x04\0note", small() + small(), small()[:-22] + b"note" + small()[-22:]):
        assert check(_put(tmp_path, hidden)).code == 1


@program
def test_a_range_that_says_it_is_another(check: Program, tmp_path: Path) -> None:
    key = day().signer(day().shard.origin)

    def wider(manifest: dict[str, object]) -> None:
        manifest["asked"] = {**manifest["asked"], "from": "2026-11-23T00:00:00Z"}  # type: ignore[dict-item]

    found = check(_put(tmp_path, rebuilt(small(), key, said=wider)))
    assert found.code == 1
    assert "the range is cut" in found.report


@program
def test_a_bomb_is_not_unpacked(check: Program, tmp_path: Path) -> None:
    key = day().signer(day().shard.origin)

    def small_said(manifest: dict[str, object]) -> None:
        for one in manifest["members"]:
            one["size"] = 100 if one["name"] == "entries.csv" else one["size"]

    raw = rebuilt(small(), key, lambda held: held.update({"entries.csv": b"\0" * (1 << 26)}), small_said)
    assert check(_put(tmp_path, raw)).code == 1


# --- with the real key, and another log ----------------------------------------------------------------


def _two(folder: Path) -> tuple[Log, Path]:
    log = Log(folder)
    log.fill(30)
    log.cosign()
    return log, log.file(name="earlier.zip")


def _forked(folder: Path, log: Log, **change: str) -> Log:
    """A log that the owner of the key wrote again, with other or fewer entries."""
    (folder / "fork").mkdir()
    fork = Log(folder / "fork")
    fork.key.path.write_bytes(log.key.path.read_bytes())
    fork.key.path.chmod(0o600)
    fork.fill(int(change.pop("count", "40")), **change)
    return fork


@program
def test_a_log_that_went_on_continues_the_earlier_export(check: Program, tmp_path: Path) -> None:
    log, earlier = _two(tmp_path)
    heads = log.plan().heads
    log.add([operator(Tag.AUDIT_VIEWED, "2026-11-24T00:00:00Z", what=str(n)) for n in range(300)])
    later = log.file(Selection("2026-11-24T00:00:00Z", tag="audit"), heads)
    found = check(later, earlier, [log.public])
    assert found.code == 0, found.report
    assert "continues the 30 entries" in found.report
    blind = check(log.file(Selection(tag="nothing")), earlier)
    assert blind.code == 0


@program
def test_without_the_tiles_for_it_nothing_is_said_to_continue(check: Program, tmp_path: Path) -> None:
    log, earlier = _two(tmp_path)
    log.add([operator(Tag.AUDIT_VIEWED, "2026-11-24T00:00:00Z", what=str(n)) for n in range(600)])
    log.cosign()
    blind = check(log.file(Selection(tag="nothing")), earlier)
    assert blind.code == 2
    assert "is not in the export" in blind.report
    assert "could NOT be compared" in blind.report


@program
def test_a_log_that_was_cut_is_found_by_the_earlier_export(check: Program, tmp_path: Path) -> None:
    log, earlier = _two(tmp_path)
    cut = _forked(tmp_path, log, count="20").file()
    assert check(cut, keys=[log.public]).code == 0
    found = check(cut, earlier, [log.public])
    assert found.code == 1
    assert "it was cut" in found.report


@program
def test_a_log_that_was_forked_is_found_by_the_earlier_export(check: Program, tmp_path: Path) -> None:
    log, earlier = _two(tmp_path)
    fork = _forked(tmp_path, log, reason="Rewritten").file()
    assert check(fork, keys=[log.public]).code == 0
    found = check(fork, earlier, [log.public])
    assert found.code == 1
    assert "rewritten, or there are two" in found.report


@program
def test_a_log_that_was_forked_or_cut_is_found_by_the_witness(check: Program, tmp_path: Path) -> None:
    log, good = _two(tmp_path)
    assert check(good, witnesses=[WITNESS.key]).code == 0
    fork = _forked(tmp_path, log, count="20").file()
    found = check(fork, witnesses=[WITNESS.key])
    assert found.code == 1
    assert "has signed none of its heads" in found.report


@program
def test_entries_behind_what_the_witness_signed_are_named(check: Program, tmp_path: Path) -> None:
    log, _ = _two(tmp_path)
    log.add([operator(Tag.AUDIT_VIEWED, "2026-11-24T00:00:00Z", what="x")])
    path = tmp_path / "later.zip"
    from audit import export
    from tests.audit.exported import MADE, SOURCE

    plan = log.plan(least=31)
    path.write_bytes(b"".join(export.stream(plan, MADE, log.signer, SOURCE)))
    found = check(path, witnesses=[WITNESS.key])
    assert (found.code, found.bad) == (1, 31)


@program
def test_the_earlier_export_of_another_log_compares_with_nothing(check: Program, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Log(tmp_path / "other")
    other.fill(10)
    found = check(_put(tmp_path, small()), other.file())
    assert found.code == 1


@program
def test_a_filtered_export_proves_what_it_shows_and_says_what_it_may_hide(
    check: Program, tmp_path: Path
) -> None:
    found = check(_put(tmp_path, day().exported(Selection(tag="message"))), keys=[day().public])
    assert found.code == 0
    assert "FILTERED export" in found.report
    assert "nothing was left out" not in found.report


def test_a_head_that_is_not_of_this_log_is_no_use_as_an_earlier_one() -> None:
    one = [Head("nobody/2026", 7)]
    assert contents(day().exported(between(100, 106), one)).keys() == contents(small()).keys()
    assert json.loads(contents(small())["manifest.json"])["first"] == 100
