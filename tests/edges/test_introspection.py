"""Tokens that only their issuer can read: asked about over real mutual TLS, and judged here once more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt

from connector.edges import introspection
from connector.edges.client_assertion import ClientAssertion
from connector.edges.http_exchange import Waits
from connector.edges.introspection import Introspection, IntrospectionGuard
from connector.edges.issuer_site import IssuerSite
from connector.edges.oauth import Principal
from connector.errors import Forbidden, IssuerUnavailable, Overloaded, Unauthenticated

from .oauth_site import AUDIENCE, FINGERPRINT, ISSUER, NOW, claims, ec
from .oauth_site import IssuerSite as Keys
from .partner_site import Partner, Reply, answer
from .test_token_mutations import THUMBPRINT

JSON = "application/json"
SECRET = "Everywoman"
TOKEN = "7f3c0e6a51d94c0b"


def active(**changed: Any) -> bytes:
    """A good answer; None leaves a member out."""
    said = {"active": True, "token_type": "Bearer", **claims(jti=None, sub=None), **changed}
    return answer(200, {name: value for name, value in said.items() if value is not None}, JSON)


class Asking:
    """A guard over the introspection of one partner, with a clock that a test moves."""

    def __init__(
        self, partner: Partner, site: IssuerSite, *, seconds: float, key: bool, **options: Any
    ) -> None:
        self.now, url = float(NOW), f"https://localhost:{partner.port}/introspect"
        proof = ClientAssertion("connector", partner.key, ISSUER) if key else None
        self.asks = Introspection(site, url, "connector", proof, seconds=seconds, clock=lambda: self.now)
        self._guard = IntrospectionGuard(Keys(partner.folder).issuer(**options), self.asks, lambda: self.now)

    async def check(self, token: str = TOKEN, fingerprint: str = FINGERPRINT) -> Principal:
        return await self._guard.check([f"Bearer {token}"], fingerprint)


@asynccontextmanager
async def asking(
    partner: Partner, *, seconds: float = 30.0, key: bool = True, wait: float = 5.0, **options: Any
) -> AsyncIterator[Asking]:
    site = IssuerSite(partner.context, waits=Waits(wait, wait, wait, wait, wait))
    found = Asking(partner, site, seconds=seconds, key=key, **options)
    yield found
    await found.asks.close()
    await site.close()


@pytest.fixture
async def partner(tmp_path: Path) -> AsyncIterator[Partner]:
    async with Partner(tmp_path, [active()]).running() as running:
        yield running


async def test_the_issuer_is_asked_with_a_fresh_assertion_of_ours(partner: Partner) -> None:
    async with asking(partner, seconds=0) as found:
        principal = await found.check()
        await found.check()
    assert (principal.client_id, principal.subject) == ("fhir-side", "fhir-side")
    form = partner.asked[0].form
    assert (form["token"], form["token_type_hint"], form["client_id"]) == (TOKEN, "access_token", "connector")
    shown = [
        jwt.decode(one.form["client_assertion"], ec("P-384", "client"), ["ES384"]).claims
        for one in partner.asked
    ]
    assert shown[0]["aud"] == ISSUER
    assert shown[0]["jti"] != shown[1]["jti"]
    assert all(TOKEN not in one.path and "authorization" not in one.headers for one in partner.asked)


async def test_without_a_key_our_certificate_is_the_proof(partner: Partner) -> None:
    async with asking(partner, key=False) as found:
        assert await found.check()
    assert set(partner.asked[0].form) == {"token", "token_type_hint", "client_id"}


GOOD: list[dict[str, Any]] = [
    {},
    {"iat": None},
    {"token_type": None},
    {"token_type": "bearer"},
    {"aud": [AUDIENCE, "https://other.test"]},
    {"cnf": {"x5t#S256": THUMBPRINT}},
    {"sub": "mia"},
]


@pytest.mark.parametrize("changed", GOOD)
async def test_answers_that_are_good(partner: Partner, changed: dict[str, Any]) -> None:
    partner.replies = [active(**changed)]
    async with asking(partner) as found:
        assert (await found.check()).client_id == "fhir-side"


BAD: dict[str, dict[str, Any]] = {
    "not active": {"active": False},
    "active left out": {"active": None},
    "active as a text": {"active": "true"},
    "active as a number": {"active": 1},
    "another issuer": {"iss": "https://evil.test"},
    "no issuer": {"iss": None},
    "another audience": {"aud": "https://other.test"},
    "no audience": {"aud": None},
    "expired": {"iat": NOW - 400, "exp": NOW - 31},
    "no exp": {"exp": None},
    "exp as a text": {"exp": str(NOW + 60)},
    "lives too long": {"exp": NOW + 4000},
    "lives too long, it does not say since when": {"iat": None, "exp": NOW + 4000},
    "not valid yet": {"nbf": NOW + 60},
    "issued in the future": {"iat": NOW + 60},
    "no client": {"client_id": None},
    "another client": {"client_id": "other"},
    "client as a list": {"client_id": ["fhir-side"]},
    "another certificate": {"cnf": {"x5t#S256": "A" * 43}},
    "bound to a key": {"cnf": {"jkt": "A" * 43}},
    "cnf as a text": {"cnf": THUMBPRINT},
    "a refresh token": {"token_type": "Refresh"},
    "a proof of possession": {"token_type": "DPoP"},
    "token_type as a list": {"token_type": ["Bearer"]},
    "scope as a list": {"scope": ["system/*.cruds"]},
}


@pytest.mark.parametrize("name", sorted(BAD))
async def test_an_active_token_is_judged_once_more_by_all_that_is_asked_of_a_jwt(
    partner: Partner, name: str
) -> None:
    partner.replies = [active(**BAD[name])]
    async with asking(partner, clients=frozenset({"fhir-side"})) as found:
        for _ in range(2):  # the answer itself, and what is remembered of it
            with pytest.raises(Unauthenticated) as caught:
                await found.check()
    assert caught.value.answer.status == 401
    assert TOKEN not in str(caught.value)


async def test_binding_can_be_required(partner: Partner) -> None:
    async with asking(partner, bound=True) as found:
        with pytest.raises(Unauthenticated, match="certificate"):
            await found.check()


async def test_a_scope_that_cannot_be_honoured_forbids(partner: Partner) -> None:
    partner.replies = [active(scope="system/Patient.rs?name=x")]
    async with asking(partner) as found:
        with pytest.raises(Forbidden):
            await found.check()


# --- what is remembered ----------------------------------------------------------------------------------


async def test_an_answer_is_remembered_for_some_seconds_but_not_for_another_connection(
    partner: Partner,
) -> None:
    partner.replies = [active(cnf={"x5t#S256": THUMBPRINT}), active(active=False)]
    async with asking(partner) as found:
        for found.now in (NOW, NOW + 29):
            assert await found.check()
        with pytest.raises(Unauthenticated, match="certificate"):
            await found.check(fingerprint="sha256:" + "cd" * 32)
        assert len(partner.asked) == 1
        found.now = NOW + 30
        with pytest.raises(Unauthenticated, match="active"):
            await found.check()


async def test_nothing_is_remembered_longer_than_the_token_lives(partner: Partner) -> None:
    partner.replies = [active(exp=NOW + 10), active(active=False)]
    async with asking(partner) as found:
        assert await found.check()
        found.now = NOW + 10
        with pytest.raises(Unauthenticated, match="active"):
            await found.check()


async def test_tokens_are_told_apart(partner: Partner) -> None:
    partner.replies = [active(), active(active=False)]
    async with asking(partner) as found:
        assert await found.check("one")
        with pytest.raises(Unauthenticated):
            await found.check("two")
        assert await found.check("one")


async def test_what_is_not_active_is_asked_once(partner: Partner) -> None:
    partner.replies = [active(active=False)]
    async with asking(partner) as found:
        for _ in range(20):
            with pytest.raises(Unauthenticated):
                await found.check()
    assert len(partner.asked) == 1


async def test_many_that_wait_for_one_answer_ask_once(partner: Partner) -> None:
    partner.delay = 0.05
    async with asking(partner) as found:
        await asyncio.gather(*(found.check() for _ in range(50)))
    assert len(partner.asked) == 1


async def test_a_flood_of_unknown_tokens_is_no_flood_of_questions(
    partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(introspection, "AT_ONCE", 3)
    partner.delay = 0.05
    async with asking(partner) as found:
        asked = (found.check(f"token-{number}") for number in range(50))
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(one, Overloaded) for one in outcomes) == 47
    assert len(partner.asked) == 3


async def test_no_more_than_so_many_answers_are_remembered(
    partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(introspection, "REMEMBERED", 2)
    async with asking(partner) as found:
        for number in range(5):
            await found.check(f"token-{number}")
        assert len(found.asks._known) == 2


FAULTS: list[Reply] = [
    answer(401, {"error": "invalid_client", "error_description": SECRET}, JSON),
    answer(302, b"", JSON, location="https://localhost/elsewhere"),
    answer(500, SECRET.encode(), "text/plain"),
    answer(200, b"[true]", JSON),
    answer(200, b'{"active":false,"active":true}', JSON),
    answer(200, b"eyJhbGciOiJub25lIn0.e30.", "application/token-introspection+jwt"),
    answer(200, b"x" * 300_000, JSON),
    b"",
    None,
]


@pytest.mark.parametrize("reply", FAULTS)
async def test_an_issuer_that_does_not_say_lets_nobody_in(partner: Partner, reply: Reply) -> None:
    partner.replies = [reply]
    async with asking(partner, wait=0.3) as found:
        with pytest.raises(IssuerUnavailable) as caught:
            await found.check()
    assert caught.value.answer.status == 503
    assert caught.value.location == "http.authorization"
    assert SECRET not in str(caught.value)
    assert TOKEN not in str(caught.value)


async def test_a_failure_is_not_remembered(partner: Partner) -> None:
    partner.replies = [answer(503), active()]
    async with asking(partner) as found:
        with pytest.raises(IssuerUnavailable):
            await found.check()
        assert await found.check()


async def test_what_was_active_does_not_count_longer_because_the_issuer_is_silent(partner: Partner) -> None:
    partner.replies = [active(), answer(503)]
    async with asking(partner) as found:
        assert await found.check()
        found.now = NOW + 31
        with pytest.raises(IssuerUnavailable):
            await found.check()
