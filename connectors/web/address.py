"""Which addresses of the network may be connected to: public ones, and those of hosts allowed by name.

A page decides what its links and redirects lead to, and a name server what a name means. So the address that
a connection is really made to is checked, after each resolution, and never a name alone.
"""

from __future__ import annotations

import socket
from collections.abc import Collection
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

#: Public by their number, but answered inside a cloud: metadata and agents of virtual machines.
_METADATA = (ip_address("168.63.129.16"), ip_address("192.0.0.192"), ip_address("fd00:ec2::254"))
_NAT64 = IPv6Network("64:ff9b::/96")
#: IPv6 addresses that lead to an IPv4 address, and the bits that it lies above.
_CARRIERS = (
    (IPv6Network("::ffff:0:0/96"), 0),
    (IPv6Network("::ffff:0:0:0/96"), 0),
    (IPv6Network("::/96"), 0),
    (_NAT64, 0),
    (IPv6Network("2002::/16"), 80),
)
#: Never public, whatever the tables of a Python release say.
_NEVER = (
    IPv6Network("64:ff9b:1::/48"),
    IPv6Network("2001::/32"),
    IPv6Network("fec0::/10"),
    IPv6Network("100::/64"),
    IPv4Network("100.64.0.0/10"),
    IPv4Network("192.0.0.0/24"),
    IPv4Network("192.88.99.0/24"),
    IPv4Network("198.18.0.0/15"),
)


def refusal(address: str, host: str, allowed: Collection[str]) -> str | None:
    """The kind of this address when it may not be connected to for this host; None when it may.

    A host allowed by name may be at a private or loopback address. Link-local addresses, those of metadata
    services among them, are allowed only when they are themselves named.
    """
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if host in allowed and (address == host or _inner(found)):
        return None
    return kind_of(found)


def kind_of(address: IPv4Address | IPv6Address) -> str | None:
    """``loopback``, ``link-local`` …; None for a public address."""
    if isinstance(address, IPv6Address) and (carried := _carried(address)) is not None:
        # Networks without IPv4 reach public addresses through NAT64. The other forms nobody needs any more.
        reached = address.ipv4_mapped or address in _NAT64
        return kind_of(carried) or (None if reached else "translated")
    if address in _METADATA:
        return "metadata"
    if address.is_unspecified:
        return "unspecified"
    for kind in ("loopback", "link_local", "multicast"):
        if getattr(address, f"is_{kind}"):
            return kind.replace("_", "-")
    if any(address in network for network in _NEVER if network.version == address.version):
        return "reserved"
    return None if address.is_global and not address.is_reserved else "private"


def _carried(address: IPv6Address) -> IPv4Address | None:
    for network, above in _CARRIERS:
        if address in network and int(address) > 1:
            return IPv4Address(int(address) >> above & 0xFFFFFFFF)
    return None


def _inner(address: IPv4Address | IPv6Address) -> bool:
    """Whether it is public, or of the kinds that a name in `allow` stands for."""
    return kind_of(address) in (None, "loopback", "private", "reserved")


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, as the system resolves it. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
