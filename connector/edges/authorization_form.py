"""What a token request is sent as: one form, in the body alone (RFC 6749, 3.2 and appendix B)."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request

from connector.errors import ClientNotAuthenticated, InvalidTokenRequest, UnsupportedInteraction

_FIELDS: Final = 20  # of a form
_KIND: Final = re.compile(r"application/x-www-form-urlencoded(?:\s*;\s*charset=\"?utf-8\"?)?", re.IGNORECASE)


def read(body: bytes) -> dict[str, str]:
    """The fields of a form; those without a value as if they were not there (RFC 6749, 3.2).

    Raises ``InvalidTokenRequest`` where a field comes twice, or the body is no form in UTF-8.
    """
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=_FIELDS,
        )
    except ValueError:
        pairs = []
    found = dict(pairs)
    if not pairs or len(found) != len(pairs):
        what = "a field comes twice" if pairs else "the body is no form"
        raise InvalidTokenRequest(what, fix="send each field once, as application/x-www-form-urlencoded")
    return {name: value for name, value in found.items() if value}


def check_head(request: Request) -> None:
    """Raises ``UnsupportedInteraction``, ``ClientNotAuthenticated``, ``InvalidTokenRequest``."""
    if request.method != "POST":
        raise UnsupportedInteraction("tokens are asked for by POST", fix="use POST", location="http.method")
    if "authorization" in request.headers:
        what = "no client proves who it is by an Authorization header here"
        raise ClientNotAuthenticated(what, fix="send an assertion, or client_id with your certificate")
    kinds = request.headers.getlist("content-type")
    packed = request.headers.get("content-encoding", "identity").lower()
    if len(kinds) != 1 or not _KIND.fullmatch(kinds[0].strip()) or packed != "identity":
        raise InvalidTokenRequest(
            "the body is no form", fix="send application/x-www-form-urlencoded in UTF-8"
        )
    if request.url.query:
        raise InvalidTokenRequest("there are fields in the address", fix="send them in the body alone")
