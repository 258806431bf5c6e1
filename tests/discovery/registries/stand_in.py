"""What the fault suite asks of a registry's stand-in, whatever it speaks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import pytest

from api_gateway_service_mesh.model import Discovery, Registry

__all__ = ["Place", "StandIn"]

Place = tuple[str, int]
"""Address and port of an instance."""


class StandIn(ABC):
    """One registry on a port of loopback. It answers truly what it was last told, until it is to misbehave."""

    most: ClassVar[int] = 10_000
    """As many instances as fit in an answer of this protocol, 10,000 at most."""
    turtle: ClassVar[str] = ""
    """How a look-up in it is written: ``@lookup@`` and ``@registry@`` stand for the two, ``@address@`` for where it
    is."""

    def __init__(self) -> None:
        self.questions = 0

    @property
    @abstractmethod
    def address(self) -> str:
        """What ``agw:registryAddress`` says of it."""

    @abstractmethod
    def registry(self) -> Registry:
        """It, as the model has it."""

    def discovery(self, empty_after: float = 30.0) -> Discovery:
        """The look-up of what it tells."""
        return Discovery(
            "urn:x:lookup", self.registry(), "users", port=8000, min_ttl_seconds=0.05, empty_after_seconds=empty_after
        )

    @abstractmethod
    def impatient(self, patch: pytest.MonkeyPatch) -> None:
        """Have the source wait about a second for an answer, where it would wait for many."""

    @abstractmethod
    async def start(self) -> None:
        """Answer; after `stop` at the address that it had before."""

    @abstractmethod
    async def stop(self) -> None:
        """Be gone, and cut off whoever is being answered."""

    @abstractmethod
    async def tell(self, places: Sequence[Place]) -> None:
        """Have these instances from now on; those who wait hear of it."""

    @property
    @abstractmethod
    def faults(self) -> Sequence[str]:
        """Ways to answer wrongly, each of which the gateway must take for no answer."""

    @abstractmethod
    async def misbehave(self, fault: str | None) -> None:
        """Answer as `fault` says (one of `faults`, or ``silence``), those who wait too; None: truly again."""

    @abstractmethod
    def mutations(self) -> Sequence[Any]:
        """True answers of which one value each is something else. None of them may break anything."""

    @abstractmethod
    async def mutated(self, mutation: Any) -> None:
        """Answer with one of `mutations`."""
