"""The listening sockets of a port: one for each worker, opened and kept by the control process.

The kernel shares connections out among them (SO_REUSEPORT). Each lives as long as anyone holds it, so what waits in the
queue of a worker that was killed is not reset with it: the worker's successor takes the same socket, and until then
its siblings, who hold all of them, accept from it.
"""

from __future__ import annotations

import socket

from api_gateway_service_mesh.model import Listener
from api_gateway_service_mesh.proxy.listener import bind

__all__ = ["Doors"]


class Doors:
    """Listening sockets, opened at once; ``sockets`` are the first worker's, then the second's…, ``addresses`` each.

    Raises:
        AgwError: the port cannot be had.
    """

    def __init__(self, listener: Listener, host: str, port: int, workers: int) -> None:
        self.sockets: tuple[socket.socket, ...] = ()
        try:
            for _ in range(workers):
                self.sockets += bind(listener, host=host, port=port, reuse_port=True)
        except BaseException:
            self.close()
            raise
        self.addresses = len(self.sockets) // workers

    def close(self) -> None:
        """Let go of them. Those that workers hold too stay open."""
        for sock in self.sockets:
            sock.close()
