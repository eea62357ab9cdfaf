"""The composition root: the one place that builds everything from the settings, and runs it."""

from __future__ import annotations

import asyncio
import datetime as dt
import gc
import random
import signal
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

import structlog
from fastapi import FastAPI
from starlette.applications import Starlette

from connector import log, settings
from connector.edges import fhir_side, senders
from connector.edges.authorization_keys import OwnIssuer
from connector.edges.hospital import HospitalSide, committed_of, replies_of
from connector.edges.judge import Judge
from connector.edges.login_desk import LoginDesk
from connector.edges.operator_api import PREFIX, OperatorLimits, create_operator_app
from connector.edges.operator_desk import Desk
from connector.edges.operator_guard import OperatorGuard
from connector.edges.partners import Intake
from connector.errors import ConfigurationError, ConnectorError
from connector.pipeline.afterwards import Afterwards
from connector.pipeline.deliver import ToV2
from connector.pipeline.dispatch import Delivering, Way
from connector.pipeline.entries import instant
from connector.pipeline.links import Links
from connector.pipeline.ports import Entry
from connector.pipeline.receive import V2Receiver
from connector.pipeline.retention import Retention
from connector.pipeline.sending import Sending
from connector.pipeline.submit import FhirReceiver
from connector.pipeline.supervise import Lane, Supervisor
from connector.pipeline.to_fhir import ToFhir
from connector.pipeline.translate import Translating
from connector.profile import Profile
from connector.settings import Configuration
from connector.store import Direction, Store
from connector.store.alone import alone
from connector.wiring import fresh, now, open_store
from connector.wiring.access import Access
from connector.wiring.admitted import Admitted
from connector.wiring.auditing import Kept
from connector.wiring.authorization import OwnAuthorization
from connector.wiring.confined import confine
from connector.wiring.exporting import ExportsOf
from connector.wiring.feeds import Feeds
from connector.wiring.links import link_of, pauses_of, rules_of
from connector.wiring.listeners import fhir_app, https_server, mllp_server
from connector.wiring.login import People
from connector.wiring.renewing import Renewing
from connector.wiring.sealing import Sealing
from connector.wiring.secured import Secured
from connector.wiring.starting import put_in_force, tell_obtained, tell_refused
from connector.wiring.vigil import Vigil
from connector.wiring.vouching import Vouching

FAREWELL: Final = 5.0  # seconds for what audit repositories do not have yet; it waits for the next start

_log: Final = structlog.get_logger(__name__)


