"""A site with free ports, and its partner systems as real processes."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from connector.demo import tls, tokens
from connector.demo.site import Ports, Site, make_site
from tests.ports import free_ports


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return make_site(tmp_path / "site", Ports(*free_ports(4)))


@pytest.fixture
def start(site: Site) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts a partner system and waits until it listens; all of them are ended with the test."""
    running: list[subprocess.Popen[bytes]] = []

    def begin(module: str, port: int, *options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"connector.demo.{module}", "--site", str(site.folder), *options]
        with (site.log / f"{module}.log").open("ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        running.append(process)
        until_listening(port, process)
        return process

    yield begin
    for process in running:
        process.kill()
        process.wait(10)


def until_listening(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(400):
        assert process.poll() is None, "the process ended"
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("nothing listens")


def context(site: Site, name: str) -> ssl.SSLContext:
    return tls.client_context(site.folder, name)


def fhir_client(site: Site, name: str = "connector") -> httpx2.Client:
    return httpx2.Client(verify=context(site, name), base_url=site.sandbox_url, timeout=10)


def get_token(client: httpx2.Client, site: Site, scope: str = "system/*.cruds") -> str:
    url = f"{site.sandbox_url}/token"
    assertion = tokens.client_assertion(
        tokens.read_key(site.folder, "client"), client="connector", audience=url
    )
    answer = client.post("/token", data=token_form(assertion, scope))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


def token_form(assertion: str, scope: str = "system/*.cruds") -> dict[str, str]:
    return {
        "grant_type": "client_credentials",
        "scope": scope,
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": assertion,
    }
