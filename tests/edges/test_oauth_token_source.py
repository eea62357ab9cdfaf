"""Our own token: one request for many, renewed in time, for one origin, with an assertion as SMART asks."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog.testing
from joserfc import jwt

from connector.edges import token_source
from connector.edges.fhir_client import FhirClient
from connector.edges.token_source import TokenSource
from connector.errors import (
    AnswerNotUnderstood,
    ConnectorError,
    KeyUnavailable,
    PartnerBusy,
    PartnerRefusedUs,
    PartnerUnreachable,
    UnsupportedInteraction,
)

from .oauth_site import ec
from .partner_site import Partner, answer, granted

SECRET = "Everywoman"


@pytest.fixture
async def partner(tmp_path: Path) -> AsyncIterator[Partner]:
    async with Partner(tmp_path, tokens=[granted()]).running() as running:
        yield running


@asynccontextmanager
async def source(partner: Partner, **options: Any) -> AsyncIterator[TokenSource]:
    tokens = partner.source(**options)
    yield tokens
    await tokens.close()


async def test_the_request_is_that_of_smart_backend_services(partner: Partner) -> None:
    async with source(partner) as tokens:
        assert await tokens.token() == "token-1"
    form = partner.asked_for_tokens[0].form
    assert form["grant_type"] == "client_credentials"
    assert form["scope"] == "system/*.cruds"
    assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assertion = jwt.decode(form["client_assertion"], ec("P-384", "client"), ["ES384"])
    assert assertion.header == {"alg": "ES384", "kid": "client-1", "typ": "JWT"}
    claims = assertion.claims
    assert claims["iss"] == claims["sub"] == "connector"
    assert claims["aud"] == f"https://localhost:{partner.port}/token"
    assert 0 < claims["exp"] - time.time() <= 300
    assert len(claims["jti"]) >= 20


async def test_the_audience_can_be_another(partner: Partner) -> None:
    async with source(partner, audience="https://issuer.test") as tokens:
        await tokens.token()
    form = partner.asked_for_tokens[0].form
    assert (
        jwt.decode(form["client_assertion"], ec("P-384", "client"), ["ES384"]).claims["aud"]
        == "https://issuer.test"
    )


async def test_many_that_wait_cost_one_request(partner: Partner) -> None:
    partner.delay = 0.05
    async with source(partner) as tokens:
        found = await asyncio.gather(*(tokens.token() for _ in range(100)))
    assert set(found) == {"token-1"}
    assert len(partner.asked_for_tokens) == 1


async def test_one_that_gives_up_does_not_stop_the_others(partner: Partner) -> None:
    partner.delay = 0.1
    async with source(partner) as tokens:
        first = asyncio.create_task(tokens.token())
        second = asyncio.create_task(tokens.token())
        await asyncio.sleep(0.02)
        first.cancel()
        assert await second == "token-1"


async def test_many_that_wait_share_a_failure_too(partner: Partner) -> None:
    partner.delay = 0.05
    partner.tokens = [answer(503, b"", JSON, retry_after="7"), granted()]
    async with source(partner) as tokens:
        found = await asyncio.gather(*(tokens.token() for _ in range(100)), return_exceptions=True)
        assert len(partner.asked_for_tokens) == 1
        assert [error.after for error in found if isinstance(error, PartnerBusy)] == [7.0] * 100
        assert len({id(error) for error in found}) == 100
        assert await tokens.token() == "token-1"


async def test_where_nobody_waits_any_more_a_failure_is_nobodys(partner: Partner) -> None:
    partner.tokens = [None]
    async with source(partner, seconds=0.05) as tokens:
        waiting = asyncio.create_task(tokens.token())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(PartnerUnreachable):
            await tokens.token()


async def test_closing_gives_up_what_is_asked(partner: Partner) -> None:
    partner.tokens = [None]
    tokens = partner.source()
    waiting = asyncio.create_task(tokens.token())
    await asyncio.sleep(0)
    await tokens.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_an_assertion_lives_no_longer_than_smart_allows_and_is_never_the_same(partner: Partner) -> None:
    async with source(partner) as tokens:
        shown = [jwt.decode(tokens.assertion(), ec("P-384", "client"), ["ES384"]) for _ in range(200)]
    assert all(0 < one.claims["exp"] - one.claims["iat"] <= 300 for one in shown)
    assert all(one.header["kid"] == "client-1" for one in shown)
    assert len({one.claims["jti"] for one in shown}) == 200


async def test_a_token_is_renewed_before_its_end(partner: Partner) -> None:
    partner.tokens = [granted(1, 1), granted(300, 2)]
    async with source(partner) as tokens:
        assert await tokens.token() == "token-1"
        await asyncio.sleep(0.6)
        assert await tokens.token() == "token-2"
        assert await tokens.token() == "token-2"


class Clock:
    """Stands in for ``time`` in the module."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


