"""An issuer's keys: asked for in time, never in a flood, kept for a while and then no more."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from connector.edges.issuer_keys import IssuerKeys, Times
from connector.edges.jwks import ALGORITHMS, VerifyingKeys
from connector.errors import ConfigurationError, IssuerUnavailable, Unauthenticated

from .oauth_site import FINGERPRINT, IssuerSite, bearer, claims, ec, keyset, signed

TIMES = Times(refresh=100, pause=10, keep=500)
NEXT = {**ec("P-384", "next").as_dict(private=False), "kid": "next"}


@dataclass
class Published:
    """An issuer that counts how often it is asked; silent while ``down``, slow until ``free`` is set."""

    now: float = 0.0
    asked: int = 0
    down: bool = False
    keys: list[dict[str, object]] = field(default_factory=keyset)
    free: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.free.set()

    async def load(self) -> VerifyingKeys:
        self.asked += 1
        await self.free.wait()
        if self.down:
            raise IssuerUnavailable("silent")
        return VerifyingKeys.published({"keys": self.keys}, ALGORITHMS, "test")

    def source(self) -> IssuerKeys:
        return IssuerKeys(self.load, TIMES, clock=lambda: self.now)


@pytest.fixture
def issuer() -> Published:
    return Published()


async def settled() -> None:
    """Lets what was started in the background come to its end."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_keys_are_asked_for_once_by_many_that_wait(issuer: Published) -> None:
    keys = issuer.source()
    issuer.free.clear()
    waiting = [asyncio.create_task(keys.find("es384", "ES384")) for _ in range(50)]
    await settled()
    issuer.free.set()
    assert all(await asyncio.gather(*waiting))
    assert issuer.asked == 1


async def test_one_that_gives_up_does_not_stop_the_others(issuer: Published) -> None:
    keys = issuer.source()
    issuer.free.clear()
    first, second = (asyncio.create_task(keys.find("es384", "ES384")) for _ in range(2))
    await settled()
    first.cancel()
    await settled()
    issuer.free.set()
    assert await second is not None


async def test_a_new_key_is_found_by_the_first_token_that_names_it(issuer: Published) -> None:
    keys = issuer.source()
    assert await keys.find("es384", "ES384")
    issuer.keys.append(dict(NEXT))
    issuer.now = 11
    assert await keys.find("next", "ES384")
    assert issuer.asked == 2


async def test_a_flood_of_unknown_key_ids_is_no_flood_of_questions(issuer: Published) -> None:
    keys = issuer.source()
    for number in range(1000):
        issuer.now = number / 100
        assert await keys.find(f"../../{number}", "ES384") is None
    assert issuer.asked == 1
    issuer.now = 10.5
    found = await asyncio.gather(*(keys.find(f"kid {number}", "ES384") for number in range(1000)))
    assert not any(found)
    assert issuer.asked == 2


async def test_a_known_key_does_not_wait_for_the_search_for_another(issuer: Published) -> None:
    keys = issuer.source()
    await keys.find("es384", "ES384")
    issuer.now = 11
    issuer.free.clear()
    other = asyncio.create_task(keys.find("nobody", "ES384"))
    await settled()
    assert await asyncio.wait_for(keys.find("es384", "ES384"), 1)
    issuer.free.set()
    assert await other is None


@pytest.mark.parametrize("kid", [None, "", 5, ["es384"], {"a": 1}, "es384\0", "' OR 1=1 --"])
async def test_what_is_no_key_id_finds_no_key(issuer: Published, kid: object) -> None:
    assert await issuer.source().find(kid, "ES384") is None


async def test_a_withdrawn_key_counts_no_more_after_the_refresh_which_nobody_waits_for(
    issuer: Published,
) -> None:
    keys = issuer.source()
    assert await keys.find("es384", "ES384")
    issuer.keys = [dict(NEXT)]
    issuer.now = 99
    assert await keys.find("es384", "ES384")
    issuer.now = 101
    issuer.free.clear()
    assert await asyncio.wait_for(keys.find("es384", "ES384"), 1)
    issuer.free.set()
    await settled()
    assert await keys.find("es384", "ES384") is None


async def test_keys_are_kept_for_a_while_without_word_of_the_issuer_and_then_no_token_counts(
    issuer: Published,
) -> None:
    keys = issuer.source()
    await keys.find("es384", "ES384")
    issuer.down = True
    for issuer.now in (101, 200, 300, 499):
        assert await keys.find("es384", "ES384")
        await settled()
    asked = issuer.asked
    issuer.now = 500
    with pytest.raises(IssuerUnavailable):
        await keys.find("es384", "ES384")
    issuer.now = 501
    with pytest.raises(IssuerUnavailable):
        await keys.find("es384", "ES384")
    assert issuer.asked == asked  # the one at 499 was less than a pause ago
    issuer.down, issuer.now = False, 510
    assert await keys.find("es384", "ES384")


async def test_an_issuer_that_never_answered_lets_nobody_in_and_is_not_asked_in_a_flood(
    issuer: Published,
) -> None:
    issuer.down = True
    keys = issuer.source()
    for _ in range(100):
        with pytest.raises(IssuerUnavailable) as caught:
            await keys.find("es384", "ES384")
    assert issuer.asked == 1
    assert caught.value.answer.status == 503


