"""A page of the documentation as its reader would follow it: files are written, commands typed, answers compared.

Of a page's fenced blocks, `turtle NAME`, `text NAME` and `json NAME` are files; `turtle` without a name is a piece of
one, that must parse and use known terms. In a `console` block each line after ``$`` is typed into a shell, and what follows must be what it
prints; a line or a part of one that is ``…`` stands for anything. Commands that go on (`agw serve`, a line that ends
with ``&``) do so until the page is over. Ports on the page are exchanged for free ones, so that pages do not meet.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Block", "Page", "blocks"]

_FENCE = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```", re.MULTILINE | re.DOTALL)
_PORT = re.compile(r"(?<=[:\s\"])(8080|8443|99\d\d|90\d\d|70\d\d)\b")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the name behind it, its text and the line it begins on."""

    language: str
    name: str
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(found[1], found[2] or "", found[3], text.count("\n", 0, found.start()) + 1)
        for found in _FENCE.finditer(text)
    ]


class Page:
    """A reader with a folder of their own."""

    def __init__(self, folder: Path, installed: Path) -> None:
        self.folder = folder
        self._ports: dict[str, str] = {}
        self._running: list[subprocess.Popen[bytes]] = []
        commands = folder / ".bin"
        commands.mkdir()
        (commands / "agw").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m api_gateway_service_mesh "$@"\n')
        (commands / "agw").chmod(0o755)
        (commands / "python3").symlink_to(sys.executable)
        path = os.pathsep.join((str(commands), os.environ.get("PATH", "")))
        sources = os.pathsep.join(filter(None, (str(installed), os.environ.get("PYTHONPATH"))))
        self._environment = {**os.environ, "PATH": path, "PYTHONPATH": sources, "COLUMNS": "140", "NO_COLOR": "1"}
        for name in ("AGW_ADMIN_TOKEN", "AGW_ADMIN_READ_TOKEN"):
            self._environment.pop(name, None)

    def here(self, text: str) -> str:
        """A text with the ports of this reader."""
        return _PORT.sub(lambda found: self._port(found[1]), text)

    def _port(self, written: str) -> str:
        if written not in self._ports:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self._ports[written] = str(probe.getsockname()[1])
        return self._ports[written]

    def write(self, block: Block) -> Path:
        """Write a block's file."""
        path = self.folder / block.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.here(block.text), encoding="utf-8")
        return path

    def follow(self, block: Block) -> None:
        """Type the commands of a block, and compare.

        Raises:
            AssertionError: something else is printed, or what should go on ends.
        """
        for command, expected in _dialogue(block.text):
            typed = self.here(command)
            words = typed.split("#")[0].strip()
            if words.endswith("&") or re.match(r"(agw serve|agw xds)\b", words):
                self._start(words.removesuffix("&").strip(), expected)
                continue
            done = subprocess.run(
                typed, shell=True, cwd=self.folder, env=self._environment, capture_output=True, text=True, timeout=90
            )
            said = (done.stdout + done.stderr).rstrip("\n")
            assert _alike(self.here(expected), said), (
                f"line {block.line}: $ {typed}\n--- the page\n{self.here(expected)}\n--- printed (status {done.returncode})\n{said}"
            )

    def _start(self, typed: str, expected: str) -> None:
        if typed.startswith("agw serve"):
            for flag, port in (("--port", "8080"), ("--admin-port", "9901")):
                if f"{flag} " not in typed:
                    typed += f" {flag} {self._port(port)}"
            typed += " --workers 1" if "--workers" not in typed else ""
        log = self.folder / f".said-{len(self._running)}"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                f"exec {typed}", shell=True, cwd=self.folder, env=self._environment, stdout=stream, stderr=stream,
                start_new_session=True,
            )  # fmt: skip
        self._running.append(process)
        end = time.monotonic() + 60
        while not self._up(typed, log):
            assert process.poll() is None, f"$ {typed}\nended: {log.read_text()}"
            assert time.monotonic() < end, f"$ {typed}\nis not up: {log.read_text()}"
            time.sleep(0.05)
        if expected:
            assert _alike(self.here(expected), log.read_text().rstrip("\n")), log.read_text()

    def _up(self, typed: str, log: Path) -> bool:
        if typed.startswith("agw "):
            return bool(re.search(r"^serving ", log.read_text(), re.MULTILINE))
        ports = [port for port in self._ports.values() if re.search(rf"\b{port}\b", typed)]
        for port in ports:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
            except OSError as error:
                if getattr(error, "code", None) is None:
                    return False
        return True

    def end(self) -> None:
        """End what still goes on."""
        for process in reversed(self._running):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        for process in self._running:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
        shutil.rmtree(self.folder / ".bin")


def _dialogue(text: str) -> Iterator[tuple[str, str]]:
    command, expected = "", []  # type: tuple[str, list[str]]
    for line in text.splitlines():
        if line.startswith("$ "):
            if command:
                yield command, "\n".join(expected).strip("\n")
            command, expected = line[2:], []
        elif command.rstrip().endswith("\\") or (command.count("'") % 2 and not expected):
            command += "\n" + line
        else:
            expected.append(line)
    if command:
        yield command, "\n".join(expected).strip("\n")


def _alike(expected: str, said: str) -> bool:
    """Whether what was said is what the page shows; spaces at the ends of lines do not count."""
    if not expected:
        return True
    wanted = "\n".join(line.rstrip() for line in expected.splitlines())
    pattern = ".*".join(re.escape(part) for part in wanted.split("…"))
    return bool(re.search(pattern, "\n".join(line.rstrip() for line in said.splitlines()), re.DOTALL))