async def test_an_old_token_is_good_to_its_end_where_a_new_one_cannot_be_had(
    partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(token_source, "time", clock)
    partner.tokens = [granted(300, 1), answer(503, b"", JSON)]
    async with source(partner) as tokens:
        assert await tokens.token() == "token-1"
        clock.now += 269
        assert await tokens.token() == "token-1"
        assert len(partner.asked_for_tokens) == 1
        clock.now += 2
        assert await tokens.token() == await tokens.token() == "token-1"
        assert len(partner.asked_for_tokens) == 2  # it failed, and is not tried with each request
        clock.now += 6
        assert await tokens.token() == "token-1"
        assert len(partner.asked_for_tokens) == 3
        clock.now = 1000 + 295.5
        with pytest.raises(PartnerBusy):
            await tokens.token()
        partner.tokens = [granted(300, 2)]
        assert await tokens.token() == "token-2"


async def test_a_token_that_the_partner_refused_is_not_given_again_whatever_fails(partner: Partner) -> None:
    partner.tokens = [granted(300, 1), answer(503, b"", JSON)]
    async with source(partner) as tokens:
        tokens.invalidate(await tokens.token())
        with pytest.raises(PartnerBusy):
            await tokens.token()


async def test_each_assertion_has_its_own_id(partner: Partner) -> None:
    async with source(partner) as tokens:
        for _ in range(3):
            tokens.invalidate(await tokens.token())
    forms = [asked.form["client_assertion"] for asked in partner.asked_for_tokens]
    ids = {jwt.decode(text, ec("P-384", "client"), ["ES384"]).claims["jti"] for text in forms}
    assert len(ids) == 3


async def test_a_refused_token_is_forgotten_once(partner: Partner) -> None:
    partner.tokens = [granted(300, 1), granted(300, 2), granted(300, 3)]
    async with source(partner) as tokens:
        old = await tokens.token()
        tokens.invalidate(old)
        assert await tokens.token() == "token-2"
        tokens.invalidate(old)  # somebody else was refused the same old one
        assert await tokens.token() == "token-2"


JSON = "application/json"
FAULTS: list[tuple[bytes, type[ConnectorError]]] = [
    (answer(401, {"error": "invalid_client", "error_description": SECRET}, JSON), PartnerRefusedUs),
    (answer(400, {"error": "invalid_scope"}, JSON), PartnerRefusedUs),
    (answer(400, {"error": SECRET}, JSON), PartnerRefusedUs),
    (answer(403, SECRET.encode(), "text/html"), PartnerRefusedUs),
    (answer(429, b"", JSON), PartnerBusy),
    (answer(500, SECRET.encode(), "text/plain"), PartnerBusy),
    (answer(503, {"error": "x"}, JSON), PartnerBusy),
    (answer(302, b"", JSON, location="https://evil.test/token"), AnswerNotUnderstood),
    (answer(404, b"", "text/html"), PartnerRefusedUs),
    (answer(200, SECRET.encode(), "text/html"), AnswerNotUnderstood),
    (answer(200, b"{", JSON), AnswerNotUnderstood),
    (answer(200, b"[]", JSON), AnswerNotUnderstood),
    (answer(200, b"null", JSON), AnswerNotUnderstood),
    (answer(200, b"\xff", JSON), AnswerNotUnderstood),
    (answer(400, b"{}", JSON), PartnerRefusedUs),
    (answer(200, b"x" * 200_000, JSON), AnswerNotUnderstood),
    (answer(200, b"{}", JSON, length=50), AnswerNotUnderstood),
    (answer(200, b"\x1f\x8b", JSON, content_encoding="gzip"), AnswerNotUnderstood),
    (granted(access_token=None), AnswerNotUnderstood),
    (granted(access_token=5), AnswerNotUnderstood),
    (granted(access_token="a b"), AnswerNotUnderstood),
    (granted(access_token="a\r\nX: y"), AnswerNotUnderstood),
    (granted(access_token="x" * 20_000), AnswerNotUnderstood),
    (granted(token_type="mac"), AnswerNotUnderstood),
    (granted(token_type=None), AnswerNotUnderstood),
    (b"nonsense\r\n\r\n", AnswerNotUnderstood),
    (b"", PartnerUnreachable),
]


@pytest.mark.parametrize(("reply", "expected"), FAULTS)
async def test_what_the_token_endpoint_can_do_wrong(
    partner: Partner, reply: bytes, expected: type[ConnectorError]
) -> None:
    partner.tokens = [reply]
    async with source(partner) as tokens:
        with pytest.raises(expected) as caught:
            await tokens.token()
    assert SECRET not in str(caught.value)


async def test_after_a_failure_the_next_one_asks_again(partner: Partner) -> None:
    partner.tokens = [answer(503, b"", JSON, retry_after="7"), granted()]
    async with source(partner) as tokens:
        with pytest.raises(PartnerBusy) as caught:
            await tokens.token()
        assert caught.value.after == 7
        assert await tokens.token() == "token-1"


@pytest.mark.parametrize("lasts", [None, "300", True, 0, -5, 2**40])
async def test_a_life_that_is_not_said_is_taken_as_short(partner: Partner, lasts: Any) -> None:
    partner.tokens = [granted(lasts)]
    async with source(partner) as tokens:
        assert await tokens.token() == "token-1"


@pytest.mark.parametrize("word", [{"a": SECRET}, ["x"]])
async def test_an_error_that_is_no_word_is_a_refusal_too(partner: Partner, word: Any) -> None:
    partner.tokens = [answer(400, {"error": word}, JSON)]
    async with source(partner) as tokens:
        with pytest.raises(PartnerRefusedUs):
            await tokens.token()


async def test_a_silent_token_endpoint_is_given_up(partner: Partner) -> None:
    partner.tokens = [None]
    async with source(partner, seconds=0.2) as tokens:
        with pytest.raises(PartnerUnreachable):
            await tokens.token()


async def test_neither_token_nor_assertion_is_ever_logged(
    partner: Partner, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    partner.tokens = [granted(access_token=SECRET), answer(400, {"error": SECRET}, JSON)]
    partner.replies = [answer(200, {"resourceType": "Patient", "id": "1"}), answer(401)]
    with structlog.testing.capture_logs() as ours:
        async with source(partner) as tokens:
            client = FhirClient(partner.base, partner.context, tokens)
            assert await client.read("Patient/1")
            with pytest.raises(PartnerRefusedUs) as caught:
                await client.read("Patient/1")
            await client.close()
            assert SECRET not in repr(tokens)
    shown = partner.asked_for_tokens[0].form["client_assertion"]
    assert partner.asked[0].token == SECRET
    for word in (SECRET, shown, shown.rpartition(".")[2]):
        assert word not in caplog.text + str(ours) + str(caught.value)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_token_never_follows_to_another_origin(partner: Partner, tmp_path: Path, status: int) -> None:
    (tmp_path / "thief").mkdir()
    async with Partner(tmp_path / "thief", [answer(200)], [granted()]).running() as thief:
        partner.replies = [
            answer(status, location=f"{thief.base}/Patient/1", link=f"<{thief.base}>; rel=next")
        ]
        async with source(partner) as tokens:
            client = FhirClient(partner.base, partner.context, tokens)
            with pytest.raises(AnswerNotUnderstood):
                await client.read("Patient/1")
            with pytest.raises(UnsupportedInteraction):
                await client.read(f"{thief.base}/Patient/1")
            with pytest.raises(UnsupportedInteraction):
                await client.find("Patient", f"identifier=x#@localhost:{thief.port}/")
            await client.close()
            tokens.invalidate(await tokens.token())
            partner.tokens = [answer(status, b"", JSON, location=thief.token_url)]
            with pytest.raises(AnswerNotUnderstood):
                await tokens.token()
        assert (thief.asked, thief.asked_for_tokens) == ([], [])
    assert len(partner.asked) == 1


async def test_a_key_that_others_may_read_is_not_used(partner: Partner) -> None:
    os.chmod(partner.folder / "client.key.json", 0o640)
    with pytest.raises(KeyUnavailable):
        async with source(partner):
            pass
