"""``agw load``: ontology, shapes and configuration into any triple store, by the Graph Store Protocol."""

from __future__ import annotations

import io
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from urllib.parse import urlencode

import pyoxigraph as ox

from api_gateway_service_mesh import resources
from api_gateway_service_mesh.errors import AgwError, ClientError
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.model.url import url_parts
from api_gateway_service_mesh.vocabulary import GRAPH_CONFIG, GRAPH_ONTOLOGY, GRAPH_SHAPES

from .delta import ntriples
from .store import StoreUnavailable

__all__ = ["graph_store_of", "graphs_to_load", "put_graph"]

_SECONDS = 60.0
_BELOW = ("", "/store", "/data")


def graphs_to_load(source: SourceGraph) -> Iterator[tuple[str, int, bytes]]:
    """The named graphs that make a configuration understood: each one's IRI, triples, and N-Triples."""
    for name, folder in ((GRAPH_ONTOLOGY, resources.ontology()), (GRAPH_SHAPES, resources.shapes())):
        triples = list(dict.fromkeys(_read(sorted(folder.glob("*.ttl")))))
        yield name, len(triples), ntriples(triples)
    yield GRAPH_CONFIG, len(source.triples), ntriples(source.triples)


def _read(files: Iterable[Path]) -> Iterator[ox.Triple]:
    for file in files:
        for quad in ox.parse(path=file, format=ox.RdfFormat.TURTLE, rename_blank_nodes=True):
            yield quad.triple


def graph_store_of(store: str) -> str:
    """The Graph Store endpoint of a triple store: the URL itself, or ``/store`` (Oxigraph) or ``/data`` (Fuseki, agw)
    below it, whichever answers.

    Raises:
        ClientError: `store` is no URL of HTTP, or has no Graph Store.
        StoreUnavailable: nothing answers there.
    """
    if not store.startswith(("http://", "https://")):
        raise ClientError(f"{store!r} is no URL of a triple store", remedy="write http://127.0.0.1:7878")
    base = store.rstrip("/")
    for below in _BELOW:
        status, media_type = _asked(f"{base}{below}?{urlencode({'graph': GRAPH_CONFIG})}")
        # A graph that is not there yet is a 404 as well, but not one in HTML or without a word at the root.
        if status == 200 and media_type.startswith(("application/n-triples", "text/plain")):
            return f"{base}{below}"
        if status in (200, 404) and below and _asked(f"{base}{below}?default")[0] == 200:
            return f"{base}{below}"
    raise ClientError(
        f"no Graph Store answers at {store}", remedy="name the endpoint itself, as http://host/dataset/data"
    )


class _Told(io.BytesIO):
    """A body that tells how much of it was read."""

    def __init__(self, body: bytes, told: Callable[[int], None]) -> None:
        super().__init__(body)
        self._told = told

    def read(self, size: int | None = -1, /) -> bytes:
        part = super().read(size)
        if part:
            self._told(self.tell())
        return part


def put_graph(endpoint: str, name: str, body: bytes, told: Callable[[int], None] | None = None) -> None:
    """Put one named graph in the place of what the store holds of it. ``told`` hears how many bytes were sent.

    Raises:
        StoreUnavailable: it is not taken.
    """
    request = _request(f"{endpoint}?{urlencode({'graph': name})}", body if told is None else _Told(body, told))
    request.method = "PUT"
    request.add_header("Content-Length", str(len(body)))
    request.add_header("Content-Type", "application/n-triples")
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS):  # noqa: S310
            return
    except urllib.error.HTTPError as error:
        said = error.read(2000).decode("utf-8", "replace").strip()
        raise AgwError(f"the store refuses {name}: {error.code} {said or error.reason}") from None
    except OSError as error:
        raise StoreUnavailable(f"{endpoint} does not take {name}: {error}") from None


def _request(url: str, body: bytes | io.BytesIO | None = None) -> urllib.request.Request:
    url_parts(url)
    request = urllib.request.Request(url, data=body, headers={"Accept": "application/n-triples"})  # noqa: S310
    if authorization := os.environ.get("AGW_STORE_AUTHORIZATION"):
        request.add_header("Authorization", authorization)
    return request


def _asked(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(_request(url), timeout=_SECONDS) as answer:  # noqa: S310
            return int(answer.status), answer.headers.get("Content-Type", "")
    except urllib.error.HTTPError as error:
        return error.code, ""
    except OSError as error:
        raise StoreUnavailable(f"no triple store answers at {url.partition('?')[0]}: {error}") from None
