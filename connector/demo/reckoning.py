"""The closing reconciliation: what each partner says it sent, got and did, against the connector's counts.

The partners' records are the evidence; the connector's own counts must agree with them.
"""

from __future__ import annotations

from typing import Any

from connector.demo.show import Balance
from connector.demo.status import Counted

Line = dict[str, Any]


def reckon(
    sent: list[Line], received: list[Line], sandbox: dict[str, Any], counts: dict[str, Counted]
) -> list[Balance]:
    """Both directions, from the hospital's records, the sandbox's statistics and the connector's counts."""
    return [
        _to_fhir(sent, sandbox, counts.get("to_fhir", Counted())),
        _to_v2(received, sandbox, counts.get("to_v2", Counted())),
    ]


def _to_fhir(sent: list[Line], sandbox: dict[str, Any], own: Counted) -> Balance:
    taken = [line["control_id"] for line in sent if line["ack"] in ("AA", "CA")]
    repeated = len(taken) - len(set(taken))
    refused = len(sent) - len(taken)
    side = Balance("to_fhir", len(sent), own.delivered, repeated, refused)
    side.faults = _faults(own) + _differences(
        ("the connector counts other repeats than the hospital", own.duplicates == repeated),
        ("the connector counts other refusals than the hospital", own.refused == refused),
        ("an acknowledgment names another message", all(line["matches"] for line in sent)),
        ("nothing arrived at the FHIR side", bool(sandbox["writes"].get("connector")) or not taken),
    )
    return side


def _to_v2(received: list[Line], sandbox: dict[str, Any], own: Counted) -> Balance:
    notices = sandbox["notices"]
    accepted, refused = notices.get("accepted", 0), notices.get("refused", 0)
    arrived = sum(not line["repeat"] for line in received)
    side = Balance("to_v2", accepted + refused, own.delivered, 0, refused)
    side.faults = _faults(own) + _differences(
        ("changes were not told to the connector", notices["waiting"] == 0),
        ("nothing came back to the hospital", arrived > 0),
        ("the connector counts other deliveries than the hospital", own.sent == arrived),
        ("a control id came with two contents", not any(line["conflict"] for line in received)),
    )
    return side


def _faults(own: Counted) -> list[str]:
    return _differences(
        (f"{own.waiting} still wait", own.waiting == 0), (f"{own.dead} are dead letters", own.dead == 0)
    )


def _differences(*checks: tuple[str, bool]) -> list[str]:
    return [fault for fault, holds in checks if not holds]
