"""A name server, over UDP and TCP: a name's addresses, or SRV records of them."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, cast

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from api_gateway_service_mesh.discovery import dns as source
from api_gateway_service_mesh.model import Registry, RegistryType

from .stand_in import Place, StandIn

__all__ = ["DnsStandIn"]

_Wrong = Callable[[dns.message.Message, bytes], bytes | None]


class DnsStandIn(StandIn):
    """See `StandIn`. An answer over TCP has 64 KiB at most: some 4,000 addresses."""

    most = 4_000
    turtle = (
        '@lookup@ agw:discoveryName "_http._tcp.users.test" ; agw:recordType "SRV" ; '
        'agw:minimumTtl "PT0.1S"^^xsd:dayTimeDuration . '
        '@registry@ agw:registryType "dns" ; agw:registryAddress "@address@" .'
    )

    def __init__(self) -> None:
        super().__init__()
        self.places: tuple[Place, ...] = ()
        self.fault: str | None = None
        self.mutation: Callable[[bytes], bytes] | None = None
        self._port = 0
        self._datagrams: asyncio.DatagramTransport | None = None
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._wrong: dict[str, _Wrong] = {
            "SERVFAIL": lambda query, _: _refused(query, dns.rcode.SERVFAIL),
            "REFUSED": lambda query, _: _refused(query, dns.rcode.REFUSED),
            "NOTIMP": lambda query, _: _refused(query, dns.rcode.NOTIMP),
            "garbage": lambda query, _: b"\xff" * 40,
            "no byte": lambda query, _: b"",
            "half": lambda query, wire: wire[: len(wire) // 2],
            "another question's": lambda query, _: _of_another(query),
            "another's number": lambda query, wire: bytes((wire[0] ^ 1, wire[1])) + wire[2:],
            "a question": lambda query, _: query.to_wire(),
            "a ring of aliases": lambda query, _: _ring(query),
        }

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    def registry(self) -> Registry:
        return Registry("urn:x:registry", RegistryType.DNS, self.address)

    def impatient(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(source, "_LIFETIME_SECONDS", 0.1)

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._server = await asyncio.start_server(self._stream, "127.0.0.1", self._port)
            port = self._server.sockets[0].getsockname()[1]
            try:
                self._datagrams, _ = await loop.create_datagram_endpoint(
                    lambda: _Datagrams(self), local_addr=("127.0.0.1", port)
                )
            except OSError:
                self._server.close()
                if self._port:
                    raise
                continue
            self._port = port
            return

    async def stop(self) -> None:
        if self._datagrams is not None:
            self._datagrams.close()
            self._datagrams = None
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def tell(self, places: Sequence[Place]) -> None:
        self.places = tuple(places)

    @property
    def faults(self) -> Sequence[str]:
        return tuple(self._wrong)

    async def misbehave(self, fault: str | None) -> None:
        self.fault = fault

    def mutations(self) -> Sequence[Any]:
        query = dns.message.make_query("users.", "A")
        self.places = (("10.0.0.1", 8000),)
        length = len(self._true(query).to_wire())
        return [_with_byte(place, value) for place in range(2, length, 2) for value in (0xFF,)]

    async def mutated(self, mutation: Any) -> None:
        self.mutation = mutation

    def wire(self, question: bytes, *, most: int) -> bytes | None:
        """The answer to a question; None: there is none."""
        self.questions += 1
        query = dns.message.from_wire(question)
        if self.fault == "silence":
            return None
        if self.fault is not None:
            return self._wrong[self.fault](query, self._true(query).to_wire(max_size=65535))
        answer = self._true(query)
        wire = answer.to_wire(max_size=65535)
        if len(wire) > most:
            cut = dns.message.make_response(query)
            cut.flags |= dns.flags.TC
            wire = cut.to_wire()
        return wire if self.mutation is None else self.mutation(wire)

    def _true(self, query: dns.message.Message) -> dns.message.Message:
        answer = dns.message.make_response(query)
        asked = query.question[0]
        if self.places and asked.rdtype == dns.rdatatype.A:
            addresses = [address for address, _ in self.places]
            answer.answer.append(dns.rrset.from_text_list(asked.name, 0, "IN", "A", addresses))
        elif self.places and asked.rdtype == dns.rdatatype.SRV:
            told = [f"0 1 {port} {address}." for address, port in self.places]
            answer.answer.append(dns.rrset.from_text_list(asked.name, 0, "IN", "SRV", told))
        return answer

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            with suppress(OSError, EOFError):
                while True:
                    (length,) = struct.unpack("!H", await reader.readexactly(2))
                    wire = self.wire(await reader.readexactly(length), most=65535)
                    if wire is not None:
                        writer.write(struct.pack("!H", len(wire)) + wire)
                        await writer.drain()
        finally:
            self._writers.discard(writer)
            writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, served: DnsStandIn) -> None:
        self._served = served

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        wire = self._served.wire(data, most=1232)
        if wire is not None:
            self._transport.sendto(wire, addr)


def _with_byte(place: int, value: int) -> Callable[[bytes], bytes]:
    return lambda wire: wire[:place] + bytes((value,)) + wire[place + 1 :]


def _refused(query: dns.message.Message, code: dns.rcode.Rcode) -> bytes:
    answer = dns.message.make_response(query)
    answer.set_rcode(code)
    return answer.to_wire()


def _of_another(query: dns.message.Message) -> bytes:
    other = dns.message.make_query("other.test", query.question[0].rdtype, id=query.id)
    answer = dns.message.make_response(other)
    answer.answer.append(dns.rrset.from_text("other.test.", 0, "IN", "A", "10.6.6.6"))
    return answer.to_wire()


def _ring(query: dns.message.Message) -> bytes:
    answer = dns.message.make_response(query)
    name = query.question[0].name
    other = dns.name.from_text("ring.test.")
    answer.answer.append(dns.rrset.from_text(name, 0, "IN", "CNAME", str(other)))
    answer.answer.append(dns.rrset.from_text(other, 0, "IN", "CNAME", str(name)))
    return answer.to_wire()