async def test_a_fault_of_our_own_lets_nobody_in_either(issuer: Published) -> None:
    async def broken() -> VerifyingKeys:
        raise ZeroDivisionError

    keys = IssuerKeys(broken, TIMES, clock=lambda: issuer.now)
    with pytest.raises(IssuerUnavailable):
        await keys.find("es384", "ES384")


async def test_closing_gives_up_what_is_asked(issuer: Published) -> None:
    keys = issuer.source()
    issuer.free.clear()
    waiting = asyncio.create_task(keys.find("es384", "ES384"))
    await settled()
    await keys.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting


# --- from a file ---------------------------------------------------------------------------------------


async def test_a_changed_file_is_taken_over_and_a_broken_one_is_not(tmp_path: Path) -> None:
    site, now = IssuerSite(tmp_path), [0.0]
    guard = site.guard(monotonic=lambda: now[0])
    stranger = ec("P-384", "next")
    shown = list(bearer(signed(claims(), {"kid": "next"}, stranger)))
    with pytest.raises(Unauthenticated):
        await guard.check(shown, FINGERPRINT)
    site.keys.append(dict(NEXT))
    path = site.jwks
    now[0] = 3
    assert (await guard.check(shown, FINGERPRINT)).client_id == "fhir-side"
    path.write_text("{")
    for now[0] in (6, 9, 3600):
        assert (await guard.check(shown, FINGERPRINT)).client_id == "fhir-side"
        await settled()
    now[0] = 3603.1
    with pytest.raises(IssuerUnavailable):
        await guard.check(shown, FINGERPRINT)


async def test_a_key_that_is_taken_out_of_the_file_counts_no_more_even_for_a_token_seen_before(
    tmp_path: Path,
) -> None:
    site, now = IssuerSite(tmp_path), [0.0]
    guard = site.guard(monotonic=lambda: now[0])
    shown = list(bearer(signed(claims())))
    assert await guard.check(shown, FINGERPRINT)
    site.keys = [one for one in site.keys if one["kid"] != "es384"]
    os.utime(site.jwks, ns=(1, 1))
    now[0] = 3
    await guard.check(shown, FINGERPRINT)  # has the file looked at
    await settled()
    with pytest.raises(Unauthenticated):
        await guard.check(shown, FINGERPRINT)


async def test_a_new_key_under_an_old_id_does_not_stand_by_the_signatures_of_the_old_one(
    tmp_path: Path,
) -> None:
    site, now = IssuerSite(tmp_path), [0.0]
    guard = site.guard(monotonic=lambda: now[0])
    shown = list(bearer(signed(claims())))
    assert await guard.check(shown, FINGERPRINT)
    site.keys = [{**NEXT, "kid": "es384"}]
    os.utime(site.jwks, ns=(1, 1))
    now[0] = 3
    await guard.check(shown, FINGERPRINT)
    await settled()
    with pytest.raises(Unauthenticated, match="signature"):
        await guard.check(shown, FINGERPRINT)


def test_a_file_that_is_not_there_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        IssuerKeys.of_file(tmp_path / "none.json", ALGORITHMS)


# --- what is published ---------------------------------------------------------------------------------


def test_of_what_is_published_only_what_is_of_use_is_taken() -> None:
    others = [
        {"kty": "OKP", "crv": "Ed25519", "x": "AAAA", "kid": "ed"},
        {**ec("P-256").as_dict(private=False), "kid": "enc", "use": "enc"},
        {**ec("P-256").as_dict(private=False)} | {"kid": None},
        {"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA", "kid": "k1"},
    ]
    found = VerifyingKeys.published({"keys": [*others, NEXT]}, ALGORITHMS, "test")
    assert "next" in found
    assert not any(kid in found for kid in ("ed", "enc", "k1", None))


REFUSED: dict[str, Callable[[], object]] = {
    "no set": dict,
    "no list": lambda: {"keys": {"kid": "a"}},
    "none": lambda: {"keys": []},
    "none of use": lambda: {"keys": [{**NEXT, "use": "enc"}]},
    "a private one": lambda: {"keys": [NEXT, {**ec().as_dict(private=True), "kid": "p"}]},
    "a private one of no use": lambda: {"keys": [NEXT, {"kty": "OKP", "crv": "Ed25519", "d": "AA"}]},
    "a symmetric one": lambda: {"keys": [NEXT, {"kty": "oct", "k": "AAAA", "kid": "s"}]},
    "one id twice": lambda: {"keys": [NEXT, {**ec().as_dict(private=False), "kid": "next"}]},
    "too many": lambda: {"keys": [{**NEXT, "kid": str(number)} for number in range(101)]},
    "a huge one": lambda: {"keys": [NEXT, {"kty": "RSA", "n": "_" * 2000, "e": "AQAB", "kid": "h"}]},
    "a point off its curve": lambda: {"keys": [NEXT, {**NEXT, "kid": "off", "x": NEXT["y"]}]},
    "a list": lambda: [NEXT],
}


@pytest.mark.parametrize("fault", sorted(REFUSED))
def test_a_published_set_that_is_not_safe_is_not_taken(fault: str) -> None:
    with pytest.raises(ConfigurationError):
        VerifyingKeys.published(REFUSED[fault](), ALGORITHMS, "test")


@pytest.mark.parametrize("ops", [["encrypt"], [], "verify", 5, [["verify"]]])
def test_a_key_that_is_not_for_verifying_fits_nothing(ops: object) -> None:
    with pytest.raises(ConfigurationError):
        VerifyingKeys.published({"keys": [{**NEXT, "key_ops": ops}]}, ALGORITHMS, "test")
