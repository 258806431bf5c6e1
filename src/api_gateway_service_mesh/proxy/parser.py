"""aiohttp's C request parser as the judge of header blocks.

The parser is built on llhttp and measured as strict as Envoy's; its pure Python stand-in is not (it lets smuggling
bodies through), so agw refuses to start on that one. It is asked about the structure of a block, once for each that
was not seen before (`head.HeadReader`); it only ever sees whole blocks.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from aiohttp import http_parser
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_exceptions import BadHttpMessage

from api_gateway_service_mesh.errors import AgwError

if TYPE_CHECKING:
    from aiohttp.http_parser import HttpRequestParser

__all__ = ["BlockJudge", "require_c_parser"]


def require_c_parser() -> type[HttpRequestParser]:
    """The C request parser.

    Raises:
        AgwError: aiohttp runs on its pure Python parser (no wheel for this platform, or AIOHTTP_NO_EXTENSIONS is set).
    """
    try:
        from aiohttp._http_parser import HttpRequestParser  # type: ignore[import-not-found,unused-ignore]
    except ImportError as error:
        raise AgwError(
            "aiohttp's C parser is not there, and its Python parser is not safe to serve with",
            remedy="Install aiohttp from a wheel for this platform, or with a C compiler at hand.",
        ) from error
    if http_parser.HttpRequestParser is not HttpRequestParser:
        raise AgwError(
            "AIOHTTP_NO_EXTENSIONS makes aiohttp use its Python parser, which is not safe to serve with",
            remedy="Unset AIOHTTP_NO_EXTENSIONS.",
        )
    return cast("type[HttpRequestParser]", HttpRequestParser)


class BlockJudge:
    """Asks the C parser whether a header block is well formed."""

    __slots__ = ("_factory", "_loop", "_protocol")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._factory = require_c_parser()
        self._loop = loop
        self._protocol = BaseProtocol(loop)

    def _parser(self) -> HttpRequestParser:
        # A new one each time: bodies to come, upgrades, and each of the ways to say close leave a state behind that the
        # next block must not be judged in. Sizes were checked before, with the limits of the listener.
        return self._factory(
            self._protocol,
            self._loop,
            2**16,
            max_line_size=2**31,
            max_headers=2**16,
            max_field_size=2**31,
            auto_decompress=False,
        )

    def verdict(self, block: bytes, *, has_host: bool) -> str | None:
        """Why the parser refuses `block` (header lines, each with CR LF), or None when it takes it.

        The request line is agw's own to judge (`proxy.head`), so the parser gets a neutral one.
        """
        start = b"POST / HTTP/1.1\r\n" if has_host else b"POST / HTTP/1.1\r\nHost: h\r\n"
        try:
            messages, _, rest = self._parser().feed_data(start + block + b"\r\n")
        except BadHttpMessage as error:
            return str(error.message).split("\n", 1)[0].rstrip(": ")
        except Exception as error:
            return type(error).__name__
        if len(messages) != 1 or rest:
            return "the header block does not end where it seems to"
        return None
