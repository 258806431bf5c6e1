"""Kubernetes names made from IRIs, and the annotations that lead back to them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from hashlib import sha256

__all__ = [
    "ANNOTATION_GATEWAY",
    "ANNOTATION_ROUTES",
    "ANNOTATION_SERVICE",
    "duration",
    "metadata",
    "name_of",
    "names",
    "span",
]

ANNOTATION_GATEWAY = "agw.ggen.ai/gateway"
ANNOTATION_ROUTES = "agw.ggen.ai/routes"
ANNOTATION_SERVICE = "agw.ggen.ai/service"

_LONGEST = 63  # RFC 1123 label: what a Service may be called, and so short enough for every kind
_LONGEST_ANNOTATION = 128 << 10  # of 256 KiB that all annotations of an object may have


def name_of(text: str, *, longest: int = _LONGEST) -> str:
    """A DNS-1123 label from a name such as ``ex:products``: its local part, lower case, dashes for the rest."""
    local = re.split(r"[/#:]", text.rstrip("/#:"))[-1] or text
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", local)  # productsStable → products-stable
    slug = re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")
    if slug and len(slug) <= longest:
        return slug
    return f"{slug[: longest - 9].rstrip('-') or 'agw'}-{_mark(text)}"


def names(iris: Iterable[tuple[str, str]]) -> dict[str, str]:
    """IRI → name for pairs of IRI and display name; those that would be called the same carry a mark of their IRI."""
    made = {iri: name_of(name) for iri, name in iris}
    marked: set[str] = set()
    while True:  # a mark may make the name that another has by nature: then that one is marked, too
        taken = Counter(made.values())
        clashing = {iri for iri, name in made.items() if taken[name] > 1} - marked
        if not clashing:
            return made
        marked |= clashing
        made |= {iri: f"{made[iri][: _LONGEST - 9].rstrip('-')}-{_mark(iri)}" for iri in clashing}


def _mark(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:8]


def metadata(name: str, namespace: str | None, **annotations: str | Iterable[str]) -> dict[str, object]:
    """``metadata`` with agw's annotations: ``gateway``, ``service`` (an IRI), ``routes`` (several).

    Routes are left out when there are too many for an annotation; a VirtualService's routes also carry their IRI.
    """
    keys = {"gateway": ANNOTATION_GATEWAY, "service": ANNOTATION_SERVICE, "routes": ANNOTATION_ROUTES}
    stated: dict[str, str] = {}
    for kind, value in annotations.items():
        text = value if isinstance(value, str) else " ".join(dict.fromkeys(value))
        if text and len(text.encode()) <= _LONGEST_ANNOTATION:
            stated[keys[kind]] = text
    made: dict[str, object] = {"name": name}
    if namespace:
        made["namespace"] = namespace
    made["labels"] = {"app.kubernetes.io/managed-by": "agw"}
    if stated:
        made["annotations"] = stated
    return made


def duration(seconds: float) -> str:
    """Seconds as a duration that Go and Envoy read: ``5s``, ``250ms``; at least 1 ms."""
    milliseconds = max(1, round(seconds * 1000))
    return f"{milliseconds // 1000}s" if milliseconds % 1000 == 0 else f"{milliseconds}ms"


def span(seconds: float) -> str:
    """Seconds as a duration of Gateway API (GEP-2257), which takes five digits a unit at most: ``1h40m``, ``90s``."""
    milliseconds = max(1, round(seconds * 1000))
    if milliseconds < 100_000 and milliseconds % 1000:
        return f"{milliseconds}ms"
    whole, rest = divmod(milliseconds, 1000)
    if whole < 100_000:
        return f"{whole}s{rest}ms" if rest else f"{whole}s"
    hours, within = divmod(whole, 3600)
    minutes, left = divmod(within, 60)
    parts = ((min(hours, 99_999), "h"), (minutes, "m"), (left, "s"), (rest, "ms"))
    return "".join(f"{number}{unit}" for number, unit in parts if number)
