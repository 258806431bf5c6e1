"""One address of an upstream (``agw:ServiceInstance``, or the ``agw:address`` of a service that names no instance)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Endpoint"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to connect. ``tls``: an ``https://`` address or an upstream with mTLS. ``weight`` 0: no traffic.

    ``priority``: endpoints of a higher number take what those of the lower ones cannot (0 is first). ``labels`` are
    what a route's ``subset`` selects by; sorted.
    """

    iri: str
    host: str
    port: int
    tls: bool = False
    weight: int = 1
    zone: str | None = None
    priority: int = 0
    labels: tuple[str, ...] = ()

    @property
    def authority(self) -> str:
        """``host:port`` as it stands in a URL (RFC 3986 §3.2; IPv6 in brackets)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"
