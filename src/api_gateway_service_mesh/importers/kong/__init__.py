"""Kong's declarative configuration (``_format_version`` 3): services, routes, upstreams, consumers and plugins.

Kong ranks routes otherwise than agw does; `first_match` says its order in agw's words. What guards routes and cannot be
taken over closes them.
"""

from __future__ import annotations

from collections.abc import Iterable

from api_gateway_service_mesh.graph.plain import Map
from api_gateway_service_mesh.importers.draft import Draft

from .entity import entities
from .route import Routes
from .service import Services

__all__ = ["import_kong"]


def import_kong(draft: Draft, documents: Iterable[Map], *, certificates: str | None = None) -> None:
    """Take over what `documents` say; Kong's ports stand elsewhere, so `certificates` has no use.

    Raises:
        ConfigError: a document is no declarative configuration of Kong 3; with its place.
    """
    del certificates
    there = entities(draft.findings, documents)
    Routes(draft, there, Services(draft, there)).take()
