"""The composition root: the one place that builds everything from the settings, and runs it."""

from __future__ import annotations

import asyncio
import datetime as dt
import gc
import os
import random
import signal
import socket
import time
import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

import structlog

from audit import AuditLog
from connector import log, settings
from connector.edges import fhir_side, senders, tls
from connector.edges.acceptor import listen
from connector.edges.hospital import HospitalSide, committed_of, replies_of
from connector.edges.http_api import Limits, create_app
from connector.edges.http_server import HttpServer
from connector.edges.judge import Judge
from connector.edges.mllp_server import MllpLimits, MllpServer
from connector.edges.oauth import Issuer, TokenGuard
from connector.edges.operator_api import PREFIX, OperatorLimits, create_operator_app
from connector.edges.operator_desk import Desk
from connector.edges.operator_guard import OperatorGuard
from connector.edges.partners import Caller, Callers, Intake
from connector.errors import ConfigurationError, ConnectorError
from connector.pipeline.afterwards import Afterwards
from connector.pipeline.breaker import Pauses
from connector.pipeline.deliver import ToV2
from connector.pipeline.dispatch import Delivering, Rules, Way
from connector.pipeline.entries import instant
from connector.pipeline.identity import Identity
from connector.pipeline.links import NO_BASE, Accepts, Link, Links, Quota
from connector.pipeline.ports import Entry
from connector.pipeline.receive import V2Receiver
from connector.pipeline.reconcile import Authority
from connector.pipeline.retention import Retention
from connector.pipeline.sending import Sending
from connector.pipeline.submit import FhirReceiver
from connector.pipeline.supervise import Lane, Supervisor
from connector.pipeline.to_fhir import ToFhir
from connector.pipeline.translate import Translating
from connector.profile import Profile
from connector.profile.translator import Translator
from connector.profile.windows import open_at
from connector.settings import Configuration, HttpsListener, MllpListener, Settings, Tls
from connector.store import Direction, FileKeyProvider, Store
from connector.store.alone import alone

_log: Final = structlog.get_logger(__name__)

REFUSALS: Final = 20  # refused handshakes audited one by one in a second; of the others the number is


def now() -> dt.datetime:
    """The clock of the service."""
    return dt.datetime.now(dt.UTC)


def fresh() -> str:
    """A correlation id: 32 hexadecimal digits."""
    return uuid.uuid4().hex


def open_store(chosen: Settings, *, read_only: bool = False) -> Store:
    """The store of the settings. Raises ``KeyUnavailable``, ``StoreUnavailable``, ``AuditRefused``."""
    return Store.open(chosen.store, FileKeyProvider(chosen.kek), AuditLog(), read_only=read_only)


def tls_files(chosen: Tls) -> tls.TlsFiles:
    """The files of one listener, or of the connections we make."""
    return tls.TlsFiles(chosen.certificate, chosen.key, chosen.trust, chosen.crl, chosen.minimum)


def listening(chosen: MllpListener | HttpsListener, table: str) -> socket.socket:
    """The listening socket of one side. Raises ``ConfigurationError``."""
    try:
        return listen(chosen.host, chosen.port)
    except OSError as error:
        raise ConfigurationError(
            f"nothing can listen there: {os.strerror(error.errno or 0)}",
            fix=f"see what uses it, or choose another in [{table}]",
            location=f"{chosen.host}:{chosen.port}",
        ) from None


def link_of(profile: Profile, *, bound: bool = True) -> Link:
    """A profile as the cycle needs it. ``bound``: the maps are made ready, for who translates."""
    sender, receiver = profile.v2.sender, profile.v2.receiver
    translator = Translator.of(profile)
    if bound:
        translator.bind(profile.v2.messages)  # acknowledgments would wait for it
    return Link(
        name=profile.name,
        translator=translator,
        peers=frozenset((*sender.certificates, *sender.subjects)) if sender else frozenset(),
        clients=frozenset(profile.fhir.caller.clients) if profile.fhir.caller else frozenset(),
        accepts=Accepts(
            messages=frozenset(profile.v2.messages),
            versions=frozenset(profile.v2.versions),
            processing_ids=frozenset(profile.v2.processing_ids),
            applications=frozenset(sender.applications) if sender else frozenset(),
            facilities=frozenset(sender.facilities) if sender else frozenset(),
        ),
        rules=profile.rules,
        charset=profile.v2.charset or None,
        zone=profile.zone,
        leaves_out=profile.fhir.updates.leave_out_unchanged and profile.fhir.delivery != "message",
        authority=Authority(profile.authority.default, profile.authority.fields),
        sends_as=receiver.application if receiver else "",
        stale=profile.authority.stale,
        strict=profile.v2.conformance == "strict",
        models=profile.fhir.conformance == "models",
        on_unreadable=profile.v2.unreadable,
        answers=profile.v2.acknowledgment,
        reused=profile.v2.reused_control_id,
        numbers=profile.v2.sequence_numbers,
        batch_answers=profile.v2.batch_acknowledgment,
        asks=sender.answers.accept if sender else "NE",
        frame_bytes=profile.limits.frame_bytes,
        body_bytes=profile.limits.body_bytes,
        segments=profile.limits.segments,
        waiting=profile.limits.waiting,
        quota=Quota(
            profile.limits.connections,
            profile.limits.in_hand,
            profile.limits.messages_per_second,
            profile.limits.burst,
        ),
        lane=profile.delivery.lane,
        base=profile.fhir.base or NO_BASE,
        identity=Identity.of(profile),
        sends_charset=receiver.charset if receiver else "UNICODE UTF-8",
        facts={"sha256": profile.sha256},
    )


