"""Which coding an answer gets: what a client says it takes (Accept-Encoding, RFC 9110 §12.5.3), and what is offered."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from api_gateway_service_mesh.model import Compression, Route

from .decision import ExplainRequest
from .part import Part, cite

__all__ = ["choose_coding", "compression_part", "type_test"]

_ELEMENT: Final = re.compile(r"([!#$%&'*+.^_`|~0-9a-z-]+)[ \t]*(?:;[ \t]*q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?))?")


def choose_coding(accepts: str | None, offered: Sequence[str]) -> str | None:
    """The coding of `offered` (the best first) that the client likes most; None: the answer stays as it is, because it
    takes none, likes it better so, or does not say."""
    if not accepts:
        return None
    weights: dict[str, float] = {}
    for part in accepts.lower().split(","):
        match = _ELEMENT.fullmatch(part.strip(" \t"))
        if match is not None:
            name = "gzip" if match[1] == "x-gzip" else match[1]
            weights.setdefault(name, 1.0 if match[2] is None else float(match[2]))
    others = weights.get("*", 0.0)
    best, most = None, 0.0
    for coding in offered:
        weight = weights.get(coding, others)
        if weight > most:
            best, most = coding, weight
    return None if weights.get("identity", 0.0) > most else best


def type_test(types: Sequence[str]) -> Callable[[str], bool]:
    """Whether a Content-Type is one of `types`. Streams of events and gRPC never are."""
    exact = frozenset(kind for kind in types if "*" not in kind)
    parts = tuple((start, end) for start, _, end in (kind.partition("*") for kind in types if "*" in kind))

    def holds(value: str) -> bool:
        kind = value.partition(";")[0].strip(" \t").lower()
        if kind == "text/event-stream" or kind.startswith("application/grpc"):
            return False
        if kind in exact:
            return True
        for start, end in parts:
            if kind.startswith(start) and kind.endswith(end) and len(kind) > len(start) + len(end):
                return True
        return False

    return holds


def compression_part(route: Route, compression: Compression, request: ExplainRequest | None) -> Part:
    """What is offered, and what a request gets that says what it takes."""
    iri, standard = compression.iri, Compression("")
    cited = [cite(route.iri, "hasCompression", iri)]
    if compression.codings != standard.codings:
        cited += [cite(iri, "offersCoding", coding) for coding in compression.codings]
    if compression.types != standard.types:
        cited += [cite(iri, "compressesType", kind) for kind in compression.types]
    if compression.minimum_bytes != standard.minimum_bytes:
        cited.append(cite(iri, "minimumBytes", str(compression.minimum_bytes)))
    if compression.effort is not standard.effort:
        cited.append(cite(iri, "compressionEffort", compression.effort.value))
    text = f"{', '.join(compression.codings)} for answers of {compression.minimum_bytes} bytes and more"
    if compression.types != standard.types:
        text += f", of {', '.join(compression.types)}"
    accepts = request.fields.get("accept-encoding") if request is not None else None
    if accepts is not None:
        text += f"; this client gets {choose_coding(accepts, compression.codings) or 'them as they are'}"
    return Part("compression", iri, text, tuple(cited))
