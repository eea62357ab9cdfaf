"""What changes in the files of TLS while the service runs: taken up at once, and who may stay stays."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import socket
import time
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connector.demo import tls
from tests.pipeline.partners import talking
from tests.pipeline.room import adt

from .tls_site import Home, at_home

SOON = 1.0  # seconds, as is promised


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    async with at_home(tmp_path) as made:
        yield made


async def test_who_is_revoked_is_cut_within_a_second_and_the_others_stay(home: Home) -> None:
    async with talking(home.site) as hospital, talking(home.site, "fhir") as other, home.client() as https:
        assert (await hospital.ask(adt()))[0] == "AA"
        assert (await https.get("/health/live")).status_code == 200
        home.revoke("hospital")
        began = time.monotonic()
        assert await asyncio.wait_for(hospital.reader.read(), 5) == b""
        assert time.monotonic() - began < SOON
        assert await other.silent(0.1)
        assert (await https.get("/health/live")).status_code == 200
        with pytest.raises((OSError, EOFError)):
            async with talking(home.site) as again:
                await again.ask(adt())
    (cut,) = await home.eventually(lambda: home.audited("tls:connection:cut"))
    assert (cut["object"]["end"], cut["reason"]) == ("mllp", "certificate revoked")
    assert cut["actor"]["subject"] == "CN=hospital"
    refused = await home.eventually(lambda: home.audited("tls:handshake:refused"))
    assert [one["reason"] for one in refused] == ["certificate: certificate revoked"]
    assert home.audited("tls:reloaded")


async def test_an_open_https_connection_is_cut_too(home: Home) -> None:
    context = tls.client_context(home.folder, "analyst")
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", home.site.ports.https, ssl=context, server_hostname="localhost"
    )
    writer.write(b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n")
    await reader.readuntil(b"}")
    home.revoke("analyst")
    began = time.monotonic()
    with pytest.raises((OSError, EOFError)):
        await asyncio.wait_for(reader.readexactly(1), 5)
    assert time.monotonic() - began < SOON
    writer.transport.abort()


async def test_a_new_certificate_is_shown_to_the_next_and_drops_nobody(home: Home) -> None:
    before = await asyncio.to_thread(shown, home)
    async with talking(home.site) as hospital:
        certificate, key = home.authority.issue("connector", sans=["localhost"], ip=["127.0.0.1"])
        home.put("connector.pem", certificate)
        home.put("connector.key", key)
        await home.eventually(lambda: home.audited("tls:reloaded"))
        assert await asyncio.to_thread(shown, home) != before
        assert (await hospital.ask(adt()))[0] == "AA"
    assert home.tls_warnings() == {}


def shown(home: Home) -> bytes:
    """The certificate of the listener."""
    context = tls.client_context(home.folder, "hospital")
    with (
        socket.create_connection(("127.0.0.1", home.site.ports.mllp), 5) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        encoded = secure.getpeercert(binary_form=True) or b""
        secure.sendall(b"\n")
        secure.settimeout(0.5)
        with contextlib.suppress(TimeoutError):
            if not secure.recv(1):
                raise ConnectionResetError
        return encoded


async def test_an_authority_that_is_taken_out_vouches_for_nobody_any_more(home: Home) -> None:
    async with talking(home.site) as hospital:
        other = type(home.authority)("Another CA")
        home.put("lists.pem", home.authority.crl() + other.crl())
        home.put("ca.pem", other.pem)
        assert await asyncio.wait_for(hospital.reader.read(), 5) == b""
    (cut, *_) = await home.eventually(lambda: home.audited("tls:connection:cut"))
    assert cut["reason"] == "no authority of ours vouches for it"


async def test_a_partner_that_the_profile_names_no_more_is_cut(home: Home) -> None:
    named = (await named_certificates(home))[0]
    async with talking(home.site) as hospital:
        assert (await hospital.ask(adt()))[0] == "AA"
        home.change(named, f"sha256:{0:064}")
        began = time.monotonic()
        assert await asyncio.wait_for(hospital.reader.read(), 5) == b""
        assert time.monotonic() - began < SOON
    (cut,) = await home.eventually(lambda: home.audited("tls:connection:cut"))
    assert cut["reason"] == "it may not speak for its partner any more"
    async with talking(home.site) as again:
        again.say(adt())
        assert await asyncio.wait_for(again.reader.read(), 5) == b""
    assert home.audited("tls:peer:refused")


async def named_certificates(home: Home) -> list[str]:
    profile = tomllib.loads(home.site.profile.read_text())
    return [str(one) for one in profile["v2"]["from"]["certificates"]]


async def test_a_broken_list_is_told_of_and_the_old_one_stays_in_force(home: Home) -> None:
    home.revoke("fhir")
    await home.eventually(lambda: home.audited("tls:reloaded"))
    home.put("lists.pem", home.authority.crl()[:-40])
    entry = (await home.eventually(lambda: home.audited("tls:file:refused")))[0]
    assert entry["object"]["location"].endswith("lists.pem")
    async with talking(home.site) as hospital, home.client() as https:
        assert (await hospital.ask(adt()))[0] == "AA"
        answer = await https.get("/health/ready")
        assert answer.json()["parts"]["tls"] is True
        assert any("revocation list" in said for said in answer.json()["warnings"].values())
    with pytest.raises((OSError, EOFError)):
        async with talking(home.site, "fhir") as revoked:
            await revoked.ask(adt())
    home.revoke("fhir", "hospital")
    await home.eventually(lambda: home.audited("tls:reloaded")[1:])
    assert home.tls_warnings() == {}


async def test_a_key_that_others_may_read_is_not_taken_and_revocation_goes_on(home: Home) -> None:
    async with talking(home.site) as hospital:
        (home.folder / "connector.key").chmod(0o644)
        await home.eventually(lambda: home.audited("tls:file:refused"))
        assert (await hospital.ask(adt()))[0] == "AA"
        home.revoke("hospital")
        assert await asyncio.wait_for(hospital.reader.read(), 5) == b""


async def test_a_broken_profile_changes_nothing(home: Home) -> None:
    async with talking(home.site) as hospital:
        home.site.profile.write_text(home.site.profile.read_text() + "\nthis is no TOML")
        await home.eventually(lambda: home.audited("tls:file:refused"))
        assert (await hospital.ask(adt()))[0] == "AA"


async def test_a_list_that_ends_while_we_run_refuses_handshakes_and_makes_us_not_ready(home: Home) -> None:
    soon = dt.datetime.fromtimestamp(int(time.time()) + 2, dt.UTC)
    async with talking(home.site) as hospital, home.client() as https:
        assert (await https.get("/health/ready")).json()["parts"]["tls"] is True
        home.put("lists.pem", home.authority.crl(next_update=soon))
        await asyncio.sleep(soon.timestamp() + 0.3 - time.time())
        with pytest.raises((OSError, EOFError)):
            await asyncio.to_thread(shown, home)
        assert (await hospital.ask(adt()))[0] == "AA"  # it says nothing new of who is in
        answer = await https.get("/health/ready")
        assert answer.status_code == 503
        assert "ends" in answer.json()["parts"]["tls"]
    assert home.audited("tls:handshake:refused")[0]["reason"] == "certificate: CRL has expired"


async def test_whose_certificate_ends_is_cut(home: Home) -> None:
    async with talking(home.site) as hospital:
        assert (await hospital.ask(adt()))[0] == "AA"
        later = dt.datetime.now(dt.UTC) + dt.timedelta(days=31)
        cut = home.service._secured.sweep(later)
        assert [(one.end, one.reason) for one in cut] == [("mllp", "certificate has expired")]
        assert await asyncio.wait_for(hospital.reader.read(), 5) == b""


async def test_what_ends_soon_is_told_of_once_a_day(tmp_path: Path) -> None:
    async with at_home(tmp_path, warn_days=20) as home:
        async with talking(home.site) as hospital:
            assert (await hospital.ask(adt()))[0] == "AA"
        found = await home.eventually(lambda: home.audited("tls:validity:ends"))
        assert [one["object"]["what"] for one in found] == ["mllp: a revocation list"]  # it lasts a week
        assert list(home.tls_warnings()) == ["mllp: a revocation list"]
        home.service.resume()
        await home.eventually(lambda: not home.service._renewing._woken.is_set())
        assert len(home.audited("tls:validity:ends")) == 1


async def test_the_hangup_signal_reads_everything_anew(home: Home) -> None:
    looked: list[int] = []
    look = home.service._secured.look
    home.service._secured.look = lambda: (looked.append(1), look())[1]  # type: ignore[method-assign]
    home.service.resume()
    await home.eventually(lambda: looked)
