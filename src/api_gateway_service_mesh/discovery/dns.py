"""Instances from the DNS: A, AAAA and SRV records (RFC 1035, 3596, 2782).

- An answer holds for its time to live (of its shortest-lived record, aliases too), within the floor and the ceiling
  that are stated; then it is asked again.
- A name that is not there, and one without such records, is an answer that tells of nobody. No name server, one that
  fails (SERVFAIL) or refuses, is no answer.
- SRV: targets are used by name; a target of "." offers nothing. A weight of 0 counts as 1.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.nameserver
import dns.resolver

from api_gateway_service_mesh.model import Discovery, RecordType

from .source import Instance, Instances, SourceError

__all__ = ["DnsSource"]

_PORT = 53
_LIFETIME_SECONDS = 5.0


class DnsSource:
    """Looks up one name."""

    def __init__(self, discovery: Discovery) -> None:
        self._discovery = discovery

    async def watch(self) -> AsyncIterator[Instances]:
        """Answers, each after the one before has outlived its time.

        Raises:
            SourceError, OSError: no name server answers.
        """
        wanted = self._discovery
        resolver = await self._resolver()
        while True:
            found, ttl = await self._ask(resolver)
            yield Instances(wanted.name, found, f"ttl {ttl}", datetime.now(UTC))
            await asyncio.sleep(max(wanted.min_ttl_seconds, min(ttl, wanted.max_ttl_seconds)))

    async def _resolver(self) -> dns.asyncresolver.Resolver:
        address = self._discovery.registry.address
        try:
            if address is None:
                return dns.asyncresolver.Resolver()
            resolver = dns.asyncresolver.Resolver(configure=False)
        except dns.exception.DNSException as error:
            raise SourceError(f"this system names no name server: {error}") from error
        host, port = _host_and_port(address)
        try:
            ipaddress.ip_address(host)
        except ValueError:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_DGRAM)
            resolver.nameservers = [dns.nameserver.Do53Nameserver(str(each[4][0]), port) for each in found]
        else:
            resolver.nameservers = [dns.nameserver.Do53Nameserver(host, port)]
        return resolver

    async def _ask(self, resolver: dns.asyncresolver.Resolver) -> tuple[tuple[Instance, ...], int]:
        wanted = self._discovery
        try:
            answer = await resolver.resolve(
                wanted.name, str(wanted.record), raise_on_no_answer=False, lifetime=_LIFETIME_SECONDS
            )
        except dns.resolver.NXDOMAIN:
            return (), 0
        except dns.exception.DNSException as error:
            raise SourceError(f"{type(error).__name__}: {error}") from error
        records: list[Any] = list(answer.rrset or ())
        # Without records the time to live would be that of a zone's absent answers, or none at all: a minute long.
        ttl = answer.chaining_result.minimum_ttl if records else 0
        return tuple(filter(None, map(self._instance, records))), ttl

    def _instance(self, record: Any) -> Instance | None:
        if self._discovery.record is not RecordType.SRV:
            return Instance(record.address, self._discovery.port or 0)
        target = record.target.to_text(omit_final_dot=True)
        if target in ("", "."):
            return None
        return Instance(target, record.port, max(1, record.weight), priority=record.priority)


def _host_and_port(address: str) -> tuple[str, int]:
    """Of ``host``, ``host:port``, ``[v6]:port``."""
    host, bracket, rest = address.removeprefix("[").partition("]")
    if bracket:
        return host, int(rest.removeprefix(":") or _PORT)
    host, _, number = address.partition(":")
    return host, int(number or _PORT)
