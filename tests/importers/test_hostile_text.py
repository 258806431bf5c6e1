"""Whatever a text of somebody's configuration says, it becomes no statement: every string of every kind of file, values
and keys, is once one that would break out of Turtle, and what is written then says nothing that it did not say before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyoxigraph
import pytest
import yaml

from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.importers import BASE, SOURCES, import_texts
from api_gateway_service_mesh.manifests import render
from api_gateway_service_mesh.vocabulary import NAMESPACE, RDF_TYPE
from tests.support.rich_mesh import rich

from .test_envoy import text as envoy
from .test_kong import HEAD, SHOP
from .test_openapi import PETS

HOSTILE = (
    'w" ; <urn:evil:p> <urn:evil:o> . <urn:evil:s> a <urn:evil:c> . # """ \'\'\' \\" \\u0022 ] ; \n<urn:evil:s> a <urn:evil:c> .\r'
    " @prefix agw: <urn:evil:n#> . \\\\ > <urn:evil:i> {x} /../ \u2028\x85\u202e\U0001f600 \\"
)
INGRESS = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: web
  namespace: shop
  annotations: {nginx.ingress.kubernetes.io/rewrite-target: /, nginx.ingress.kubernetes.io/proxy-read-timeout: "5",
    nginx.ingress.kubernetes.io/limit-rps: "5", nginx.ingress.kubernetes.io/whitelist-source-range: 10.0.0.0/8,
    nginx.ingress.kubernetes.io/permanent-redirect: "https://a.example/", example.org/other: a}
spec:
  ingressClassName: nginx
  tls: [{hosts: [shop.example.com], secretName: site}]
  defaultBackend: {service: {name: rest, port: {number: 80}}}
  rules:
    - host: shop.example.com
      http:
        paths:
          - {path: /api, pathType: Prefix, backend: {service: {name: api, port: {name: http}}}}
          - {path: /one, pathType: Exact, backend: {service: {name: api, port: {number: 8080}}}}
---
apiVersion: v1
kind: Service
metadata: {name: api, namespace: shop}
spec: {ports: [{name: http, port: 8080}]}
"""
AT_ONCE = {"gateway-api": 9, "istio": 9}
"""Of files with thousands of strings each ninth is hostile in one run, and another in the next."""


def files(source: str) -> Iterator[list[Any]]:
    if source == "openapi":
        yield [yaml.safe_load(PETS)]
    elif source == "envoy":
        yield [yaml.safe_load(envoy())]
    elif source == "kong":
        yield [yaml.safe_load(HEAD + SHOP.format(one=8001, two=8002))]
    elif source == "ingress":
        yield list(yaml.safe_load_all(INGRESS))
    else:
        for mesh in rich().values():
            yield [
                document
                for manifest in render(mesh, source, allow_loss=True)
                for document in yaml.safe_load_all(manifest.text)
            ]


def strings(value: Any) -> int:
    """How many there are, keys too."""
    if isinstance(value, dict):
        return sum(1 + strings(item) for item in value.values())
    if isinstance(value, list):
        return sum(map(strings, value))
    return isinstance(value, str)


def spoilt(value: Any, chosen: Iterator[bool]) -> Any:
    """`value`, with those strings hostile that are chosen."""
    if isinstance(value, dict):
        return {(f"{key}{HOSTILE}" if next(chosen) else key): spoilt(item, chosen) for key, item in value.items()}
    if isinstance(value, list):
        return [spoilt(item, chosen) for item in value]
    return f"{value}{HOSTILE}" if isinstance(value, str) and next(chosen) else value


def fault(turtle: str) -> str | None:
    """What stands in `turtle` that no importer says."""
    for quad in pyoxigraph.parse(turtle.encode(), format=pyoxigraph.RdfFormat.TURTLE):
        subject, predicate, said = quad.subject, quad.predicate.value, quad.object
        if predicate != RDF_TYPE and not predicate.startswith(NAMESPACE):
            return f"predicate {predicate}"
        if isinstance(subject, pyoxigraph.NamedNode) and not subject.value.startswith((BASE, "https://", "http://")):
            return f"subject {subject}"
        if isinstance(said, pyoxigraph.NamedNode) and not said.value.startswith(
            (BASE, NAMESPACE, "https://", "http://")
        ):
            return f"object {said}"
    return None


@pytest.mark.parametrize("source", SOURCES)
def test_no_text_becomes_a_statement(source: str) -> None:
    runs = kept = 0
    for documents in files(source):
        count = strings(documents)
        step = AT_ONCE.get(source, count)
        for start in range(step):
            made = spoilt(documents, (at % step == start for at in range(count)))
            try:
                imported = import_texts(source, {"f.yaml": yaml.safe_dump_all(made)})
            except AgwError:
                continue  # what is no configuration any more is refused
            runs += 1
            kept += "urn:evil" in imported.turtle
            assert fault(imported.turtle) is None, (source, start, imported.turtle)
    assert runs > 10
    assert kept, "some texts go through, as text"


@pytest.mark.parametrize("source", SOURCES)
def test_what_is_imported_plainly_says_nothing_else_either(source: str) -> None:
    for documents in files(source):
        assert fault(import_texts(source, {"f.yaml": yaml.safe_dump_all(documents)}).turtle) is None


def test_the_check_sees_what_it_is_for() -> None:
    assert fault("<urn:evil:s> a <urn:evil:c> .")
    assert fault(f'<{BASE}a> <urn:evil:p> "x" .')
