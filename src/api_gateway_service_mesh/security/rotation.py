"""When a certificate is renewed, and when a renewal that failed is tried again. Pure: times and draws are arguments.

A certificate is renewed with a third of its life left, as certbot, cert-manager and SPIRE do; earlier when it has been
used for ``rotationPeriod``. A draw moves that forward by up to a tenth, so that a fleet does not ask in one second.
"""

from __future__ import annotations

__all__ = ["FIRST_RETRY_SECONDS", "LAST_RETRY_SECONDS", "renewal_due", "retry_delay"]

FIRST_RETRY_SECONDS = 60.0
LAST_RETRY_SECONDS = 3600.0
_LEFT, _JITTER = 1 / 3, 0.1


def renewal_due(begins: float, ends: float, rotation_seconds: float | None, draw: float) -> float:
    """When to renew, in seconds of any clock that `begins` and `ends` (the certificate's validity) are of.

    Args:
        rotation_seconds: how long it may be used; None: as long as it is valid.
        draw: 0 up to 1, drawn once a certificate.
    """
    life = max(0.0, ends - begins)
    used = life * (1 - _LEFT)
    if rotation_seconds is not None:
        used = min(used, max(0.0, rotation_seconds))
    return begins + used * (1 - _JITTER * draw)


def retry_delay(failures: int, left_seconds: float, draw: float, wanted_seconds: float | None = None) -> float:
    """How long to wait after so many failures in a row (1 and more): doubling from a minute to an hour, but never so
    long that fewer than ten tries are left; half of it drawn.

    Args:
        left_seconds: how long the certificate in use stays valid; 0 and less: there is none to lose.
        draw: 0 up to 1.
        wanted_seconds: what the authority asked for (Retry-After), at least.
    """
    longest = min(LAST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2.0 ** min(failures - 1, 16))
    if left_seconds > 0:
        longest = min(longest, max(1.0, left_seconds / 10))
    delay = longest * (0.5 + draw / 2)
    return delay if wanted_seconds is None else max(delay, min(wanted_seconds, 24 * 3600.0))
