"""Logging in at an OpenID provider, operating by a session, and logging off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from connector.edges.login_sessions import BEGUN_MOST, BEGUN_SECONDS
from tests.store.site import rows

from .login_site import Browser, LoginSite, logging_in
from .operator_site import SECRET, V2, WHY, assert_problem

PAUSE = {**WHY, "link": "demo"}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[LoginSite]:
    async with logging_in(tmp_path) as running:
        yield running


@pytest.fixture
async def mia(site: LoginSite) -> AsyncIterator[Browser]:
    """Somebody who is logged in, an operator."""
    async with site.browser() as browser:
        assert (await browser.log_in()).status_code == 200
        yield browser


async def test_who_logs_in_is_known_with_roles_and_permissions(site: LoginSite, mia: Browser) -> None:
    said = (await mia.get("/me")).json()
    assert (said["name"], said["roles"]) == ("mia", ["operator"])
    assert said["permissions"] == ["operator:act", "operator:read"]
    assert (await mia.get("/lanes")).json() == {"lanes": []}
    (entry,) = site.audited("access:login:succeeded")
    assert (entry["actor"]["name"], entry["actor"]["realm"]) == ("mia", "login")
    assert entry["actor"]["certificate"] == site.operating.fingerprint
    assert entry["object"]["roles"] == ["operator"]
    assert mia.cookie() not in str(site.audited("access:login:succeeded"))


@pytest.mark.parametrize("method", ["client_secret_basic", "tls_client_auth"])
async def test_the_provider_may_know_us_in_other_ways(tmp_path: Path, method: str) -> None:
    async with logging_in(tmp_path, method) as site, site.browser() as browser:
        assert (await browser.log_in()).status_code == 200
        assert (await browser.get("/me")).status_code == 200


async def test_the_cookies_are_for_this_host_over_tls_for_no_script_and_for_no_other_site(
    site: LoginSite,
) -> None:
    async with site.browser() as browser:
        begun = await browser.client.get("/login")
        (under_way,) = begun.headers.get_list("set-cookie")
        assert under_way.startswith("__Host-login=")
        assert under_way.endswith("; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=600")
        done = await browser.log_in()
        gone, session = done.headers.get_list("set-cookie")
        assert gone.startswith("__Host-login=; ")
        assert session.startswith("__Host-session=")
        assert session.endswith("; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=28800")
        assert 'url=/operator/me"' in done.text


async def test_a_role_bounds_what_a_person_may(site: LoginSite) -> None:
    site.provider.person = {"sub": "ben", "groups": "audit"}
    async with site.browser() as browser:
        await browser.log_in()
        assert (await browser.get("/counts")).status_code == 200
        assert_problem(await browser.post("/pause", PAUSE), 403, "Forbidden")
        (entry,) = site.audited("access:scope:refused")
    assert (entry["actor"]["name"], entry["object"]["operation"]) == ("ben", "POST /operator/pause")


async def test_groups_add_their_roles_up_and_unknown_ones_give_none(site: LoginSite) -> None:
    site.provider.person = {"sub": "eva", "groups": ["science", "audit", "x", 7, None]}
    async with site.browser() as browser:
        await browser.log_in()
        assert (await browser.get("/me")).json()["roles"] == ["analyst", "auditor"]
        one = await site.operating.dead()
        shown = await browser.post(f"/messages/{one.id}/content", WHY)
    assert shown.status_code == 200
    (entry,) = site.audited("operator:content:viewed")
    assert (entry["actor"]["name"], "emergency" in entry["actor"]) == ("eva", False)


@pytest.mark.parametrize("groups", [None, [], ["strangers"], {"ops": True}, 7, [["ops"]]])
async def test_without_a_role_nobody_is_let_in(site: LoginSite, groups: object) -> None:
    site.provider.person = {"sub": "kim", **({"groups": groups} if groups is not None else {})}
    async with site.browser() as browser:
        assert_problem(await browser.log_in(), 403, "Forbidden")
        assert browser.cookie() == ""
    (entry,) = site.audited("access:login:refused")
    assert (entry["reason"], entry["object"]["operation"]) == ("Forbidden", "GET /login/callback")


async def test_a_session_ends_when_it_does_nothing(site: LoginSite, mia: Browser) -> None:
    site.pass_by(minutes=14)
    assert (await mia.get("/me")).status_code == 200
    site.pass_by(minutes=14, seconds=59)
    assert (await mia.get("/me")).status_code == 200
    site.pass_by(minutes=15)
    assert_problem(await mia.get("/me"), 401, "Unauthenticated")
    assert [one["object"]["why"] for one in site.audited("access:login:ended")] == ["idle"]


async def test_a_session_ends_after_its_longest_time_however_busy(site: LoginSite, mia: Browser) -> None:
    for _ in range(8 * 60 // 10 - 1):
        site.pass_by(minutes=10)
        assert (await mia.get("/me")).status_code == 200
    site.pass_by(minutes=10)
    assert_problem(await mia.get("/me"), 401, "Unauthenticated")
    assert [one["object"]["why"] for one in site.audited("access:login:ended")] == ["longest time"]


async def test_log_off_ends_the_session_and_not_only_the_cookie(site: LoginSite, mia: Browser) -> None:
    cookie = mia.cookie()
    done = await mia.client.post("/logout", headers={"origin": site.base})
    assert (done.status_code, mia.cookie()) == (204, "")
    answer = await mia.client.get("/operator/me", headers={"cookie": f"__Host-session={cookie}"})
    assert_problem(answer, 401, "Unauthenticated")
    assert [one["object"]["why"] for one in site.audited("access:login:ended")] == ["logged off"]
    again = await mia.client.post("/logout", headers={"origin": site.base})
    assert again.status_code == 204


async def test_an_idle_end_is_written_down_though_nobody_asks_for_anything(
    site: LoginSite, mia: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.wiring.login.TIDY_SECONDS", 0.01)
    site.people.start()
    site.pass_by(minutes=15)
    for _ in range(1000):
        if site.audited("access:login:ended"):
            break
        await asyncio.sleep(0.01)
    assert [one["object"]["why"] for one in site.audited("access:login:ended")] == ["idle"]
    assert len(site.people.desk.sessions) == 0


async def test_a_service_that_stops_logs_everybody_off(site: LoginSite, mia: Browser) -> None:
    await site.people.close()
    assert_problem(await mia.get("/me"), 401, "Unauthenticated")
    assert [one["object"]["why"] for one in site.audited("access:login:ended")] == ["the service stopped"]


async def test_nobody_is_let_in_whom_the_audit_log_does_not_know(site: LoginSite) -> None:
    async with site.browser() as browser:
        where = await browser.begin()
        rows(site.folder, "ALTER TABLE audit_entry RENAME TO elsewhere")
        assert_problem(await browser.client.get(where), 503, "AuditRefused")
        assert browser.cookie() == ""
        assert len(site.people.desk.sessions) == 0
        rows(site.folder, "ALTER TABLE elsewhere RENAME TO audit_entry")


async def test_a_session_counts_over_its_own_certificate_alone(site: LoginSite, mia: Browser) -> None:
    async with site.browser("thief") as thief:
        stolen = {"cookie": f"__Host-session={mia.cookie()}"}
        answer = await thief.client.get("/operator/me", headers=stolen)
        assert_problem(answer, 401, "Unauthenticated")
    assert (await mia.get("/me")).status_code == 200


async def test_every_login_has_a_session_of_its_own_and_ends_that_before_it(
    site: LoginSite, mia: Browser
) -> None:
    before = mia.cookie()
    await mia.log_in()
    assert mia.cookie() not in ("", before)
    assert len(site.people.desk.sessions) == 1


async def test_a_session_that_somebody_else_chose_becomes_none(site: LoginSite) -> None:
    async with site.browser() as browser:
        chosen = f"__Host-session={'x' * 43}"
        where = await browser.begin()
        under_way = f"__Host-login={browser.client.cookies['__Host-login']}"
        await browser.client.get(where, headers={"cookie": f"{chosen}; {under_way}"})
        assert browser.cookie() not in ("", "x" * 43)
        browser.client.cookies.clear()
        assert_problem(
            await browser.client.get("/operator/me", headers={"cookie": chosen}), 401, "Unauthenticated"
        )


@pytest.mark.parametrize(
    "origin",
    [None, "null", "https://evil.example", "http://localhost", "https://localhost", "{base}/", "{base}.evil"],
)
async def test_a_request_that_changes_something_must_come_from_our_own_pages(
    site: LoginSite, mia: Browser, origin: str | None
) -> None:
    said = origin.format(base=site.base) if origin else origin
    assert_problem(await mia.post("/pause", PAUSE, said), 403, "Forbidden")
    headers = {} if said is None else {"origin": said}
    assert_problem(await mia.client.post("/logout", headers=headers), 403, "Forbidden")
    assert await site.operating.store.pauses() == []
    assert (await mia.post("/pause", PAUSE)).status_code == 200


async def test_an_origin_that_comes_twice_is_none(site: LoginSite, mia: Browser) -> None:
    headers = [("origin", site.base), ("origin", "https://evil.example")]
    answer = await mia.client.post("/operator/pause", json=PAUSE, headers=httpx2.Headers(headers))
    assert_problem(answer, 403, "Forbidden")


@pytest.mark.parametrize("cookie", ["x", "x" * 43, "x" * 5000, "\x7f", "__Host-session"])
async def test_what_is_no_session_is_none(site: LoginSite, cookie: str) -> None:
    async with site.browser() as browser:
        answer = await browser.client.get("/operator/me", headers={"cookie": f"__Host-session={cookie}"})
        assert_problem(answer, 401, "Unauthenticated")


async def test_two_sessions_in_one_request_are_refused(site: LoginSite, mia: Browser) -> None:
    cookie = f"__Host-session={mia.cookie()}"
    answer = await mia.client.get("/operator/me", headers={"cookie": f"{cookie}; {cookie}"})
    assert_problem(answer, 400, "TokenMisplaced")


async def test_no_more_people_than_may_be_are_logged_in_at_once(tmp_path: Path) -> None:
    async with logging_in(tmp_path, sessions=1) as site, site.browser() as one, site.browser() as other:
        assert (await one.log_in()).status_code == 200
        assert_problem(await other.log_in(), 503, "Overloaded")
        site.pass_by(minutes=15)
        assert (await other.log_in()).status_code == 200


async def test_logins_under_way_are_few_and_soon_forgotten(site: LoginSite) -> None:
    async with site.browser() as browser:
        first = await browser.begin()
        for _ in range(BEGUN_MOST):
            late = await browser.begin()
        assert_problem(await browser.client.get(first), 403, "LoginRefused")
        site.pass_by(seconds=BEGUN_SECONDS)
        assert_problem(await browser.client.get(late), 403, "LoginRefused")


async def test_only_the_certificates_that_are_named_may_log_in(tmp_path: Path) -> None:
    async with logging_in(tmp_path, certificates=("sha256:" + "0" * 64,)) as site, site.browser() as browser:
        assert_problem(await browser.client.get("/login"), 403, "Forbidden")
        assert len(site.audited("access:login:refused")) == 1


# --- the glass ----------------------------------------------------------------------------------------


async def test_a_person_breaks_the_glass_and_everything_done_by_it_is_marked(
    site: LoginSite, mia: Browser
) -> None:
    one = await site.operating.dead(content=V2)
    path = f"/messages/{one.id}/content"
    assert_problem(await mia.post(path, WHY), 403, "Forbidden")
    assert (await mia.post("/break-glass", {**WHY, "minutes": 5})).status_code == 200
    assert SECRET not in (shown := await mia.post(path, WHY)).text
    assert shown.status_code == 200
    (entry,) = site.audited("operator:content:viewed")
    assert (entry["actor"]["name"], entry["actor"]["emergency"]) == ("mia", True)
    found = (await mia.get("/findings")).json()["findings"]
    assert found[0]["kind"] == "emergency"
    assert (await mia.get("/me")).json()["emergency"]["reason"] == WHY["because"]
    assert_problem(await mia.post("/break-glass", {**WHY, "minutes": 30}), 409, "MovedOn")
    site.pass_by(minutes=5)
    assert_problem(await mia.post(path, WHY), 403, "Forbidden")
    assert (await mia.post("/break-glass", WHY)).status_code == 200
    assert (await mia.post("/break-glass/end", {})).json() == {"ended": True}
    assert_problem(await mia.post(path, WHY), 403, "Forbidden")
    assert [len(site.audited(f"access:emergency:{one}")) for one in ("granted", "refused", "ended")] == [
        2,
        1,
        1,
    ]


async def test_the_glass_is_for_the_roles_that_may_break_it(site: LoginSite) -> None:
    site.provider.person = {"sub": "ben", "groups": "audit"}
    async with site.browser() as browser:
        await browser.log_in()
        assert_problem(await browser.post("/break-glass", WHY), 403, "Forbidden")
        assert_problem(await browser.post("/break-glass", WHY, "https://evil.example"), 403, "Forbidden")
    assert len(site.audited("access:emergency:refused")) == 1


async def test_a_client_with_a_token_has_no_glass_and_needs_no_origin(tmp_path: Path) -> None:
    async with logging_in(tmp_path, tokens=True) as site:
        assert_problem(await site.operating.post("/break-glass", WHY), 403, "Forbidden")
        assert (await site.operating.post("/pause", PAUSE)).status_code == 200
        assert (await site.operating.get("/me")).json()["name"] == "mia"
        assert_problem(await site.operating.get("/me", token=""), 401, "Unauthenticated")
