"""serve, send, status and replay against one real service with its store, certificates and audit log."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest

from connector import settings, wiring
from connector.demo.site import Ports, Site, make_site
from connector.pipeline.entries import Trail
from connector.store import Clash, Direction, Listed, OutboxItem, Store
from tests.ports import free_ports
from tests.test_cli import CONNECTOR, DAY, run

_PATIENCE: Final = 30.0
MIA: Final = ("--because", "the partner is back", "--as", "mia")
NOBODY: Final = "MSH|^~\\&|STVADT|STV|||20260101||ADT^A08||P|2.5\rPID|1||7^^^STV||Geheimrat\r"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    ports = Ports(*free_ports(2), hospital=1, sandbox=1)
    return make_site(tmp_path_factory.mktemp("service") / "site", ports)


@pytest.fixture(scope="module")
def service(site: Site) -> Iterator[subprocess.Popen[bytes]]:
    command = [str(CONNECTOR), "serve", "--config", str(site.config)]
    with (site.log / "out").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            until(lambda: b'"ready"' in (site.log / "out").read_bytes())
            yield process
        finally:
            process.kill()


def until(condition: Any) -> None:
    end = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def send(site: Site, file: Path | str, given: str = "", **changed: Path | str) -> Any:
    options = {
        "to": f"mllps://localhost:{site.ports.mllp}",
        "cert": site.folder / "hospital.pem",
        "key": site.folder / "hospital.key",
        "ca": site.folder / "ca.pem",
        **changed,
    }
    flat = [part for name, value in options.items() for part in (f"--{name}", value)]
    return run("send", file, *flat, given=given)


def status(site: Site, *options: str) -> Any:
    return run("status", "--config", site.config, *options)


# --- without a service --------------------------------------------------------------------------------


def test_settings_with_faults_are_told_by_line_and_nothing_starts(tmp_path: Path) -> None:
    config = tmp_path / "connector.toml"
    config.write_text('store = 7\nkeck = "x"\n')
    done = subprocess.run(
        [CONNECTOR, "serve", "--config", config], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 2
    assert f"{config}:1" in done.stderr
    assert 'did you mean "kek"' in done.stderr
    assert "Traceback" not in done.stderr


def test_an_address_that_is_none_is_told(site: Site) -> None:
    for wrong in ("localhost:2575", "mllp://localhost:2575", "mllps://localhost", "mllps://[::1"):
        result = send(site, DAY / "01-admit.hl7", to=wrong)
        assert result.exit_code == 2
        assert "mllps://HOST:PORT" in result.stderr


def test_an_empty_file_is_no_message(site: Site, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\r\n")
    assert send(site, tmp_path / "empty").exit_code == 2


def test_a_partner_that_is_not_there_is_told_with_the_number_of_the_message(site: Site) -> None:
    result = send(site, DAY / "01-admit.hl7", to="mllps://localhost:1")
    assert result.exit_code == 1
    assert "message 1 of 1: the connection failed" in result.stderr


# --- with one -----------------------------------------------------------------------------------------


def test_each_acknowledgment_is_printed(site: Site, service: Any, tmp_path: Path) -> None:
    both = tmp_path / "both.hl7"
    both.write_bytes((DAY / "01-admit.hl7").read_bytes() + (DAY / "03-update-phone.hl7").read_bytes())
    result = send(site, both)
    assert (result.exit_code, result.stdout) == (0, "DAY00001  AA\nDAY00003  AA\n")


def test_a_refusal_is_printed_with_its_place_and_fails(site: Site, service: Any) -> None:
    result = send(site, DAY / "10-broken.hl7")
    assert result.exit_code == 1
    assert result.stdout == "DAY00009  AE  100 Segment sequence error at PID\n"


def test_a_message_without_a_control_id_gets_its_refusal_printed(site: Site, service: Any) -> None:
    result = send(site, "-", given=NOBODY)
    assert result.exit_code == 1
    assert re.match(r"-  A[ER]  .*MSH-10", result.stdout), (result.stdout, result.stderr)


def test_a_certificate_that_may_not_speak_fails(site: Site, service: Any) -> None:
    revoked = site.folder / "revoked.pem"
    result = send(site, DAY / "01-admit.hl7", cert=revoked, key=revoked.with_suffix(".key"))
    assert result.exit_code == 1
    assert "Traceback" not in result.stderr


def test_the_status_says_what_is_counted_and_that_the_service_is_ready_or_why_not(
    site: Site, service: Any
) -> None:
    send(site, DAY / "01-admit.hl7")
    found = json.loads(status(site, "--json").stdout)
    (there,) = [one for one in found["links"] if one["direction"] == "to_fhir"]
    assert there["link"] == "demo"
    assert there["received"] >= 1
    assert there["reconciled"]
    assert found["parts"]["tls mllp"] is True
    assert found["parts"]["service"] in (True, "not ready")  # its FHIR side is not there
    assert "demo to_v2" in found["parts"]


def test_the_health_is_asked_and_told(site: Site, service: Any) -> None:
    done = run("health", "--config", site.config)
    assert (done.exit_code, done.stdout.strip()) == (0, "live")
    ready = run("health", "--ready", "--config", site.config)
    assert ready.exit_code == (0 if ready.stdout.startswith("ready") else 1)


def test_the_status_reads_well(site: Site, service: Any) -> None:
    send(site, DAY / "01-admit.hl7")
    said = status(site).stdout.splitlines()
    assert said[0].split()[:4] == ["link", "direction", "received", "delivered"]
    assert any(line.startswith("demo  to_fhir  ") for line in said)
    assert any(re.match(r"tls https +ready", line) for line in said)


def test_dead_letters_are_listed_without_content_and_put_back_by_number(site: Site, service: Any) -> None:
    send(site, DAY / "01-admit.hl7")
    (number,) = bury(site)[:1]
    listed = queue(site, "find").stdout
    assert re.search(
        rf"^dead  delivery {number} of message \d+  demo to_fhir  ADT\^A01  ", listed, re.MULTILINE
    )
    assert f"delivery {number}  demo" in status(site, "--json", "--dead").stdout
    result = run("replay", "--config", site.config, "--delivery", str(number), *MIA)
    assert (result.exit_code, result.stdout) == (0, "1 put back\n")
    assert f"delivery {number} " not in queue(site, "find").stdout
    assert ["mia", "delivery", number] in replays(site)


def test_a_number_that_there_is_not_is_told(site: Site, service: Any) -> None:
    result = run("replay", "--config", site.config, "--message", "4711", *MIA)
    assert result.exit_code == 2
    assert "there is no message 4711" in result.stderr


def test_nothing_is_put_back_where_nothing_is_named(site: Site, service: Any) -> None:
    assert run("replay", "--config", site.config, *MIA).exit_code == 2
    narrowed = run("replay", "--config", site.config, "--dead", "--kind", "ADT^A01", *MIA)
    assert "add --state" in narrowed.stderr


def test_dead_letters_are_put_back_by_what_they_are(site: Site, service: Any) -> None:
    send(site, DAY / "02-register.hl7")
    numbers = bury(site)
    other = run("replay", "--config", site.config, "--state", "dead", "--kind", "ORU^R01", *MIA)
    assert other.stdout == "0 put back\n"
    same = ("--state", "dead", "--reason", "PartnerRefusedMessage", "--since", "2026-01-01")
    assert run("replay", "--config", site.config, *same, *MIA).stdout == f"{len(numbers)} put back\n"


def test_the_lanes_are_listed_with_their_depth_and_what_keeps_them(site: Site, service: Any) -> None:
    send(site, DAY / "03-update-phone.hl7")
    until(lambda: json.loads(queue(site, "list", "--json").stdout))
    (lane,) = json.loads(queue(site, "list", "--json", "--to", "fhir").stdout)
    assert lane["depth"] >= 1
    head, row = queue(site, "list").stdout.splitlines()
    assert head.split()[:4] == ["link", "direction", "lane", "depth"]
    assert row.split()[:3] == ["demo", "to_fhir", "link"]


def test_why_says_what_keeps_messages_back_and_what_helps(site: Site, service: Any) -> None:
    send(site, DAY / "03-update-phone.hl7")
    until(lambda: "PartnerUnreachable" in queue(site, "why").stdout)
    assert "tried again by itself" in queue(site, "why").stdout
    assert run("pause", "demo", "--config", site.config, "--to", "fhir", *MIA).exit_code == 0
    said = queue(site, "why")
    assert said.exit_code == 1
    assert "paused by mia" in said.stdout
    assert "connector resume demo --to fhir" in said.stdout
    assert run("resume", "demo", "--config", site.config, "--to", "fhir", *MIA).exit_code == 0
    assert run("resume", "demo", "--config", site.config, "--to", "fhir", *MIA).exit_code == 2


def test_a_message_is_shown_without_its_content_and_with_it_for_a_reason(site: Site, service: Any) -> None:
    send(site, DAY / "03-update-phone.hl7")
    (lane,) = json.loads(queue(site, "list", "--json", "--to", "fhir").stdout)
    plain = queue(site, "show", "delivery", str(lane["head"]))
    assert "attempts" in plain.stdout
    assert "resourceType" not in plain.stdout
    shown = queue(site, "show", "delivery", str(lane["head"]), "--content", "the partner asks", "--as", "mia")
    assert json.loads(shown.stdout)["resourceType"] == "Bundle"
    assert any(one["tag"] == "operator:content:viewed" for one in audited(site))


def test_what_stops_a_lane_is_corrected_or_skipped(site: Site, service: Any, tmp_path: Path) -> None:
    send(site, DAY / "03-update-phone.hl7")
    number = stop(site)
    assert f"connector skip {number}" in queue(site, "why").stdout
    copy = tmp_path / "copy.json"
    patient = {"resourceType": "Patient", "id": "of-the-copy"}
    entry = {"resource": patient, "request": {"method": "PUT", "url": "Patient/of-the-copy"}}
    copy.write_text(json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": [entry]}))
    edited = run("edit", "delivery", str(number), "--config", site.config, "--file", copy, *MIA)
    assert re.fullmatch(r"the original is kept as delivery \d+\n", edited.stdout)
    assert stop(site) == number
    assert run("skip", str(number), "--config", site.config, *MIA).stdout == "skipped\n"


def test_a_link_that_is_drained_takes_nothing_more_until_its_intake_is_open(site: Site, service: Any) -> None:
    message = NOBODY.replace("7^^^STV", "7^^^STV^MR")
    assert "AA" in send(site, "-", given=message.replace("|ADT^A08||", "|ADT^A08|D1|")).stdout
    drained = run("drain", "demo", "--config", site.config, "--seconds", "1", *MIA)
    assert drained.exit_code == 1
    assert "still wait" in drained.stdout
    assert "AE" in send(site, "-", given=message.replace("|ADT^A08||", "|ADT^A08|D2|")).stdout
    assert run("resume", "demo", "--intake", "--config", site.config, *MIA).exit_code == 0


def test_a_conflict_is_listed_without_content_shown_for_a_reason_and_decided(
    site: Site, service: Any
) -> None:
    sides = b'{"v2": {"gender": "male"}, "fhir": {"gender": "other"}}'
    clash = Clash("demo", "Patient/1", "Patient.gender", sides, "hold", "held", wiring.now(), uid="c1")

    async def keep() -> None:
        store = wiring.open_store(settings.load(site.config).settings)
        try:
            kept = Trail(wiring.now, "demo", "to_fhir").did(
                "conflict:kept", element="Patient.gender", winner="hold"
            )
            await store.clash([clash], [kept])
        finally:
            await store.close()

    asyncio.run(keep())
    listed = run("conflicts", "list", "--config", site.config).stdout
    (number,) = re.findall(
        r"^held  conflict (\d+)  demo  Patient.gender of a Patient  ", listed, re.MULTILINE
    )
    shown = run("conflicts", "show", number, "--config", site.config, *MIA)
    assert json.loads(shown.stdout) == json.loads(sides)
    assert run("conflicts", "take", number, "v2", "--config", site.config, *MIA).exit_code == 0
    assert run("conflicts", "take", number, "v2", "--config", site.config, *MIA).exit_code == 2
    assert f"conflict {number}" in run("conflicts", "list", "--state", "v2", "--config", site.config).stdout


def test_a_link_that_there_is_not_is_told_with_those_that_are(site: Site, service: Any) -> None:
    result = run("replay", "--config", site.config, "--link", "dmeo", "--dead", *MIA)
    assert result.exit_code == 2
    assert "one of demo" in result.stderr


def queue(site: Site, what: str, *options: str) -> Any:
    return run("queue", what, *options, "--config", site.config)


def stop(site: Site) -> int:
    """Have the head of the lane to FHIR refused; its number."""

    async def work() -> int:
        store = wiring.open_store(settings.load(site.config).settings)
        try:
            head = await waiting(store)
            await store.refused(head.id, "PartnerRefusedMessage", [])
            return head.id
        finally:
            await store.close()

    return asyncio.run(asyncio.wait_for(work(), _PATIENCE))


def bury(site: Site) -> list[int]:
    """Make dead letters of what waits for delivery to FHIR."""

    async def work() -> list[int]:
        store = wiring.open_store(settings.load(site.config).settings)
        try:
            await store.dead((await waiting(store)).id, "PartnerRefusedMessage", [])
            dead: tuple[list[Listed], list[OutboxItem]] = await store.dead_letters("demo", Direction.TO_FHIR)
            return [one.id for one in dead[1]]
        finally:
            await store.close()

    return asyncio.run(asyncio.wait_for(work(), _PATIENCE))


async def waiting(store: Store) -> OutboxItem:
    """The head of the lane, as soon as there is one."""
    later = wiring.now().replace(year=2999)
    for _ in range(int(_PATIENCE / 0.05)):
        if (item := await store.due("demo", Direction.TO_FHIR, later)) is not None:
            return item
        await asyncio.sleep(0.05)
    raise AssertionError("nothing waits")


def audited(site: Site) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(site.store)) as connection:
        return [json.loads(row[0]) for row in connection.execute("SELECT entry FROM audit_entry")]


def replays(site: Site) -> list[list[Any]]:
    return [
        [one["actor"]["name"], one["object"]["kind"], one["object"]["number"]]
        for one in audited(site)
        if one["tag"] == "operator:message:replayed"
    ]


def test_the_service_ends_on_sigterm_with_0_and_the_status_then_says_that_it_does_not_answer(
    site: Site, service: subprocess.Popen[bytes]
) -> None:
    service.send_signal(signal.SIGTERM)
    assert service.wait(_PATIENCE) == 0
    result = status(site)
    assert result.exit_code == 1
    assert re.search(r"service +does not answer", result.stdout)
