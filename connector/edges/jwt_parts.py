"""The parts of a JWT (RFC 7519) as they are written, before anybody has vouched for them."""

from __future__ import annotations

import base64
from typing import Any

from connector.errors import InvalidJson
from connector.fhir import json


def part_of(token: str, number: int) -> dict[str, Any] | None:
    """The header (0) or the claims (1) of a JWT in its three parts; None where that is no JSON object."""
    part = token.split(".")[number]
    try:
        found = json.loads(base64.b64decode(part + "=" * (-len(part) % 4), b"-_", validate=True))
    except (ValueError, InvalidJson):
        return None
    return found if isinstance(found, dict) else None
