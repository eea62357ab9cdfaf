"""The feeds of the audit log, as the settings say, and what runs them."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import random
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final, Literal

import structlog

from audit import atna, balp, syslog
from audit.parties import Source
from connector.edges.fhir_client import FhirClient
from connector.edges.fhir_repository import FhirRepository
from connector.edges.http_exchange import Waits
from connector.edges.syslog_repository import SyslogManners, SyslogPlace, SyslogRepository
from connector.edges.token_source import TokenSource
from connector.errors import ConnectorError
from connector.pipeline.breaker import Pauses
from connector.pipeline.entries import instant
from connector.pipeline.feeding import Feed, FeedRules, Repository
from connector.pipeline.ports import Clock
from connector.profile.audit_feed import AuditFeeds, Fed, FhirFeed, SyslogFeed
from connector.store import Lag, Logged, Store
from connector.wiring.beliefs import AUDIT
from connector.wiring.secured import Secured
from connector.wiring.starting import tell_obtained

APP: Final = "connector"
LOOK: Final = 1.0  # seconds between two looks at how far the feeds are behind

_log: Final = structlog.get_logger(__name__)


def end_of(feed: Fed) -> str:
    """The name of the end of connections of a feed."""
    return f"{AUDIT} {feed.name}"


def token_end_of(feed: Fed) -> str:
    """The same, of the place where it gets its tokens."""
    return f"{end_of(feed)} token"


Whose = Callable[[], Source]


class Feeds:
    """Runs them. ``site``: whose log it is, asked when it is known. Raises ``ConnectorError``."""

    def __init__(
        self, chosen: AuditFeeds, store: Store, secured: Secured, clock: Clock, site: Callable[[], str]
    ) -> None:
        self._store, self._secured, self._clock, self._site = store, secured, clock, site
        self._source = Source("", "")
        self._closing: list[Callable[[], Awaitable[None]]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._lags: dict[str, Lag] = {}
        self._feeds = [
            *(self._feed(one, self._syslog(one), _syslog_rules(one)) for one in chosen.syslog),
            *(self._feed(one, self._fhir(one), _rules(one)) for one in chosen.fhir),
        ]

    async def begin(self) -> None:
        """Find the place of each. Raises ``ConnectorError``."""
        self._source = Source(self._site(), socket.gethostname())
        for one in self._feeds:
            await one.begin()

    def start(self) -> None:
        """Feed."""
        self._tasks = [asyncio.create_task(one.run(), name=f"feed {one.name}") for one in self._feeds]
        if self._feeds:
            self._tasks.append(asyncio.create_task(self._watch(), name="feeds"))

    def wake(self) -> None:
        """Somebody mended something."""
        for one in self._feeds:
            one.wake()

    async def stop(self, seconds: float) -> None:
        """Hand over what is there, as far as that goes in this time; the next start goes on from there."""
        if self._feeds:
            self._tasks.pop().cancel()
        for one in self._feeds:
            one.end()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        for close in self._closing:
            await close()

    def warnings(self) -> Mapping[str, str]:
        """The feeds that stand, and why."""
        return {f"{AUDIT} {one.name}": said for one in self._feeds if (said := one.state())}

    def figures(self) -> Mapping[str, float]:
        """How many entries each repository does not surely have yet, and how old the oldest of them is."""
        now = self._clock()
        found: dict[str, float] = {}
        for name, lag in self._lags.items():
            found[f"audit_feed_{name}_lag_entries"] = lag.entries
            found[f"audit_feed_{name}_lag_seconds"] = round(lag.seconds(now), 1)
        return found

    async def _watch(self) -> None:
        while True:
            try:
                self._lags = {one.name: await self._store.lag(one.mark) for one in self._feeds}
            except ConnectorError as error:
                _log.warning("nobody knows how far the feeds are behind", exc=error)
            await asyncio.sleep(LOOK)

    def _feed(self, chosen: Fed, repository: Repository, rules: FeedRules) -> Feed:
        return Feed(chosen.name, self._store, repository, rules, self._clock, random.random)

    def _syslog(self, chosen: SyslogFeed) -> SyslogRepository:
        manners = SyslogManners(
            chosen.connect_seconds,
            chosen.write_seconds,
            chosen.goodbye_seconds,
            chosen.dead_seconds,
            chosen.confirmation,
            chosen.message_bytes,
        )
        place = SyslogPlace(chosen.host, chosen.port, chosen.server_name)
        context = self._secured.context(end_of(chosen))
        made = SyslogRepository(
            place, context, message_of(chosen, lambda: self._source), syslog.frame, manners
        )
        self._secured.calls(end_of(chosen), made)
        return made

    def _fhir(self, chosen: FhirFeed) -> FhirRepository:
        tokens = self._token_source(chosen)
        single = self._client(chosen, tokens, "each")
        client = single if chosen.delivery == "each" else self._client(chosen, tokens, "batch")
        made = FhirRepository(client, single, events_of(lambda: self._source), chosen.interaction)
        self._closing.append(made.close)
        return made

    def _client(
        self, chosen: FhirFeed, tokens: TokenSource | None, delivery: Literal["each", "batch"]
    ) -> FhirClient:
        end = end_of(chosen)
        client = FhirClient(
            chosen.base,
            self._secured.context(end),
            tokens,
            delivery=delivery,
            waits=_waits(chosen),
            connections=1,
            answer_limit=chosen.answer_bytes,
            server_name=chosen.server_name,
        )
        self._secured.calls(end, client)
        return client

    def _token_source(self, chosen: FhirFeed) -> TokenSource | None:
        said = chosen.token
        if said is None:
            return None
        end = token_end_of(chosen)
        context, waits = self._secured.context(end), _waits(chosen)
        made = TokenSource(
            said.url,
            said.client_id,
            said.key,
            said.scope,
            said.audience,
            context,
            waits=waits,
            obtained=partial(tell_obtained, self._store, end),
        )
        self._closing.append(made.close)
        self._secured.calls(end, made)
        return made


def message_of(chosen: SyslogFeed, whose: Whose) -> Callable[[Logged], bytes]:
    """An entry as the syslog message that goes to this repository."""
    process = str(os.getpid())

    def write(logged: Logged) -> bytes:
        source = whose()
        written = logged.entry.encode("utf-8")
        entry = json.loads(written)
        return syslog.write(
            syslog.Message(
                syslog.priority(entry["outcome"], chosen.facility),
                atna.message(entry, source, written),
                syslog.moment(entry["time"]),
                syslog.printable(source.host, 255),
                APP,
                process,
                chosen.msgid,
                marked=chosen.byte_order_mark,
            )
        )

    return write


def events_of(whose: Whose) -> Callable[[Logged], Sequence[dict[str, Any]]]:
    """An entry as AuditEvents."""

    def events(logged: Logged) -> Sequence[dict[str, Any]]:
        written = logged.entry.encode("utf-8")
        return balp.events_of(json.loads(written), whose(), written)

    return events


def _waits(chosen: FhirFeed) -> Waits:
    connect, answer = chosen.connect_seconds, chosen.answer_seconds
    return Waits(connect, connect, chosen.write_seconds, answer, answer)


def _rules(chosen: Fed) -> FeedRules:
    return FeedRules(
        whole=chosen.begin == "beginning",
        batch=chosen.batch,
        rate=chosen.per_second,
        alarm=chosen.alarm_seconds,
        skips=chosen.on_refusal == "leave out",
        pauses=Pauses(chosen.first_seconds, 2.0, chosen.most_seconds),
    )


def _syslog_rules(chosen: SyslogFeed) -> FeedRules:
    return replace(_rules(chosen), window=chosen.window, confirm=chosen.confirm_seconds, again=chosen.again)


async def standing(chosen: AuditFeeds, store: Store, now: dt.datetime) -> list[dict[str, Any]]:
    """How far each repository has the log, as it stands in the store: for who is not the service."""
    found = []
    for one in chosen.all:
        mark = await store.feed(one.name)
        lag = await store.lag(mark.seq) if mark else Lag(0)
        found.append(
            {
                "feed": one.name,
                "begun": mark is not None,
                "delivered": mark.seq if mark else 0,
                "waiting": lag.entries,
                "seconds": round(lag.seconds(now)),
                "stopped": mark.reason if mark else "",
                "since": instant(mark.since) if mark and mark.since else "",
            }
        )
    return found
