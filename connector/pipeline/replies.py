"""What a v2 partner's answer, or its silence, does to a message: the reply table of ``[v2.to.replies]``.

An answer is AA or CA (taken) or one of AE, AR, CE, CR (HL7 v2.5.1 2.9.2 and 2.9.3, table 0008), with the
conditions of table 0357 in its ERR segments. What each means differs by partner: some say AE while they
restart, some AR for good. So a profile may give every code, every condition of a code and every kind of
failure a row of its own; what it does not name has the default here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from connector.errors import (
    AnswerForAnother,
    AnswerNotUnderstood,
    ConnectorError,
    NoAnswer,
    PartnerBusy,
    PartnerRefusedMessage,
    Retry,
)
from connector.hl7v2.ack import Ack, Fault, read_ack
from connector.hl7v2.tree import Message
from connector.pipeline.ports import Acknowledgment

TAKEN: Final = frozenset({"AA", "CA"})
REFUSED: Final = frozenset({"AE", "AR", "CE", "CR"})

WAYS: Final[Mapping[str, Retry]] = MappingProxyType(
    {"retry": Retry.LATER, "stop": Retry.STOP, "dead": Retry.NEVER, "hold": Retry.HOLD}
)
"""The words of a profile: try again; the lane stops and the message stays at its head for a person; a dead
letter, and the lane goes on; nothing is sent to this partner until a person resumes."""

FAILURES: Final[Mapping[type[ConnectorError], str]] = MappingProxyType(
    {AnswerForAnother: "wrong-id", AnswerNotUnderstood: "garbage", NoAnswer: "timeout"}
)
"""The row of each failure; the first that fits counts."""

_DEFAULTS: Final = {"AE.206": "retry", "AE.207": "retry", "CE.206": "retry", "CE.207": "retry"}
_STRICTEST_FIRST: Final = (Retry.HOLD, Retry.STOP, Retry.LATER, Retry.NEVER)
_DUPLICATE: Final = "205"
_CONTROL_ID: Final = r"(?:control[ _-]?(?:id\b|number)|message[ _-]?id\b|msh[-.]10)"
_IN_WORDS: Final = re.compile(
    rf"duplicate.{{0,30}}{_CONTROL_ID}|{_CONTROL_ID}.{{0,30}}(?:duplicate|already (?:been )?[a-z]+ed\b)"
    r"|^\W*duplicate(?: hl7)? message\W*$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Replies:
    """One partner's reply table.

    ``rows``: a code (``AE``), a code with a condition (``AE.103``) or a failure (``timeout``, ``wrong-id``,
    ``garbage``), each with a word of ``WAYS``; a condition's row goes before its code's. ``duplicates``:
    whether "I had this control id before" counts as taken.
    """

    rows: Mapping[str, str] = field(default_factory=dict)
    duplicates: bool = True

    def of_failure(self, error: ConnectorError) -> Retry | None:
        """What the table says about a failure; None: nothing, its class decides."""
        row = next((name for kind, name in FAILURES.items() if isinstance(error, kind)), "")
        return WAYS.get(self.rows.get(row, ""))

    def of_code(self, code: str, conditions: frozenset[str]) -> Retry | None:
        """What the table says about a negative answer; of several conditions the strictest row counts."""
        named = [f"{code}.{condition}" for condition in conditions]
        found = {WAYS[word] for row in named if (word := self.rows.get(row, _DEFAULTS.get(row, "")))}
        if found:
            return next(way for way in _STRICTEST_FIRST if way in found)
        return WAYS.get(self.rows.get(code, ""))


USUAL: Final = Replies()
"""The table of a profile that says nothing."""


def decide(
    answer: Acknowledgment | ConnectorError, table: Replies, *, again: bool = False
) -> ConnectorError | None:
    """None where the message counts as delivered, else the error to raise, with the way the table gives it.

    ``answer``: what the partner answered, or what the sending raised. ``again``: an earlier attempt may have
    reached the partner. An error without a way of its own (``way`` is None) goes by its class: a refusal by
    ``on_refusal`` of the profile, everything else is tried again or held.
    """
    if isinstance(answer, ConnectorError):
        answer.way = table.of_failure(answer)
        return answer
    if answer.code not in TAKEN | REFUSED:
        return decide(AnswerNotUnderstood("the answer has no code of table 0008", location="MSA-1"), table)
    if answer.code in TAKEN or (table.duplicates and duplicate(answer, again=again)):
        return None
    return _refusal(table.of_code(answer.code, frozenset(condition_of(one) for one in answer.errors)))


def duplicate(answer: Acknowledgment, *, again: bool) -> bool:
    """Whether a negative answer says that the partner has had this very message.

    "Duplicate key identifier" (205) at MSH-10 speaks of the control id. Without a place it may as well mean
    that the patient or the order is there already (v2.5.1 2.16.3.1), which would be a refusal: it counts only
    ``again``, when an earlier attempt may have arrived. At any other place it never counts.
    """
    places = [str(getattr(one, "location", "")) for one in answer.errors if condition_of(one) == _DUPLICATE]
    return any(place.startswith("MSH-10") or (again and not place) for place in places)


def read(text: str) -> Ack:
    """An answer as ``read_ack`` reads it, with what it says in words only.

    Partners before v2.5 put "duplicate control id" into MSA-3: it becomes the condition 205 at MSH-10.
    Raises ``AnswerNotUnderstood``.
    """
    found = read_ack(text)
    if found.code in TAKEN or not any(_IN_WORDS.search(words) for words in _words(Message.parse(text))):
        return found
    return found._replace(errors=(*found.errors, Fault(_DUPLICATE, "MSH-10", "")))


def condition_of(error: Any) -> str:
    """ERR-3.1 of what an acknowledgment lists."""
    return str(getattr(error, "condition", getattr(error, "code", error)))


def _words(message: Message) -> list[str]:
    """MSA-3, MSA-6.2, and of each ERR the texts of ERR-3, ERR-5, ERR-7 and ERR-8."""
    places = [("MSA", 3, 1), ("MSA", 6, 2), ("MSA", 6, 1)]
    places += [("ERR", number, part) for number in (3, 5, 7, 8) for part in (1, 2, 9)]
    return [one.value(number, 1, part) for name, number, part in places for one in message.all(name)]


def _refusal(way: Retry | None) -> ConnectorError:
    if way is Retry.LATER:
        error: ConnectorError = PartnerBusy("the partner cannot take the message now")
    else:
        fix = "see the partner's log; replay it when it is mended"
        error = PartnerRefusedMessage("the partner does not take the message", fix=fix)
    error.way = way
    return error
