"""The TLS context towards one upstream: read once, read again when its files change.

Reading and checking certificates takes longer than a connection to a near backend, so it is not done for each. Before
each connection the files are looked at (not read); a certificate that was rotated serves the next connection. Files
that do not serve, as while they are being replaced, leave the last context in place.
"""

from __future__ import annotations

import logging
import os
import ssl
from pathlib import Path

from api_gateway_service_mesh.errors import ConfigError
from api_gateway_service_mesh.model import UpstreamTls
from api_gateway_service_mesh.security.tls import client_context

__all__ = ["ClientTls"]

_log = logging.getLogger(__name__)

_Look = tuple[tuple[int, int, int, int] | str | None, ...]


class ClientTls:
    """See the module."""

    __slots__ = ("_alpn", "_context", "_files", "_look", "_tls", "_variable")

    def __init__(self, tls: UpstreamTls, alpn: tuple[str, ...] = ("http/1.1",)) -> None:
        self._tls = tls
        self._alpn = alpn
        certificate = tls.certificate
        kind, _, place = (certificate.private_key_ref or "").partition(":") if certificate is not None else ("", "", "")
        named = (
            (certificate.certificate_file, certificate.trust_bundle_file, certificate.crl_file)
            if certificate is not None
            else ()
        )
        self._files = tuple(path for path in (*named, place if kind == "file" else None) if path)
        self._variable = place if kind == "env" else None
        self._look: _Look | None = None
        self._context: ssl.SSLContext | None = None

    def context(self) -> ssl.SSLContext:
        """The context to connect with now.

        Raises:
            ConfigError: the files do not serve, and never did.
        """
        look = self._now()
        context = self._context
        if context is None or look != self._look:
            try:
                context = client_context(self._tls, self._alpn)
            except ConfigError as error:
                if context is None:
                    raise
                _log.warning("New certificate files are not taken, the old ones stay in use: %s", error)
            self._context, self._look = context, look
        return context

    def _now(self) -> _Look:
        looks: list[tuple[int, int, int, int] | str | None] = []
        for path in self._files:
            try:
                found = Path(path).stat()
            except OSError:
                looks.append(None)
            else:
                looks.append((found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns))
        if self._variable is not None:
            looks.append(os.environ.get(self._variable))
        return tuple(looks)
