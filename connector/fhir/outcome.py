"""OperationOutcome: what went wrong, where, and what to do (https://hl7.org/fhir/R4/operationoutcome.html)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from connector.errors import ConnectorError

_V2_LOCATION: Final = re.compile(r"[A-Z][A-Z0-9]{2}(?:\[\d+\])?(?:-\d.*)?\Z")


def of(*errors: ConnectorError) -> dict[str, Any]:
    """One issue for each error. The texts of our errors hold no values, so the outcome holds none."""
    return _outcome(_issue(error) for error in errors)


def informed(text: str) -> dict[str, Any]:
    """An outcome that says something went well."""
    return _outcome([{"severity": "information", "code": "informational", "diagnostics": text}])


def _outcome(issues: Iterable[dict[str, Any]]) -> dict[str, Any]:
    return {"resourceType": "OperationOutcome", "issue": list(issues)}


def _issue(error: ConnectorError) -> dict[str, Any]:
    return {
        "severity": "error",
        "code": error.answer.issue,
        "diagnostics": _diagnostics(error),
        **_where(error.location),
    }


def _diagnostics(error: ConnectorError) -> str:
    fix = f"; {error.fix}" if error.fix else ""
    place = f"{error.location}: " if _V2_LOCATION.match(error.location) else ""
    return f"{place}{error.what}{fix}"


def _where(location: str) -> dict[str, list[str]]:
    """``expression`` for a FHIRPath; a header (``http.if-match``) also as R4 asks for it, in ``location``."""
    if not location or _V2_LOCATION.match(location):
        return {}
    if location.startswith("http."):
        return {"location": [location], "expression": [location]}
    return {"expression": [location]}
