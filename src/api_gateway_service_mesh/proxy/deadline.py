"""Deadlines that callers state, and that backends are told: what is left, with each attempt.

A header that is believed shortens the route's own time and never lengthens it. Where the caller is not believed its
header is taken away; the backend is told what is left of the route's time, if it has one.
"""

from __future__ import annotations

import re
from time import monotonic
from typing import TYPE_CHECKING, Final

from api_gateway_service_mesh.model import DeadlineTrust

from .problem import Refusal

if TYPE_CHECKING:
    from .asker import Asker
    from .core import Core, Generation
    from .exchange import Exchange
    from .pipeline import Gate, RouteHandler

__all__ = ["deadline_field", "deadline_gates", "parse_deadline"]

GRPC: Final = "grpc-timeout"
_GRPC = re.compile(r"([0-9]{1,8})([HMSmun])")
_UNITS = {"H": 3600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
_MILLISECONDS = re.compile(r"[0-9]{1,12}")


def parse_deadline(name: str, value: str) -> float | None:
    """The seconds that a header of this name says; None when it is malformed.

    gRPC: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md (Timeout); else whole milliseconds, as in
    Envoy's ``x-envoy-expected-rq-timeout-ms``.
    """
    if name == GRPC:
        found = _GRPC.fullmatch(value)
        return float(found[1]) * _UNITS[found[2]] if found else None
    return float(value) / 1000.0 if _MILLISECONDS.fullmatch(value) else None


def deadline_field(name: bytes, seconds: float) -> bytes:
    """The header line that tells a backend what is left: whole milliseconds, at least one."""
    left = max(1, int(seconds * 1000.0))
    if name == b"grpc-timeout":
        return b"%b: %dm\r\n" % (name, left) if left < 100_000_000 else b"%b: %dS\r\n" % (name, left // 1000)
    return b"%b: %d\r\n" % (name, left)


def deadline_gates(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    """The gate that reads the header; 504 ``timeout`` when the caller's time is over already."""
    timeout = handler.route.timeout
    if timeout is None or timeout.deadline_header is None:
        return []
    name, wire = timeout.deadline_header, timeout.deadline_header.encode("ascii")
    anyone = timeout.deadline_trust is DeadlineTrust.ANYONE
    handler.timed = True

    def left(exchange: Exchange, asker: Asker) -> bytes:
        """The line for the attempt that is about to be sent; nothing without a deadline."""
        return b"" if exchange.deadline is None else deadline_field(wire, exchange.deadline - monotonic())

    def read(exchange: Exchange) -> Refusal | None:
        exchange.tells = (*exchange.tells, left)
        told = exchange.block.header(name)
        if told is None:
            return None
        exchange.fields = _without(exchange.fields, wire)
        if not anyone and not exchange.from_trusted:
            return None
        seconds = parse_deadline(name, told)
        if seconds is None:
            return None
        if seconds <= 0.0:
            return Refusal(504, "timeout", "the time that the caller allows is over")
        exchange.allowed_seconds = seconds
        return None

    return [read]


def _without(fields: bytes, name: bytes) -> bytes:
    """`fields` (each line with CR LF) without those of this lower-case name."""
    lines = fields.split(b"\r\n")
    return b"\r\n".join([line for line in lines if line.partition(b":")[0].lower() != name])
