"""Active health checks (``agw:HealthCheck``)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["CheckProtocol", "HealthCheck", "Purpose"]


class Purpose(StrEnum):
    """What a check is for: the class of its probe. A plain ``agw:HealthCheck`` is for readiness."""

    READINESS = "readiness"
    LIVENESS = "liveness"
    STARTUP = "startup"


class CheckProtocol(StrEnum):
    """``agw:healthCheckProtocol``."""

    HTTP = "HTTP"
    TCP = "TCP"
    GRPC = "GRPC"


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """HTTP: GET ``path`` every ``interval_seconds``; one of ``statuses`` (inclusive ranges, written ``200-299``) within
    ``timeout_seconds`` is success. TCP: a connection is. GRPC: SERVING, as ``grpc.health.v1`` answers for
    ``grpc_service``.

    ``unhealthy_interval_seconds`` (None: the same) counts while the endpoint is not HEALTHY. Intervals are spread by
    ``jitter`` per cent either way. ``headers`` are whole fields, ``Name: value``.
    """

    iri: str
    path: str = "/health"
    interval_seconds: float = 10.0
    timeout_seconds: float = 2.0
    success_threshold: int = 1
    failure_threshold: int = 3
    protocol: CheckProtocol = CheckProtocol.HTTP
    statuses: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    host: str | None = None
    unhealthy_interval_seconds: float | None = None
    jitter: int = 10
    grpc_service: str = ""

    def expects(self, status: int) -> bool:
        """Whether an answer of this status is a success."""
        for text in self.statuses or ("200-299",):
            low, _, high = text.partition("-")
            if int(low) <= status <= int(high or low):
                return True
        return False
