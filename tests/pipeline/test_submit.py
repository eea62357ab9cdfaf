"""FHIR comes in: what is accepted, what is refused before it is accepted, and what counts as the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.errors import (
    AuditUnwitnessed,
    BodyTooLarge,
    ConnectorError,
    Forbidden,
    InvalidResource,
    NotTranslatable,
    Overloaded,
    ShuttingDown,
    Unauthenticated,
    VersionConflict,
)
from connector.store import Store
from tests.pipeline.site import TO_V2, Cycle, Sent, Who, patient, peer


async def refused(cycle: Cycle, sent: Sent, kind: type[ConnectorError]) -> ConnectorError:
    """The error, after checking that nothing was taken."""
    with pytest.raises(kind) as caught:
        await cycle.submit(sent)
    assert await cycle.store.pending("demo", TO_V2, 1) == []
    return caught.value


async def test_a_request_is_taken_with_its_audit_entry(cycle: Cycle) -> None:
    correlation = await cycle.submit(Sent.update(patient()))
    (item,) = await cycle.store.pending("demo", TO_V2, 10)
    assert (item.uid, item.payload) == (correlation, Sent.update(patient()).raw)
    assert (item.meta["verb"], item.meta["key"]) == ("update", "Patient/fhir-1")
    (entry,) = cycle.entries()
    assert (entry["tag"], entry["correlation"]) == ("message:fhir:received", correlation)
    assert entry["actor"]["client"] == "analyst"
    assert "Muster" not in str(entry)


async def test_a_change_without_a_v2_message_is_refused_before_it_is_accepted(cycle: Cycle) -> None:
    sent = Sent.bundle({"resourceType": "Basic", "id": "b", "code": {"text": "x"}})
    error = await refused(cycle, sent, NotTranslatable)
    assert error.location == "Bundle.entry[0].resource"
    assert error.answer.status == 422


async def test_a_client_that_no_profile_names_is_refused(cycle: Cycle) -> None:
    await refused(cycle, Sent.update(patient(), principal=Who("somebody")), Forbidden)


async def test_while_the_service_stops_requests_are_turned_away(cycle: Cycle) -> None:
    cycle.api.accepting = False
    await refused(cycle, Sent.update(patient()), ShuttingDown)


async def test_while_the_log_is_not_witnessed_requests_are_turned_away(cycle: Cycle) -> None:
    cycle.api.barred = lambda: AuditUnwitnessed("nobody has cosigned")
    error = await refused(cycle, Sent.update(patient()), AuditUnwitnessed)
    assert error.answer.status == 503
    cycle.api.barred = lambda: None
    await cycle.submit(Sent.update(patient()))


async def test_the_body_limit_of_the_link_holds(store: Store, tmp_path: Path) -> None:
    await refused(Cycle(store, tmp_path, body_bytes=50), Sent.update(patient()), BodyTooLarge)


async def test_when_too_much_waits_requests_are_turned_away(store: Store, tmp_path: Path) -> None:
    cycle = Cycle(store, tmp_path, waiting=1)
    await cycle.submit(Sent.update(patient()))
    cycle.clock.move(2)
    with pytest.raises(Overloaded):
        await cycle.submit(Sent.update(patient("fhir-2")))


async def test_a_link_may_have_the_models_judge_every_resource(store: Store, tmp_path: Path) -> None:
    strange = patient(birthDate="yesterday")
    await refused(Cycle(store, tmp_path, models=True), Sent.update(strange), InvalidResource)


async def test_if_match_must_name_the_version_that_is_known(cycle: Cycle) -> None:
    await cycle.submit(Sent.update(patient(meta={"versionId": "3"})))
    await cycle.run()
    later = patient(street="Lindenweg 7", meta={"versionId": "4"})
    with pytest.raises(VersionConflict):
        await cycle.submit(Sent.update(later, if_match='W/"2"'))
    assert await cycle.submit(Sent.update(later, if_match='W/"3"'))


# --- the same again ---------------------------------------------------------------------------------


async def taken(cycle: Cycle) -> int:
    return int((await cycle.counts(TO_V2)).received)


async def test_a_stamped_resource_that_comes_again_is_a_duplicate(cycle: Cycle) -> None:
    sent = Sent.update(patient(meta={"versionId": "3"}))
    assert await cycle.submit(sent) == await cycle.submit(sent)
    assert await taken(cycle) == 1
    assert cycle.tags() == ["message:fhir:received", "message:fhir:duplicate"]


async def test_a_change_back_to_what_was_before_is_a_change(cycle: Cycle) -> None:
    for street in ("Rosenallee 12", "Lindenweg 7", "Rosenallee 12"):
        await cycle.submit(Sent.update(patient(street=street)))
        await cycle.run()
    assert await taken(cycle) == 3
    assert [text.count(b"Rosenallee") for _, text in cycle.hospital.got] == [1, 0, 1]


async def test_a_named_bundle_that_comes_again_is_a_duplicate(cycle: Cycle) -> None:
    sent = Sent.bundle(patient(), id="notice-7")
    assert await cycle.submit(sent) == await cycle.submit(sent)
    assert await taken(cycle) == 1


async def test_a_plain_update_that_comes_again_makes_no_second_message(cycle: Cycle) -> None:
    for _ in range(2):
        await cycle.submit(Sent.update(patient()))
        await cycle.run()
    assert len(cycle.hospital.got) == 1
    assert cycle.tags()[-1] == "message:fhir:unchanged"


# --- refusals are told to the audit log ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "tag"),
    [
        (Unauthenticated("no token"), "access:token:refused"),
        (Forbidden("no scope"), "access:scope:refused"),
        (InvalidResource("wrong", location="Patient.birthDate"), "message:fhir:refused"),
    ],
)
async def test_every_refusal_is_audited_under_its_kind(cycle: Cycle, error: ConnectorError, tag: str) -> None:
    await cycle.api.refused(Who(), peer(), error)
    (entry,) = cycle.entries()
    assert (entry["tag"], entry["reason"], entry["outcome"]) == (tag, type(error).__name__, "refused")
    assert entry["object"].get("location", "") == error.location


async def test_a_refusal_of_nobody_known_is_audited_too(cycle: Cycle) -> None:
    await cycle.api.refused(None, None, Unauthenticated("no token"))
    assert cycle.entries()[0]["object"]["link"] == "(nobody)"
