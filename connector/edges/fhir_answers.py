"""What a FHIR server answers: which resources it wrote at which version, or which entry it refuses and why.

Nothing that the partner writes goes on from here but ids, versions and issue codes of R4, each of its form.
Sources: https://hl7.org/fhir/R4/http.html (transaction-response, ETag, Location), operationoutcome.html,
messageheader.html (response).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from connector.edges.http_reading import Answer
from connector.edges.http_replies import Replies, refusal
from connector.errors import (
    AnswerNotUnderstood,
    DeliveryError,
    InvalidJson,
    PartnerBusy,
    PartnerRefusedMessage,
)
from connector.fhir import json
from connector.fhir.bundle import JsonObject, resources
from connector.pipeline.ports import Written

FHIR_JSON: Final = "application/fhir+json"
_JSON: Final = frozenset({FHIR_JSON, "application/json"})
DELETED: Final = frozenset({200, 202, 204, 404, 410})  # gone before, or at an earlier attempt: it is gone
NAME: Final = r"[A-Z][A-Za-z]{1,63}/(?!\.+(?:/|$))[A-Za-z0-9\-.]{1,64}"  # an id of dots would be a path
KEY: Final = re.compile(NAME)
_PLACE: Final = re.compile(rf"(?:^|/)({NAME})(?:/_history/([A-Za-z0-9\-.]{{1,64}}))?$")
_ETAG: Final = re.compile(r'(?:W/)?"([A-Za-z0-9\-.]{1,64})"')
_ENTRY: Final = re.compile(r"Bundle\.entry\[([0-9]{1,6})\]")
_STATUS: Final = re.compile(r"([1-5][0-9][0-9])\b")
_ISSUES: Final = frozenset(  # https://hl7.org/fhir/R4/valueset-issue-type.html
    {
        "invalid", "structure", "required", "value", "invariant", "security", "login", "unknown", "expired",
        "forbidden", "suppressed", "processing", "not-supported", "duplicate", "multiple-matches",
        "not-found", "deleted", "too-long", "code-invalid", "extension", "too-costly", "business-rule",
        "conflict", "transient", "lock-error", "no-store", "exception", "timeout", "incomplete",
        "throttled", "informational",
    }
)  # fmt: skip


class Asked(NamedTuple):
    """One entry to deliver: its place in the bundle, and what it asks for."""

    number: int
    method: str
    url: str  # "Type/id" for an update or a delete
    entry: JsonObject

    @property
    def location(self) -> str:
        """FHIRPath of the entry in the bundle that was given."""
        return f"Bundle.entry[{self.number}]"


def content(answer: Answer) -> JsonObject:
    """The resource in a body. Raises ``AnswerNotUnderstood``."""
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _JSON:
        raise AnswerNotUnderstood("the partner's answer is not application/fhir+json")
    try:
        found = json.loads(answer.content)
    except InvalidJson:
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("resourceType"), str):
        raise AnswerNotUnderstood("the partner's answer is no FHIR resource in JSON")
    return found


def responses(asked: Sequence[Asked], answer: JsonObject, kind: str, replies: Replies) -> list[Written]:
    """What became of each entry of a transaction or batch; an entry that failed carries its error."""
    listed = answer.get("entry", [])
    if answer.get("resourceType") != "Bundle" or answer.get("type") != f"{kind}-response":
        raise AnswerNotUnderstood(f"the partner's answer is no {kind}-response")
    if not isinstance(listed, list) or len(listed) != len(asked):
        raise AnswerNotUnderstood("the partner's answer has not one entry for each that was sent")
    return [_of_entry(entry, one, replies) for one, entry in zip(asked, listed)]


def _of_entry(entry: Any, one: Asked, replies: Replies) -> Written:
    response = entry.get("response") if isinstance(entry, dict) else None
    found = _STATUS.match(str(response.get("status"))) if isinstance(response, dict) else None
    if not isinstance(response, dict) or found is None:
        raise AnswerNotUnderstood("an entry of the partner's answer has no status", location=one.location)
    status = int(found[1])
    if 200 <= status <= 299 or (one.method == "DELETE" and status in DELETED):
        return written(response, status, one)
    issue = issue_of(response.get("outcome"))
    return Written(error=refusal(status, issue=issue, location=one.location, replies=replies))


def written(told: Mapping[str, Any], status: int, one: Asked) -> Written:
    """Which resource the partner wrote, and its version, by ``etag`` and ``location``."""
    etag, place = _ETAG.fullmatch(str(told.get("etag", ""))), _PLACE.search(str(told.get("location", "")))
    sent = one.url if KEY.fullmatch(one.url) and one.method != "POST" else ""
    if sent and place and place[1] != sent:
        raise AnswerNotUnderstood("the partner's answer is about another resource", location=one.location)
    version = etag[1] if etag else (place[2] or "") if place else ""
    found = one.method == "POST" and status == 200
    return Written(sent or (place[1] if place else ""), version, found)


def refused(answer: Answer, asked: Sequence[Asked], replies: Replies, location: str = "") -> DeliveryError:
    """The error of an answer: its status, and the code and the entry that its OperationOutcome names."""
    try:
        outcome = json.loads(answer.content)
    except InvalidJson:
        outcome = None
    return refusal(
        answer.status,
        after=answer.headers.get("retry-after", ""),
        issue=issue_of(outcome),
        location=location or _entry_of(outcome, asked),
        replies=replies,
    )


def processed(answer: JsonObject) -> None:
    """The answer to ``$process-message``. Raises PartnerBusy, PartnerRefusedMessage, AnswerNotUnderstood."""
    header = next((one for one in resources(answer) if one.get("resourceType") == "MessageHeader"), {})
    response = header.get("response")
    code = response.get("code") if isinstance(response, dict) else None
    outcome = next((one for one in resources(answer) if one.get("resourceType") == "OperationOutcome"), None)
    if code == "ok":
        return
    if code not in ("transient-error", "fatal-error"):
        raise AnswerNotUnderstood("the partner's answer is no response to a message")
    kind = PartnerBusy if code == "transient-error" else PartnerRefusedMessage
    issue = issue_of(outcome)
    error = kind(f"the partner answers {code}{f' ({issue})' if issue else ''}")
    error.issue = issue
    raise error


def _first_issue(outcome: Any) -> JsonObject:
    """The first error of an OperationOutcome."""
    issues = outcome.get("issue") if isinstance(outcome, dict) else None
    listed = [issue for issue in issues if isinstance(issue, dict)] if isinstance(issues, list) else []
    grave = [issue for issue in listed if issue.get("severity") in ("fatal", "error")]
    return next(iter(grave or listed), {})


def issue_of(outcome: Any) -> str:
    """Its code, if R4 knows it: nothing else that the partner writes may reach a log."""
    code = _first_issue(outcome).get("code")
    return code if isinstance(code, str) and code in _ISSUES else ""


def _entry_of(outcome: Any, asked: Sequence[Asked]) -> str:
    expression = _first_issue(outcome).get("expression")
    text = expression[0] if isinstance(expression, list) and expression else ""
    found = _ENTRY.match(text) if isinstance(text, str) else None
    number = int(found[1]) if found else len(asked)
    return asked[number].location if number < len(asked) else ""
