"""Leave to do without a guarantee (``agw:Exemption``)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Exemption"]


@dataclass(frozen=True, slots=True)
class Exemption:
    """Who may do without what, and until when.

    ``exempted`` are routes, services or classes of them; ``policies`` properties (a kind of policy) or single policies.
    ``valid_until`` is the last day (UTC) it holds, written ``YYYY-MM-DD``.
    """

    iri: str
    exempted: tuple[str, ...]
    policies: tuple[str, ...]
    reason: str
    owner: str
    valid_until: str
