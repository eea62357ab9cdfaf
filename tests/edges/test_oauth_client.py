"""Our own token: one request for many, renewed in time, for one origin, with an assertion as SMART asks."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt

from connector.edges import http_outgoing
from connector.edges.oauth_client import ASSERTION_TYPE, TokenSource
from connector.errors import (
    AnswerNotUnderstood,
    ConfigurationError,
    ConnectorError,
    KeyUnavailable,
    PartnerBusy,
    PartnerRefusedUs,
    PartnerUnreachable,
)

from .oauth_site import ec
from .partner_site import Partner, answer, granted

SECRET = "Everywoman"


class Clock:
    """A clock that stands until a test moves it."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def partner(tmp_path: Path) -> AsyncIterator[Partner]:
    async with Partner(tmp_path, tokens=[granted()]).running() as running:
        yield running


@asynccontextmanager
async def source(partner: Partner, clock: Clock | None = None, **options: Any) -> AsyncIterator[TokenSource]:
    transport = http_outgoing.transport(partner.context, 100_000)
    timeout = options.pop("timeout", 5.0)
    tokens = TokenSource(partner.credentials(**options), transport, clock=clock or Clock(), timeout=timeout)
    yield tokens
    await tokens.aclose()
    await transport.aclose()


async def test_the_request_is_that_of_smart_backend_services(partner: Partner) -> None:
    clock = Clock()
    async with source(partner, clock) as tokens:
        assert await tokens.token(f"{partner.base}/Patient/1") == "token-1"
    form = partner.asked_for_tokens[0].form
    assert form["grant_type"] == "client_credentials"
    assert form["scope"] == "system/*.cruds"
    assert form["client_assertion_type"] == ASSERTION_TYPE
    assertion = jwt.decode(form["client_assertion"], ec("P-384", "client"), ["ES384"])
    assert assertion.header == {"alg": "ES384", "kid": "client-1", "typ": "JWT"}
    claims = assertion.claims
    assert claims["iss"] == claims["sub"] == "connector"
    assert claims["aud"] == f"https://localhost:{partner.port}/token"
    assert 0 < claims["exp"] - clock.now <= 300
    assert len(claims["jti"]) >= 20


async def test_the_audience_can_be_another(partner: Partner) -> None:
    async with source(partner, audience="https://issuer.test") as tokens:
        await tokens.token(partner.base)
    form = partner.asked_for_tokens[0].form
    assert (
        jwt.decode(form["client_assertion"], ec("P-384", "client"), ["ES384"]).claims["aud"]
        == "https://issuer.test"
    )


async def test_many_that_wait_cost_one_request(partner: Partner) -> None:
    partner.delay = 0.05
    async with source(partner) as tokens:
        found = await asyncio.gather(*(tokens.token(partner.base) for _ in range(100)))
    assert set(found) == {"token-1"}
    assert len(partner.asked_for_tokens) == 1


async def test_many_that_wait_hear_of_one_failure(partner: Partner) -> None:
    partner.delay, partner.tokens = 0.05, [answer(503)]
    async with source(partner) as tokens:
        found = await asyncio.gather(*(tokens.token(partner.base) for _ in range(20)), return_exceptions=True)
    assert all(isinstance(one, PartnerBusy) for one in found)
    assert len(partner.asked_for_tokens) == 1


async def test_one_that_gives_up_does_not_stop_the_others(partner: Partner) -> None:
    partner.delay = 0.1
    async with source(partner) as tokens:
        first = asyncio.create_task(tokens.token(partner.base))
        second = asyncio.create_task(tokens.token(partner.base))
        await asyncio.sleep(0.02)
        first.cancel()
        assert await second == "token-1"


async def test_a_failure_nobody_waits_for_is_no_noise(partner: Partner) -> None:
    partner.delay, partner.tokens = 0.05, [answer(503)]
    async with source(partner) as tokens:
        waiting = asyncio.create_task(tokens.token(partner.base))
        await asyncio.sleep(0.02)
        waiting.cancel()
        await asyncio.sleep(0.1)
        gc.collect()


@pytest.mark.parametrize(("lasts", "renewed_at"), [(300, 240), (3600, 3540), (10, 8)])
async def test_a_token_is_renewed_before_its_end(partner: Partner, lasts: int, renewed_at: int) -> None:
    clock = Clock()
    partner.tokens = [granted(lasts, 1), granted(lasts, 2)]
    async with source(partner, clock) as tokens:
        await tokens.token(partner.base)
        clock.now += renewed_at - 1
        assert await tokens.token(partner.base) == "token-1"
        clock.now += 1
        assert await tokens.token(partner.base) == "token-2"


async def test_each_assertion_has_its_own_id(partner: Partner) -> None:
    async with source(partner) as tokens:
        for _ in range(3):
            tokens.forget(await tokens.token(partner.base))
    forms = [asked.form["client_assertion"] for asked in partner.asked_for_tokens]
    ids = {jwt.decode(text, ec("P-384", "client"), ["ES384"]).claims["jti"] for text in forms}
    assert len(ids) == 3


