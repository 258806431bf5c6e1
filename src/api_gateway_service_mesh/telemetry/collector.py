"""A collector that messages are sent to, over HTTP or gRPC, one after the other, each waited for. For a thread."""

from __future__ import annotations

import http.client
from typing import Any, Protocol
from urllib.parse import urlsplit

__all__ = ["SEND_SECONDS", "Collector", "GrpcCollector", "HttpCollector", "Undelivered"]

SEND_SECONDS = 5.0
"""So long an answer is waited for."""
_MOST_ANSWER = 65536


class Undelivered(Exception):
    """The collector is away, or does not take what it was sent."""


class Collector(Protocol):
    """Where messages go."""

    def send(self, message: bytes) -> bytes:
        """The answer to a message that was taken.

        Raises:
            Undelivered: it was not.
        """
        ...

    def hang_up(self) -> None:
        """Hold no connection until something is sent again."""
        ...


class HttpCollector:
    """Takes messages of a media type by POST at a URL, over a connection that is kept."""

    def __init__(self, url: str, media_type: str) -> None:
        self._url = urlsplit(url)
        self._headers = {"Content-Type": media_type}
        self._connection: http.client.HTTPConnection | None = None

    def send(self, message: bytes) -> bytes:
        """See `Collector`."""
        reused = self._connection is not None
        try:
            try:
                return self._ask(message)
            except (OSError, http.client.HTTPException):
                if not reused:
                    raise
                self.hang_up()  # a connection that was kept may have been closed meanwhile
                return self._ask(message)
        except (OSError, http.client.HTTPException) as error:
            self.hang_up()
            raise Undelivered(str(error)) from None

    def _ask(self, message: bytes) -> bytes:
        url = self._url
        if self._connection is None:
            kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
            self._connection = kind(url.hostname or "", url.port, timeout=SEND_SECONDS)
        self._connection.request("POST", url.path or "/", message, self._headers)
        with self._connection.getresponse() as answer:
            said = answer.read(_MOST_ANSWER)
            if answer.status >= 300:
                self.hang_up()
                raise Undelivered(f"status {answer.status}")
            return said

    def hang_up(self) -> None:
        """See `Collector`."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class GrpcCollector:
    """Takes messages by a method of gRPC at the host and port of a URL; ``https`` is TLS, by the system's authorities.
    Needs grpcio."""

    def __init__(self, url: str, method: str) -> None:
        parts = urlsplit(url)
        host = parts.hostname or ""
        self._secure = parts.scheme == "https"
        self._target = f"{f'[{host}]' if ':' in host else host}:{parts.port or 4317}"
        self._method = method
        self._channel: Any = None

    def send(self, message: bytes) -> bytes:
        """See `Collector`."""
        import grpc  # an extra, and slow to import

        if self._channel is None:
            # A pool of its own: what another channel knows of this address is not this one's to wait for.
            options = [("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1)]
            self._channel = (
                grpc.secure_channel(self._target, grpc.ssl_channel_credentials(), options)
                if self._secure
                else grpc.insecure_channel(self._target, options)
            )
        try:
            answer: bytes = self._channel.unary_unary(self._method)(message, timeout=SEND_SECONDS)
        except grpc.RpcError as fault:
            self.hang_up()
            raise Undelivered(f"{fault.code().name}: {fault.details()}") from None
        return answer

    def hang_up(self) -> None:
        """See `Collector`."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None
