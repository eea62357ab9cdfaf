from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.errors import JournalMoved
from connector.store import JournalEntry, Outgoing, Saw, Store
from tests.store.site import LINK, NOW, TO_FHIR, head, number, open_store, take

_NUMBER = iter(range(10**9))


def entry(
    key: str, content: bytes | None, message: bytes | None = None, family: str = "ADT", link: str = LINK
) -> JournalEntry:
    return JournalEntry(link, key, content, message, family if message is not None else "")


async def remember(store: Store, *entries: JournalEntry) -> None:
    row = (await take(store, f"j{next(_NUMBER)}")).id
    await store.translated(row, [], [], entries, [])


async def test_the_latest_content_is_known_and_absent_keys_are_not(store: Store) -> None:
    await remember(store, entry("Patient/a", b"1"), entry("Patient/b", b"2"))
    await remember(store, entry("Patient/a", b"3"))
    assert await store.resources(LINK, ["Patient/a", "Patient/b", "Patient/c"]) == {
        "Patient/a": b"3",
        "Patient/b": b"2",
    }
    assert await store.resource(LINK, "Patient/a") == b"3"
    assert await store.resource(LINK, "Patient/c") is None
    assert await store.resources(LINK, []) == {}


async def test_any_number_of_keys_can_be_asked_for_at_once(store: Store) -> None:
    known = {f"Observation/{n}": str(n).encode() for n in range(100)}
    await remember(store, *(entry(key, content) for key, content in known.items()))
    asked = [*known, *(f"Observation/absent-{n}" for n in range(50))]
    assert await store.resources(LINK, asked) == known
    assert await store.resources(LINK, [*known, *known]) == known


@pytest.mark.parametrize("known", [b"1", None])
@pytest.mark.parametrize("meanwhile", [b"1", b"2", None])
async def test_what_was_read_is_not_written_over_once_it_was_written_again(
    store: Store, known: bytes | None, meanwhile: bytes | None
) -> None:
    await remember(store, entry("Patient/a", known))
    saw: Saw = {}
    await store.resources(LINK, ["Patient/a", "Patient/b"], saw)
    await remember(store, entry("Patient/a", meanwhile))
    if known is meanwhile is None:
        await store.remember([entry("Patient/a", b"3")], saw=saw)
        return
    row = (await take(store, "late")).id
    made, written = [Outgoing(b"made over what was", {})], [entry("Patient/a", b"3")]
    with pytest.raises(JournalMoved):
        await store.translated(row, made, [], written, [], saw=saw)
    assert await store.resource(LINK, "Patient/a") == meanwhile
    assert [one.id for one in await store.pending(LINK, TO_FHIR, 9)] == [row]  # it is translated again
    await store.remember([entry("Patient/b", b"3")], saw=saw)  # which nobody wrote


async def test_what_was_not_read_may_be_written_over(store: Store) -> None:
    await remember(store, entry("Patient/a", b"1"))
    await store.remember([entry("Patient/a", b"2")])
    assert await store.resource(LINK, "Patient/a") == b"2"


async def test_what_was_deleted_is_known_no_more_but_its_words_are(store: Store) -> None:
    await remember(store, entry("Patient/a", b"1", b"MSH|1"))
    await remember(store, entry("Patient/a", None))
    assert await store.resource(LINK, "Patient/a") is None
    assert await store.prior_message(LINK, "Patient/a", "ADT") == b"MSH|1"


async def test_links_do_not_see_each_other(store: Store) -> None:
    await remember(store, entry("Patient/a", b"1", b"MSH|1"))
    assert await store.resource("other", "Patient/a") is None
    assert await store.prior_message("other", "Patient/a", "ADT") is None


async def test_each_family_has_its_own_last_words(store: Store) -> None:
    await remember(store, entry("Patient/a", b"1", b"MSH|adt"))
    await remember(store, entry("Patient/a", b"2", b"MSH|oru", "ORU"))
    await remember(store, entry("Patient/a", b"3"))
    assert await store.prior_message(LINK, "Patient/a", "ADT") == b"MSH|adt"
    assert await store.prior_message(LINK, "Patient/a", "ORU") == b"MSH|oru"
    assert await store.prior_message(LINK, "Patient/a", "") is None
    assert await store.resource(LINK, "Patient/a") == b"3"


async def test_a_message_about_many_is_kept_once_and_only_while_it_is_the_last(
    store: Store, tmp_path: Path
) -> None:
    first, second = b"MSH|first", b"MSH|second"
    await remember(store, *(entry(f"Observation/{n}", b"x", first, "ORU") for n in range(200)))
    assert number(tmp_path, "journal_text") == 1
    await remember(store, *(entry(f"Observation/{n}", b"x", second, "ORU") for n in range(199)))
    assert number(tmp_path, "journal_text") == 2
    assert await store.prior_message(LINK, "Observation/199", "ORU") == first
    await remember(store, entry("Observation/199", b"x", second, "ORU"))
    assert await store.prior_message(LINK, "Observation/199", "ORU") == second
    assert await store.prior_message(LINK, "Observation/0", "ORU") == second
    assert b"first" not in b"".join([bytes(text) for text in await _texts(store)])
    assert number(tmp_path, "journal_text") == 2  # one for 199 of them, one for the last


async def _texts(store: Store) -> list[bytes]:
    return [text for n in range(200) if (text := await store.prior_message(LINK, f"Observation/{n}", "ORU"))]


async def test_the_last_of_several_messages_written_together_is_kept(store: Store) -> None:
    one, two = b"MSH|one", b"MSH|two"
    await remember(
        store, entry("Patient/a", None, two), entry("Patient/b", None, one), entry("Patient/b", None, two)
    )
    assert await store.prior_message(LINK, "Patient/b", "ADT") == two


async def test_a_delivery_can_write_the_journal_too(store: Store) -> None:
    row = (await take(store)).id
    await store.translated(row, [Outgoing(b"x")], [], [], [])
    await store.delivered((await head(store)).id, NOW, [entry("Patient/a", b"1")], [])
    assert await store.resource(LINK, "Patient/a") == b"1"


_keys = st.sampled_from(["Patient/a", "Patient/b", "Encounter/c"])
_entries = st.builds(
    entry,
    _keys,
    st.none() | st.binary(max_size=4),
    st.none() | st.sampled_from([b"m1", b"m2", b"m3"]),
    st.sampled_from(["ADT", "ORU"]),
    st.sampled_from(["one", "two"]),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(_entries, max_size=5), max_size=6))
async def test_the_journal_is_a_dictionary(
    tmp_path_factory: object, written: list[list[JournalEntry]]
) -> None:
    folder: Path = tmp_path_factory.mktemp("journal")  # type: ignore[attr-defined]
    store = open_store(folder)
    contents: dict[tuple[str, str], bytes | None] = {}
    messages: dict[tuple[str, str, str], bytes] = {}
    for batch in written:
        await remember(store, *batch)
        for one in batch:
            contents[one.link, one.resource] = one.content
            if one.message is not None:
                messages[one.link, one.resource, one.family] = one.message
    for (link, key), content in contents.items():
        assert await store.resource(link, key) == content
    for (link, key, family), message in messages.items():
        assert await store.prior_message(link, key, family) == message
    orphans = "SELECT 1 FROM journal_text WHERE uid NOT IN (SELECT text_uid FROM journal_message)"
    assert number(folder, f"({orphans})") == 0
    await store.close()
