"""The namespace itself, misspelt: then no term is ours, nothing is checked, and nothing would be served.

``http`` for ``https``, a missing ``#``, ``/`` in its place: a prefix for such an IRI is a violation. A prefix called
``agw:`` that stands for something else altogether is a warning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from api_gateway_service_mesh.errors import Finding, Severity

from .document import Document, location_at
from .terms import AGW

__all__ = ["misspelt_namespaces"]

_SCHEME = re.compile(r"^[a-z]+://(?:www\.)?", re.IGNORECASE)


def misspelt_namespaces(document: Document, prefixes: Mapping[str, str]) -> Iterator[Finding]:
    """One finding for each prefix of a document that was meant for the ontology's namespace and is not it."""
    for prefix, iri in prefixes.items():
        near = _letters(iri) == _letters(AGW)
        if iri == AGW or (not near and (prefix != "agw" or AGW in prefixes.values())):
            continue
        declared = re.search(rf"prefix\s+{re.escape(prefix)}:\s*(<{re.escape(iri)}>)", document.text, re.IGNORECASE)
        start = declared.start(1) if declared else 0
        line = document.text[document.text.rfind("\n", 0, start) + 1 :].split("\n", 1)[0]
        yield Finding(
            "misspelt-namespace",
            f"the prefix {prefix}: does not stand for the namespace of the agw ontology, so its terms are unknown",
            Severity.VIOLATION if near else Severity.WARNING,
            location_at(document, start) if declared else None,
            value=f"<{iri}>",
            suggestion=f"<{AGW}>" if near else None,
            remedy=f"write: @prefix {prefix}: <{AGW}> .",
            details=(("source", line.rstrip()), ("span", str(len(iri) + 2))) if declared else (),
        )


def _letters(iri: str) -> str:
    return re.sub(r"[^a-z0-9]", "", _SCHEME.sub("", iri).lower())
