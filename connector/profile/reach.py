"""Which addresses we never connect to, whoever names them: pure, of addresses and not of names.

Refused: link-local (169.254.0.0/16, fe80::/10) with the metadata of clouds, the addresses of clouds' metadata
that lie elsewhere, what is no single host (unspecified, multicast, broadcast), and this machine unless the
profile itself names it. An IPv4 address inside an IPv6 one (mapped, 6to4, Teredo, NAT64) counts as itself.
"""

from __future__ import annotations

import ipaddress
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

METADATA: Final = frozenset(
    ipaddress.ip_address(one)
    for one in (
        "fd00:ec2::254",  # Amazon
        "fd20:ce::254",  # Google
        "168.63.129.16",  # Azure
        "100.100.100.200",  # Alibaba
        "192.0.0.192",  # Oracle
    )
)
_NAT64: Final = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
_COMPATIBLE: Final = ipaddress.IPv6Network("::/96")  # RFC 4291, 2.5.5.1
_BROADCAST: Final = ipaddress.IPv4Address("255.255.255.255")


def refusal(address: str, *, loopback: bool) -> str:
    """Why nothing connects to an address; "" where something may.

    ``loopback``: whether this machine may be meant. What is no address is refused too.
    """
    try:
        found: Address = ipaddress.ip_address(address)
    except ValueError:
        return "it is no address"
    for one in (found, *_inside(found)):
        if reason := _reason(one, loopback):
            return reason
    return ""


def _reason(address: Address, loopback: bool) -> str:
    if address.is_loopback:
        return "" if loopback else "it is of this machine"
    if address.is_link_local:
        return "it is link-local"
    if address in METADATA:
        return "it is of a cloud's metadata"
    if address.is_unspecified or address.is_multicast or address == _BROADCAST:
        return "it is no single host"
    return ""


def _inside(address: Address) -> list[Address]:
    """The IPv4 addresses that an IPv6 address stands for."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    low = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if any(address in one for one in _NAT64) or (address in _COMPATIBLE and int(address) > 1):
        found.append(low)
    return [one for one in found if one is not None]
