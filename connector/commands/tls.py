"""``connector tls``: who was not let in, what we show and trust, and what a partner shows."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from connector.commands.operating import CONFIG, OPERATOR, Desk, at_desk, drafting
from connector.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connector.edges.tls_probe import Probe
    from connector.pipeline.refusals import Refusal
    from connector.wiring.beliefs import End
    from connector.wiring.secured import Secured

JSON = click.option("--json", "as_json", is_flag=True, help="For programs.")


@click.group(short_help="See who was not let in, what we show and trust, and what a partner shows.")
def command() -> None:
    """Mutual TLS: who was not let in, what we show and trust, and what a partner shows."""


@command.command()
@CONFIG
@click.option("--hours", default=24, show_default=True, type=click.IntRange(1, 24 * 31), help="How far back.")
@JSON
@OPERATOR
def refused(config: Path, hours: int, as_json: bool, operator: str | None) -> None:
    """Who was not let in, or was cut off, and why; and files that could not be used.

    That is read in the audit log, which is told who looked. The other side sees only that the connection
    ends: this is the only place to learn why.
    """
    from connector import wiring
    from connector.pipeline import refusals

    async def looked(desk: Desk) -> list[Refusal]:
        seen = drafting(desk.person, "")("audit:viewed", {"what": "who was not let in"})
        await desk.store.record([seen])
        return await refusals.look(desk.store, wiring.now() - dt.timedelta(hours=hours))

    found = at_desk(config, looked, operator=operator)
    if as_json:
        click.echo(json.dumps([{**one._asdict(), "helps": one.helps} for one in found], indent=2))
        return
    for one in found:
        click.echo(one.text + (f"\n  {one.helps}" if one.helps else ""))
    if not found:
        click.echo(f"nobody was turned away in the last {hours} h")


@command.command()
@CONFIG
@click.option(
    "--certificate",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Say for which partner this certificate (PEM, with its chain) may speak.",
)
@JSON
def check(config: Path, certificate: Path | None, as_json: bool) -> None:
    """What we show, whom we trust, and when it ends; with --certificate whose partner's that one is.

    The exit code is 1 where something has ended, or nobody would take the certificate.
    """
    from connector import settings, wiring
    from connector.commands.admitting import admit
    from connector.wiring.endings import endings
    from connector.wiring.secured import Secured

    configuration = settings.load(config)
    admit(configuration.settings, None)
    secured = Secured(configuration)
    if certificate is not None:
        said = _matches(secured, certificate)
        click.echo(json.dumps(said, indent=2) if as_json else "\n".join(_lines(said)))
        raise SystemExit(0 if any(one["may"] for one in said["ends"]) else 1)
    ends = [_end(one) for one in secured.ends.values()]
    click.echo(
        json.dumps(ends, indent=2) if as_json else "\n".join(line for one in ends for line in _lines(one))
    )
    if any(one.until <= wiring.now() for one in endings(secured)):
        raise SystemExit(1)


@command.command()
@click.argument("address", metavar="HOST:PORT")
@CONFIG
@click.option("--link", help="Connect as for this link; left out: with the files of [tls].")
@click.option(
    "--side", type=click.Choice(["v2", "fhir", "token"]), default="v2", show_default=True, help="Of the link."
)
@click.option("--server-name", default="", help="The name in its certificate; left out: HOST.")
@JSON
def probe(address: str, config: Path, link: str | None, side: str, server_name: str, as_json: bool) -> None:
    """Connect as we would: what HOST:PORT shows, whether we would talk to it, and what it asks of us.

    No message is sent. The exit code is 1 where we would not talk to it, or it not to us.
    """
    from connector import settings
    from connector.commands.admitting import admit
    from connector.edges import tls_probe
    from connector.wiring.beliefs import ISSUERS
    from connector.wiring.secured import Secured

    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise ConfigurationError("this is no address", fix="write HOST:PORT")
    configuration = settings.load(config)
    admit(configuration.settings, None)
    secured = Secured(configuration)
    name = f"{link} {side}" if link else ISSUERS
    if name not in secured.ends:
        known = ", ".join(sorted(one for one in secured.ends if " " in one))
        raise ConfigurationError("we make no such connections", fix=f"the links and sides are {known}")
    found = tls_probe.probe(host.strip("[]"), int(port), secured.context(name), server_name)
    said = _probed(found)
    click.echo(json.dumps(said, indent=2) if as_json else "\n".join(_lines(said)))
    raise SystemExit(1 if found.verdict or found.takes_us else 0)


def _probed(found: Probe) -> dict[str, Any]:
    from connector.edges.tls_probe import described

    shown = found.shown
    return {
        "version": shown.version if shown else "",
        "cipher": shown.cipher if shown else "",
        "chain": [described(one) for one in shown.chain] if shown else [],
        "asks for": found.asks,
        "we would": f"not talk to it: {found.verdict}" if found.verdict else "talk to it",
        "it would": f"not talk to us: {found.takes_us}" if found.takes_us else "talk to us",
    }


def _end(end: End) -> dict[str, Any]:
    """What one end of connections shows and trusts."""
    from connector.edges.tls_probe import described

    return {
        "end": end.name,
        "we show": described(end.own[0]),
        "from tls": end.files.minimum,
        "trusted": [
            {**described(one), **({"pinned": "yes"} if one in held.pinned else {})}
            for held in end.trust.anchors
            for one in (*held.authorities, *held.pinned)
        ],
        "lists": [
            {"until": f"{one.until:%Y-%m-%d %H:%M}Z", "revoked": len(one.serials)}
            for held in end.trust.anchors
            for one in held.lists.values()
        ],
        **({"partners": _parties(end)} if end.listens else {}),
    }


def _parties(end: End) -> list[dict[str, Any]]:
    return [
        {
            "link": one.name,
            "certificates": sorted({*one.speakers.certificates, *one.anchors.pins}),
            "subjects": sorted(one.speakers.subjects),
            "names": sorted(one.speakers.names),
            "issued by": sorted(one.speakers.issuers),
        }
        for one in end.trust.parties
    ]


def _matches(secured: Secured, path: Path) -> dict[str, Any]:
    """For whom the holder of a certificate may speak, at each listener."""
    from connector import wiring
    from connector.edges import certificates as pem
    from connector.edges.tls_probe import described
    from connector.edges.trust import PeerRefused

    chain = pem.certificates(path, "the certificate")
    ends: list[dict[str, Any]] = []
    for end in (one for one in secured.ends.values() if one.listens):
        try:
            links = sorted(end.trust.admit(chain, "TLSv1.3"))
            why = "" if pem.valid(chain[0], wiring.now()) else "certificate is not valid today"
        except PeerRefused as error:
            links, why = [], error.verify_message
        said = f"speaks for {', '.join(links)}" if links else "comes in and speaks for no partner"
        ends.append(
            {"end": end.name, "may": bool(links) and not why, "says": f"refused: {why}" if why else said}
        )
    return {"certificate": described(chain[0]), "ends": ends}


def _lines(said: Any, depth: int = 0) -> Iterator[str]:
    """A tree of words as indented lines."""
    pad = "  " * depth
    for name, value in said.items():
        if isinstance(value, dict):
            yield f"{pad}{name}:"
            yield from _lines(value, depth + 1)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            yield f"{pad}{name}:"
            for one in value:
                first, *rest = _lines(one, depth + 2)
                yield f"{pad}  - {first.strip()}"
                yield from rest
        elif value not in ("", []):
            yield f"{pad}{name}: {', '.join(value) if isinstance(value, list) else value}"
