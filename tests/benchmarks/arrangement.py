"""What a case asks of every program: the same arrangement, that each peer writes down in its own language."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

__all__ = [
    "PLAIN_ROUTE",
    "SAMPLED",
    "Arrangement",
    "Certificates",
    "Layer",
    "RouteKind",
    "RoutePattern",
    "Tls",
    "make_certificates",
]


class Layer(StrEnum):
    """A policy of the full chain. Request ids and metrics are not among them: all cases have those."""

    JWT = "JWT"
    RATE_LIMIT = "rate limit"
    BREAKER = "breaker"
    RETRY = "retry"
    TIMEOUT = "timeout"
    ACCESS_LOG = "access log"
    TRACING = "tracing"


class RouteKind(StrEnum):
    EXACT = "exact"
    TEMPLATE = "template"
    PREFIX = "prefix"


@dataclass(frozen=True, slots=True)
class RoutePattern:
    """A route's path. A template's parameters are ``{name}``; a prefix has no star and no slash at its end (and is empty
    when everything is meant)."""

    kind: RouteKind
    path: str


SAMPLED = 0.01
"""The share of requests that `Layer.TRACING` traces, drawn by the gateway itself: callers say nothing of traces."""

PLAIN_ROUTE = RoutePattern(RouteKind.PREFIX, "/api")


class Tls(StrEnum):
    """How one side of the gateway speaks."""

    NONE = "plain"
    TLS = "TLS"
    MUTUAL = "mTLS"


@dataclass(frozen=True, slots=True)
class Certificates:
    """Throw-away certificates of one authority; the leaf serves servers and clients, for localhost and 127.0.0.1."""

    authority: Path
    certificate: Path
    key: Path

    @property
    def combined(self) -> Path:
        """Certificate and key in one file, as HAProxy wants it."""
        return self.certificate.with_name("combined.pem")


def make_certificates(folder: Path) -> Certificates:
    """An authority and one leaf in ``folder/certs``, made by what ``agw cert`` calls."""
    from api_gateway_service_mesh.security.authority import create_authority, issue

    create_authority(folder / "certs", "agw benchmarks")
    issued = issue(folder / "certs", ("localhost", "127.0.0.1"), ())
    made = Certificates(Path(issued.trust_bundle_file), Path(issued.certificate_file), Path(issued.key_file))
    made.combined.write_bytes(made.certificate.read_bytes() + made.key.read_bytes())
    return made


@dataclass(frozen=True, slots=True)
class Arrangement:
    """One arrangement. Files go to `folder`; the backend listens on 127.0.0.1:`backend`."""

    folder: Path
    backend: int
    routes: tuple[RoutePattern, ...] = (PLAIN_ROUTE,)
    layers: frozenset[Layer] = frozenset()
    front: Tls = Tls.NONE
    upstream: Tls = Tls.NONE
    certificates: Certificates | None = None
    key_set: Path | None = field(default=None)
    """The issuer's public keys (JWKS), for `Layer.JWT`."""
    collector: str | None = None
    """Where spans go (OTLP over HTTP, see `sink`), for `Layer.TRACING`; of one request in a hundred."""
    workers: int = 1
    interactive: bool = False
    """Small pieces of a body must not wait for more."""
    cached: bool = False
    """Answers are kept, for an hour where they do not say how long."""
    hostile: bool = False
    """Clients mean harm: each program is set up as its guide advises for the edge of a network."""

    @property
    def scheme(self) -> str:
        """What a client must speak."""
        return "http" if self.front is Tls.NONE else "https"

    @property
    def tls(self) -> Certificates:
        """The certificates of an arrangement that has TLS."""
        assert self.certificates is not None
        return self.certificates
