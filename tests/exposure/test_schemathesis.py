"""Both APIs as they run, asked by schemathesis with good tokens: no 5xx, and answers as they are described.

The description is ``tests/exposure/openapi.py``. What is asked is made from it: what fits, and what does not.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from connector.edges.acceptor import listen
from connector.edges.http_api import create_app
from connector.edges.http_ports import Accepted, Peer, Submission
from connector.edges.http_server import serve_http
from connector.edges.oauth import Principal
from connector.errors import ConnectorError
from connector.pipeline.links import Links
from connector.pipeline.submit import FhirReceiver
from tests.edges.oauth_site import IssuerSite, claims, signed
from tests.edges.operator_site import operating
from tests.exposure.openapi import fhir, operators
from tests.mllp.loopback import Site as Tls
from tests.pipeline.room import Clock, link
from tests.store.site import open_store

EXAMPLES: Final = int(
    os.environ.get("EXAMPLES", "15")
)  # of what fits and of what does not, for each operation
SELDOM: Final = {  # what is made up is hardly ever good enough for these
    "POST /fhir", "POST /fhir/$process-message", "PUT /fhir/Patient/{id}", "PUT /fhir/Observation/{id}",
    "POST /fhir/Account", "PUT /fhir/Account/{id}", "POST /operator/deliveries/{number}/content",
    "GET /operator/conflicts/{number}", "POST /operator/conflicts/{number}", "POST /operator/edit",
    "POST /operator/conflicts/{number}/content", "POST /operator/skip",
    "POST /operator/break-glass", "POST /operator/break-glass/end",
}  # fmt: skip
CHECKS: Final[list[Any]] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]


@dataclass
class Reached:
    """An API at its address, and a client that is let in."""

    url: str
    session: requests.Session

    def ask(self, case: Any) -> Any:
        """The answer to a case. schemathesis does not look into the session for what TLS needs."""
        tls = {"verify": self.session.verify, "cert": self.session.cert}
        return case.call(base_url=self.url, session=self.session, timeout=20, **tls)


@dataclass
class Submitting:
    """The real receiver behind the port of the HTTP edge."""

    receiver: FhirReceiver

    async def submit(self, submission: Submission) -> Accepted:
        taken = await self.receiver.submit(submission)
        return Accepted(taken.correlation_id, taken.duplicate)

    async def refused(self, principal: Principal | None, peer: Peer | None, error: ConnectorError) -> None:
        await self.receiver.refused(principal, peer, error)

    async def ready(self) -> Mapping[str, bool | str]:
        return {"store": True}

    def warnings(self) -> Mapping[str, str]:
        return {}

    def figures(self) -> Mapping[str, float]:
        return {}


def _session(tls: Tls, token: str) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.cert = (str(tls.client.certificate), str(tls.client.key))
    session.verify = str(tls.client.trust)
    session.headers["authorization"] = f"Bearer {token}"
    return session


@asynccontextmanager
async def _fhir(folder: Path) -> AsyncIterator[Reached]:
    tls, store, clock = Tls(folder), open_store(folder), Clock()
    numbers = iter(range(10**9))
    receiver = FhirReceiver(Links([link({})]), store, clock, lambda: f"c{next(numbers)}")
    app = create_app(Submitting(receiver), IssuerSite(folder).guard(), base="https://localhost/fhir")
    server = serve_http(app, listen("127.0.0.1", 0), tls.server_context())
    await server.start()
    token = signed(claims(client_id="fhir", scope="system/*.cruds"))
    yield Reached(f"https://localhost:{server.address[1]}", _session(tls, token))
    await server.close(grace=0.2)
    await store.close()


@asynccontextmanager
async def _operators(folder: Path) -> AsyncIterator[Reached]:
    async with operating(folder) as site:
        for number in range(3):
            await site.dead(str(number))
        await site.refused("9")
        yield Reached(site.url.removesuffix("/operator"), _session(site.tls, site.token()))


@contextmanager
def _beside(made: Callable[[], AbstractAsyncContextManager[Reached]]) -> Iterator[Reached]:
    """What is made runs in a thread of its own until it is no more needed."""
    ready, found, ended = threading.Event(), list[Reached](), list[Callable[[], None]]()

    async def run() -> None:
        over = asyncio.Event()
        loop = asyncio.get_running_loop()
        ended.append(lambda: loop.call_soon_threadsafe(over.set))
        async with made() as reached:
            found.append(reached)
            ready.set()
            await over.wait()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    assert ready.wait(30)
    try:
        yield found[0]
    finally:
        found[0].session.close()
        ended[0]()
        thread.join(30)


SCHEMAS: Final = {"fhir": fhir(), "operators": operators()}
OPERATIONS: Final = [
    (name, operation.ok())
    for name, document in SCHEMAS.items()
    for operation in schemathesis.openapi.from_dict(document).get_all_operations()
]


@pytest.fixture(scope="module")
def reached(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Reached]]:
    folders = {name: tmp_path_factory.mktemp(name) for name in SCHEMAS}
    with (
        _beside(lambda: _fhir(folders["fhir"])) as one,
        _beside(lambda: _operators(folders["operators"])) as two,
    ):
        yield {"fhir": one, "operators": two}


@pytest.mark.parametrize(("name", "operation"), OPERATIONS, ids=[f"{n} {o.label}" for n, o in OPERATIONS])
def test_whatever_is_asked_the_answer_is_as_described_and_no_5xx(
    reached: dict[str, Reached], name: str, operation: Any
) -> None:
    here = reached[name]
    seen: set[int] = set()

    @settings(
        max_examples=EXAMPLES, deadline=None, phases=[Phase.generate], database=None, derandomize=True,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.data())
    def asked(data: st.DataObject) -> None:
        modes = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
        case = data.draw(operation.as_strategy(generation_mode=data.draw(st.sampled_from(modes))))
        answer = here.ask(case)
        seen.add(answer.status_code)
        case.validate_response(answer, checks=CHECKS)

    asked()
    assert 401 not in seen
    assert seen & {200, 202} or operation.label in SELDOM


def test_what_is_not_described_is_found(reached: dict[str, Reached]) -> None:
    document = operators()
    del document["paths"]["/operator/lanes"]["get"]["responses"]["200"]
    operation = schemathesis.openapi.from_dict(document)["/operator/lanes"]["GET"]
    case = operation.Case()
    answer = reached["operators"].ask(case)
    with pytest.raises(FailureGroup) as found:
        case.validate_response(answer, checks=CHECKS)
    assert [type(one).__name__ for one in found.value.exceptions] == ["UndefinedStatusCode"]


def test_every_route_of_the_operators_is_described() -> None:
    described = {(path, method) for path, one in operators()["paths"].items() for method in one}
    assert len(described) == sum(1 for name, _ in OPERATIONS if name == "operators")