class Service:
    """Everything that runs, built from a configuration; ``start`` and ``stop`` it once."""

    def __init__(self, configuration: Configuration, store: Store) -> None:
        chosen, profiles = configuration
        self._settings, self._profiles, self._store = chosen, profiles, store
        self._configuration, self._vigil = configuration, Vigil(store, now)
        self._secured = Secured(configuration)
        self._links = Links((link_of(profile) for profile in profiles), self._secured.link_of)
        self._closing: list[Callable[[], Awaitable[None]]] = []
        self._starting: list[Callable[[], None]] = []
        self._senders: dict[str, senders.SenderSide] = {}
        self._awaiting = defaultdict[str, list[Callable[[str, str], bool]]](list)  # acknowledgments, by link
        lanes = [lane for profile in profiles for lane in self._lanes(profile)]
        self._supervisor = Supervisor(
            lanes, [one for profile in profiles for one in self._retentions(profile)]
        )
        judge = Judge() if any(link.strict for link in self._links.all) else None
        arrived = self._supervisor.arrived
        self._renewing = Renewing(self._secured, store, now, chosen.tls.warn_days, self._supervisor.resume)
        self._v2 = V2Receiver(self._links, store, now, fresh, judge, arrived, self._heard, time.monotonic)
        self._fhir = FhirReceiver(self._links, store, now, fresh, arrived)
        kept = Kept.of(chosen)
        self._sealing = Sealing(kept, store, now, chosen.audit)
        self._feeds = Feeds(chosen.audit.feed, store, self._secured, now, kept.named)
        self._vouching = Vouching(chosen.audit, kept.directory, self._secured, store.record, now)
        self._v2.bar(self._barred)
        self._fhir.barred = self._barred
        self._starting.append(self._vouching.start)
        if judge is not None:
            self._closing.append(judge.close)
        who = self._secured.link_of
        self._admitted = [Admitted(store, "mllp", now, who), Admitted(store, "https", now, lambda peer: "")]
        self._mllp = mllp_server(chosen, profiles, self._v2, store, self._secured, self._admitted[0])
        on_fault = partial(self._fhir.refused, None)
        self._https = https_server(chosen, self._app(), store, self._secured, on_fault, self._admitted[1])
        for side in self._senders.values():
            side.listens(self._mllp)

    def _lanes(self, profile: Profile) -> list[Lane]:
        link = self._links.named(profile.name)
        pauses = pauses_of(profile)
        ways: dict[str, Callable[[Profile], Way]] = {
            "to_fhir": self._fhir_side,
            "to_v2": self._v2_side,
        }
        found = self._answer_lanes(profile)
        for name in profile.directions:
            direction, way, rules = Direction(name), ways[name](profile), rules_of(profile, name)
            delivering = Delivering(link.name, direction, self._store, now, way, pauses, rules, random.random)
            settled = [lane.arrived.set for lane in found if direction is Direction.TO_FHIR]
            found.append(Lane(Translating(link, direction, self._store, now), delivering, now, *settled))
        return found

    def _answer_lanes(self, profile: Profile) -> list[Lane]:
        """None where nobody is owed an answer after processing."""
        sender, link = profile.v2.sender, self._links.named(profile.name)
        if sender is None or link.answers == "original":
            return []
        end = f"{link.name} v2"
        side = senders.side_of(sender.answers, link, self._links, lambda: self._secured.context(end))
        self._secured.calls(end, side)
        self._senders[link.name] = side
        self._awaiting[link.name].append(side.heard)
        self._closing.append(side.close)
        return [senders.lane_of(link, self._store, now, side, profile.delivery.parallel)]

    def _heard(self, link: str, code: str, control_id: str) -> bool:
        """An acknowledgment came in; whether it is of an answer or a message of ours."""
        return any(hears(code, control_id) for hears in self._awaiting.get(link, ()))

    def _barred(self) -> ConnectorError | None:
        """Why nothing new is taken in: the audit log is not sealed, or nobody vouches for it."""
        return self._sealing.barred() or self._vouching.withheld()

    def _retentions(self, profile: Profile) -> list[Retention]:
        days = dt.timedelta(days=profile.delivery.keep_done_days)
        ways = [Direction(name) for name in profile.directions] if days else []
        return [Retention(profile.name, way, self._store, now, days) for way in ways]

    def _fhir_side(self, profile: Profile) -> ToFhir:
        secured, tokens = self._secured, None
        if profile.fhir.token is not None:
            end = f"{profile.name} token"
            told = partial(tell_obtained, self._store, end)
            tokens = fhir_side.tokens_of(profile.fhir, secured.context(end), told)
        if tokens is not None:
            self._closing.append(tokens.close)
            secured.calls(end, tokens)
        end = f"{profile.name} fhir"
        client = fhir_side.client_of(profile.fhir, secured.context(end), tokens)
        secured.calls(end, client)
        self._closing.append(client.close)
        link = self._links.named(profile.name)
        return ToFhir(client, self._store, link, now, Sending.of(profile.fhir))

    def _v2_side(self, profile: Profile) -> ToV2:
        partner = profile.v2.receiver
        if partner is None:
            raise ConfigurationError("FHIR comes in, but there is nowhere to deliver it", fix="add [v2.to]")
        end = f"{profile.name} v2"
        context = self._secured.context(end)
        afterwards = Afterwards(profile.name, self._store, now)
        side = HospitalSide.of(profile.name, partner, context, now, fresh, afterwards.heard)
        self._closing.append(side.close)
        self._secured.calls(end, side)
        self._awaiting[profile.name] += [side.heard, afterwards.overheard]
        return ToV2(side, replies_of(partner), committed_of(partner), afterwards)

    def _app(self) -> FastAPI:
        chosen = self._settings.https
        own = self._authorization()
        issuer = own.issuer if own else None
        access = Access(self._profiles, self._secured, issuer)
        self._closing.append(access.close)
        parts = [own.ready] if own else []
        parties = (self._fhir, self._supervisor, self._renewing, self._sealing, self._feeds)
        intake = Intake(*parties, *parts, beside=self._vouching)
        app = fhir_app(chosen, self._profiles, access.callers, intake, self._fhir.accepted)
        app.router.routes.extend(own.routes if own else [])
        if (people := self._people()) is not None:
            app.router.routes.extend(people.routes)
        if self._settings.operators is not None or people is not None:
            app.mount(PREFIX, self._operators(issuer, people.desk if people else None))
        return app

    def _operators(self, own: OwnIssuer | None, logins: LoginDesk | None) -> Starlette:
        chosen, parts = self._settings, self._supervisor
        limits = OperatorLimits(chosen.https.body_bytes, chosen.https.body_seconds)
        exports = ExportsOf(self._store, Kept.of(chosen), now)
        desk = Desk(
            self._store, self._profiles, now, parts.ready, parts.conditions, chosen.break_glass, exports
        )
        guard = OperatorGuard(chosen.operators, own=own) if chosen.operators else None
        return create_operator_app(desk, guard, limits, logins)

    def _people(self) -> People | None:
        if (chosen := self._settings.login) is None:
            return None
        people = People(chosen, self._store, self._secured)
        self._starting.append(people.start)
        self._closing.append(people.close)
        return people

    def _authorization(self) -> OwnAuthorization | None:
        if (chosen := self._settings.authorization) is None:
            return None
        own = OwnAuthorization(chosen, self._store, self._secured)
        self._closing.append(own.close)
        return own

    async def start(self) -> None:
        """Record the start, take up what waits, and listen."""
        await self._sealing.begin()
        await self._feeds.begin()
        self._sealing.start()
        await put_in_force(self._configuration, self._store)
        await self._vigil.begin()
        self._supervisor.start()
        self._feeds.start()
        await self._mllp.start()
        await self._https.start()
        self._renewing.start()
        self._vigil.start()
        for start in self._starting:
            start()
        _log.info("ready", port=self._mllp.address[1])

    def resume(self) -> None:
        """As ``resumed``, soon."""
        self._resuming = asyncio.create_task(self.resumed(), name="resume")

    async def resumed(self) -> None:
        """Let lanes go on that waited for a person to mend certificates or credentials, and read those."""
        try:
            await self._store.record([_entry("service:resumed", {})])
        except ConnectorError as error:  # what is not on record does not happen
            _log.error("not resumed", exc=error)
            return
        _log.info("resumed")
        self._renewing.wake()
        self._feeds.wake()
        self._supervisor.resume()

    async def stop(self) -> bool:
        """Take nothing new, finish what is in hand; whether all of it ended in time."""
        seconds = self._settings.drain_seconds
        await self._renewing.stop()
        self._v2.accepting = self._fhir.accepting = False
        await asyncio.gather(self._mllp.close(seconds), self._https.close(seconds))
        for side in self._senders.values():
            side.stopped()
        drained = await self._supervisor.drain(seconds)
        for close in self._closing:
            await close()
        await self._vigil.stop()
        for admitted in self._admitted:
            await admitted.tell()
        await self._store.record([_entry("service:stopped", {"drained": drained})])
        await self._feeds.stop(min(seconds, FAREWELL))
        await self._sealing.stop()
        await self._vouching.finish()
        await self._vouching.close()
        await self._store.close()
        return drained


def _entry(tag: str, what: Mapping[str, object]) -> Entry:
    return Entry(instant(now()), tag, {"role": "connector"}, what, "success", "", "")


def settle_memory() -> None:
    """What was built stays, so the collector need not look at it again while acknowledgments wait."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)


async def serve(config: Path) -> int:
    """Run the service until SIGTERM or SIGINT; the exit code. Raises ``ConnectorError`` if it cannot."""
    try:
        configuration = settings.load(config)
    except ConfigurationError as error:
        refusal = error
    else:
        return await _served(configuration)
    await tell_refused(config, refusal)
    raise refusal


async def _served(configuration: Configuration) -> int:
    log.setup(configuration.settings.log.level)
    log.take_over()
    confine()
    with alone(configuration.settings.store):
        store = open_store(configuration.settings)
        try:
            service = Service(configuration, store)
        except ConnectorError:
            await store.close()
            raise
        return await _until_told(service)


async def _until_told(service: Service) -> int:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, service.resume)
    settle_memory()
    await service.start()
    await ended.wait()
    _log.info("draining")
    return 0 if await service.stop() else 1
