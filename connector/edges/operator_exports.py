"""Exports of the audit log over HTTPS: a stream that is made as fast as its reader takes it."""

from __future__ import annotations

import asyncio

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from connector.edges import operator_asks as asks
from connector.edges.operator_desk import Asked, Desk
from connector.errors import NothingThere
from connector.pipeline.exporting import Wanted, pseudonyms

_NAME = "attachment; filename=audit-export.zip"


class Flowing(StreamingResponse):
    """What it streams is told when nobody takes it any more, not whenever garbage is collected."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            close = getattr(self.body_iterator, "aclose", None)
            if close is not None:
                await asyncio.shield(asyncio.ensure_future(close()))


async def export(desk: Desk, asked: Asked) -> Flowing:
    """A time of the audit log as a zip file that others can check, after the log knows who asked for it."""
    what: asks.Export = asked.what
    if desk.exports is None:
        fix = "take it by the command: connector audit export"
        raise NothingThere("the audit log is not given out here", fix=fix, location="http.url")
    authorities = [profile.mapping.authorities for profile in desk.profiles]
    patients = pseudonyms(desk.store, what.patient, authorities) if what.patient else ()
    by = asked.by(what.because)
    wanted = Wanted(by.actor, by.because, what.since, what.until, what.partner, patients, what.tag)
    pieces = await desk.exports.stream(wanted)
    return Flowing(pieces, media_type="application/zip", headers={"content-disposition": _NAME})
