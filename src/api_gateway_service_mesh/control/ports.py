"""Finding out whether a port can be had before workers share it, who has it if not, and keeping it.

Workers share a port by SO_REUSEPORT (`control.doors`), and the kernel would let two gateways of one user do so in
silence: so the control process first opens it alone. Then it keeps a socket bound to it that never listens, which holds
the port (and a free one that port 0 found) until the configuration that wants it is live.
"""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.model import Listener
from api_gateway_service_mesh.proxy.listener import bind

__all__ = ["Reservation", "port_holder", "reserve"]

_LISTEN = "0A"  # TCP_LISTEN in /proc/net/tcp


class Reservation:
    """A port kept for the workers."""

    def __init__(self, sockets: tuple[socket.socket, ...]) -> None:
        self._sockets = sockets
        self.port: int = sockets[0].getsockname()[1] if sockets else 0

    def close(self) -> None:
        """Give it back."""
        for sock in self._sockets:
            sock.close()


def reserve(listener: Listener, host: str, port: int) -> Reservation:
    """Keep `port` on `host` (0: any free one).

    Raises:
        AgwError: it cannot be had; the sentence names who has it.
    """
    try:
        tried = bind(listener, host=host, port=port)
    except AgwError as error:
        holder = port_holder(port) if "in use" in error.message else None
        if holder is None:
            raise
        raise AgwError(
            f"port {port} on {host} is in use by {holder}",
            remedy="stop it, or choose another port with --port",
        ) from None
    addresses = [(sock.family, sock.getsockname()) for sock in tried]
    for sock in tried:
        sock.close()
    kept: list[socket.socket] = []
    try:
        for family, address in addresses:
            sock = socket.socket(family, socket.SOCK_STREAM)
            kept.append(sock)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if address[0] == "::" else 1)
            sock.bind(address)
    except OSError as error:
        for sock in kept:
            sock.close()
        raise AgwError(f"port {port} on {host} was taken while the gateway started: {error.strerror}") from error
    return Reservation(tuple(kept))


def port_holder(port: int) -> str | None:
    """The process that listens on a TCP port, as ``name (pid N)``; None when this user may not see it."""
    inodes = set(_listening_inodes(port))
    if not inodes:
        return None
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            for descriptor in (process / "fd").iterdir():
                with contextlib.suppress(OSError):
                    if str(descriptor.readlink()) in inodes:
                        return f"{(process / 'comm').read_text().strip()} (pid {process.name})"
    return None


def _listening_inodes(port: int) -> list[str]:
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                    found.append(f"socket:[{fields[9]}]")
    return found
