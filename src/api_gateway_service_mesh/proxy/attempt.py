"""What became of one attempt at one endpoint: told to whoever watches the endpoints of an upstream.

An exchange makes one attempt or several. Each ends once, and then everything in ``Target.on_attempt`` is called with
the outcome: what judges endpoints (ejection, latency averages, breakers) hangs there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from api_gateway_service_mesh.policies import Failure

if TYPE_CHECKING:
    from .asker import Asker
    from .exchange import Exchange
    from .pool import EndpointPool

__all__ = ["AttemptField", "AttemptOutcome", "OnAttempt", "OnEnd"]


@dataclass(frozen=True, slots=True)
class AttemptOutcome:
    """How an attempt ended.

    ``status`` is that of the answer, 0 when none came. ``failure`` says how the attempt failed when there was no whole
    answer; it is None after a whole answer, of whatever status, and (with ``status`` 0) when the attempt says nothing
    of the endpoint: the client left, or there was no place for the request. An answer that broke off has both.
    ``seconds`` is the time until the head of the answer, or until the attempt failed; ``now`` the clock at its end.
    """

    status: int
    failure: Failure | None
    seconds: float
    now: float


#: Called once at the end of every attempt; what it raises would break the request.
OnAttempt = Callable[["Exchange", "EndpointPool", AttemptOutcome], None]

#: Asked for header lines (each with CR LF) when an attempt is sent, with whose attempt it is.
AttemptField = Callable[["Exchange", "Asker"], bytes]

#: Called once at the end of an exchange, with the time, after its status is known.
OnEnd = Callable[["Exchange", float], None]
