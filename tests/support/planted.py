"""Secrets that are recognised wherever they come out, and a server that gives back all that it is told.

A planted value has a core of random letters and digits; what is searched is each half of it, as it is, in
hexadecimal, percent-encoded and in Base64, so that half a secret is found as well, inside other text as well.
"""

from __future__ import annotations

import base64
import contextlib
import json
import secrets
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = ["Planted", "Tattler", "tattler"]

_HALF = 16


@dataclass
class Planted:
    """The values by name, and where they must not be found."""

    values: dict[str, str] = field(default_factory=dict)
    _forms: dict[bytes, str] = field(default_factory=dict)
    searched: int = 0

    def new(self, name: str) -> str:
        """A value of 40 characters."""
        core = secrets.token_hex(_HALF)
        value = f"p-{core}+/=&"
        self.values[name] = value
        self.watch(name, core)
        return value

    def watch(self, name: str, core: str) -> None:
        """Look for `core`, too."""
        for start in range(0, len(core) - _HALF + 1, _HALF):
            part = core[start : start + _HALF].encode()
            for form in _forms(part):
                self._forms[form.lower()] = name

    def found(self, text: bytes | str) -> set[str]:
        """Names of the values that `text` gives away."""
        self.searched += 1
        content = (text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text).lower()
        return {name for form, name in self._forms.items() if form in content}


def _forms(part: bytes) -> Iterator[bytes]:
    yield part
    yield part.hex().encode()
    yield "".join(f"%{byte:02x}" for byte in part).encode()
    for before in range(3):  # whatever stands before it, and leaves bits over
        whole = base64.b64encode(b"\0" * before + part)
        inner = whole[(before * 8 + 5) // 6 : (before + len(part)) * 8 // 6]
        yield inner
        yield inner.replace(b"+", b"-").replace(b"/", b"_")


class Tattler:
    """Speaks HTTP and Redis badly: every answer is an error that repeats the whole question, in the reason, a field and
    the body. ``heard`` is all it was told."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.heard: list[bytes] = []
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Listen no more."""
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.settimeout(20)
            asked = b""
            while piece := connection.recv(65536):
                asked += piece
                if asked.startswith(b"*") or _whole(asked):
                    self.heard.append(asked)
                    connection.sendall(self._answer(asked))
                    asked = b""

    def _answer(self, asked: bytes) -> bytes:
        line = b" ".join(asked.split())[:4000]
        if asked.startswith(b"*"):
            return b"-ERR who says " + line + b"\r\n"
        if asked.startswith(b"GET /.well-known/openid-configuration"):
            addresses = {
                name: f"{self.url}/{name}"
                for name in ("authorization_endpoint", "token_endpoint", "jwks_uri", "end_session_endpoint")
            }
            body = json.dumps({"issuer": self.url, **addresses, "response_types_supported": ["code"]}).encode()
            return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
                len(body),
                body,
            )
        said = line.decode("latin-1")
        body = json.dumps({"error": said, "error_description": said, "detail": said, "type": said}).encode()
        head = (
            b"HTTP/1.1 400 " + line[:2000] + b"\r\nX-Told: " + line[:2000] + b"\r\nContent-Type: application/json\r\n"
        )
        return head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def _whole(asked: bytes) -> bool:
    head, end, body = asked.partition(b"\r\n\r\n")
    if not end:
        return False
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return len(body) >= int(line.partition(b":")[2])
        if line.startswith(b"transfer-encoding:"):
            return body.endswith(b"0\r\n\r\n")
    return True


@contextlib.contextmanager
def tattler() -> Iterator[Tattler]:
    """One, until the block ends."""
    one = Tattler()
    try:
        yield one
    finally:
        one.close()
