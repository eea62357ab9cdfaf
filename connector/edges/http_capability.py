"""The CapabilityStatement of the HTTP edge (https://hl7.org/fhir/R4/capabilitystatement.html)."""

from __future__ import annotations

from typing import Any, Final

from connector.edges.http_intake import HANDLED

PUBLISHED: Final = "2026-11-23"  # the day this statement last changed
_OAUTH: Final = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
_SECURITY: Final = "http://terminology.hl7.org/CodeSystem/restful-security-service"


def statement(base: str, version: str, token_endpoint: str = "") -> dict[str, Any]:
    """What the server at this base address (without a last slash) offers.

    ``token_endpoint``: where its clients get tokens, "" where that is not known.
    """
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": PUBLISHED,
        "kind": "instance",
        "software": {"name": "connector", "version": version},
        "implementation": {"description": "HL7 v2 to FHIR R4 connector", "url": base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "json"],
        "rest": [_rest(token_endpoint)],
        "messaging": [
            {"documentation": "Messages by POST to the base or to $process-message, answered 202."}
        ],
    }


def _rest(token_endpoint: str) -> dict[str, Any]:
    uris = {"url": _OAUTH, "extension": [{"url": "token", "valueUri": token_endpoint}]}
    return {
        "mode": "server",
        "documentation": (
            "Takes resources and hands them on; there is nothing to read here. Everything is stored before "
            "the answer. Bundles, also batches, are taken whole or not at all."
        ),
        "security": {
            **({"extension": [uris]} if token_endpoint else {}),
            "cors": False,
            "service": [{"coding": [{"system": _SECURITY, "code": "SMART-on-FHIR"}]}],
            "description": (
                "Mutual TLS, and access tokens (RFC 9068) with SMART system scopes, held to each entry of a "
                "Bundle; a scope may be narrowed by token parameters."
            ),
        },
        "resource": [_resource(name) for name in sorted(HANDLED)],
        "interaction": [{"code": "transaction"}, {"code": "batch"}],
        "operation": [
            {
                "name": "process-message",
                "definition": "http://hl7.org/fhir/OperationDefinition/MessageHeader-process-message",
            }
        ],
    }


def _resource(name: str) -> dict[str, Any]:
    return {
        "type": name,
        "interaction": [{"code": "create"}, {"code": "update"}],
        "versioning": "versioned-update",
        "readHistory": False,
        "updateCreate": True,
        "conditionalCreate": False,
        "conditionalUpdate": False,
    }
