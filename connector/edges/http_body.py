"""Reading a request's body: the right kind, within the limit and the time, before anybody parses it."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.requests import ClientDisconnect, Request

from connector.errors import BodyIncomplete, BodyTooLarge, UnsupportedContent

JSON_TYPES: Final = ("application/fhir+json", "application/json")
_PARAMETERS: Final = {"charset": ("utf-8",), "fhirversion": ("4.0", "4.0.1")}
_FIX: Final = "send application/fhir+json in UTF-8, FHIR version 4.0, without content encoding"


def check_content(request: Request) -> None:
    """Raises ``UnsupportedContent`` unless the headers announce FHIR R4 as JSON in UTF-8, not packed."""
    kind, *parameters = request.headers.get("content-type", "").lower().split(";")
    packed = request.headers.get("content-encoding", "identity").lower()
    if kind.strip() not in JSON_TYPES or not all(_accepted(one) for one in parameters):
        raise UnsupportedContent("this content type is not taken", fix=_FIX, location="http.content-type")
    if packed != "identity" or len(request.headers.getlist("content-type")) != 1:
        raise UnsupportedContent(
            "this content encoding is not taken", fix=_FIX, location="http.content-encoding"
        )


def _accepted(parameter: str) -> bool:
    name, _, value = parameter.strip().partition("=")
    return not name or value.strip('"') in _PARAMETERS.get(name, (value.strip('"'),))


async def read(request: Request, limit: int, seconds: float) -> bytes:
    """The body, never holding more than ``limit`` bytes (and one chunk).

    Raises ``BodyTooLarge`` (at once, when Content-Length says so), ``BodyIncomplete`` when the body is
    not there after ``seconds`` or the peer goes away.
    """
    announced = request.headers.get("content-length", "0")
    if not announced.isdecimal() or len(announced) > 15 or int(announced) > limit:
        raise _too_large(limit)
    try:
        async with asyncio.timeout(seconds):
            return await _collected(request, limit)
    except (TimeoutError, ClientDisconnect):
        pass
    raise BodyIncomplete(
        "the body did not come to its end", fix=f"send it within {seconds:g} seconds", location="http.body"
    )


async def _collected(request: Request, limit: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        if len(body) + len(chunk) > limit:
            raise _too_large(limit)
        body += chunk
    return bytes(body)


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(
        "the body is too large", fix=f"send at most {limit} bytes", location="http.content-length"
    )
