"""The embedded proxy: an HTTP/1.1 reverse proxy on asyncio protocols, with aiohttp's C parser as the judge of heads.

Rules of this package:

- **One pipeline.** What is fast and what is general go the same way; a policy has one implementation, in `policies`.
- **No task without waiting.** An exchange is driven by callbacks; a request that never waits costs no task and no
  timer.
- **Nothing is buffered whole.** Bodies pass piece by piece, and who cannot take more stops the other side's reading.
- **One canonical head goes upstream**, written anew from what was parsed (`head`, `forwarded`); answers are read
  as strictly (`answer`, `chunked`).
- **A backend connection serves again only when its answer ended exactly** (`upstream`).
- Errors become HTTP in `problem` alone.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .engine import Engine

__all__ = ["Engine"]


def __getattr__(name: str) -> Any:
    # The control process opens ports (`listener`) and serves nothing: the engine would only hold up its start.
    if name == "Engine":
        from .engine import Engine

        return Engine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
