"""The corpus of odd and hostile requests; written from RFC 9110 and 9112 and from the public classes of request smuggling
(CL.TE, TE.CL, TE.TE, chunk extensions, Host, target forms, upgrades, pipelines)."""

from __future__ import annotations

from . import hostile_framing as framing
from . import hostile_heads as heads
from . import hostile_octets as octets
from .hostile_request import RequestCase

__all__ = ["REQUESTS"]

_GROUPS = (
    framing.framing,
    framing.chunks,
    framing.upgrades,
    framing.expectations,
    framing.pipelines,
    heads.hosts,
    heads.targets,
    heads.versions,
    heads.methods,
    heads.fields,
    heads.sizes,
    heads.hops,
    octets.octets_in_codings,
    octets.octets_in_lengths,
    octets.octets_in_chunks,
    octets.octets_in_hosts,
    octets.octets_in_lines,
)
REQUESTS: dict[str, tuple[RequestCase, ...]] = {group.__name__: tuple(group()) for group in _GROUPS}
