"""How the handshake of a client is answered: with which context, and whether it is one at all that wants to talk.

Ports that answer every client alike look at one byte of a connection. Those that do not read the ClientHello that lies
in the kernel's buffer, without taking it away: OpenSSL gets all of it afterwards. What they tell apart:

- An ACME server that asks about a name (`acme_tls`).
- Clients of hosts whose routes look at certificates, and others. The latter are not asked for one: browsers would ask
  their users to choose, on every site of the port. Who names nobody, or whose message cannot be read, is asked. What a
  name decides here is only that: a request that such a route takes, over a connection that was not asked for its
  client's certificate, is refused (`client_certificate`), whatever was named.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from dataclasses import dataclass

from api_gateway_service_mesh.model import Listener
from api_gateway_service_mesh.routing.host import ANY_HOST, host_key
from api_gateway_service_mesh.security.client_hello import LARGEST_HELLO_BYTES, hello_bytes, server_name
from api_gateway_service_mesh.security.tls import server_context, unasking_context

from .acme_tls import Questions

__all__ = ["Greeting"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client is answered with; ``question``: it is an ACME server, which hears no more than the handshake."""

    context: ssl.SSLContext
    question: bool = False


class Greeting:
    """How clients of TLS are met on the port of `listener`; false when it speaks plain HTTP only.

    Raises:
        ConfigError: its certificates do not serve.
    """

    __slots__ = ("_asked", "_asking", "_questions", "_suffixes", "_unasking", "peek_bytes")

    def __init__(self, listener: Listener) -> None:
        context = server_context(listener)
        self._asking = None if context is None else Answer(context)
        keys = {host_key(host) for host in listener.asked_hosts}
        unasking = unasking_context(listener) if keys and ANY_HOST not in keys else None
        self._unasking = None if unasking is None else Answer(unasking)
        self._asked = frozenset(text for kind, _, text in keys if kind == 0)
        self._suffixes = tuple(text for kind, _, text in keys if kind == 1)
        self._questions = Questions(listener)
        self.peek_bytes = LARGEST_HELLO_BYTES if self._questions or self._unasking is not None else 1
        """How much of a connection to look at."""

    def __bool__(self) -> bool:
        return self._asking is not None

    def waits(self, sock: socket.socket, seen: bytes) -> bool:
        """Whether more of the ClientHello is to come; `sock` is readable again only when it is all there, or over."""
        if self.peek_bytes == 1:
            return False
        wanted = hello_bytes(seen)
        before = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT)
        more = before < wanted and len(seen) < wanted  # it was asked for before: the peer has ended in the middle
        if more or before != 1:
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, wanted if more else 1)
        return more

    def answer(self, hello: bytes) -> Answer:
        """What to answer a client with that begins so."""
        asking, unasking = self._asking, self._unasking
        assert asking is not None, "a port without certificate was greeted by TLS"
        question = self._questions.answer(hello)
        if question is not None:
            return Answer(question, question=True)
        if unasking is None:
            return asking
        name = server_name(hello)
        return asking if name is None or self._asks(name.rstrip(".")) else unasking

    def _asks(self, name: str) -> bool:
        return name in self._asked or name.endswith(self._suffixes)
