"""Who is calling, as far as that is proved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Caller"]


@dataclass(frozen=True, slots=True)
class Caller:
    """What is proved of who is calling; empty where nothing is. ``key`` is the IRI of the API key. ``names`` are the
    subject alternative names of a client certificate: ``dns:NAME``, ``uri:NAME``, ``ip:ADDRESS``, ``email:ADDRESS``."""

    issuer: str = ""
    subject: str = ""
    claims: Mapping[str, Any] = field(default_factory=dict)
    scopes: frozenset[str] = frozenset()
    key: str = ""
    key_owner: str = ""
    spiffe_id: str = ""
    names: tuple[str, ...] = ()

    @property
    def principals(self) -> tuple[str, ...]:
        """Every name that the caller goes by: ``jwt:ISSUER/SUBJECT``, ``key:OWNER``, the SPIFFE ID, the certificate's
        names."""
        found = []
        if self.issuer or self.subject:
            found.append(f"jwt:{self.issuer}/{self.subject}")
        if self.key_owner:
            found.append(f"key:{self.key_owner}")
        if self.spiffe_id:
            found.append(self.spiffe_id)
        return (*found, *self.names)
