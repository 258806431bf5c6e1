"""What the gateway keeps in browsers reaches no backend, nor anybody else who is told of a request.

A browser shows the cookies of a login (`security.login`) to every path of a host: to routes of another login, and to
those that anybody may call. Whoever serves these could show them here in its turn, so they are taken out of the
requests of all routes, as long as there is a login at all.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .problem import Refusal

if TYPE_CHECKING:
    from .core import Core, Generation
    from .exchange import Exchange
    from .pipeline import Gate, RouteHandler

__all__ = ["session_cookie_gates"]

_COOKIE = re.compile(rb"(?im)^Cookie[ \t]*:[ \t]*([^\r\n]*)\r\n")


def session_cookie_gates(handler: RouteHandler, generation: Generation, core: Core) -> list[Gate]:
    """A gate that refuses nothing; none where nobody can log in."""
    if not core.authenticators.session_cookies:
        return []
    prefixes = tuple(name.encode("ascii") for name in core.authenticators.session_cookies)

    def without(found: re.Match[bytes]) -> bytes:
        kept = [each for each in found[1].split(b";") if not each.strip().startswith(prefixes)]
        line = b";".join(kept).strip()
        return b"Cookie: %b\r\n" % line if line else b""

    def strip(exchange: Exchange) -> Refusal | None:
        if b"agw-" in exchange.fields:
            exchange.fields = _COOKIE.sub(without, exchange.fields)
        return None

    return [strip]
