"""What people change at the sandbox is told to the connector: in order, until it is accepted."""

from __future__ import annotations

import json
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc import jwt

from connector.demo import tls, tokens
from connector.demo.people import People
from connector.demo.site import Site
from tests.demo.conftest import fhir_client, get_token

Start = Callable[..., subprocess.Popen[bytes]]


@dataclass
class Told:
    method: str
    path: str
    token: str
    request_id: str
    body: Any


@contextmanager
def connector_that(site: Site, answers: Callable[[int], int]) -> Iterator[list[Told]]:
    """A stand-in for the connector's API that answers the n-th request with the status ``answers(n)``."""
    told: list[Told] = []

    class Taking(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            token = self.headers["Authorization"].removeprefix("Bearer ")
            told.append(Told(self.command, self.path, token, self.headers["X-Request-Id"], body))
            self.send_response(answers(len(told)))
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_PUT

        def log_message(self, *arguments: object) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", site.ports.https), Taking)
    server.daemon_threads = True
    context: ssl.SSLContext = tls.server_context(site.folder, "connector")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


def until(condition: Callable[[], bool]) -> None:
    for _ in range(300):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it never came true")


def patient(identity: str, family: str = "Beispiel") -> dict[str, Any]:
    return {"resourceType": "Patient", "id": identity, "name": [{"family": family}]}


def test_changes_are_told_in_order_until_accepted_and_a_refusal_does_not_block(
    site: Site, start: Start
) -> None:
    statuses = {1: 503, 2: 401, 4: 422}
    start("sandbox", site.ports.sandbox)
    with fhir_client(site, "analyst") as client:
        for identity in ("p1", "p2", "p3"):  # nobody listens yet
            client.put(f"/admin/Patient/{identity}", json=patient(identity))
        with connector_that(site, lambda turn: statuses.get(turn, 202)) as told:
            until(lambda: client.get("/admin/stats").json()["notices"]["waiting"] == 0)
        notices = client.get("/admin/stats").json()["notices"]
    assert notices == {"waiting": 0, "accepted": 2, "refused": 1}
    assert [one.path.rpartition("/")[2] for one in told] == ["p1", "p1", "p1", "p2", "p3"]
    assert len({one.request_id for one in told}) == 3


def test_what_the_connector_writes_is_not_told_back_to_it(site: Site, start: Start) -> None:
    start("sandbox", site.ports.sandbox)
    with fhir_client(site) as client, connector_that(site, lambda turn: 202) as told:
        client.headers["Authorization"] = f"Bearer {get_token(client, site)}"
        client.put("/fhir/Patient/p1", json=patient("p1"))
        client.put("/admin/Patient/p2", json=patient("p2"))
        until(lambda: client.get("/admin/stats").json()["notices"].get("accepted") == 1)
    assert [one.path for one in told] == ["/fhir/Patient/p2"]


def test_a_notice_carries_a_token_of_the_issuer_bound_to_the_certificate(site: Site, start: Start) -> None:
    start("sandbox", site.ports.sandbox)
    with fhir_client(site) as client, connector_that(site, lambda turn: 202) as told:
        client.put("/admin/Patient/p2", json=patient("p2"))
        until(lambda: bool(told))
    decoded = jwt.decode(told[0].token, tokens.read_keys(site.folder, "issuer"), [tokens.ALGORITHM])
    certificate = (site.folder / "fhir.pem").read_bytes()
    assert decoded.header["typ"] == "at+jwt"
    assert decoded.claims["cnf"] == {"x5t#S256": tokens.thumbprint(certificate)}
    assert decoded.claims["aud"] == tokens.CONNECTOR_AUDIENCE
    assert decoded.claims["exp"] - decoded.claims["iat"] <= 300


async def test_people_change_an_address_and_report_in_one_transaction(site: Site, start: Start) -> None:
    start("sandbox", site.ports.sandbox)
    address = {"line": ["Lindenweg 7"], "city": "Musterstadt", "postalCode": "54321"}
    known = patient("p1") | {
        "identifier": [{"system": "urn:oid:2.999.1.1", "value": "70012"}],
        "address": [address],
    }
    people = People(site)
    try:
        assert await people.patient() is None
        with fhir_client(site) as client, connector_that(site, lambda turn: 202) as told:
            client.headers["Authorization"] = f"Bearer {get_token(client, site)}"
            client.put("/fhir/Patient/p1", json=known)
            found = await people.patient()
            assert found is not None
            await people.move(found)
            await people.report(found)
            until(lambda: len(told) == 2)
        statistics = await people.statistics()
    finally:
        await people.close()
    moved, reported = told
    assert (moved.method, moved.body["meta"]["versionId"]) == ("PUT", "2")
    assert (
        moved.body["address"][0] | {"city": "Musterstadt", "line": ["Rosenallee 12"]}
        == moved.body["address"][0]
    )
    kinds = [entry["resource"]["resourceType"] for entry in reported.body["entry"]]
    assert (reported.method, reported.path) == ("POST", "/fhir")
    assert kinds == ["DiagnosticReport", "Observation", "Observation", "Observation"]
    assert statistics["writes"] == {"connector": 1, "person": 5}
