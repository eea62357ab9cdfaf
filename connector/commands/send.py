"""``connector send``: a file of v2 messages over MLLP with mutual TLS, one acknowledgment a line."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from connector.errors import ConfigurationError, DeliveryError

if TYPE_CHECKING:
    from connector.edges.mllp_client import MllpClient
    from connector.hl7v2.ack import Ack

PATH = click.Path(exists=True, dir_okay=False, path_type=Path)
_NONE = "-"  # stands for a control id that is not there


@click.command(short_help="Send HL7 v2 over MLLP with mutual TLS and print the acknowledgments.")
@click.option("--to", "target", required=True, metavar="mllps://HOST:PORT", help="Where to.")
@click.option("--cert", type=PATH, required=True, help="Own certificate, PEM.")
@click.option("--key", type=PATH, required=True, help="Its private key, PEM, readable by its owner only.")
@click.option("--ca", type=PATH, required=True, help="The authority that vouches for the other end, PEM.")
@click.option("--timeout", default=30.0, show_default=True, help="Seconds to wait for each acknowledgment.")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
def command(target: str, cert: Path, key: Path, ca: Path, timeout: float, file: str) -> None:
    """Send every message of FILE ("-" for standard input), in order.

    FILE may hold bare messages, MLLP frames or a batch. Each acknowledgment becomes a line: the control id
    it answers, its code, and what the ERR segments say. The exit code is 1 if any is not AA or CA, and
    sending ends at the first message that gets no acknowledgment at all.
    """
    from connector.edges.mllp_client import MllpClient, MllpTimeouts
    from connector.edges.tls import TlsFiles, client_context
    from connector.hl7v2 import batch

    host, port = address(target)
    with click.open_file(file, "rb") as opened:
        messages = batch.split(opened.read())
    if not messages:
        raise ConfigurationError("there is no message in the file", fix="a message begins with MSH")
    context = client_context(TlsFiles(cert, key, ca))
    client = MllpClient(host, port, context, timeouts=MllpTimeouts(answer=timeout), read=_read)
    if not asyncio.run(_all_taken(client, messages)):
        raise SystemExit(1)


def address(target: str) -> tuple[str, int]:
    """Host and port of ``mllps://host:port``. Raises ``ConfigurationError``."""
    try:
        parts = urlsplit(target)
        named = parts.hostname, parts.port
    except ValueError:
        parts, named = urlsplit(""), (None, None)
    host, port = named
    if parts.scheme != "mllps" or not host or not port:
        raise ConfigurationError("this is no address to send to", fix="write mllps://HOST:PORT")
    return host, port


async def _all_taken(client: MllpClient, messages: list[bytes]) -> bool:
    taken = []
    async with client:
        for number, message in enumerate(messages, start=1):
            try:
                answer = await _answer(client, message)
            except DeliveryError as error:
                click.echo(f"message {number} of {len(messages)}: {error}", err=True)
                return False
            click.echo(shown(answer))
            taken.append(answer.code in ("AA", "CA"))
    return all(taken)


def _read(payload: bytes) -> tuple[str, str]:
    """Code and control id of an answer; the answer to a message without a control id has none either."""
    from connector.mllp import read_msa

    code, control_id = read_msa(payload)
    return code, control_id or _NONE


async def _answer(client: MllpClient, message: bytes) -> Ack:
    from connector.hl7v2.ack import read_ack
    from connector.hl7v2.tree import Message

    header = Message.parse(message.decode("latin-1"))
    answer = await client.send(message, header.control_id or _NONE)
    return read_ack(answer.payload.decode("latin-1"))


def shown(answer: Ack) -> str:
    """An acknowledgment as a line: ``MSG00001  AE  101 Required field missing at PID-3``."""
    from connector.hl7v2.ack import CONDITIONS

    faults = []
    for fault in answer.errors:
        place = f" at {fault.location}" if fault.location else ""
        faults.append(f"{fault.condition} {CONDITIONS.get(fault.condition, '')}{place}")
    return "  ".join([answer.control_id or _NONE, answer.code, "; ".join(faults)]).rstrip()