class Refused:
    """Audits refused handshakes: one by one up to ``REFUSALS`` a second, beyond that their number."""

    def __init__(self, store: Store, where: str) -> None:
        self._store, self._where = store, where
        self._second, self._count = 0, 0

    async def __call__(self, reason: str, address: str) -> None:
        """A peer was not let in."""
        second = int(time.monotonic())
        if second != self._second:
            self._second, unsaid, self._count = second, max(0, self._count - REFUSALS), 0
            if unsaid:
                await self._record({"count": unsaid}, {}, "more than could be listed")
        self._count += 1
        if self._count <= REFUSALS:
            _log.warning("handshake refused", address=address, code=reason)
            await self._record({}, {"address": address}, reason)

    async def _record(self, what: dict[str, object], actor: dict[str, object], reason: str) -> None:
        target = {"listener": self._where, **what}
        entry = Entry(instant(now()), "tls:handshake:refused", actor, target, "refused", reason, "")
        await self._store.record([entry])


class Service:
    """Everything that runs, built from a configuration; ``start`` and ``stop`` it once."""

    def __init__(self, configuration: Configuration, store: Store) -> None:
        chosen, profiles = configuration
        self._settings, self._profiles, self._store = chosen, profiles, store
        self._links = Links(link_of(profile) for profile in profiles)
        self._closing: list[Callable[[], Awaitable[None]]] = []
        self._senders: dict[str, senders.SenderSide] = {}
        self._awaiting = defaultdict[str, list[Callable[[str, str], bool]]](list)  # acknowledgments, by link
        lanes = [lane for profile in profiles for lane in self._lanes(profile)]
        self._supervisor = Supervisor(
            lanes, [one for profile in profiles for one in self._retentions(profile)]
        )
        judge = Judge() if any(link.strict for link in self._links.all) else None
        arrived = self._supervisor.arrived
        self._v2 = V2Receiver(self._links, store, now, fresh, judge, arrived, self._heard, time.monotonic)
        self._fhir = FhirReceiver(self._links, store, now, fresh, arrived)
        if judge is not None:
            self._closing.append(judge.close)
        self._mllp = self._mllp_server()
        self._https = self._https_server()
        for side in self._senders.values():
            side.listens(self._mllp)

    def _lanes(self, profile: Profile) -> list[Lane]:
        link = self._links.named(profile.name)
        pauses = Pauses(profile.retry.first_seconds, profile.retry.factor, profile.retry.most_seconds)
        ways: dict[str, Callable[[Profile], Way]] = {
            "to_fhir": self._fhir_side,
            "to_v2": self._v2_side,
        }
        found = self._answer_lanes(profile)
        for name in profile.directions:
            direction, way, rules = Direction(name), ways[name](profile), _rules(profile, name)
            delivering = Delivering(link.name, direction, self._store, now, way, pauses, rules, random.random)
            settled = [lane.arrived.set for lane in found if direction is Direction.TO_FHIR]
            found.append(Lane(Translating(link, direction, self._store, now), delivering, now, *settled))
        return found

    def _answer_lanes(self, profile: Profile) -> list[Lane]:
        """None where nobody is owed an answer after processing."""
        sender, link = profile.v2.sender, self._links.named(profile.name)
        if sender is None or link.answers == "original":
            return []
        files = tls_files(self._settings.tls)
        side = senders.side_of(sender.answers, link, self._links, lambda: tls.client_context(files))
        self._senders[link.name] = side
        self._awaiting[link.name].append(side.heard)
        self._closing.append(side.close)
        return [senders.lane_of(link, self._store, now, side, profile.delivery.parallel)]

    def _heard(self, link: str, code: str, control_id: str) -> bool:
        """An acknowledgment came in; whether it is of an answer or a message of ours."""
        return any(hears(code, control_id) for hears in self._awaiting.get(link, ()))

    def _retentions(self, profile: Profile) -> list[Retention]:
        days = dt.timedelta(days=profile.delivery.keep_done_days)
        ways = [Direction(name) for name in profile.directions] if days else []
        return [Retention(profile.name, way, self._store, now, days) for way in ways]

    def _fhir_side(self, profile: Profile) -> ToFhir:
        files = tls_files(self._settings.tls)
        tokens = fhir_side.tokens_of(profile.fhir, tls.client_context(files)) if profile.fhir.token else None
        if tokens is not None:
            self._closing.append(tokens.close)
        client = fhir_side.client_of(profile.fhir, tls.client_context(files), tokens)
        self._closing.append(client.close)
        link = self._links.named(profile.name)
        return ToFhir(client, self._store, link, now, Sending.of(profile.fhir))

    def _v2_side(self, profile: Profile) -> ToV2:
        partner = profile.v2.receiver
        if partner is None:
            raise ConfigurationError("FHIR comes in, but there is nowhere to deliver it", fix="add [v2.to]")
        context = tls.client_context(tls_files(self._settings.tls))
        afterwards = Afterwards(profile.name, self._store, now)
        side = HospitalSide.of(profile.name, partner, context, now, fresh, afterwards.heard)
        self._closing.append(side.close)
        self._awaiting[profile.name] += [side.heard, afterwards.overheard]
        return ToV2(side, replies_of(partner), committed_of(partner), afterwards)

    def _mllp_server(self) -> MllpServer:
        chosen = self._settings.mllp
        frame = max((profile.limits.frame_bytes for profile in self._profiles), default=chosen.frame_bytes)
        limits = MllpLimits(
            frame_bytes=min(chosen.frame_bytes, frame),
            connections=chosen.max_connections,
            idle_timeout=chosen.idle_seconds,
            frame_timeout=chosen.frame_seconds,
            write_timeout=chosen.write_seconds,
            handshake_timeout=chosen.handshake_seconds,
        )
        return MllpServer(
            listening(chosen, "mllp"),
            tls.server_context(tls_files(self._settings.mllp_tls)),
            self._v2.receive,
            fault=self._v2.fault,
            too_long=self._v2.too_long,
            admit=self._v2.admit,
            limits=limits,
            on_refused=Refused(self._store, "mllp"),
        )

    def _https_server(self) -> HttpServer:
        chosen = self._settings.https
        callers = [
            Caller(
                TokenGuard(
                    Issuer(
                        issuer=caller.issuer,
                        audience=caller.audience,
                        jwks=caller.jwks,
                        clients=frozenset(caller.clients),
                        algorithms=caller.algorithms,
                        bound=caller.certificate_bound,
                    )
                ),
                caller,
            )
            for profile in self._profiles
            if (caller := profile.fhir.caller) is not None
        ]
        app = create_app(
            Intake(self._fhir, self._supervisor),
            Callers(callers),
            base=chosen.base or chosen.url,
            limits=Limits(chosen.body_bytes, chosen.body_seconds, chosen.in_hand),
        )
        if (operators := self._settings.operators) is not None:
            parts, limits = self._supervisor, OperatorLimits(chosen.body_bytes, chosen.body_seconds)
            desk = Desk(self._store, self._profiles, now, parts.ready, parts.conditions)
            app.mount(PREFIX, create_operator_app(desk, OperatorGuard(operators), limits))
        return HttpServer(
            app,
            listening(chosen, "https"),
            tls.server_context(tls_files(self._settings.https_tls)),
            on_refused=Refused(self._store, "https"),
            limit=chosen.max_connections,
            keep_alive=chosen.idle_seconds,
            handshake_timeout=chosen.handshake_seconds,
        )

    async def start(self) -> None:
        """Record the start, take up what waits, and listen."""
        facts = [{"link": link.name, **link.facts} for link in self._links.all]
        await self._store.record(
            [_entry("service:started", {})] + [_entry("profile:loaded", fact) for fact in facts]
        )
        self._supervisor.start()
        await self._mllp.start()
        await self._https.start()
        _log.info("ready", port=self._mllp.address[1])

    def resume(self) -> None:
        """Let lanes go on that waited for a person to mend certificates or credentials."""
        _log.info("resumed")
        self._supervisor.resume()

    async def stop(self) -> bool:
        """Take nothing new, finish what is in hand; whether all of it ended in time."""
        seconds = self._settings.drain_seconds
        self._v2.accepting = self._fhir.accepting = False
        await asyncio.gather(self._mllp.close(seconds), self._https.close(seconds))
        for side in self._senders.values():
            side.stopped()
        drained = await self._supervisor.drain(seconds)
        for close in self._closing:
            await close()
        await self._store.record([_entry("service:stopped", {"drained": drained})])
        await self._store.close()
        return drained


def _rules(profile: Profile, direction: str) -> Rules:
    said, windows = profile.delivery, getattr(profile.delivery.windows, direction)
    return Rules(
        said.lane,
        said.parallel,
        said.on_refusal == "stop",
        said.breaker_failures,
        lambda at: open_at(windows, at, profile.zone),
    )


def _entry(tag: str, what: Mapping[str, object]) -> Entry:
    return Entry(instant(now()), tag, {"role": "connector"}, what, "success", "", "")


def settle_memory() -> None:
    """What was built stays, so the collector need not look at it again while acknowledgments wait."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)


async def serve(config: Path) -> int:
    """Run the service until SIGTERM or SIGINT; the exit code. Raises ``ConnectorError`` if it cannot."""
    configuration = settings.load(config)
    log.setup(configuration.settings.log.level)
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
