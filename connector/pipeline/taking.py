"""One v2 message is taken: read MSH, check, commit once; what to answer comes back.

The acknowledgment is built before the commit and stored with it, so that a repeated message gets the
very same one, and it is only returned once the commit is on the disk. Whatever cannot be committed is
answered with AE and condition 207: nothing was taken, the sender still has it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import structlog

from connector.errors import (
    AnswerNotUnderstood,
    ConnectorError,
    FrameTooLarge,
    MessageError,
    ShuttingDown,
    UnableToWork,
    UndecodableText,
    UnreadableMessage,
)
from connector.hl7v2 import batch, charset, modes
from connector.hl7v2.tree import Message
from connector.pipeline import about, acceptance, sequences
from connector.pipeline.answers import Answers
from connector.pipeline.backlog import Backlog
from connector.pipeline.entries import Trail, reason, short, whom
from connector.pipeline.links import Link
from connector.pipeline.ports import Clock, Entry, Ids, Judge
from connector.store import Accepted, Direction, InboxKey, Received, Store

Heard = Callable[[str, str, str], bool]
KIND: Final = 40  # characters of MSH-9 in an entry
HEAD: Final = 4096  # bytes in which the MSH of what is too large is looked for
_IN: Final = Direction.TO_FHIR
_BYTES: Final = "8859/1"  # reads every byte, and gives the very same back
_log: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Source:
    """Who brings messages, for the audit trail. ``connection``: the peer's host and port, where the answer
    after processing goes back first; "" for what comes from a file, which gets none."""

    actor: Mapping[str, Any]
    fingerprint: str = ""
    connection: str = ""


class Outcome(NamedTuple):
    """What became of one message.

    ``answer``: b"" where none is wanted, None where nothing may be said and the connection is to close.
    ``code``: AA, AE or AR, whatever is sent of it; "" for an acknowledgment. ``error``: why not AA.
    """

    answer: bytes | None
    code: str
    control_id: str = ""
    error: ConnectorError | None = None
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class _Case:
    """One message in hand; ``charset``: in which it is answered."""

    link: Link
    source: Source
    payload: bytes
    message: Message
    charset: str
    correlation: str


class Taking:
    """Takes messages of all links, one at a time.

    ``arrived``: called after each commit, with link and direction. ``heard``: told link, code and control
    id of an acknowledgment that came in; whether somebody waited for it.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        ids: Ids,
        judge: Judge | None = None,
        arrived: Callable[[str, Direction], None] = lambda link, direction: None,
        heard: Heard = lambda link, code, control_id: False,
    ) -> None:
        self._store, self._clock, self._ids = store, clock, ids
        self._judge, self._arrived, self._heard = judge, arrived, heard
        self._backlog, self._answers = Backlog(store, clock), Answers(clock)
        self.accepting = True
        self.barred: Callable[[], ConnectorError | None] = lambda: None

    async def take(self, link: Link, payload: bytes, source: Source) -> Outcome:
        """Take one message, or say why not."""
        if len(payload) > link.frame_bytes:
            return await self._too_large(link, payload, source)
        try:
            text = charset.decode(payload, profile_charset=link.charset)
            message = Message.parse(text.text)
        except UnreadableMessage as error:
            return await self._quarantine(link, payload, source, error)
        except UndecodableText as error:
            # MSH is read byte by byte, so the answer echoes the sender's bytes and guesses nothing
            case = self._case(link, payload, source, Message.parse(payload.decode("latin-1")), _BYTES)
            return await self._refused(case, [error])
        return await self._decide(self._case(link, payload, source, message, text.charset))

    def refusal(self, link: Link, payload: bytes, errors: Sequence[ConnectorError]) -> Outcome:
        """What is answered to a message that is not looked at; whoever asks has recorded why.

        Enough of the message to read its MSH will do.
        """
        worst = errors[0]
        wide = payload[:2] in batch.MARKS
        text = payload.decode("utf-16", "replace") if wide else payload.decode("latin-1")
        try:
            message = Message.parse(text)
        except UnreadableMessage:
            return Outcome(self._answers.unread(worst, self._ids()), worst.answer.acknowledgment, "", worst)
        case = self._case(link, payload, Source({}), message, "UNICODE UTF-16" if wide else _BYTES)
        return self._said(case, errors)

    async def _too_large(self, link: Link, payload: bytes, source: Source) -> Outcome:
        error = FrameTooLarge(f"the message passes the limit of {link.frame_bytes} bytes", fix="send less")
        trail = Trail(self._clock, link.name, _IN)
        await self._record(link, error, [trail.refused("message:v2:refused", error, actor=source.actor)])
        return self.refusal(link, payload[:HEAD], [error])

    async def _decide(self, case: _Case) -> Outcome:
        if case.message.message_code in modes.ACKNOWLEDGMENTS:
            return await self._acknowledgment(case)
        try:
            if not self.accepting:
                raise ShuttingDown("the connector is stopping", fix="send it again")
            if (barred := self.barred()) is not None:
                raise barred
            number = sequences.number_of(case.message, case.link.numbers)
            starts = number is not None and number <= sequences.WHERE
            faults = (
                list(acceptance.sender(case.message, case.link.accepts))
                if starts
                else await self._faults(case)
            )
            if faults:
                return await self._refused(case, faults)
            if number is not None and starts:
                return await self._stream(case, number)
            await self._backlog.check(case.link, _IN)
            return await self._commit(case, number)
        except MessageError as error:
            return await self._refused(case, [error])
        except ConnectorError as error:
            return self._said(case, [error])

    async def _faults(self, case: _Case) -> list[MessageError]:
        link, message = case.link, case.message
        if found := acceptance.too_much(message, link.shape):
            return [found]
        faults = acceptance.faults(message, link.accepts)
        if faults or not link.strict or self._judge is None:
            return faults
        return list(await self._judge(str(message)))

    async def _commit(self, case: _Case, number: int | None) -> Outcome:
        link, message = case.link, case.message
        expected = "" if number is None else str(number)
        answer = self._answers.to(link, message, "AA", case.correlation, expected=expected)
        accepted = await self._accept(case, answer, number)
        self._arrived(link.name, _IN)
        said = _encoded(accepted.answer.decode("utf-8"), case.charset)
        return Outcome(said, "AA", message.control_id, None, accepted.duplicate)

    async def _accept(self, case: _Case, answer: str, number: int | None) -> Accepted:
        link, message, source = case.link, case.message, case.source
        asked = modes.afterwards(link.answers, message.msh.field(15), message.msh.field(16))
        owed = bool(asked) and source.connection != ""
        came_by = {"connection": source.connection} if owed else {}
        kind = f"{message.message_code}^{message.trigger_event}"
        known = about.in_v2(message, link.authorities)
        patients = whom(self._store.patients(known))
        received = Received(
            link=link.name,
            direction=_IN,
            key=_key(case),
            payload=case.payload,
            meta={"correlation": case.correlation, "kind": kind, **came_by, **patients},
            received_at=self._clock(),
            uid=case.correlation,
            owed=owed,
            about=known,
        )
        size = len(case.payload)
        entry, again, reused = (
            self._did(case, verb, message=short(kind, KIND), size=size, **patients)
            for verb in ("received", "duplicate", "reused")
        )
        return await self._store.accept(
            received,
            answer.encode("utf-8"),
            [entry],
            if_duplicate=[again],
            if_reused=[reused],
            refuse_reused=link.reused == "refuse",
            sequence=None if number is None else (_sender(case), number),
        )

    async def _stream(self, case: _Case, number: int) -> Outcome:
        """0: where the stream stands; -1: the next number that is accepted becomes the first."""
        link, sender = case.link.name, _sender(case)
        known = await self._store.expected(link, sender)
        asked = sequences.UNKNOWN if number == sequences.ANEW or known is None else known
        sequences.check_bare(case.message, asked)
        if number == sequences.ANEW:
            await self._store.expect(link, sender, asked, [self._did(case, "resynchronised")])
        else:
            await self._store.record([self._did(case, "restarted", expected=asked)])
        answer = self._answers.to(case.link, case.message, "AA", case.correlation, expected=str(asked))
        return Outcome(_encoded(answer, case.charset), "AA", case.message.control_id)

    async def _acknowledgment(self, case: _Case) -> Outcome:
        """It gets no answer, whatever it says; one that nobody waits for is put on record."""
        msa = case.message.first("MSA")
        code = msa.value(1).strip() if msa else ""
        control_id = case.message.delimiters.unescape(msa.field(2)).strip() if msa else ""
        if not self._heard(case.link.name, code, control_id):
            error = AnswerNotUnderstood("an acknowledgment of nothing that waits for one", location="MSA-2")
            await self._record(case.link, error, [self._no(case, error)])
        return Outcome(b"", "", case.message.control_id)

    async def _refused(self, case: _Case, errors: Sequence[ConnectorError]) -> Outcome:
        if case.message.message_code in modes.ACKNOWLEDGMENTS:
            return await self._acknowledgment(case)
        worst = errors[0]
        try:
            entries = [self._no(case, worst, faults=len(errors))]
            await self._store.refuse(case.link.name, _IN, reason(worst), self._clock(), entries)
        except UnableToWork as failure:
            return self._said(case, [failure])
        return self._said(case, errors)

    def _said(self, case: _Case, errors: Sequence[ConnectorError]) -> Outcome:
        worst = errors[0]
        code = worst.answer.acknowledgment
        answer = self._answers.to(case.link, case.message, code, case.correlation, errors)
        return Outcome(_encoded(answer, case.charset), code, case.message.control_id, worst)

    async def _quarantine(
        self, link: Link, payload: bytes, source: Source, error: UnreadableMessage
    ) -> Outcome:
        code, correlation = error.answer.acknowledgment, self._ids()
        trail = Trail(self._clock, link.name, _IN)
        entry = trail.refused("message:v2:quarantined", error, actor=source.actor, size=len(payload))
        try:
            await self._store.quarantine(
                link.name, payload, reason(error), source.fingerprint, self._clock(), [entry]
            )
        except UnableToWork as failure:
            return Outcome(None, code, "", failure)  # not kept: nothing is said that looks as if it were
        answer = self._answers.unread(error, correlation) if link.on_unreadable == "nack" else None
        return Outcome(answer, code, "", error)

    async def _record(self, link: Link, error: ConnectorError, entries: Sequence[Entry]) -> None:
        try:
            await self._store.refuse(link.name, _IN, reason(error), self._clock(), entries)
        except UnableToWork as failure:  # nothing was taken, and nothing is said that looks as if it were
            _log.error("a refusal could not be recorded", link=link.name, exc=failure)

    def _case(self, link: Link, payload: bytes, source: Source, message: Message, charset_name: str) -> _Case:
        return _Case(link, source, payload, message, charset_name, self._ids())

    def _did(self, case: _Case, verb: str, **what: Any) -> Entry:
        trail = Trail(self._clock, case.link.name, _IN)
        return trail.did(f"message:v2:{verb}", case.correlation, actor=case.source.actor, **what)

    def _no(self, case: _Case, error: ConnectorError, **what: Any) -> Entry:
        trail = Trail(self._clock, case.link.name, _IN)
        return trail.refused("message:v2:refused", error, case.correlation, actor=case.source.actor, **what)


def _encoded(answer: str, named: str) -> bytes:
    """An answer says nothing but ASCII and what the message said itself, so its set has room for it."""
    if not answer:
        return b""  # not even a byte order mark
    try:
        return charset.encode(answer, named)
    except UndecodableText:
        return answer.encode("ascii", "replace")


def _sender(case: _Case) -> str:
    """Whose stream it is: MSH-3 and MSH-4."""
    return f"{case.message.msh.field(3)}\0{case.message.msh.field(4)}"


def _key(case: _Case) -> InboxKey:
    return InboxKey(
        partner=case.link.name,
        application=case.message.msh.field(3),
        facility=case.message.msh.field(4),
        control_id=case.message.control_id,
        digest=hashlib.sha256(case.payload).hexdigest(),
    )
