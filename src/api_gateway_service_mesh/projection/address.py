"""``agw:address``: ``host:port``, ``http://host:port`` or ``https://host:port`` (TLS).

A host is a name, an IPv4 address, or an IPv6 address in brackets. Nothing may follow the port: where a request goes
below that is the route's to say.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

__all__ = ["Address", "parse_address"]

_ADDRESS = re.compile(
    r"(?:(?P<scheme>https?)://)?(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^\s/:?#@\[\]]+)):(?P<port>\d{1,5})\Z"
)
# Underscores are no host name (RFC 952), but container networks resolve such names.
_NAME = re.compile(
    r"(?=.{1,253}\Z)(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*\.?\Z"
)
_DIGITS = re.compile(r"[\d.]+\Z")


@dataclass(frozen=True, slots=True)
class Address:
    """Where to connect, and whether TLS is spoken there."""

    host: str
    port: int
    tls: bool = False


def parse_address(text: str) -> Address | None:
    """The address that `text` states, or None when it is none."""
    found = _ADDRESS.match(text)
    if not found:
        return None
    scheme, host = found["scheme"], found["six"] or found["host"]
    port = int(found["port"])
    if not 1 <= port <= 65535:
        return None
    if found["six"] or _DIGITS.match(host):
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return None
    elif not _NAME.match(host):
        return None
    return Address(host.lower().rstrip("."), port, scheme == "https")
