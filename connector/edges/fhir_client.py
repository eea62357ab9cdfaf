"""Delivery of FHIR R4 to the partner's endpoint, as one transaction or resource by resource.

Sources: https://hl7.org/fhir/R4/http.html (update, delete, transaction, managing return content),
RFC 9110, RFC 6750. The requests go straight to the transport and not through ``httpx2.AsyncClient``,
which keeps cookies and writes every address, with the ids in it, to a log.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, NamedTuple

import httpx2

from connector.edges.http_exchange import BoundedTransport, refusal
from connector.edges.token_source import TokenSource
from connector.errors import AnswerNotUnderstood, InvalidJson, UnsupportedInteraction
from connector.fhir import json
from connector.fhir.bundle import JsonObject, entries

ANSWER_LIMIT: Final = 8 * 1024 * 1024  # bytes
FHIR_JSON: Final = "application/fhir+json"
_JSON: Final = frozenset({FHIR_JSON, "application/json"})
_DONE: Final = frozenset({200, 201, 204})
_DELETED: Final = frozenset({200, 202, 204, 404, 410})  # gone before, or at an earlier attempt: it is gone
_NAME: Final = r"[A-Z][A-Za-z]{1,63}/(?!\.+(?:/|$))[A-Za-z0-9\-.]{1,64}"  # an id of dots would be a path
_KEY: Final = re.compile(_NAME)
_PLACE: Final = re.compile(rf"(?:^|/)({_NAME})(?:/_history/([A-Za-z0-9\-.]{{1,64}}))?$")
_ETAG: Final = re.compile(r'(?:W/)?"([A-Za-z0-9\-.]{1,64})"')
_ENTRY: Final = re.compile(r"Bundle\.entry\[[0-9]{1,6}\]")
_CONDITIONS: Final = {"ifMatch": "If-Match", "ifNoneMatch": "If-None-Match"}
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


class FhirClient:
    """A FHIR endpoint that takes what we deliver; one for each link.

    ``base``: its address; ``tokens``: None for an endpoint without access tokens (the caller closes it);
    ``delivery``: "transaction", or "each" for endpoints without transactions; ``omit``: resource types that
    are not delivered, while references to them stay; ``connect_seconds``, ``answer_seconds``: how long a
    connection and an answer may take; ``answer_limit``: bytes; ``server_name``: the name in the endpoint's
    certificate, "" for the host of ``base``.
    """

    def __init__(
        self,
        base: str,
        context: ssl.SSLContext,
        tokens: TokenSource | None,
        *,
        delivery: Literal["transaction", "each"] = "transaction",
        omit: Iterable[str] = (),
        connect_seconds: float = 10.0,
        answer_seconds: float = 30.0,
        answer_limit: int = ANSWER_LIMIT,
        server_name: str = "",
    ) -> None:
        self._base = base.rstrip("/")
        self._tokens = tokens
        self._delivery = delivery
        self._omit = frozenset(omit)
        self._transport = BoundedTransport(
            context,
            connect_seconds=connect_seconds,
            answer_seconds=answer_seconds,
            answer_limit=answer_limit,
            server_name=server_name,
        )

    async def send(self, bundle: JsonObject) -> Mapping[str, str]:
        """Deliver a transaction Bundle; ``Type/id`` to the version of each resource, where one is told.

        In "each" the entries go one by one, in order; after an error the next attempt sends all of them
        again, which changes nothing that is there already. Raises PartnerUnreachable, PartnerBusy (with
        ``after``), PartnerRefusedUs, PartnerRefusedMessage, AnswerNotUnderstood; ``location``: the entry,
        where it is known. UnsupportedInteraction: an entry of "each" is no update and no delete.
        """
        asked = [one for one in _asked(bundle) if _type(one) not in self._omit]
        if not asked:
            return {}
        if self._delivery == "transaction":
            return await self._transaction(bundle, asked)
        for one in asked:
            _check_alone(one)
        found = [await self._alone(one) for one in asked]
        return {key: version for key, version in found if version}

    def reload(self, context: ssl.SSLContext) -> None:
        """Use this context from the next request on."""
        self._transport.reload(context)

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def _transaction(self, bundle: JsonObject, asked: list[Asked]) -> Mapping[str, str]:
        sent = {**bundle, "type": "transaction", "entry": [one.entry for one in asked]}
        answer = await self._answer("POST", self._base, json.dumps(sent))
        if answer.status_code != 200:
            raise _refusal(answer, asked)
        return _versions(asked, _content(answer))

    async def _alone(self, one: Asked) -> tuple[str, str]:
        request = one.entry["request"]
        headers = {name: str(request[key]) for key, name in _CONDITIONS.items() if request.get(key)}
        body = json.dumps(one.entry["resource"]) if one.method == "PUT" else b""
        answer = await self._answer(one.method, f"{self._base}/{one.url}", body, headers)
        if answer.status_code not in (_DELETED if one.method == "DELETE" else _DONE):
            raise _refusal(answer, [one], one.location)
        if answer.status_code in (200, 201) and answer.content:
            _content(answer)  # a page of a proxy is no answer of the endpoint
        told = {name: answer.headers.get(name, "") for name in ("etag", "location")}
        return one.url, _version(told, one)[1]

    async def _answer(
        self, method: str, url: str, body: bytes, headers: Mapping[str, str] | None = None
    ) -> httpx2.Response:
        """The answer, after one more try with a new token where the old one is no longer taken."""
        if self._tokens is None:
            return await self._once(method, url, body, headers or {})
        token = await self._tokens.token()
        answer = await self._once(method, url, body, {**(headers or {}), "Authorization": f"Bearer {token}"})
        if answer.status_code != 401:
            return answer
        self._tokens.invalidate(token)
        token = await self._tokens.token()
        return await self._once(method, url, body, {**(headers or {}), "Authorization": f"Bearer {token}"})

    async def _once(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> httpx2.Response:
        sent = {"Accept": FHIR_JSON, "Accept-Encoding": "identity", "User-Agent": "connector"}
        sent |= {"Prefer": "return=minimal", **headers, **({"Content-Type": FHIR_JSON} if body else {})}
        request = httpx2.Request(method, url, headers=sent, content=body)
        return await self._transport.handle_async_request(request)


def _asked(bundle: JsonObject) -> list[Asked]:
    found = []
    for number, entry in enumerate(entries(bundle)):
        request = entry.get("request")
        request = request if isinstance(request, dict) else {}
        found.append(Asked(number, str(request.get("method", "")), str(request.get("url", "")), entry))
    return found


def _type(one: Asked) -> str:
    resource = one.entry.get("resource")
    found = resource.get("resourceType") if isinstance(resource, dict) else None
    return found if isinstance(found, str) else one.url.partition("/")[0].partition("?")[0]


def _check_alone(one: Asked) -> None:
    whole = one.method == "DELETE" or (one.method == "PUT" and isinstance(one.entry.get("resource"), dict))
    if not whole or not _KEY.fullmatch(one.url):
        raise UnsupportedInteraction(
            "only updates and deletes by id can be delivered one by one",
            fix='set delivery = "transaction"',
            location=f"{one.location}.request",
        )


def _content(answer: httpx2.Response) -> JsonObject:
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _JSON:
        raise AnswerNotUnderstood("the partner's answer is not application/fhir+json")
    try:
        content = json.loads(answer.content)
    except InvalidJson:
        content = None
    if not isinstance(content, dict) or not isinstance(content.get("resourceType"), str):
        raise AnswerNotUnderstood("the partner's answer is no FHIR resource in JSON")
    return content


def _versions(asked: list[Asked], answer: JsonObject) -> dict[str, str]:
    listed = answer.get("entry", [])
    if answer.get("resourceType") != "Bundle" or answer.get("type") != "transaction-response":
        raise AnswerNotUnderstood("the partner's answer is no transaction-response")
    if not isinstance(listed, list) or len(listed) != len(asked):
        raise AnswerNotUnderstood("the partner's answer has not one entry for each that was sent")
    found = [_version(_response(entry, one), one) for one, entry in zip(asked, listed)]
    return {key: version for key, version in found if key and version}


def _response(entry: Any, one: Asked) -> JsonObject:
    """``entry.response`` of a success."""
    response = entry.get("response") if isinstance(entry, dict) else None
    status = (
        re.match(r"([1-5][0-9][0-9])\b", str(response.get("status"))) if isinstance(response, dict) else None
    )
    if not isinstance(response, dict) or status is None:
        raise AnswerNotUnderstood("an entry of the partner's answer has no status", location=one.location)
    if not 200 <= int(status[1]) <= 299:
        issue = _issue(response.get("outcome"))
        raise refusal(int(status[1]), issue=issue, location=one.location)
    return response


def _version(told: Mapping[str, Any], one: Asked) -> tuple[str, str]:
    """Which resource the partner wrote, and its version; "" for what it does not say."""
    etag, place = _ETAG.fullmatch(str(told.get("etag", ""))), _PLACE.search(str(told.get("location", "")))
    sent = one.url if _KEY.fullmatch(one.url) and one.method != "POST" else ""
    if sent and place and place[1] != sent:
        raise AnswerNotUnderstood("the partner's answer is about another resource", location=one.location)
    version = etag[1] if etag else (place[2] or "") if place else ""
    return sent or (place[1] if place else ""), version


def _refusal(answer: httpx2.Response, asked: list[Asked], location: str = "") -> Exception:
    """The error of an answer: its status, and the code and the entry that its OperationOutcome names."""
    try:
        outcome = json.loads(answer.content)
    except InvalidJson:
        outcome = None
    where = location or _entry_of(outcome, asked)
    after = answer.headers.get("retry-after", "")
    return refusal(answer.status_code, after=after, issue=_issue(outcome), location=where)


def _first_issue(outcome: Any) -> JsonObject:
    """The first error of an OperationOutcome."""
    issues = outcome.get("issue") if isinstance(outcome, dict) else None
    listed = [issue for issue in issues if isinstance(issue, dict)] if isinstance(issues, list) else []
    grave = [issue for issue in listed if issue.get("severity") in ("fatal", "error")]
    return next(iter(grave or listed), {})


def _issue(outcome: Any) -> str:
    """Its code, if R4 knows it: nothing else that the partner writes may reach a log."""
    code = _first_issue(outcome).get("code")
    return code if isinstance(code, str) and code in _ISSUES else ""


def _entry_of(outcome: Any, asked: list[Asked]) -> str:
    expression = _first_issue(outcome).get("expression")
    text = expression[0] if isinstance(expression, list) and expression else ""
    found = _ENTRY.match(text) if isinstance(text, str) else None
    number = int(found[0][13:-1]) if found else len(asked)
    return asked[number].location if number < len(asked) else ""
