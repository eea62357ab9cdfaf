"""Delivery of FHIR R4 to the partner's endpoint: a transaction, a batch, one by one, or as a message.

Sources: https://hl7.org/fhir/R4/http.html (read, update, conditional create and update, delete, batch,
transaction, managing return content), messageheader-operation-process-message.html, RFC 9110, RFC 6750.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

from connector.edges.fhir_answers import (
    DELETED,
    FHIR_JSON,
    KEY,
    Asked,
    content,
    processed,
    refused,
    responses,
    written,
)
from connector.edges.http_exchange import WAITS, BoundedTransport, Waits
from connector.edges.http_reading import Answer
from connector.edges.http_replies import Replies
from connector.edges.token_source import TokenSource
from connector.errors import (
    AnswerNotUnderstood,
    DeliveryError,
    PartnerRefusedMessage,
    UnsupportedInteraction,
)
from connector.fhir import json
from connector.fhir.bundle import JsonObject, entries, resources
from connector.pipeline.ports import Written

ANSWER_LIMIT: Final = 8 * 1024 * 1024  # bytes
_DONE: Final = frozenset({200, 201, 204})
_ABSENT: Final = frozenset({404, 410})
_SEARCH: Final = r"(?:identifier|_tag)=[A-Za-z0-9\-._~%/:]+"  # URL-encoded: no second parameter, no fragment
_QUERY: Final = re.compile(_SEARCH)
_CONDITIONAL: Final = re.compile(rf"[A-Z][A-Za-z]{{1,63}}\?{_SEARCH}")
_TYPE: Final = re.compile(r"[A-Z][A-Za-z]{1,63}")
_CONDITIONS: Final = {"ifMatch": "If-Match", "ifNoneMatch": "If-None-Match", "ifNoneExist": "If-None-Exist"}

Delivery = Literal["transaction", "batch", "each", "message"]


class FhirClient:
    """A FHIR endpoint that takes what we deliver; one for each link.

    ``base``: its address; ``tokens``: None for an endpoint without access tokens (the caller closes it);
    ``delivery``: how bundles go; ``waits``: how long each phase of a request may take; ``connections``: how
    many at once; ``answer_limit``: bytes; ``server_name``: the name in the endpoint's certificate, "" for
    the host of ``base``; ``replies``: the profile's word on single statuses.
    """

    def __init__(
        self,
        base: str,
        context: ssl.SSLContext,
        tokens: TokenSource | None,
        *,
        delivery: Delivery = "transaction",
        waits: Waits = WAITS,
        connections: int = 8,
        answer_limit: int = ANSWER_LIMIT,
        server_name: str = "",
        replies: Replies = MappingProxyType({}),
    ) -> None:
        self._tokens, self._delivery, self._replies = tokens, delivery, replies
        self._transport = BoundedTransport(
            base,
            context,
            waits=waits,
            answer_limit=answer_limit,
            connections=connections,
            server_name=server_name,
        )

    async def send(self, bundle: JsonObject) -> list[Written]:
        """Deliver the entries of a Bundle; what became of each of them.

        Of a batch, and of entries that go one by one, each has its own outcome; one by one, the first that
        fails is the last that is sent. Else it raises PartnerUnreachable, PartnerBusy (with ``after``),
        PartnerRefusedUs, PartnerRefusedMessage, PartnerChangedIt, AnswerNotUnderstood; ``location``: the
        entry, where it is known. UnsupportedInteraction: an entry of "each" can only go in a bundle.
        """
        asked = _asked(bundle)
        if not asked:
            return []
        if self._delivery == "message":
            return await self._process(bundle)
        if self._delivery != "each":
            return await self._together(bundle, asked, self._delivery)
        for one in asked:
            _check_alone(one)
        return await self._in_turn(asked)

    async def read(self, key: str) -> JsonObject | None:
        """``Type/id`` as it stands there; None where it is not, or was deleted. Raises ``DeliveryError``."""
        if not KEY.fullmatch(key):
            raise UnsupportedInteraction("only Type/id can be read")
        answer = await self._answer("GET", f"/{key}")
        if answer.status in _ABSENT:
            return None
        found = self._content(answer)
        if f"{found['resourceType']}/{found.get('id')}" != key:
            raise AnswerNotUnderstood("the partner's answer is about another resource")
        return found

    async def find(self, kind: str, query: str) -> list[JsonObject]:
        """The resources of a type that a search by identifier or tag finds. Raises ``DeliveryError``."""
        if not _TYPE.fullmatch(kind) or not _QUERY.fullmatch(query):
            raise UnsupportedInteraction("only identifiers and tags are searched for")
        found = self._content(await self._answer("GET", f"/{kind}?{query}"))
        if found.get("type") != "searchset":
            raise AnswerNotUnderstood("the partner's answer is no searchset")
        return [one for one in resources(found) if one.get("resourceType") == kind]

    def reload(self, context: ssl.SSLContext) -> None:
        """Use this context from the next request on."""
        self._transport.reload(context)

    def cut(self) -> None:
        """End all connections at once; what is under way has failed."""
        self._transport.cut()

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def _together(self, bundle: JsonObject, asked: list[Asked], kind: str) -> list[Written]:
        sent = {**bundle, "type": kind, "entry": [one.entry for one in asked]}
        answer = await self._answer("POST", "", json.dumps(sent))
        if answer.status != 200:
            raise refused(answer, asked, self._replies)
        outcomes = responses(asked, content(answer), kind, self._replies)
        failed = next((one.error for one in outcomes if one.error is not None), None)
        if failed is not None and kind == "transaction":  # all or nothing: this server says it with a 200
            raise failed
        return outcomes

    async def _process(self, bundle: JsonObject) -> list[Written]:
        answer = await self._answer("POST", "/$process-message", json.dumps(bundle))
        if answer.status not in (200, 202, 204):
            raise refused(answer, _asked(bundle), self._replies)
        if answer.status == 200 and answer.content:
            processed(content(answer))
        return []

    async def _in_turn(self, asked: list[Asked]) -> list[Written]:
        found: list[Written] = []
        for one in asked:
            try:
                found.append(await self._alone(one))
            except DeliveryError as error:
                error.location = one.location
                found.append(Written(error=error))
                break
        return found

    async def _alone(self, one: Asked) -> Written:
        request = one.entry["request"]
        headers = {name: str(request[key]) for key, name in _CONDITIONS.items() if request.get(key)}
        body = b"" if one.method == "DELETE" else json.dumps(one.entry["resource"])
        answer = await self._answer(one.method, f"/{one.url}", body, headers)
        if answer.status not in (DELETED if one.method == "DELETE" else _DONE):
            raise refused(answer, [one], self._replies, one.location)
        if answer.status in (200, 201) and answer.content:
            content(answer)  # a page of a proxy is no answer of the endpoint
        told = {name: answer.headers.get(name, "") for name in ("etag", "location")}
        return written(told, answer.status, one)

    def _content(self, answer: Answer) -> JsonObject:
        if answer.status != 200:
            error = refused(answer, [], self._replies)
            if isinstance(error, PartnerRefusedMessage):  # of a question, which is no message
                raise AnswerNotUnderstood(error.what, fix=error.fix)
            raise error
        return content(answer)

    async def _answer(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """The answer, after one more try with a new token where the old one is no longer taken."""
        if self._tokens is None:
            return await self._once(method, path, body, headers or {})
        token = await self._tokens.token()
        answer = await self._once(method, path, body, {**(headers or {}), "Authorization": f"Bearer {token}"})
        if answer.status != 401:
            return answer
        self._tokens.invalidate(token)
        token = await self._tokens.token()
        return await self._once(method, path, body, {**(headers or {}), "Authorization": f"Bearer {token}"})

    async def _once(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        sent = {"Accept": FHIR_JSON, "Accept-Encoding": "identity", "User-Agent": "connector"}
        if method != "GET":
            sent["Prefer"] = "return=minimal"
        sent |= {**headers, **({"Content-Type": FHIR_JSON} if body else {})}
        return await self._transport.ask(method, f"{self._transport.path}{path}", sent, body)


def _asked(bundle: JsonObject) -> list[Asked]:
    found = []
    for number, entry in enumerate(entries(bundle)):
        request = entry.get("request")
        request = request if isinstance(request, dict) else {}
        found.append(Asked(number, str(request.get("method", "")), str(request.get("url", "")), entry))
    return found


def _check_alone(one: Asked) -> None:
    if not _can_go_alone(one):
        raise UnsupportedInteraction(
            "only updates, deletes and creates on a condition can be delivered one by one",
            fix='set delivery = "transaction"',
            location=f"{one.location}.request",
        )


def _can_go_alone(one: Asked) -> bool:
    if one.method == "DELETE":
        return bool(KEY.fullmatch(one.url))
    if not isinstance(one.entry.get("resource"), dict):
        return False
    if one.method == "POST":  # without a condition, each attempt would create another one
        condition = str(one.entry["request"].get("ifNoneExist", ""))
        return bool(_TYPE.fullmatch(one.url) and _QUERY.fullmatch(condition))
    return one.method == "PUT" and bool(KEY.fullmatch(one.url) or _CONDITIONAL.fullmatch(one.url))
