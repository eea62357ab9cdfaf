"""Clients that publish their keys, and what a token request can and cannot leave behind."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from connector.edges import scopes
from connector.edges.authorization_server import granted
from connector.errors import ScopeNotGranted

from .authorization_site import AUDIENCE, LAB_KEYS, SCOPE, TokenSite, assert_refused, authorizing
from .oauth_site import ec
from .partner_site import Partner, answer

URL = "https://localhost:{port}/lab/keys"


def _published(*keys: dict[str, Any]) -> bytes:
    return answer(200, {"keys": list(keys)}, "application/jwk-set+json")


@asynccontextmanager
async def publishing(folder: Path, *replies: bytes) -> AsyncIterator[tuple[TokenSite, Partner]]:
    """``lab`` publishes its keys at ``URL``; ``replies``: in turn, the last for ever."""
    (folder / "lab").mkdir()
    lab = Partner(folder / "lab", replies=list(replies))
    async with lab.running():
        known = {"id": "lab", "jwks_url": URL.format(port=lab.port), "scopes": (SCOPE,), "audience": AUDIENCE}
        site = TokenSite(folder, clients=[known], context=lambda: lab.context)
        async with site.running():
            yield site, lab


async def test_the_keys_of_a_client_are_taken_from_its_address_and_kept(tmp_path: Path) -> None:
    async with publishing(tmp_path, _published(*LAB_KEYS)) as (site, lab):
        for _ in range(3):
            assert (await site.ask()).status_code == 200
        shown = site.assertion({"jku": URL.format(port=lab.port)})
        assert (await site.ask(site.form(shown))).status_code == 200
        assert [one.path for one in lab.asked] == ["/lab/keys"]


async def test_a_flood_of_unknown_keys_asks_the_client_for_its_keys_once(tmp_path: Path) -> None:
    async with publishing(tmp_path, _published(*LAB_KEYS)) as (site, lab):
        forms = [site.form(site.assertion({"kid": f"k{n}"}, ec("P-384", "thief"))) for n in range(10)]
        found = await asyncio.gather(*(site.ask(form) for form in forms))
        assert {one.json()["error"] for one in found} == {"invalid_client"}
        assert len(lab.asked) == 1


async def test_another_address_of_keys_in_an_assertion_is_not_followed(tmp_path: Path) -> None:
    async with publishing(tmp_path, _published(*LAB_KEYS)) as (site, lab):
        shown = site.assertion({"jku": f"https://localhost:{lab.port}/thief/keys"})
        assert_refused(site, await site.ask(site.form(shown)), "invalid_client")
        assert lab.asked == []


@pytest.mark.parametrize(
    "reply",
    [
        answer(302, b"", location="https://localhost/elsewhere"),
        answer(500, b""),
        answer(200, b"{", "application/json"),
        answer(200, {"keys": [{**ec("P-384", "lab").as_dict(private=True), "kid": "lab-es"}]}),
        answer(200, {"keys": [{"kty": "oct", "k": "AAAA", "kid": "lab-es"}]}),
        answer(200, b" " * 300_000, "application/json"),
    ],
    ids=["redirect", "down", "no json", "private keys", "secrets", "too long"],
)
async def test_where_its_keys_cannot_be_had_the_client_comes_again_later(
    tmp_path: Path, reply: bytes
) -> None:
    async with publishing(tmp_path, reply) as (site, lab):
        found = await site.ask()
        assert_refused(site, found, "temporarily_unavailable", 503)
        assert "retry-after" in found.headers
        assert str(lab.port) not in found.text
        assert len(lab.asked) == 1


async def test_of_many_requests_with_one_assertion_one_gets_a_token(tmp_path: Path) -> None:
    async with authorizing(tmp_path) as site, site.client() as client:
        form = site.form()
        found = await asyncio.gather(*(client.post("/oauth/token", data=form) for _ in range(12)))
        assert sorted(one.status_code for one in found) == [200] + [400] * 11
        assert len(site.audited("oauth:token:issued")) == 1


MARK = "Everywoman"


async def test_nothing_of_a_request_stands_in_an_answer_the_audit_log_or_a_log(tmp_path: Path) -> None:
    async with authorizing(tmp_path) as site, site.client() as client:
        with structlog.testing.capture_logs() as logged:
            found = [await client.post("/oauth/token", data=form) for form in _marked(site)]
            assert {one.status_code for one in found} == {400}
            found += [
                await client.post(path, content=MARK) for path in (f"/oauth/token?{MARK}=1", "/oauth/token")
            ]
            found.append(await client.post("/oauth/token", content=MARK, headers={"content-type": MARK}))
        audited = site.audited("oauth:token:refused")
    assert len(audited) == len(found)
    said = [f"{one.text} {one.headers}" for one in found]
    assert MARK not in " ".join([*said, str(audited), str(logged)])


def _marked(site: TokenSite) -> list[dict[str, str]]:
    assertions = [site.assertion(**{claim: MARK}) for claim in ("iss", "sub", "aud", "exp", "iat", "nbf")] + [
        site.assertion({"kid": MARK}),
        site.assertion({"typ": MARK}),
        site.assertion({"jku": f"https://{MARK}"}),
    ]
    fields = ("grant_type", "scope", "client_id", "client_secret", "resource", "client_assertion_type")
    forms = [site.form(**{name: MARK}) for name in fields]
    return [*map(site.form, assertions), site.form(MARK), {MARK: MARK}, *forms]


# --- scopes ---------------------------------------------------------------------------------------------

_TYPES = st.sampled_from(["Patient", "Observation", "*"])
_VERBS = st.sets(st.sampled_from("cruds"), min_size=1).map(
    lambda found: "".join(sorted(found, key="cruds".index))
)
_SCOPES = st.lists(st.builds("system/{}.{}".format, _TYPES, _VERBS), min_size=1, max_size=4)
_KINDS = ("Patient", "Observation", "Encounter")


@given(asked=_SCOPES, most=_SCOPES)
def test_what_is_granted_allows_nothing_that_the_settings_do_not(asked: list[str], most: list[str]) -> None:
    ceiling = scopes.parse(" ".join(most))
    try:
        found = scopes.parse(granted(" ".join(asked), most))
    except ScopeNotGranted:
        found = frozenset()
    wanted = scopes.parse(" ".join(asked))
    for kind, verb in itertools.product(_KINDS, "cruds"):
        given = scopes.allows(found, kind, verb)
        assert not given or scopes.allows(ceiling, kind, verb)
        assert not found or given == scopes.allows(wanted, kind, verb)


@given(most=_SCOPES)
def test_a_client_can_have_all_that_it_was_given(most: list[str]) -> None:
    assert granted(" ".join(most), most).split() == list(dict.fromkeys(most))
