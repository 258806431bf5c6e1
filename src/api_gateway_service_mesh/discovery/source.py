"""What a registry is to the rest: answers, one after the other, until it fails."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

__all__ = ["Instance", "Instances", "Source", "SourceError"]


@dataclass(frozen=True, slots=True, order=True)
class Instance:
    """One running instance. ``address`` is an IP address or a host name. ``labels`` are the registry's tags, and its
    metadata as ``key=value``; sorted. ``priority``: 0 is first (RFC 2782)."""

    address: str
    port: int
    weight: int = 1
    zone: str = ""
    priority: int = 0
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Instances:
    """An answer: all instances of ``service`` (the name looked up). ``revision`` is the registry's own mark of it,
    ``at`` when it was given (UTC)."""

    service: str
    endpoints: tuple[Instance, ...]
    revision: str
    at: datetime


class SourceError(Exception):
    """The registry cannot be asked, or what it says is not to be read. The text holds no secret."""


class Source(Protocol):
    """One look-up in one registry."""

    def watch(self) -> AsyncIterator[Instances]:
        """Answers, also those that tell nothing new, as soon as there is one; it never ends by itself.

        Raises:
            SourceError, OSError, TimeoutError: no answer. It is called again, later and later.
        """
