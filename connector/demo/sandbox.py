"""A FHIR R4 system as a process of its own: HTTPS with mutual TLS, access tokens, versions, transactions.

``python -m connector.demo.sandbox --site DIR``. ``/fhir`` is the FHIR API. ``/admin`` offers the same
without a token and stands for the people who work at the system: what they write, or anybody else but the
connector writes through the API, is told to the connector. ``GET /admin/stats`` counts effects, for tests.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import click
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connector.demo import tls
from connector.demo.access import Access, TokenRefused
from connector.demo.interactions import Call, Interactions, Reply, path_of, query_of
from connector.demo.ledger import Ledger
from connector.demo.notices import keep_telling
from connector.demo.resources import Refusal
from connector.demo.site import Site
from connector.fhir import json

_METHODS: Final = ["GET", "POST", "PUT", "DELETE", "PATCH"]
PERSON: Final = {"client_id": "person", "scope": "system/*.cruds"}


def make_app(site: Site, ledger: Ledger, *, notify: bool = True) -> Starlette:
    """The application over a ledger; with ``notify`` the connector is told what others change."""
    access = Access(site.folder, site.sandbox_url)
    base = f"{site.sandbox_url}/fhir"
    at_api = _answering(Interactions(ledger, base, access.check))
    by_people = _answering(Interactions(ledger, base, lambda _: PERSON))

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        telling = asyncio.create_task(keep_telling(site, ledger)) if notify else None
        yield
        if telling:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
        ledger.close()

    async def stats(request: Request) -> Response:
        return _response(Reply(200, statistics(ledger)))

    routes = [
        Route("/token", _granting(access), methods=["POST"]),
        Route("/admin/stats", stats, methods=["GET"]),
        *(Route(f"/admin{rest}", by_people, methods=_METHODS) for rest in ("", "/{rest:path}")),
        *(Route(f"/fhir{rest}", at_api, methods=_METHODS) for rest in ("", "/{rest:path}")),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


def statistics(ledger: Ledger) -> dict[str, Any]:
    """How many versions each author made of each resource, and how far the telling is."""
    resources: dict[str, dict[str, Any]] = {
        version.key: {"version": version.number, "deleted": version.resource is None, "writes": {}}
        for version in ledger.resources
    }
    for (key, author), count in ledger.writes.items():
        resources[key]["writes"][author] = count
    return {
        "resources": resources,
        "writes": _by_author(ledger.writes),
        "unchanged": _by_author(ledger.unchanged),
        "notices": {"waiting": len(ledger.waiting), **ledger.told},
        "sizes": {"to_fhir": ledger.requests, "to_v2": ledger.notices},
    }


def _by_author(counts: Counter[tuple[str, str]]) -> dict[str, int]:
    totals: Counter[str] = Counter()
    for (_, author), count in counts.items():
        totals[author] += count
    return dict(totals)


def _answering(interactions: Interactions) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            type_, id_ = path_of(request.path_params.get("rest", ""))
        except Refusal as refusal:
            return _response(Reply(refusal.status, refusal.outcome))
        body = await request.body()
        query = query_of(request.url.query)
        return _response(
            interactions.answer(Call(request.method, type_, id_, query, dict(request.headers), body))
        )

    return endpoint


def _granting(access: Access) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        form = dict(query_of((await request.body()).decode("ascii", "replace")))
        try:
            status, answer = 200, access.grant(form)
        except TokenRefused as error:
            status, answer = error.status, {"error": error.error, "error_description": error.why}
        no_store = {"Cache-Control": "no-store", "Content-Type": "application/json"}
        return Response(json.dumps(answer), status, no_store)

    return endpoint


def _response(reply: Reply) -> Response:
    content = b"" if reply.body is None else json.dumps(reply.body)
    return Response(content, reply.status, {"Content-Type": "application/fhir+json", **reply.headers})


def serve(site: Site, *, notify: bool = True, persist: bool = True) -> None:
    """Serve until a signal ends it."""
    ledger = Ledger(site.resources if persist else None)
    config = uvicorn.Config(
        make_app(site, ledger, notify=notify),
        host="127.0.0.1",
        port=site.ports.sandbox,
        ssl_context_factory=lambda config, default: tls.server_context(site.folder, "fhir"),
        log_level="info",
        http="h11",
        ws="none",
        timeout_graceful_shutdown=2,
    )
    uvicorn.Server(config).run()


@click.command(help="Run the FHIR sandbox of a demo site.")
@click.option("--site", "folder", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--notify/--no-notify", default=True, help="Tell the connector what people change.")
@click.option("--persist/--no-persist", default=True, help="Keep every write in sandbox.jsonl.")
def main(folder: Path, notify: bool, persist: bool) -> None:
    """The command behind ``python -m connector.demo.sandbox``."""
    serve(Site.open(folder), notify=notify, persist=persist)


if __name__ == "__main__":
    main()
