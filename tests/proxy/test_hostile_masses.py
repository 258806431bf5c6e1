"""Fifty thousand mutations of hostile requests, fed to the client's side without a socket between: it is the backend that
must see nothing ambiguous, and that one is asked over real connections. `test_hostile` sends fewer by real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import os
from random import Random

from api_gateway_service_mesh.proxy.downstream import ClientConnection
from tests.support.strict_backend import StrictBackend, read_answer

from .hostile_cases import REQUESTS
from .hostile_gateway import LIMITS, SEED, Gateway
from .hostile_mutations import mutated
from .hostile_request import Seen
from .test_hostile import backend, gateway, silence  # noqa: F401 - fixtures

MASSES = int(os.environ.get("AGW_HOSTILE_MASSES", "50000"))
"""Over both loops."""
BATCH = 250


class Wire(asyncio.Transport):
    """The client's end of a connection: keeps what it is sent."""

    def __init__(self, protocol: ClientConnection) -> None:
        super().__init__({"peername": ("127.0.0.1", 4711), "sockname": ("127.0.0.1", 80)})
        self.protocol, self.received, self.closed = protocol, bytearray(), False
        protocol.connection_made(self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self.closed:
            self.received += data

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def can_write_eof(self) -> bool:
        return False

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self.protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol  # type: ignore[assignment]  # HTTP/2, with prior knowledge

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    @property
    def settled(self) -> bool:
        """Whether all is answered that came whole."""
        if self.closed or not isinstance(self.protocol, ClientConnection):
            return True
        exchange = self.protocol._exchange
        return exchange is None or not exchange.body_done or self.protocol._tunnel is not None


async def _whole_answers(wire: Wire, sent: bytes) -> str | None:
    """What is wrong with what came back, if it is more than whole answers, one after the other."""
    reader = asyncio.StreamReader()
    reader.feed_data(bytes(wire.received))
    reader.feed_eof()
    with contextlib.suppress(OSError):
        try:
            while await read_answer(reader, "HEAD" if sent.lstrip().startswith(b"HEAD") else "GET") is not None:
                pass
        except ValueError as fault:
            # After pipelined HEADs and tunnels a client that did not count cannot tell bodies from heads.
            return None if b"HEAD" in sent or b"websocket" in sent.lower() or sent.startswith(b"PRI") else str(fault)
    return None


async def test_of_fifty_thousand_mutations_none_reaches_the_backend_ambiguous(
    gateway: Gateway,  # noqa: F811
    backend: StrictBackend,  # noqa: F811
) -> None:
    """`AGW_HOSTILE_MASSES` and `AGW_HOSTILE_SEED` choose another run; a failure names its seed."""
    loop = type(asyncio.get_running_loop()).__module__.partition(".")[0]
    print(f"AGW_HOSTILE_SEED={SEED} AGW_HOSTILE_MASSES={MASSES} on {loop}")
    cases = [case for group in REQUESTS.values() for case in group if len(case.wire) < 4096]
    wires_of_all = [case.wire for case in cases]
    wires_of_good = [case.wire for case in cases if all(isinstance(answer, Seen) for answer in case.answers)]
    random, core, passed, refused, half = Random(f"{SEED} {loop}"), gateway.engine.core(), 0, 0, MASSES // 2
    for start in range(0, half, BATCH):
        sent = [mutated((wires_of_all, wires_of_good)[at % 2], random) for at in range(min(BATCH, half - start))]
        wires = [Wire(ClientConnection(core, LIMITS)) for _ in sent]
        for wire, data in zip(wires, sent, strict=True):
            wire.protocol.data_received(data)
        with contextlib.suppress(TimeoutError):  # one whose backend waits for more than came: it would say so
            async with asyncio.timeout(20):
                while not all(wire.settled for wire in wires):
                    await asyncio.sleep(0.001)
        wrong = list(backend.faults)
        for wire, data in zip(wires, sent, strict=True):
            if not wire.settled:
                wrong.append(f"no answer to {data[:600]!r}")
            fault = await _whole_answers(wire, data)
            if fault is not None:
                wrong.append(f"{fault}: {data[:600]!r}")
            refused += wire.received.startswith(b"HTTP/1.1 4")
            wire.close()
        passed += len(backend.requests)
        backend.requests.clear()
        trouble = await gateway.canary()
        assert not wrong and trouble is None, f"seed {SEED} on {loop}, from {start}: {trouble} " + "\n".join(wrong[:10])
    print(f"{passed} requests passed, {refused} connections were refused")
    assert passed > half // 20, "else nothing was tried"
    assert refused > half // 20
