"""The two sides that listen: MLLP and HTTPS, both over mutual TLS."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Sequence
from typing import Final

import structlog
from fastapi import FastAPI

from connector.edges.acceptor import OnAdmitted, listen
from connector.edges.http_api import Limits, OnAccepted, create_app, unheard
from connector.edges.http_head import HeadLimits, OnFault
from connector.edges.http_intake import Bounds
from connector.edges.http_pace import Pace
from connector.edges.http_server import App, HttpServer
from connector.edges.mllp_server import MllpLimits, MllpServer
from connector.edges.partners import Callers, Intake
from connector.errors import ConfigurationError
from connector.pipeline.quotas import Bucket
from connector.pipeline.receive import V2Receiver
from connector.profile import Profile
from connector.settings import HttpsListener, MllpListener, Settings
from connector.store import Store
from connector.wiring import now
from connector.wiring.refused import Refused
from connector.wiring.secured import Secured

_log: Final = structlog.get_logger(__name__)

_GRACE: Final = 10.0  # seconds in which the application itself says that a body takes too long


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


def mllp_server(
    chosen: Settings,
    profiles: Sequence[Profile],
    receiver: V2Receiver,
    store: Store,
    secured: Secured,
    on_admitted: OnAdmitted | None = None,
) -> MllpServer:
    """Where HL7 v2 comes in. Raises ``ConfigurationError``."""
    mllp = chosen.mllp
    frame = max((profile.limits.frame_bytes for profile in profiles), default=mllp.frame_bytes)
    limits = MllpLimits(
        frame_bytes=min(mllp.frame_bytes, frame),
        held_bytes=mllp.held_bytes,
        connections=mllp.max_connections,
        idle_timeout=mllp.idle_seconds,
        frame_timeout=mllp.frame_seconds,
        write_timeout=mllp.write_seconds,
        handshake_timeout=mllp.handshake_seconds,
    )
    server = MllpServer(
        listening(mllp, "mllp"),
        secured.context("mllp"),
        receiver.receive,
        fault=receiver.fault,
        too_long=receiver.too_long,
        admit=receiver.admit,
        limits=limits,
        on_refused=Refused(store, "mllp", now, time.monotonic),
        on_admitted=on_admitted,
    )
    secured.listens("mllp", server.acceptor)
    return server


def fhir_app(
    chosen: HttpsListener,
    profiles: Sequence[Profile],
    callers: Callers,
    intake: Intake,
    accepted: OnAccepted = unheard,
) -> FastAPI:
    """The API that takes FHIR. ``accepted``: hears whose tokens were. Raises ``ConfigurationError``."""
    bounds = Bounds(chosen.nesting, chosen.bundle_entries)
    limits = Limits(chosen.body_bytes, chosen.body_seconds, chosen.in_hand, bounds)
    pace, describes = _pace(profiles), callers.described
    return create_app(
        intake,
        callers,
        base=chosen.url,
        limits=limits,
        pace=pace,
        describes=describes,
        accepted=accepted,
    )


def _pace(profiles: Sequence[Profile]) -> Pace:
    """One bucket for all clients of a partner."""
    clients: dict[str, Bucket] = {}
    for profile in profiles:
        limits, caller = profile.limits, profile.fhir.caller
        if caller is not None and limits.requests_per_second:
            bucket = Bucket(limits.requests_per_second, limits.requests_burst, time.monotonic())
            clients |= dict.fromkeys(caller.clients, bucket)
    return Pace(clients, time.monotonic)


def https_server(
    chosen: Settings,
    app: App,
    store: Store,
    secured: Secured,
    on_fault: OnFault | None = None,
    on_admitted: OnAdmitted | None = None,
) -> HttpServer:
    """Where an application is served; ``on_fault`` hears of requests that it is not given.

    Raises ``ConfigurationError``.
    """
    https = chosen.https
    server = HttpServer(
        app,
        listening(https, "https"),
        secured.context("https"),
        on_refused=Refused(store, "https", now, time.monotonic),
        on_admitted=on_admitted,
        limit=https.max_connections,
        keep_alive=https.idle_seconds,
        handshake_timeout=https.handshake_seconds,
        request_timeout=https.body_seconds + _GRACE,
        head=HeadLimits(https.head_bytes, https.header_fields, https.url_bytes, https.head_seconds),
        on_fault=on_fault,
    )
    secured.listens("https", server.acceptor)
    return server
