"""Gateway API as others write it: what is taken over, and what is told."""

from __future__ import annotations

from pathlib import Path

from api_gateway_service_mesh.control.build import Build, build
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.importers import Imported, import_texts

HEAD = "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: web, namespace: shop}\nspec:\n"


def taken(text: str, **options: str) -> Imported:
    return import_texts("gateway-api", {"f.yaml": text}, **options)


def loaded(imported: Imported, folder: Path) -> Build:
    file = folder / "imported.ttl"
    file.write_text(imported.turtle, encoding="utf-8")
    return build(SourceGraph.load([file]))


def said(imported: Imported) -> list[str]:
    return [f"{finding.location} {finding.code}: {finding.message}" for finding in imported.report.findings]


def test_a_rule_with_alternatives(tmp_path: Path) -> None:
    made = taken(
        HEAD
        + """\
  hostnames: [Shop.example.com]
  rules:
    - matches:
        - {path: {type: PathPrefix, value: /api/}, method: GET}
        - {path: {type: PathPrefix, value: /api/}, method: POST}
        - {path: {type: Exact, value: /old}, headers: [{name: X-Beta, value: "on"}]}
      filters:
        - {type: URLRewrite, urlRewrite: {hostname: in.example, path: {type: ReplaceFullPath, replaceFullPath: /x}}}
        - {type: RequestMirror, requestMirror: {backendRef: {name: shadow, port: 80}, percent: 5}}
      timeouts: {request: 1m30s, backendRequest: 250ms}
      backendRefs: [{name: one, port: 80, weight: 1}, {name: two, port: 80, weight: 2}]
"""
    )
    mesh = loaded(made, tmp_path).mesh
    first, second = sorted(mesh.routes, key=lambda route: route.iri)
    assert (first.match.methods, first.match.path.text, first.match.hosts) == (
        ("GET", "POST"), "/api", ("shop.example.com",)
    )  # fmt: skip
    assert second.match.headers[0].name == "x-beta"
    assert second.rewrite is not None and (second.rewrite.host, second.rewrite.full_path) == ("in.example", "/x")
    assert sorted(split.weight for split in first.splits) == [33, 67]
    assert first.timeout is not None
    assert (first.timeout.total_seconds, first.timeout.per_attempt_seconds) == (90.0, 0.25)
    assert first.mirrors[0].percent == 5
    assert {end.host for upstream in mesh.upstreams for end in upstream.endpoints} == {
        "one.shop.svc", "two.shop.svc", "shadow.shop.svc"
    }  # fmt: skip
    assert sorted(finding.message for finding in made.report.findings) == [
        "a route that takes GET takes HEAD in agw, too; Gateway API answers HEAD only where it is stated",
        "web: shares are whole per cents here; the weights [1, 2] became [33, 67]",
    ]
    assert not made.complete


def test_header_fields_are_changed(tmp_path: Path) -> None:
    made = taken(
        HEAD
        + """\
  rules:
    - filters:
        - type: RequestHeaderModifier
          requestHeaderModifier: {set: [{name: A, value: b}], add: [{name: C, value: d}], remove: [X-D]}
        - {type: ResponseHeaderModifier, responseHeaderModifier: {remove: [Server]}}
      backendRefs: [{name: one, port: 80}]
"""
    )
    (route,) = loaded(made, tmp_path).mesh.routes
    asked, told = route.request_transformation, route.response_transformation
    assert asked is not None and (asked.sets, asked.adds, asked.removes) == ((("A", "b"),), (("C", "d"),), ("x-d",))
    assert told is not None and (told.sets, told.removes) == ((), ("server",))
    assert made.complete


def test_what_is_not_taken_over_is_told_with_its_line() -> None:
    made = taken(
        HEAD
        + """\
  rules:
    - matches: [{path: {type: RegularExpression, value: "/a(?=b)"}}]
      backendRefs: [{name: one, port: 80}]
    - filters:
        - {type: ExtensionRef, extensionRef: {group: x, kind: y, name: z}}
      sessionPersistence: {type: Cookie}
      backendRefs: [{name: far, namespace: other, port: 80}, {kind: Thing, group: x, name: y}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: TCPRoute
metadata: {name: raw}
---
nonsense: true
"""
    )
    assert [line.split(" ", 1)[0] for line in said(made)] == [
        "f.yaml:6:24", "f.yaml:9:11", "f.yaml:10:7", "f.yaml:11:21", "f.yaml:11:62", "f.yaml:13:1", "f.yaml:17:1"
    ]  # fmt: skip
    assert all(finding.remedy for finding in made.report.findings)
    assert "6 parts were not taken over" in made.turtle


def test_grants_listeners_and_hosts(tmp_path: Path) -> None:
    made = taken(
        HEAD
        + """\
  parentRefs: [{name: edge}]
  hostnames: [a.example.com, b.example.org]
  rules: [{backendRefs: [{name: far, namespace: other, port: 80}]}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: shop}
spec:
  gatewayClassName: any
  listeners:
    - {name: web, port: 8080, protocol: HTTP, hostname: "*.example.com"}
    - {name: raw, port: 9000, protocol: TCP}
---
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: {name: grant, namespace: other}
spec:
  from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop}]
  to: [{group: "", kind: Service}]
"""
    )
    mesh = loaded(made, tmp_path).mesh
    (route,) = mesh.routes
    assert route.match.hosts == ("a.example.com",) and [each.port for each in mesh.listeners] == [8080]
    assert [line.split(" ", 1)[0] for line in said(made)] == ["f.yaml:16:7"]


def test_a_port_with_tls_needs_its_certificates() -> None:
    text = """\
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  listeners: [{name: s, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: site}]}}]
"""
    without, given = taken(text), taken(text, certificates="tls")
    assert "hasListener" not in without.turtle and len(said(without)) == 1
    assert 'agw:certificateFile "tls/site.crt"' in given.turtle and said(given) == []


def test_the_first_rule_wins_where_two_tie(tmp_path: Path) -> None:
    rules = "".join(f"    - {{backendRefs: [{{name: b{n}, port: 80}}]}}\n" for n in (2, 1))
    mesh = loaded(taken(HEAD + "  rules:\n" + rules), tmp_path).mesh
    assert sorted(route.match.priority for route in mesh.routes) == [0, 1]
    (first,) = [route for route in mesh.routes if route.match.priority]
    assert first.upstream is not None and first.upstream.endswith("#b2")


def test_addresses_of_services_among_the_files(tmp_path: Path) -> None:
    made = taken(
        HEAD
        + """\
  rules: [{backendRefs: [{name: listed, port: 80}]}, {matches: [{path: {value: /x}}], backendRefs: [{name: out, port: 81}]}]
---
apiVersion: v1
kind: Service
metadata: {name: out, namespace: shop}
spec: {type: ExternalName, externalName: out.example.com}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: listed-1, namespace: shop, labels: {kubernetes.io/service-name: listed}}
addressType: IPv4
ports: [{name: http, port: 8080, protocol: TCP}]
endpoints: [{addresses: [10.0.0.1], conditions: {ready: true}, zone: z1}, {addresses: [10.0.0.2]}]
"""
    )
    ends = {end.authority for each in loaded(made, tmp_path).mesh.upstreams for end in each.endpoints}
    assert ends == {"out.example.com:81", "10.0.0.1:8080", "10.0.0.2:8080"} and said(made) == []
