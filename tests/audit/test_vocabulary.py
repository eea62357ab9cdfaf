from __future__ import annotations

import json
from typing import Any

import pytest

from audit.canonical import canonical
from audit.entry import Drafted, EntryRefused, Tag, entry
from audit.fields import ACTORS, CORRELATION, FIELDS, HOLDS, REASON, ROLES, Field
from audit.tiles import LONGEST
from audit.vocabulary import BY_TAG, ROWS, Row, check
from connector.pipeline import entries as drafting
from connector.pipeline.operate import BECAUSE
from tests.audit.samples import ACTORS as SEEN
from tests.audit.samples import leaves, log, sample, samples

WIDEST = "\x01"  # six bytes in JSON


def test_each_tag_has_one_row() -> None:
    assert [row.tag for row in ROWS] == list(Tag)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.tag)
def test_a_row_speaks_in_documented_words(row: Row) -> None:
    assert row.meaning[:1].islower() or row.meaning.startswith(("FHIR", "MSH"))
    assert row.required | row.optional <= FIELDS.keys()
    assert not row.required & row.optional
    assert row.roles
    assert row.roles <= ROLES.keys()


def test_no_word_is_documented_that_no_tag_uses() -> None:
    used = frozenset[str]().union(*(row.required | row.optional for row in ROWS))
    assert FIELDS.keys() - used == set()
    said = frozenset[str]().union(*(one.fields for one in ROLES.values()))
    assert ACTORS.keys() - said == {"role"}


def test_the_samples_have_every_tag_with_every_field() -> None:
    said = samples()
    assert [one["tag"] for one in said] == [str(tag) for tag in Tag]
    for one in said:
        row = BY_TAG[one["tag"]]
        assert one["object"].keys() == row.required | row.optional
        assert len(one["previous"]) == 64


def test_a_plausible_day_is_the_same_each_time() -> None:
    day = log(500)
    assert leaves(day) == leaves(log(500))
    assert [one["seq"] for one in day] == list(range(1, 501))
    assert {one["tag"].split(":")[0] for one in day} >= {"message", "delivery", "operator", "service"}
    assert [one["time"] for one in day] == sorted(one["time"] for one in day)


@pytest.mark.parametrize("tag", list(Tag))
def test_what_is_not_documented_is_refused_and_not_repeated(tag: Tag) -> None:
    good, canary = sample(tag), "Weasley"
    check(good)
    wrong = [
        good._replace(object={**good.object, canary: 1}),
        good._replace(actor={**good.actor, canary: 1}),
        good._replace(actor={**good.actor, "role": canary}),
        good._replace(actor={}),
        good._replace(reason=canary * 100),
        good._replace(correlation=canary * 100),
        *(good._replace(object=_without(good.object, name)) for name in BY_TAG[tag].required),
        *(good._replace(object={**good.object, name: {canary: canary}}) for name in good.object),
        *(good._replace(object={**good.object, name: _longer(name)}) for name in good.object),
    ]
    for one in wrong:
        with pytest.raises(EntryRefused) as refused:
            check(one)
        assert canary not in str(refused.value)


def test_a_role_lacks_nothing_and_has_nothing_of_anothers() -> None:
    refused = sample(Tag.TLS_HANDSHAKE_REFUSED)
    for actor in (
        SEEN["operator"],
        SEEN["partner"],
        {"role": "peer", "name": "x"},
        {"role": "peer", "address": 1},
    ):
        with pytest.raises(EntryRefused):
            check(refused._replace(actor=actor))
    check(refused._replace(actor={"role": "peer"}))
    with pytest.raises(EntryRefused, match="actor lacks certificate"):
        check(sample(Tag.MESSAGE_V2_RECEIVED)._replace(actor={"role": "partner"}))


@pytest.mark.parametrize("tag", list(Tag))
def test_the_longest_entry_of_a_tag_has_room_in_a_bundle(tag: Tag) -> None:
    row, longest = BY_TAG[tag], 0
    said = {name: _most(name, FIELDS[name]) for name in row.required | row.optional}
    if "lost" in said:  # whoever drafts these entries sees to the bytes
        said |= drafting.listed([f"PID-{WIDEST * 20}{n}" for n in range(20_000)])
    for role in row.roles:
        actor = {name: _most(name, ACTORS[name]) for name in ROLES[role].fields} | {"role": role}
        draft: Drafted = sample(tag)._replace(
            actor=actor, object=said, reason=WIDEST * REASON.most, correlation=WIDEST * CORRELATION.most
        )
        check(draft)
        longest = max(longest, len(canonical(entry(draft, 2**53 - 1, bytes(32), 16_000))))
    assert longest <= LONGEST


def test_what_is_cut_when_drafted_has_the_length_that_the_log_takes() -> None:
    assert {ACTORS[one].most for one in ("client", "name")} == {drafting.NAME}
    assert {FIELDS["location"].most, ACTORS["subject"].most, REASON.most, FIELDS["why"].most} == {
        drafting.PLACE
    }
    assert FIELDS["issue"].most == drafting.ISSUE
    assert FIELDS["because"].most == BECAUSE
    assert len(drafting.short("x" * 501, 500)) == 500
    assert drafting.short("x" * 500, 500) == "x" * 500


def _without(said: Any, name: str) -> dict[str, Any]:
    return {one: value for one, value in said.items() if one != name}


def _longer(name: str) -> Any:
    field = FIELDS[name]
    return {"text": "Weasley" * field.most, "number": "1", "flag": 1, "texts": [1], "numbers": ["1"]}[
        field.form
    ]


def _most(name: str, field: Field) -> Any:
    """As long as a field may be; a pseudonym or a commitment has the length that it has."""
    if field.form == "texts":
        one = "5a" * 32 if name == "contents" else "9f3c51d2a8e04b76" if name == "patient" else WIDEST * 20
        value: Any = [one] * (0 if name == "lost" else field.most)
    else:
        value = {
            "text": WIDEST * field.most,
            "number": 2**53 - 1,
            "flag": True,
            "numbers": [2**53 - 1] * field.most,
        }[field.form]
    assert HOLDS[field.form](value, field.most)
    assert json.dumps(value)
    return value
