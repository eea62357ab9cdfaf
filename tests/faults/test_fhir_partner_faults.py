"""What a FHIR partner and the way to it may do wrong when we send, and the state that each fault ends in.

Two patients go out over the real store, the real translation and delivery and a real client with mutual TLS,
through a proxy; the partner does to the first what its row says. Expected of each row: what became of the
first (delivery, attempts, reason), what is kept back, whether the server has it and when it is tried again.
Then the fault is over: whatever can be delivered is, in order, and every resource has one version only.
"""

from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import pytest

from connector.edges.http_exchange import Waits
from connector.store import Direction
from tests.edges.fhir_room import FhirRoom, fhir_room
from tests.edges.fhir_server import FhirServer
from tests.edges.partner_site import Act, Asked, Reply, answer
from tests.pipeline.site import NOW, message

from .proxy import Cut, Faults

WAITS: Final = Waits(connect=1.0, tls=0.4, write=1.0, answer=0.4, body=0.4)
LIMIT: Final = 20_000

End = Literal["delivered", "later", "dead", "held", "stopped"]
FIRST: Final[dict[End, tuple[str, int]]] = {
    "delivered": ("delivered", 1),
    "later": ("queued", 1),
    "dead": ("dead", 1),
    "held": ("queued", 1),
    "stopped": ("refused", 1),
}


@dataclass(frozen=True)
class Row:
    """``has``: whether the server has the first message's resources before it is tried again; ``pause``:
    seconds until then."""

    what: str
    end: End
    reason: str
    plan: tuple[Any, ...] = ()  # replies, or what takes the server and gives one
    network: tuple[Faults, ...] = ()
    has: bool = False
    pause: float = 0.5
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def condition(self) -> str:
        """What keeps everything back: a person, or the breaker for as long as the partner asked for."""
        if self.end == "held":
            return "held"
        return "open" if self.end == "later" and self.pause > 1 else ""


def fine(what: str, *plan: Any, **more: Any) -> Row:
    return Row(what, "delivered", "", plan, **{"has": True, **more})


def later(what: str, *plan: Any, reason: str = "PartnerBusy", **more: Any) -> Row:
    return Row(what, "later", reason, plan, **more)


def broken(what: str, *network: Faults, reason: str = "PartnerUnreachable", **more: Any) -> Row:
    return Row(what, "later", reason, network=network, **more)


def garbled(what: str, *plan: Any, **more: Any) -> Row:
    return later(what, *plan, reason="AnswerNotUnderstood", **more)


def dead(what: str, *plan: Any, **more: Any) -> Row:
    return Row(what, "dead", "PartnerRefusedMessage", plan, **more)


def held(what: str, *plan: Any, **more: Any) -> Row:
    return Row(what, "held", "PartnerRefusedUs", plan, **more)


def replies(**words: str) -> dict[str, Any]:
    """A reply table: ``_404`` is 404."""
    return {"options": {"replies": {int(name[1:]): word for name, word in words.items()}}}


# --- what the partner does -----------------------------------------------------------------------------

Done = Callable[[FhirServer], Reply]


def done_but(change: Callable[[bytes], bytes]) -> Done:
    """It does what it is asked, and then spoils its answer."""
    return lambda server: lambda asked: change(server(asked))


def done_and(act: Callable[[bytes, asyncio.StreamWriter], Any]) -> Done:
    """It does what it is asked, and then answers in a way of its own."""

    def reply(server: FhirServer) -> Reply:
        async def does(asked: Asked, writer: asyncio.StreamWriter) -> None:
            await act(server(asked), writer)

        return Act(does)

    return reply


def without_a_word(writer: asyncio.StreamWriter) -> None:
    """The connection ends without TLS's close_notify."""
    writer.get_extra_info("socket")._sock.shutdown(socket.SHUT_RDWR)
    writer.transport.abort()


async def goes_before_answering(content: bytes, writer: asyncio.StreamWriter) -> None:
    without_a_word(writer)


async def answers_and_goes(content: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(content)
    await writer.drain()
    without_a_word(writer)


async def drips_head(content: bytes, writer: asyncio.StreamWriter) -> None:
    for _ in range(200):
        writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.02)


async def drips_body(content: bytes, writer: asyncio.StreamWriter) -> None:
    head, _, body = content.partition(b"\r\n\r\n")
    writer.write(head + b"\r\n\r\n")
    for number in range(len(body)):
        writer.write(body[number : number + 1])
        await writer.drain()
        await asyncio.sleep(0.02)


