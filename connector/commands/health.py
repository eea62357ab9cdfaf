"""``connector health``, and what it is made of: the service asked over its own API, and the files of TLS."""

from __future__ import annotations

import datetime as dt
import http.client
import json
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from connector.commands.operating import CONFIG
from connector.errors import ConnectorError

if TYPE_CHECKING:
    from connector.settings import Settings, Tls

Facts = dict[str, bool | str]

_SECONDS: Final = 5.0
_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where to ask, not where to listen


@click.command(short_help="Ask the service whether it runs; for a container's health check.")
@CONFIG
@click.option("--ready", is_flag=True, help="Ask too whether everything of it works.")
def command(config: Path, ready: bool) -> None:
    """Ask the running service over mutual TLS, as the settings say where it listens.

    The exit code is 0 if it answers (with --ready: if it is ready too), else 1. The service's own certificate
    is shown, which must also serve as a client's.
    """
    from connector import settings

    said = _service(settings.load(config).settings)
    state = said.pop("service")
    fine = state is True or (state == "not ready" and not ready)
    click.echo("live" if fine and not ready else "ready" if fine else str(state))
    if ready and not fine:
        for name, why in said.items():
            click.echo(f"  {name}: {'fine' if why is True else why}")
    if not fine:
        raise SystemExit(1)


def facts(settings: Settings) -> Facts:
    """``service``: True or why not; its parts as it names them; ``tls ...``: True or why handshakes fail."""
    return {**_service(settings), "tls mllp": _tls(settings.mllp_tls), "tls https": _tls(settings.https_tls)}


def _tls(chosen: Tls) -> bool | str:
    from connector.edges.tls import good_until, server_context
    from connector.wiring.beliefs import tls_files

    try:
        server_context(tls_files(chosen))
        ends = good_until(tls_files(chosen))
    except ConnectorError as error:
        return str(error)
    return True if ends > dt.datetime.now(dt.UTC) else f"ended {ends:%Y-%m-%d %H:%M}Z"


def _service(settings: Settings) -> Facts:
    try:
        status, body = _asked(settings)
        parts = json.loads(body)["parts"]
    except (OSError, http.client.HTTPException):
        return {"service": "does not answer"}
    except (ConnectorError, ValueError, LookupError):
        return {"service": "something else answers in its place"}
    return {"service": status == 200 or "not ready", **{str(name): state for name, state in parts.items()}}


def _asked(settings: Settings) -> tuple[int, bytes]:
    """``GET /health/ready`` with our own certificate, of exactly the certificate that the service has."""
    from connector.edges.tls import client_context
    from connector.wiring.beliefs import tls_files

    chosen, listener = settings.https_tls, settings.https
    context = client_context(tls_files(chosen))
    context.check_hostname = False  # it is known by the certificate itself
    host = _EVERYWHERE.get(listener.host, listener.host)
    connection = http.client.HTTPSConnection(host, listener.port, timeout=_SECONDS, context=context)
    try:
        connection.connect()
        shown: Any = connection.sock
        if shown.getpeercert(binary_form=True) != _own(chosen.certificate):
            raise ConnectorError("another certificate than ours")
        connection.request("GET", "/health/ready")
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _own(path: Path) -> bytes:
    end = "-----END CERTIFICATE-----"
    return ssl.PEM_cert_to_DER_cert(path.read_text().partition(end)[0] + end)
