"""What each HTTP status of a partner means for what was sent: one table, over which a profile has its say.

An error for which the profile has no word goes by its class: a refusal by ``on_refusal``.

Sources: RFC 9110 (status codes, Retry-After), https://hl7.org/fhir/R4/http.html (400, 404, 409, 412, 422).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Final, Literal

from connector.errors import (
    AnswerNotUnderstood,
    DeliveryError,
    PartnerBusy,
    PartnerChangedIt,
    PartnerRefusedMessage,
    PartnerRefusedUs,
)
from connector.pipeline.replies import WAYS

Reply = Literal["retry", "stop", "dead", "hold", "read again"]
"""The same again later; the lane stops with the message at its head; a dead letter, and the lane goes on;
nothing more is sent until a person resumes; what stands there is read, the update made anew over it and sent.
"""

Replies = Mapping[int, Reply]

LONGEST_WAIT: Final = 3600.0  # seconds; nobody who says "come back tomorrow" may stop a lane until then

STATUSES: Final[Replies] = MappingProxyType(
    {
        400: "dead",  # malformed, or a rule of the server's that the content breaks
        401: "hold",  # after one more try with a new token
        403: "hold",
        404: "dead",  # the type or the place is not there; of a delete it is a success
        405: "dead",  # the interaction is not offered: no ids chosen by clients, for one
        406: "dead",
        407: "hold",
        408: "retry",
        409: "read again",  # some servers say it where others say 412
        410: "dead",  # the resource was deleted, and this server does not bring it back
        411: "dead",
        412: "read again",
        413: "dead",
        414: "dead",
        415: "dead",
        421: "retry",  # this connection is not for this server: another may be
        422: "dead",
        423: "retry",  # locked
        424: "retry",
        425: "retry",
        426: "dead",
        428: "dead",  # it wants If-Match on what we do not know the version of
        429: "retry",
        431: "dead",
        500: "retry",
        501: "dead",
        502: "retry",
        503: "retry",
        504: "retry",
        505: "dead",
        507: "retry",
        508: "retry",
        511: "hold",
    }
)
_SEVERAL: Final = frozenset({"multiple-matches", "duplicate"})  # reading again tells nothing new
_NONE: Final[Replies] = MappingProxyType({})


def reply_to(status: int) -> Reply | None:
    """What a status means; None: it is no answer that counts."""
    return STATUSES.get(status) or _by_class(status)


def _by_class(status: int) -> Reply | None:
    if 400 <= status <= 499:
        return "dead"
    return "retry" if 500 <= status <= 599 else None


def refusal(
    status: int, *, after: str = "", issue: str = "", location: str = "", replies: Replies = _NONE
) -> DeliveryError:
    """The error for a status that is no success; ``after``: Retry-After as sent.

    ``issue``: the code of the partner's OperationOutcome, ``location``: the entry that it is about.
    """
    said = f"the partner answers {status}{f' ({issue})' if issue else ''}"
    chosen = replies.get(status)
    error = _error(said, status, chosen or reply_to(status), retry_after(after), several=issue in _SEVERAL)
    error.location, error.status, error.issue = location, status, issue
    error.way = WAYS.get(chosen) if chosen else None
    return error


def _error(
    said: str, status: int, reply: Reply | None, after: float | None, *, several: bool
) -> DeliveryError:
    match reply:
        case "hold":
            fix = "check the client id, key, scopes and certificate that the partner knows"
            return PartnerRefusedUs(said, fix=fix)
        case "read again" if not several:
            return PartnerChangedIt(said)
        case "dead" | "stop" | "read again":
            return PartnerRefusedMessage(said, fix="see the partner's log; replay it when it is mended")
        case "retry":
            return PartnerBusy(said, after=after)
    fix = "set base to the address of the endpoint itself" if 300 <= status <= 399 else ""
    return AnswerNotUnderstood(said, fix=fix)


def retry_after(text: str) -> float | None:
    """Seconds from now, 0 to ``LONGEST_WAIT``, of a Retry-After header (RFC 9110, 10.2.3); None: none."""
    if re.fullmatch(r"[0-9]+", text):
        return min(float(text[:300]), LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    wait = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - datetime.now(UTC)
    return min(max(wait.total_seconds(), 0.0), LONGEST_WAIT)