async def answers_slowly(content: bytes, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(0.2)
    writer.write(content[:40])
    await writer.drain()
    await asyncio.sleep(0.1)
    writer.write(content[40:])
    await writer.drain()


def chunked(content: bytes) -> bytes:
    head, _, body = content.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.startswith(b"content-length")]
    framed = b"%x\r\n%b\r\n" % (len(body), body)
    return b"\r\n".join([*lines, b"transfer-encoding: chunked", b"", framed])


def until_close(content: bytes) -> bytes:
    """A body whose end is the end of the connection, which comes too early."""
    head, _, body = content.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.startswith(b"content-length")]
    return b"\r\n".join([*lines, b"connection: close", b"", body[:-10]])


def retry_after(status: int, seconds: str) -> bytes:
    return answer(status, retry_after=seconds)


BOMB: Final = gzip.compress(b" " * 50_000_000)
PAGE: Final = b"<html>please log in</html>"
NOBODY: Final = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "conflict"}]}
SEVERAL: Final = {**NOBODY, "issue": [{"severity": "error", "code": "multiple-matches"}]}

ROWS: Final = (
    fine("nothing is wrong"),
    fine("latency", network=(Faults(latency=0.01),)),
    fine("a slow answer, in time", done_and(answers_slowly)),
    # --- connecting
    broken("reset as soon as it is connected", Faults(refuse=True)),
    broken("reset after the first byte", Faults(up=Cut(1))),
    broken("reset within a TLS record's head", Faults(up=Cut(3))),
    broken("reset within the ClientHello", Faults(up=Cut(100))),
    broken("reset before the ServerHello", Faults(down=Cut(0))),
    broken("reset within the ServerHello", Faults(down=Cut(40))),
    broken("reset within the certificate", Faults(down=Cut(300))),
    broken("closed within the handshake", Faults(down=Cut(300, "close"))),
    broken("half-open from the start", Faults(down=Cut(0, "silence"))),
    broken("half-open within the handshake", Faults(down=Cut(300, "silence"))),
    broken("half-open towards the partner", Faults(up=Cut(0, "silence"))),
    # --- the answer's time and end
    later("no answer", None, reason="PartnerUnreachable"),
    later("done, and the head drips", done_and(drips_head), reason="PartnerUnreachable", has=True),
    later("done, and the body drips", done_and(drips_body), reason="PartnerUnreachable", has=True),
    later("TLS close without notify, unanswered", done_and(goes_before_answering),
          reason="PartnerUnreachable", has=True),
    fine("TLS close without notify, after the answer", done_and(answers_and_goes)),
    later("nothing said, closed", b"", reason="PartnerUnreachable"),
    later("closed within the status line", b"HTTP/1.1 20", reason="PartnerUnreachable"),
    garbled("done, and the body is cut short", done_but(lambda said: said[:-20]), has=True),
    fine("done, chunked", done_but(lambda said: chunked(said) + b"0\r\n\r\n")),
    garbled("done, and a chunk is missing", done_but(chunked), has=True),
    garbled("done, without length, cut short", done_but(until_close), has=True),
    # --- what no FHIR server says
    garbled("no HTTP", b"SSH-2.0-OpenSSH_9.6\r\n\r\n"),
    garbled("wrong content type", done_but(lambda said: said.replace(b"fhir+json", b"fhir+xml")), has=True),
    garbled("a page in the way", answer(200, PAGE, "text/html")),
    garbled("no JSON", answer(200, b"{")),
    garbled("a property twice", answer(200, b'{"resourceType":"Bundle","resourceType":"Bundle"}')),
    garbled("success without content", answer(200)),
    garbled("another kind of success", answer(206, b"{}")),
    garbled("an outcome instead of responses", answer(200, NOBODY)),
    garbled("gzip bomb", answer(200, BOMB, content_encoding="gzip")),
    garbled("compressed though not asked", answer(200, gzip.compress(b"{}"), content_encoding="gzip")),
    garbled("oversized answer", answer(200, b" " * (LIMIT + 1))),
    garbled("oversized answer, chunked", chunked(answer(200, b" " * (LIMIT + 1))) + b"0\r\n\r\n"),
    garbled("endless head", b"HTTP/1.1 200 X\r\nx: " + b"y" * 200_000),
    garbled("redirect 302", answer(302, location="https://elsewhere.test/fhir")),
    garbled("redirect 307", answer(307, location="/other")),
    garbled("redirect 308", answer(308, location="/other")),
    # --- statuses
    dead("400", answer(400)),
    held("401", answer(401)),
    held("403", answer(403)),
    dead("404", answer(404)),
    dead("405", answer(405)),
    held("407", answer(407)),
    later("408", answer(408)),
    later("409, of nothing that we know a version of", answer(409, NOBODY)),
    dead("409, several fit", answer(409, SEVERAL)),
    dead("410", answer(410)),
    dead("412, of nothing that we know a version of", answer(412, NOBODY)),
    dead("412, several fit", answer(412, SEVERAL)),
    dead("413", answer(413)),
    dead("415", answer(415)),
    dead("422", answer(422)),
    later("423", answer(423)),
    later("429", answer(429)),
    later("429 with Retry-After", retry_after(429, "7"), pause=7.0),
    later("429 with a Retry-After nobody waits for", retry_after(429, "999999"), pause=3600.0),
    later("500", answer(500)),
    dead("501", answer(501)),
    later("502", answer(502, PAGE, "text/html")),
    later("503", answer(503)),
    later("503 with Retry-After", retry_after(503, "11"), pause=11.0),
    later("503 with Retry-After that is none", retry_after(503, "soon")),
    later("504", answer(504)),
    # --- the profile's word
    later("404 by profile: retry", answer(404), **replies(_404="retry")),
    dead("500 by profile: dead", answer(500), **replies(_500="dead")),
    held("429 by profile: hold", answer(429), **replies(_429="hold")),
    Row("422 by profile: stop", "stopped", "PartnerRefusedMessage", (answer(422),), **replies(_422="stop")),
    dead("412 by profile: dead", answer(412), **replies(_412="dead")),
)  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.what)
async def test_each_fault_has_its_end(tmp_path: Path, row: Row) -> None:
    options = {"waits": WAITS, "answer_limit": LIMIT, "network": row.network, **row.options}
    async with fhir_room(tmp_path, **options) as here:
        plan = [reply(here.server) if _wants_server(reply) else reply for reply in row.plan]
        here.partner.replies = [*plan, here.server]
        await here.cycle.receive(message("1"))
        await here.work()
        state, attempts = FIRST[row.end]
        assert await here.states() == [(state, attempts, row.reason)]
        assert here.condition() == row.condition
        assert bool(here.server.of("Patient")) is row.has
        if row.end == "later":
            assert _due(here) == pytest.approx(row.pause, abs=0.001)
        here.partner.replies = [here.server]
        await _afterwards(here, row)


