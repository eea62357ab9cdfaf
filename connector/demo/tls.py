"""Mutual TLS as the two partner systems speak it: both ends show a certificate that is not revoked."""

from __future__ import annotations

import ssl
from pathlib import Path


def server_context(folder: Path, name: str) -> ssl.SSLContext:
    """A server as ``name`` that lets in only holders of a valid certificate of the site's authority."""
    return _restricted(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), folder, name)


def client_context(folder: Path, name: str) -> ssl.SSLContext:
    """A client as ``name`` that talks only to servers of the site's authority, by their host name."""
    return _restricted(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), folder, name)


def _restricted(context: ssl.SSLContext, folder: Path, name: str) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(folder / "ca.pem")
    context.load_verify_locations(folder / "crl.pem")
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    context.options |= ssl.OP_NO_TICKET  # a resumed session would skip the revocation list
    if context.protocol == ssl.PROTOCOL_TLS_SERVER:
        context.num_tickets = 0
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    return context
