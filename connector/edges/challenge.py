"""What a refusal tells an OAuth client to do: the header WWW-Authenticate (RFC 6750, 3; RFC 9728, 5.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from connector.errors import ConnectorError, Forbidden, TokenMisplaced, Unauthenticated

_QUOTABLE: Final = re.compile(r"[\x20\x21\x23-\x5b\x5d-\x7e]+")  # RFC 6750, 3: what a value may hold


def challenge(
    error: ConnectorError, realm: str, *, token_sent: bool, scope: str = "", metadata: str = ""
) -> str:
    """The header for a refusal.

    ``token_sent``: whether there were credentials at all, since without any there is no error to name;
    ``scope``: what would have been enough; ``metadata``: where the protected resource describes itself.
    """
    code = _code(error) if token_sent else ""
    said = {
        "realm": realm,
        "error": code,
        "error_description": error.what if code else "",
        "scope": scope,
        "resource_metadata": metadata,
    }
    shown = (f'{name}="{value}"' for name, value in said.items() if _QUOTABLE.fullmatch(value))
    return f"Bearer {', '.join(shown)}"


def scope_of(errors: Iterable[ConnectorError]) -> str:
    """The scopes that would have been enough for all of these refusals."""
    named = (error.scope for error in errors if isinstance(error, Forbidden))
    return " ".join(dict.fromkeys(one for one in named if one))


def _code(error: ConnectorError) -> str:
    if isinstance(error, TokenMisplaced):
        return "invalid_request"
    if isinstance(error, Unauthenticated):
        return "invalid_token"
    return "insufficient_scope" if isinstance(error, Forbidden) else ""
