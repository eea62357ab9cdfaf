"""The people at the FHIR system: what they change there, so that something goes back to the hospital."""

from __future__ import annotations

import copy
from typing import Any, Final

import httpx2

from connector.demo import tls
from connector.demo.site import Site
from connector.errors import PartnerRefusedMessage
from connector.fhir import json

Resource = dict[str, Any]
PATIENT: Final = "70012"  # the one who is admitted in day/01-admit.hl7
_WHEN: Final = "2026-11-23T15:20:00+01:00"
_SYSTEM: Final = "urn:oid:2.999.1.2"  # the practice that reports, in the arc for examples


class People:
    """They work at ``/admin`` of the sandbox."""

    def __init__(self, site: Site) -> None:
        context = tls.client_context(site.folder, "analyst")
        self._client = httpx2.AsyncClient(verify=context, base_url=site.sandbox_url, timeout=10.0)

    async def close(self) -> None:
        """Hang up."""
        await self._client.aclose()

    async def statistics(self) -> Resource:
        """``GET /admin/stats``."""
        return await self._read("/admin/stats")

    async def patient(self, number: str = PATIENT) -> Resource | None:
        """The patient with this record number, if the sandbox has one."""
        found = await self._read(f"/admin/Patient?identifier={number}")
        return found["entry"][0]["resource"] if found["total"] else None

    async def move(self, patient: Resource) -> None:
        """The patient's first address becomes another one, unless somebody was faster (If-Match)."""
        moved = moved_patient(patient)
        match = {"If-Match": f'W/"{patient["meta"]["versionId"]}"'}
        await self._send("PUT", f"/admin/Patient/{patient['id']}", moved, match)

    async def report(self, patient: Resource) -> None:
        """A new DiagnosticReport with three Observations, in one transaction."""
        await self._send("POST", "/admin", report_bundle(f"Patient/{patient['id']}"), {})

    async def _read(self, url: str) -> Resource:
        answer = await self._client.get(url)
        answer.raise_for_status()
        found: Resource = json.loads(answer.content)
        return found

    async def _send(self, method: str, url: str, body: Resource, headers: dict[str, str]) -> None:
        content = {"Content-Type": "application/fhir+json", **headers}
        answer = await self._client.request(method, url, content=json.dumps(body), headers=content)
        if answer.status_code >= 300:
            raise PartnerRefusedMessage(f"the sandbox answered {answer.status_code} to a change by a person")


def moved_patient(patient: Resource) -> Resource:
    """The patient with another street and postal code in the first address."""
    moved = copy.deepcopy(patient)
    address = moved.setdefault("address", [{}])[0]
    address.pop("text", None)
    address["line"] = ["Rosenallee 12"]
    address["postalCode"] = "54325"
    return moved


def report_bundle(subject: str) -> Resource:
    """A transaction with a DiagnosticReport and its three Observations about ``subject``."""
    observations = [
        _observation("1", subject, "8310-5", "Body temperature", _quantity("37.20", "Cel")),
        _observation("2", subject, "8867-4", "Heart rate", _quantity("72", "/min")),
        _observation(
            "3", subject, "8689-2", "History of surgical procedures", {"valueString": "None so far"}
        ),
    ]
    report = {
        "resourceType": "DiagnosticReport",
        "id": "practice-report-1",
        "identifier": [{"system": _SYSTEM, "value": "R-2026-1"}],
        "status": "final",
        "code": _code("34109-9", "Note"),
        "subject": {"reference": subject},
        "effectiveDateTime": _WHEN,
        "issued": _WHEN,
        "result": [{"reference": f"Observation/{one['id']}"} for one in observations],
    }
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {"resource": one, "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"}}
            for one in (report, *observations)
        ],
    }


def _observation(number: str, subject: str, code: str, display: str, value: Resource) -> Resource:
    return {
        "resourceType": "Observation",
        "id": f"practice-observation-{number}",
        "identifier": [{"system": _SYSTEM, "value": f"O-2026-{number}"}],
        "status": "final",
        "code": _code(code, display),
        "subject": {"reference": subject},
        "effectiveDateTime": _WHEN,
        **value,
    }


def _code(code: str, display: str) -> Resource:
    return {"coding": [{"system": "http://loinc.org", "code": code, "display": display}]}


def _quantity(value: str, unit: str) -> Resource:
    quantity = {"value": json.loads(value), "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}
    return {"valueQuantity": quantity}