async def test_a_refused_token_is_forgotten_once(partner: Partner) -> None:
    partner.tokens = [granted(300, 1), granted(300, 2), granted(300, 3)]
    async with source(partner) as tokens:
        old = await tokens.token(partner.base)
        tokens.forget(old)
        assert await tokens.token(partner.base) == "token-2"
        tokens.forget(old)  # somebody else was refused the same old one
        assert await tokens.token(partner.base) == "token-2"


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.test/fhir",
        "https://localhost:1/fhir",
        "https://localhost/fhir",
        "http://localhost/fhir",
        "https://user@localhost/fhir",
        "/fhir",
        "",
        "https://",
        "https://[",
    ],
)
async def test_the_token_goes_to_no_other_origin(partner: Partner, url: str) -> None:
    async with source(partner) as tokens:
        with pytest.raises(ConfigurationError):
            await tokens.token(url)
    assert partner.asked_for_tokens == []


JSON = "application/json"
FAULTS: list[tuple[bytes, type[ConnectorError]]] = [
    (answer(401, {"error": "invalid_client", "error_description": SECRET}, JSON), PartnerRefusedUs),
    (answer(400, {"error": "invalid_scope"}, JSON), PartnerRefusedUs),
    (answer(400, {"error": SECRET}, JSON), PartnerRefusedUs),
    (answer(400, {"error": {"a": SECRET}}, JSON), PartnerRefusedUs),
    (answer(200, {"error": ["x"]}, JSON), PartnerRefusedUs),
    (answer(403, SECRET.encode(), "text/html"), PartnerRefusedUs),
    (answer(429, b"", JSON), PartnerBusy),
    (answer(500, SECRET.encode(), "text/plain"), PartnerBusy),
    (answer(503, {"error": "x"}, JSON), PartnerBusy),
    (answer(302, b"", JSON, location="https://evil.test/token"), AnswerNotUnderstood),
    (answer(404, b"", "text/html"), AnswerNotUnderstood),
    (answer(200, SECRET.encode(), "text/html"), AnswerNotUnderstood),
    (answer(200, b"{", JSON), AnswerNotUnderstood),
    (answer(200, b"[]", JSON), AnswerNotUnderstood),
    (answer(200, b"null", JSON), AnswerNotUnderstood),
    (answer(200, b"\xff", JSON), AnswerNotUnderstood),
    (answer(400, b"{}", JSON), AnswerNotUnderstood),
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
    (granted(None), AnswerNotUnderstood),
    (granted("300"), AnswerNotUnderstood),
    (granted(True), AnswerNotUnderstood),
    (granted(0), AnswerNotUnderstood),
    (granted(-5), AnswerNotUnderstood),
    (b"nonsense\r\n\r\n", PartnerUnreachable),
    (b"", PartnerUnreachable),
]


@pytest.mark.parametrize(("reply", "expected"), FAULTS)
async def test_what_the_token_endpoint_can_do_wrong(
    partner: Partner, reply: bytes, expected: type[ConnectorError]
) -> None:
    partner.tokens = [reply]
    async with source(partner) as tokens:
        with pytest.raises(expected) as caught:
            await tokens.token(partner.base)
    assert SECRET not in str(caught.value)
    assert caught.value.__context__ is None


async def test_after_a_failure_the_next_one_asks_again(partner: Partner) -> None:
    partner.tokens = [answer(503, b"", JSON, retry_after="7"), granted()]
    async with source(partner) as tokens:
        with pytest.raises(PartnerBusy) as caught:
            await tokens.token(partner.base)
        assert caught.value.after == 7
        assert await tokens.token(partner.base) == "token-1"


async def test_a_silent_token_endpoint_is_given_up(partner: Partner) -> None:
    partner.tokens = [None]
    async with source(partner, timeout=0.2) as tokens:
        with pytest.raises(PartnerUnreachable):
            await tokens.token(partner.base)


async def test_closing_ends_a_request_under_way(partner: Partner) -> None:
    partner.tokens = [None]
    async with source(partner) as tokens:
        waiting = asyncio.create_task(tokens.token(partner.base))
        await asyncio.sleep(0.1)
        await tokens.aclose()
        with pytest.raises(asyncio.CancelledError):
            await waiting


async def test_a_key_that_others_may_read_is_not_used(partner: Partner) -> None:
    os.chmod(partner.folder / "client.key.json", 0o640)
    with pytest.raises(KeyUnavailable):
        async with source(partner):
            pass


@pytest.mark.parametrize("algorithm", ["ES256", "RS384", "HS256", "none", ""])
async def test_the_key_must_fit_the_algorithm(partner: Partner, algorithm: str) -> None:
    with pytest.raises(ConfigurationError):
        async with source(partner, algorithm=algorithm):
            pass


async def test_the_token_address_must_be_https(partner: Partner) -> None:
    with pytest.raises(ConfigurationError):
        async with source(partner, token_url="http://localhost/token"):
            pass
