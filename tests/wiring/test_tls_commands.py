"""What operators are told: who was not let in, what we show and trust, and what a listener shows."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from connector.edges.tls_probe import probe
from connector.pipeline import findings
from connector.wiring import now
from tests.mllp.loopback import Site as Keys
from tests.pipeline.partners import talking
from tests.pipeline.room import adt
from tests.pki import Authority, write_private
from tests.test_cli import run

from .tls_site import Home, at_home


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    async with at_home(tmp_path) as made:
        yield made


async def tls(home: Home, *given: str | Path) -> Any:
    command, *rest = given
    return await asyncio.to_thread(run, "tls", command, *rest, "--config", home.site.config)


async def knock(home: Home, holder: str) -> None:
    with pytest.raises((OSError, EOFError)):
        async with talking(home.site, holder) as talk:
            await talk.ask(adt())


async def test_whoever_was_turned_away_is_told_with_the_reason_and_what_helps(home: Home) -> None:
    assert (await tls(home, "refused")).stdout == "nobody was turned away in the last 24 h\n"
    home.revoke("fhir")
    await home.eventually(lambda: home.audited("tls:reloaded"))
    for _ in range(3):
        await knock(home, "fhir")
    await knock(home, "analyst")  # a good certificate that no profile names for v2
    await home.eventually(lambda: len(home.audited("tls:handshake:refused")) == 3)
    await home.eventually(lambda: home.audited("tls:peer:refused"))
    told = (await tls(home, "refused")).stdout
    assert "mllp: 3 times from 127.0.0.1 (CN=fhir)" in told
    assert "certificate revoked" in told
    assert "the partner needs a new certificate" in told
    assert "no profile names this certificate: connector tls check" in told
    listed = json.loads((await tls(home, "refused", "--json")).stdout)
    assert {(one["subject"], one["times"]) for one in listed} == {("CN=fhir", 3), ("CN=analyst", 1)}
    found = await findings.look(home.service._store, [], {}, now())
    assert [one.kind for one in found] == ["refused", "refused"]
    assert found[0].text.startswith("not let in: mllp: 3 times")
    assert "connector tls refused" in found[0].helps


async def test_what_we_show_and_trust_is_listed_with_its_end(home: Home) -> None:
    result = await tls(home, "check", "--json")
    assert result.exit_code == 0
    ends = {one["end"]: one for one in json.loads(result.stdout)}
    assert set(ends) == {"mllp", "https", "issuers", "demo v2", "demo fhir", "demo token"}
    assert ends["mllp"]["we show"]["subject"] == "CN=connector"
    assert ends["mllp"]["trusted"][0]["subject"] == "CN=Test CA"
    assert ends["mllp"]["lists"][0]["revoked"] == 0
    assert ends["mllp"]["partners"][0]["link"] == "demo"
    told = (await tls(home, "check")).stdout
    assert "we show:\n  subject: CN=connector" in told


async def test_a_certificate_is_matched_with_its_partner(home: Home, tmp_path: Path) -> None:
    result = await tls(home, "check", "--json", "--certificate", home.folder / "hospital.pem")
    assert result.exit_code == 0
    assert [one["says"] for one in json.loads(result.stdout)["ends"]] == [
        "speaks for demo",
        "comes in and speaks for no partner",
    ]
    stranger = tmp_path / "stranger.pem"
    stranger.write_bytes(Authority("Strange").issue("x")[0])
    result = await tls(home, "check", "--certificate", stranger)
    assert result.exit_code == 1
    assert "refused: no authority of ours vouches for it" in result.stdout
    home.revoke("hospital")
    result = await tls(home, "check", "--certificate", home.folder / "hospital.pem")
    assert (result.exit_code, "certificate revoked" in result.stdout) == (1, True)


async def test_a_listener_is_probed_as_we_would_connect(home: Home) -> None:
    port = home.site.ports.mllp
    result = await tls(home, "probe", f"localhost:{port}", "--link", "demo", "--json")
    said = json.loads(result.stdout[result.stdout.index("{\n") :])  # the service logs there too
    assert (result.exit_code, said["we would"], said["it would"]) == (0, "talk to it", "talk to us")
    assert said["version"] == "TLSv1.3"
    assert said["chain"][0]["subject"] == "CN=connector"
    assert said["asks for"].startswith("a certificate")
    result = await tls(home, "probe", f"localhost:{port}", "--server-name", "other.example")
    assert result.exit_code == 1
    assert "not talk to it: Hostname mismatch" in result.stdout


def test_what_a_listener_of_tls_1_2_shows_is_seen_although_it_asks_for_more(tmp_path: Path) -> None:
    site = Keys(tmp_path)
    server = site.server_context()
    server.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = threading.Thread(target=serve, args=(listening, server), daemon=True)
        serving.start()
        found = probe("127.0.0.1", listening.getsockname()[1], site.client_context(), "localhost")
        serving.join(5)
    assert found.shown is not None
    assert (found.shown.version, found.verdict, found.takes_us) == ("TLSv1.2", "", "")
    assert found.shown.chain[0].subject.rfc4514_string() == "CN=server"
    assert found.asks.startswith("a certificate")


def serve(listening: socket.socket, context: ssl.SSLContext) -> None:
    """The four connections of a probe."""
    for _ in range(4):
        connection, _ = listening.accept()
        with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as secure:
            secure.settimeout(1)
            secure.recv(1)


async def test_a_probe_tells_that_the_other_side_does_not_take_us(home: Home) -> None:
    certificate, key = Authority("Strange").issue("connector")
    write_private(home.folder / "strange.pem", certificate)
    write_private(home.folder / "strange.key", key)
    profile = home.site.profile.read_text()
    home.site.profile.write_text(
        profile + '\n[v2.tls]\ncertificate = "../../strange.pem"\nkey = "../../strange.key"\n'
    )
    result = await tls(home, "probe", f"localhost:{home.site.ports.mllp}", "--link", "demo")
    assert result.exit_code == 1
    assert "we would: talk to it" in result.stdout
    assert "it would: not talk to us" in result.stdout


async def test_a_probe_of_nothing_and_of_no_link_is_told(home: Home) -> None:
    assert (await tls(home, "probe", "localhost:1")).exit_code == 1
    assert (await tls(home, "probe", "nowhere")).exit_code == 2
    result = await tls(home, "probe", "localhost:1", "--link", "other")
    assert (result.exit_code, "demo v2" in result.stderr) == (2, True)
