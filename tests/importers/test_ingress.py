"""Ingresses as others write them: what is taken over, and what is told."""

from __future__ import annotations

from pathlib import Path

from api_gateway_service_mesh.control.build import Build, build
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.importers import Imported, import_texts

HEAD = "apiVersion: networking.k8s.io/v1\nkind: Ingress\n"


def taken(text: str, **options: str) -> Imported:
    return import_texts("ingress", {"f.yaml": text}, **options)


def loaded(imported: Imported, folder: Path) -> Build:
    file = folder / "imported.ttl"
    file.write_text(imported.turtle, encoding="utf-8")
    return build(SourceGraph.load([file]))


def told(imported: Imported) -> list[str]:
    return [f"{finding.location} {finding.code}" for finding in imported.report.findings]


def test_paths_hosts_and_ports(tmp_path: Path) -> None:
    made = taken(
        HEAD
        + """\
metadata: {name: web, namespace: shop}
spec:
  ingressClassName: nginx
  defaultBackend: {service: {name: rest, port: {number: 80}}}
  rules:
    - host: shop.example.com
      http:
        paths:
          - {path: /api, pathType: Prefix, backend: {service: {name: api, port: {name: http}}}}
          - {path: /one, pathType: Exact, backend: {service: {name: api, port: {number: 8080}}}}
          - {path: /any, backend: {resource: {kind: Bucket, name: b}}}
---
apiVersion: v1
kind: Service
metadata: {name: api, namespace: shop}
spec: {ports: [{name: http, port: 8080}]}
"""
    )
    mesh = loaded(made, tmp_path).mesh
    routes = {(route.match.path.kind, route.match.path.text): route for route in mesh.routes}
    assert set(routes) == {("Prefix", ""), ("Prefix", "/api"), ("Exact", "/one"), ("Prefix", "/any")}
    assert routes["Prefix", "/api"].match.hosts == ("shop.example.com",) and routes["Prefix", ""].match.hosts == ()
    assert routes["Prefix", "/api"].upstream == routes["Exact", "/one"].upstream
    assert {end.authority for each in mesh.upstreams for end in each.endpoints} == {
        "rest.shop.svc:80", "api.shop.svc:8080"
    }  # fmt: skip
    assert told(made) == ["f.yaml:13:13 imported-differently", "f.yaml:13:35 not-imported"]


def test_annotations_of_nginx(tmp_path: Path) -> None:
    made = taken(
        HEAD
        + """\
metadata:
  name: web
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: "{}"
    nginx.ingress.kubernetes.io/rewrite-target: /$2
    nginx.ingress.kubernetes.io/limit-rps: "5"
    nginx.ingress.kubernetes.io/proxy-read-timeout: "30"
    nginx.ingress.kubernetes.io/backend-protocol: HTTPS
    nginx.ingress.kubernetes.io/force-ssl-redirect: "true"
    nginx.ingress.kubernetes.io/affinity: cookie
    nginx.ingress.kubernetes.io/whitelist-source-range: 10.0.0.0/8
spec:
  rules: [{http: {paths: [{path: "/api(/|$)(.*)", pathType: ImplementationSpecific, backend: {service: {name: a, port: {number: 443}}}}]}}]
"""
    )
    mesh = loaded(made, tmp_path).mesh
    (route,) = mesh.routes
    assert route.match.path.text == "/api(/|$)(.*)" and route.rewrite is not None
    assert (route.rewrite.pattern, route.rewrite.substitution) == ("^/api(/|$)(.*)$", "/\\2")
    assert route.redirect is not None and (route.redirect.scheme, route.redirect.status) == ("https", 308)
    assert route.timeout is not None and route.timeout.per_attempt_seconds == 30
    assert len(route.rate_limits) == 1 and mesh.upstreams[0].endpoints[0].tls
    assert route.balancer is not None and route.balancer.sticky is not None
    assert told(made) == ["f.yaml:13:5 not-imported", "f.yaml:15:28 imported-differently"]
    assert "open to all" in str(made.report.findings[0].remedy)


def test_tls_and_what_is_left_out() -> None:
    text = (
        HEAD
        + "metadata: {name: web}\nspec: {tls: [{secretName: site}], defaultBackend: {service: {name: a, port: {number: 80}}}}\n"
    )
    without, given = taken(text), taken(text, certificates="tls")
    assert told(without) == ["f.yaml:1:1 not-imported"] and "hasRedirect" not in without.turtle
    assert told(given) == [] and 'redirectScheme "https"' in given.turtle and "agw:port 80" in given.turtle
    canary = (
        HEAD + 'metadata: {name: c, annotations: {nginx.ingress.kubernetes.io/canary: "true"}}\nspec: {rules: []}\n'
    )
    assert told(taken(canary)) == ["f.yaml:1:1 not-imported"]