def _wants_server(reply: Any) -> bool:
    return callable(reply) and not isinstance(reply, Act)


def _due(here: FhirRoom) -> float:
    """Seconds until the first message is tried again."""
    ((at,),) = here.cycle.rows("SELECT next_attempt_at FROM outbox")
    return float(at / 1_000_000 - NOW.timestamp())


async def _afterwards(here: FhirRoom, row: Row) -> None:
    """The partner is well again, and another message comes."""
    await here.cycle.receive(message("2", patient="70099"))
    if row.end == "held":
        await here.later(4000)
        assert [state for state, *_ in await here.states()] == ["queued", "queued"]
        here.cycle.lanes[Direction.TO_FHIR].delivering.resume()
    await here.later(4000)
    await here.later()  # a connection that the partner closed may be noticed only when it is used
    states = [state for state, *_ in await here.states()]
    if row.end == "stopped":
        assert states == ["refused", "queued"]
        return
    assert states == ["dead" if row.end == "dead" else "delivered", "delivered"]
    assert len(here.server.of("Patient")) == (1 if row.end == "dead" else 2)
    assert set(here.server.count().values()) == {1}


CUTS: Final = [("reset", left) for left in (8, 25, 60, 150, 300, 450)] + [
    (how, left) for how in ("close", "silence") for left in (8, 150, 450)
]


@pytest.mark.parametrize(("how", "left"), CUTS)
async def test_an_answer_cut_at_any_byte_is_asked_for_again_and_nothing_is_done_twice(
    tmp_path: Path, how: Literal["reset", "close", "silence"], left: int
) -> None:
    async with fhir_room(tmp_path, waits=WAITS, leaves_out=False) as here:
        await here.takes(message("1"))
        (clean,) = here.proxy.carried
        await here.client.close()
        here.proxy.plan.append(Faults(down=Cut(clean.down - left, how)))
        await here.takes(message("2", patient="70099"))
        state, attempts, reason = await here.state()
        assert (state, attempts) == ("queued", 1)
        assert reason in ("PartnerUnreachable", "AnswerNotUnderstood")
        await here.later()
        assert (await here.state())[:2] == ("delivered", 2)
        assert len(here.server.of("Patient")) == 2
        assert set(here.server.count().values()) == {1}
