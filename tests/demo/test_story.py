"""The whole demo, as ``connector demo --once`` runs it."""

from __future__ import annotations

import importlib.util
import io
import re
import socket
from contextlib import closing

import pytest
from rich.console import Console

from connector.demo.show import DAY
from connector.demo.site import Site
from connector.demo.story import run_demo

CAN_SERVE = importlib.util.find_spec("connector.commands.serve") is not None


def told(site: Site) -> tuple[int, str]:
    page = io.StringIO()
    verdict = run_demo(site, once=True, console=Console(file=page, width=200))
    return verdict, page.getvalue()


def listens(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_connector_that_does_not_start_ends_the_demo_with_the_name_of_its_log(site: Site) -> None:
    site.config.unlink()
    verdict, page = told(site)
    assert verdict == 1
    assert "the connector process has ended" in page
    assert "connector.log" in page
    assert not listens(site.ports.sandbox)


@pytest.mark.skipif(not CAN_SERVE, reason="there is no command to serve with yet")
def test_the_demo_reconciles_both_ways_and_leaves_no_process(site: Site) -> None:
    verdict, page = told(site)
    assert verdict == 0, page
    assert len(re.findall(r"│ reconciles\s*│", page)) == 2
    assert all(f"DAY{number:05}" in page for number in range(1, len(list(DAY.glob("*.hl7")))))
    assert "»Rosenallee 12^" in page
    assert "ORU^R01" in page.partition("A practice reports")[2]
    ports = site.ports
    assert not any(map(listens, (ports.mllp, ports.https, ports.hospital, ports.sandbox)))
