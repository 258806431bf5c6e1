"""One careful request: the whole answer is read, taken apart, and its bytes counted."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass

from .arrangement import Arrangement, Tls

__all__ = ["Answer", "WrongAnswer", "client_tls", "expect", "request", "until_ready"]


class WrongAnswer(Exception):
    """A program answered what it should not have: its figures would mean nothing."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, and how many bytes it took on the wire (before encryption)."""

    status: int
    fields: dict[str, str]
    body: bytes
    wire: int


def client_tls(arrangement: Arrangement) -> ssl.SSLContext | None:
    """What a client of the arrangement's front needs."""
    if arrangement.front is Tls.NONE:
        return None
    files = arrangement.tls
    context = ssl.create_default_context(cafile=str(files.authority))
    if arrangement.front is Tls.MUTUAL:
        context.load_cert_chain(files.certificate, files.key)
    return context


def request(
    port: int,
    path: str,
    *,
    method: str = "GET",
    body: bytes = b"",
    fields: dict[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
    timeout: float = 20.0,
) -> Answer:
    """Ask 127.0.0.1:`port`, on a connection of its own.

    Raises:
        WrongAnswer: the answer is not HTTP/1.1 with a length.
        OSError: nobody there, or nothing came.
    """
    told = {"Host": "127.0.0.1", **(fields or {}), **({"Content-Length": str(len(body))} if body else {})}
    head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in told.items()) + "\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout) as plain:
        sock = tls.wrap_socket(plain, server_hostname="localhost") if tls else plain
        try:
            sock.sendall(head.encode() + body)
            with sock.makefile("rb") as stream:
                return _read(stream)
        finally:
            sock.close()


def _read(stream: object) -> Answer:
    read, readline = stream.read, stream.readline  # type: ignore[attr-defined]
    first = readline()
    if not first.startswith(b"HTTP/1.1 "):
        raise WrongAnswer(f"no HTTP/1.1 answer: {first[:60]!r}")
    wire, fields = len(first), {}
    while (line := readline()) not in (b"\r\n", b""):
        wire += len(line)
        name, _, value = line.decode("latin-1").partition(":")
        fields[name.lower()] = value.strip()
    wire += 2
    if "content-length" in fields:
        body = read(int(fields["content-length"]))
        wire += len(body)
    elif "chunked" in fields.get("transfer-encoding", ""):
        body = b""
        while size := int((head := readline()).split(b";")[0] or b"0", 16):
            body += read(size)
            wire += len(head) + size + len(read(2))
        wire += len(head) + len(readline())
    else:
        raise WrongAnswer("an answer without length")
    return Answer(int(first.split()[1]), fields, body, wire)


def expect(answer: Answer, body: bytes, status: int = 200) -> Answer:
    """The answer, if it is `status` with exactly `body`.

    Raises:
        WrongAnswer: it is not.
    """
    if answer.status != status:
        raise WrongAnswer(f"status {answer.status} instead of {status}: {answer.body[:200]!r}")
    if answer.body != body:
        raise WrongAnswer(f"a body of {len(answer.body)} bytes instead of the {len(body)} that were sent")
    return answer


def until_ready(
    port: int,
    path: str,
    tls: ssl.SSLContext | None,
    seconds: float,
    fields: dict[str, str],
    running: Callable[[], bool],
) -> None:
    """Ask until somebody answers with a status below 500, or the program is not `running` any more.

    Raises:
        WrongAnswer: nobody does in time.
    """
    deadline, last = time.monotonic() + seconds, "nothing"
    while time.monotonic() < deadline and running():
        try:
            answer = request(port, path, tls=tls, timeout=5, fields=fields)
            if answer.status < 500:
                return
            last = f"status {answer.status}: {answer.body[:200]!r}"
        except (OSError, WrongAnswer) as error:
            last = str(error)
        time.sleep(0.1)
    raise WrongAnswer(f"does not come up on port {port} (waited {seconds:g} s at most): {last}")
