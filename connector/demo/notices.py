"""The way back: the sandbox tells the connector what people changed, in order, until it is accepted.

One changed resource goes as ``PUT {type}/{id}``, several as a transaction Bundle. A notice keeps its
``X-Request-Id`` over all tries, so that the connector can know a repeated one.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

import httpx2

from connector.demo import tls, tokens
from connector.demo.ledger import Ledger, Write
from connector.demo.resources import Version, stamped
from connector.demo.site import Site
from connector.fhir import json

log: Final = logging.getLogger("uvicorn.error")
_IDLE: Final = 0.05
_LONGEST_PAUSE: Final = 2.0
_AGAIN: Final = {401, 403, 408, 409, 412, 423, 425, 429}  # not the fault of the notice itself


async def keep_telling(site: Site, ledger: Ledger) -> None:
    """Send waiting notices, the oldest first, for ever; a refusal for good is noted and passed over."""
    context = tls.client_context(site.folder, "fhir")
    async with httpx2.AsyncClient(verify=context, base_url=site.connector_url, timeout=10.0) as client:
        pause = _IDLE
        while True:
            await asyncio.sleep(pause)
            if not ledger.waiting:
                pause = _IDLE
                continue
            write = ledger.waiting[0]
            status = await _tell(client, site, write)
            if status is None:
                pause = min(pause * 2, _LONGEST_PAUSE)
                continue
            ledger.notified(write, status)
            pause = 0.0


async def _tell(client: httpx2.AsyncClient, site: Site, write: Write) -> int | None:
    """The final status for this notice, or None where it must be tried again."""
    try:
        response = await client.send(_request(client, site, write))
    except httpx2.HTTPError as error:
        log.info("notice %d: %s, trying again", write.seq, type(error).__name__)
        return None
    log.info("notice %d: %d", write.seq, response.status_code)
    return None if response.status_code >= 500 or response.status_code in _AGAIN else response.status_code


def _request(client: httpx2.AsyncClient, site: Site, write: Write) -> httpx2.Request:
    headers = {
        "Authorization": f"Bearer {tokens.connector_token(site.folder, 'fhir', 'system/*.cruds')}",
        "Content-Type": "application/fhir+json",
        "X-Request-Id": f"sandbox-{write.seq}",
    }
    if len(write.versions) == 1 and write.versions[0].resource is not None:
        version = write.versions[0]
        return client.build_request(
            "PUT", f"/fhir/{version.key}", content=json.dumps(stamped(version)), headers=headers
        )
    bundle = {
        "resourceType": "Bundle",
        "id": f"sandbox-{write.seq}",
        "type": "transaction",
        "entry": [_entry(site, version) for version in write.versions],
    }
    return client.build_request("POST", "/fhir", content=json.dumps(bundle), headers=headers)


def _entry(site: Site, version: Version) -> dict[str, object]:
    full_url = f"{site.sandbox_url}/fhir/{version.key}"
    if version.resource is None:
        return {"fullUrl": full_url, "request": {"method": "DELETE", "url": version.key}}
    request = {"method": "PUT", "url": version.key}
    return {"fullUrl": full_url, "resource": stamped(version), "request": request}
