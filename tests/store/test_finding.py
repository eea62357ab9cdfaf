"""Messages are found by blind index, and the index says nothing to who has the file."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

from audit import Tag
from connector.store import About, Kind, Outgoing, Store
from connector.store.finding import normal
from tests.store.site import ANSWER, LINK, NOW, TO_FHIR, draft, new_store, number, received, rows

SYSTEM = "https://stv.example/mrn"


async def take(store: Store, control_id: str, *about: About) -> int:
    one = dataclasses.replace(received(control_id), about=frozenset(about))
    return (await store.accept(one, ANSWER, [draft()])).id


async def found(store: Store, kind: Kind, value: str, authority: str = "", **more: int) -> list[int]:
    taken, _ = await store.about([About(kind, value, authority)], [draft()], **more)
    return [one.id for one in taken]


async def test_a_message_is_found_by_each_of_its_identifiers(store: Store, tmp_path: Path) -> None:
    first = await take(store, "1", About(Kind.MRN, "abc", SYSTEM), About(Kind.ACCOUNT, "7"))
    second = await take(store, "2", About(Kind.MRN, "ABC ", "urn:id:OTHER"), About(Kind.ACCESSION, "7"))
    assert await found(store, Kind.MRN, " aBc") == [first, second]
    assert await found(store, Kind.MRN, "abc", SYSTEM) == [first]
    assert await found(store, Kind.MRN, "abc", "urn:id:NONE") == []
    assert await found(store, Kind.ACCOUNT, "7") == [first]
    assert await found(store, Kind.ACCESSION, "7") == [second]
    assert await found(store, Kind.CONTROL_ID, "7") == []
    assert await found(store, Kind.MRN, "abc", after=first) == [second]
    assert await found(store, Kind.MRN, "abc", limit=1) == [first]
    assert number(tmp_path, "audit_entry") == 2 + 8


async def test_what_the_translation_learns_is_found_too_and_made_messages_with_it(store: Store) -> None:
    row = await take(store, "1", About(Kind.MRN, "1"))
    out = Outgoing(b"made", {}, (), frozenset({About(Kind.MRN, "2")}))
    await store.translated(row, [out], [], [], [], [About(Kind.MRN, "3")])
    for value in ("1", "2", "3"):
        taken, made = await store.about([About(Kind.MRN, value)], [draft()])
        assert [one.id for one in taken] == [row]
        assert [one.inbox_id for one in made] == [row]


async def test_a_duplicate_adds_nothing_and_a_copy_is_found_as_its_original(
    store: Store, tmp_path: Path
) -> None:
    row = await take(store, "1", About(Kind.MRN, "1"))
    assert await take(store, "1", About(Kind.MRN, "2")) == row
    assert await found(store, Kind.MRN, "2") == []
    await store.untranslatable(row, "DataTypeFault", [draft()])
    copy = await store.revise(row, b"mended", NOW, [draft(Tag.OPERATOR_MESSAGE_EDITED)])
    assert await found(store, Kind.MRN, "1") == [row, copy]


async def test_what_is_forgotten_is_found_no_more(store: Store, tmp_path: Path) -> None:
    row = await take(store, "1", About(Kind.MRN, "1"))
    await store.translated(row, [], [], [], [])
    assert await store.prune(LINK, TO_FHIR, NOW.replace(year=2030), 9, [draft()]) == 1
    assert await found(store, Kind.MRN, "1") == []
    assert number(tmp_path, "blind_index") == 0


async def test_the_index_holds_no_digest_that_can_be_made_without_the_key(tmp_path: Path) -> None:
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        store = new_store(folder)
        await take(store, "1", About(Kind.MRN, "1"), About(Kind.ACCOUNT, "1"))
        await store.close()
    indexes = [rows(tmp_path / name, "SELECT value, qualified FROM blind_index") for name in ("a", "b")]
    values = [value for one in indexes for row in one for value in row]
    assert len(set(values)) == 8  # another key in each store, of each kind, with and without authority
    assert {len(value) for value in values} == {16}
    assert hashlib.sha256(b"1").digest()[:16] not in values


def test_values_are_compared_as_people_write_them() -> None:
    assert normal(" ab\u00e9\u2460 ") == normal("AB\u00c91")
    assert normal("007") != normal("7")
