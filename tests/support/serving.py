"""A gateway as people start it: ``agw serve`` in a process of its own, with what it says on standard error."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp

__all__ = ["Load", "Serving", "load", "serve_process", "turtle"]

SRC = Path(__file__).resolve().parents[2] / "src"
PREFIXES = "@prefix agw: <https://ggen.ai/ontology/api-gateway#> .\n@prefix ex: <http://example.org/> .\n"
_ANNOUNCED = re.compile(r"serving .* on (?:https?)://\S*?:(\d+)\b.*admin https?://127\.0\.0\.1:(\d+)")


def turtle(body: str) -> str:
    """A configuration: `body` after the usual prefixes."""
    return PREFIXES + body


class Serving:
    """A started gateway. Lines it said are in ``lines``. ``under`` is a command that runs it in surroundings of its own."""

    def __init__(
        self,
        *arguments: str,
        environment: dict[str, str] | None = None,
        under: tuple[str, ...] = (),
        command: str = "serve",
    ) -> None:
        env = {**os.environ, "PYTHONPATH": str(SRC), **(environment or {})}
        self.process = subprocess.Popen(
            [*under, sys.executable, "-m", "api_gateway_service_mesh", command, *arguments],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self.output: list[str] = []
        self.port = 0
        self.admin_port = 0
        self._said = threading.Condition()
        self._threads = [
            threading.Thread(target=self._read, args=(stream, kept), daemon=True)
            for stream, kept in ((self.process.stderr, self.lines), (self.process.stdout, self.output))
        ]
        for thread in self._threads:
            thread.start()

    def _read(self, stream: Iterator[str], kept: list[str]) -> None:
        for line in stream:
            with self._said:
                kept.append(line.rstrip("\n"))
                self._said.notify_all()
        with self._said:
            self._said.notify_all()

    def said(self, pattern: str, *, after: int = 0, seconds: float = 60.0) -> re.Match[str]:
        """The first line from number `after` on that `pattern` is found in; waits for it."""
        end = time.monotonic() + seconds
        with self._said:
            while True:
                for line in self.lines[after:]:
                    found = re.search(pattern, line)
                    if found:
                        return found
                left = end - time.monotonic()
                if left <= 0 or (self.process.poll() is not None and not any(t.is_alive() for t in self._threads)):
                    raise AssertionError(f"never said {pattern!r}; said:\n" + "\n".join(self.lines))
                self._said.wait(min(left, 0.2))

    def ready(self, seconds: float = 60.0) -> Serving:
        """Wait until it serves."""
        found = self.said(_ANNOUNCED.pattern, seconds=seconds)
        self.port, self.admin_port = int(found[1]), int(found[2])
        return self

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def admin(self) -> str:
        """Its admin port."""
        return f"http://127.0.0.1:{self.admin_port}"

    def children(self, command: str) -> list[int]:
        """Process ids of children whose command line holds `command`."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if int((process / "stat").read_text().rsplit(")", 1)[1].split()[1]) != self.process.pid:
                    continue
                if command in (process / "cmdline").read_text().replace("\0", " "):
                    found.append(int(process.name))
        return found

    @property
    def workers(self) -> list[int]:
        """Process ids of its workers."""
        return self.children("control.worker")

    def end(self, number: int = signal.SIGTERM, seconds: float = 60.0) -> int:
        """Signal it and wait; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        for thread in self._threads:
            thread.join(5)
        return status


@contextlib.contextmanager
def serve_process(
    *arguments: str | Path, environment: dict[str, str] | None = None, seconds: float = 60.0
) -> Iterator[Serving]:
    """``agw serve`` with these arguments, on free ports of loopback, serving; ended afterwards."""
    fixed = ["--host", "127.0.0.1", "--port", "0", "--admin-port", "0"]
    gateway = Serving(*fixed, *map(str, arguments), environment=environment)
    try:
        yield gateway.ready(seconds)
    finally:
        with contextlib.suppress(subprocess.TimeoutExpired):
            gateway.end()


class Load:
    """What steady traffic came to."""

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        self.failures: list[str] = []
        self.slowest = 0.0
        self.stop = asyncio.Event()

    @property
    def total(self) -> int:
        """Answers so far."""
        return sum(self.statuses.values())

    async def more(self, count: int, seconds: float = 30.0) -> None:
        """Wait for so many further answers."""
        wanted = self.total + count
        async with asyncio.timeout(seconds):
            while self.total < wanted:
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def load(url: str, *, clients: int = 8) -> AsyncIterator[Load]:
    """Requests to `url` without pause, from `clients` keep-alive connections, until the block ends."""
    counted = Load()

    async def client(session: aiohttp.ClientSession) -> None:
        while not counted.stop.is_set():
            started = time.monotonic()
            try:
                async with session.get(url) as answer:
                    await answer.read()
                    counted.statuses[answer.status] += 1
            except (aiohttp.ClientError, OSError) as error:
                counted.failures.append(f"{type(error).__name__}: {error}")
                await asyncio.sleep(0.01)
            counted.slowest = max(counted.slowest, time.monotonic() - started)

    connector = aiohttp.TCPConnector(limit=clients)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(10)) as session:
        tasks = [asyncio.create_task(client(session)) for _ in range(clients)]
        try:
            yield counted
        finally:
            counted.stop.set()
            await asyncio.gather(*tasks)
