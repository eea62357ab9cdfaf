"""``connector demo``: a throw-away site, both partner systems, and a day at the hospital."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command(short_help="Show a day at a hospital: both systems, real TLS, one command.")
@click.option("--once", is_flag=True, help="Exit at the end; 0 only where everything reconciles.")
@click.option("--port-mllp", default=2575, show_default=True, help="Where the connector takes HL7 v2.")
@click.option("--port-https", default=8443, show_default=True, help="Where the connector takes FHIR.")
@click.option(
    "--site",
    "folder",
    default=Path("var/demo"),
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder of the throw-away site; made anew each time.",
)
def command(once: bool, port_mllp: int, port_https: int, folder: Path) -> None:
    """Show a day at a hospital, and what the FHIR side sends back.

    Makes a site with its own certificates and keys, starts the connector, a hospital system and a FHIR
    sandbox as separate processes, and sends a small day through. On a terminal it then stays up until
    Ctrl-C, so that one can play with it.
    """
    from connector.demo.processes import choose_ports
    from connector.demo.site import make_site
    from connector.demo.story import run_demo

    site = make_site(folder, choose_ports(port_mllp, port_https))
    stays = sys.stdout.isatty() and sys.stdin.isatty()
    sys.exit(run_demo(site, once=once or not stays))
