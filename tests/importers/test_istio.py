"""Istio as others write it: what is taken over, and what is told."""

from __future__ import annotations

from pathlib import Path

from api_gateway_service_mesh.control.build import Build, build
from api_gateway_service_mesh.errors import Severity
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.importers import Imported, import_texts
from api_gateway_service_mesh.model import Algorithm, PathKind, RetryCondition, ValueKind

HEAD = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: web, namespace: shop}\nspec:\n"
TO = "route: [{destination: {host: one, port: {number: 80}}}]"


def taken(text: str, **options: str) -> Imported:
    return import_texts("istio", {"f.yaml": text}, **options)


def loaded(imported: Imported, folder: Path) -> Build:
    file = folder / "imported.ttl"
    file.write_text(imported.turtle, encoding="utf-8")
    return build(SourceGraph.load([file]))


def told(imported: Imported) -> list[str]:
    """Without the notes."""
    return [
        f"{finding.location} {finding.code}: {finding.message}"
        for finding in imported.report.findings
        if finding.severity is not Severity.INFO
    ]


def test_predicates(tmp_path: Path) -> None:
    made = taken(
        HEAD
        + f"""\
  hosts: [shop.example.com]
  http:
    - match:
        - uri: {{exact: /a}}
          method: {{regex: GET|HEAD}}
        - uri: {{prefix: /a/}}
          method: {{regex: GET|HEAD}}
      {TO}
    - match:
        - uri: {{regex: "/u/[^/]+"}}
          headers: {{X-Any: {{}}, x-start: {{prefix: "v1."}}}}
          queryParams: {{q: {{exact: "1"}}}}
      {TO}
"""
    )
    prefix, template = sorted(loaded(made, tmp_path).mesh.routes, key=lambda route: route.iri)
    assert (prefix.match.path.kind, prefix.match.path.text) == (PathKind.PREFIX, "/a")
    assert (prefix.match.methods, prefix.match.hosts) == (("GET", "HEAD"), ("shop.example.com",))
    assert template.match.path.text == "/u/{p1}"
    assert {(each.name, each.kind, each.value) for each in template.match.headers} == {
        ("x-any", ValueKind.PRESENT, ""), ("x-start", ValueKind.REGULAR_EXPRESSION, "v1\\..*")
    }  # fmt: skip
    assert template.match.query[0].value == "1" and told(made) == []


def test_never_does_a_route_take_more_than_it_did(tmp_path: Path) -> None:
    made = taken(
        HEAD
        + f"""\
  hosts: ["*"]
  http:
    - match: [{{uri: {{exact: /a}}, sourceLabels: {{app: x}}}}, {{uri: {{exact: /b}}, withoutHeaders: {{h: {{}}}}}}]
      {TO}
    - match: [{{uri: {{exact: /c}}, ignoreUriCase: true}}, {{uri: {{exact: /d}}}}]
      {TO}
    - match: [{{uri: {{exact: /e}}}}]
      delegate: {{name: other}}
"""
    )
    assert [route.match.path.text for route in loaded(made, tmp_path).mesh.routes] == ["/d"]
    assert [line.split(" ")[0] for line in told(made)] == ["f.yaml:7:15", "f.yaml:7:59", "f.yaml:9:15", "f.yaml:11:7"]


def test_prefixes_by_characters_are_told() -> None:
    for uri, words in (("/a", "takes /ax"), ("/a/", "does not take /a")):
        made = taken(HEAD + f"  hosts: [a.example.com]\n  http: [{{match: [{{uri: {{prefix: {uri}}}}}], {TO}}}]\n")
        (line,) = told(made)
        assert words in line and "imported-differently" in line


def test_an_order_that_agw_does_not_keep_is_told() -> None:
    rule = "    - {{match: [{{uri: {{{}}}}}], route: [{{destination: {{host: {}, port: {{number: 80}}}}}}]}}\n"
    general, special = rule.format("prefix: /", "one"), rule.format("exact: /a", "two")
    head = HEAD + "  hosts: [a.example.com]\n  http:\n"
    (line,) = told(taken(head + general + special))
    assert "GET /a: Istio asks web-1 (7) first, agw web-2" in line and line.startswith("f.yaml:8:")
    assert told(taken(head + special + general)) == []
    assert told(taken(head + general + rule.format("exact: /a", "one"))) == []


def test_policies(tmp_path: Path) -> None:
    made = taken(
        HEAD
        + """\
  hosts: [a.example.com]
  http:
    - match: [{uri: {exact: /old}}]
      redirect: {uri: /new}
    - match: [{uri: {exact: /gone}}]
      directResponse: {status: 410, body: {string: gone}}
    - match: [{uri: {prefix: /}, method: {exact: GET}}]
      rewrite: {uri: /in/, authority: in.example}
      timeout: 3s
      retries: {attempts: 3, perTryTimeout: 1s, retryOn: "5xx,reset,429,envoy-ratelimited"}
      fault: {delay: {fixedDelay: 1s, percentage: {value: 5}}, abort: {httpStatus: 503, percentage: {value: 0.5}}}
      mirror: {host: copy, port: {number: 81}}
      mirrorPercentage: {value: 10}
      headers: {request: {set: {a: b}}, response: {add: {c: "50%%", f: "%PROTOCOL%"}, remove: [e]}}
      route:
        - {destination: {host: one, port: {number: 80}}, weight: 90}
        - {destination: {host: one, subset: v2, port: {number: 80}}, weight: 10}
"""
    )
    mesh = loaded(made, tmp_path).mesh
    gone, old, route = (
        next(route for route in mesh.routes if route.match.path.text == path) for path in ("/gone", "/old", "")
    )
    assert gone.direct is not None and (gone.direct.status, gone.direct.body) == (410, "gone")
    assert old.redirect is not None and (old.redirect.status, old.redirect.full_path) == (301, "/new")
    assert route.rewrite is not None and (route.rewrite.prefix, route.rewrite.host) == ("/in/", "in.example")
    assert route.timeout is not None
    assert (route.timeout.total_seconds, route.timeout.per_attempt_seconds) == (3.0, 1.0)
    assert route.retry is not None and (route.retry.attempts, route.retry.statuses) == (3, (429,))
    assert route.retry.conditions == {RetryCondition.SERVER_ERROR, RetryCondition.RESET, RetryCondition.TIMEOUT}
    asked, answered = route.request_transformation, route.response_transformation
    assert asked is not None and asked.sets == (("a", "b"),)
    assert answered is not None and (answered.adds, answered.removes) == ((("c", "50%"),), ("e",))
    (fault,) = route.faults
    assert (fault.delay_seconds, fault.delay_percent, fault.abort_status, fault.abort_percent) == (1.0, 5.0, 503, 0.5)
    assert route.mirrors[0].percent == 10 and sorted(split.weight for split in route.splits) == [10, 90]
    assert [line.split(": ", 1)[0] for line in told(made)] == [
        "f.yaml:14:49 not-imported", "f.yaml:18:69 not-imported", "f.yaml:21:37 not-imported"
    ]  # fmt: skip


def test_destination_rules_and_service_entries(tmp_path: Path) -> None:
    made = taken(
        HEAD
        + """\
  hosts: [a.example.com]
  http: [{match: [{uri: {exact: /m}}], route: [{destination: {host: near}}]}, {route: [{destination: {host: far.example.com}}]}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: far}
spec:
  hosts: [far.example.com]
  ports: [{number: 443, name: https, protocol: HTTPS}]
  resolution: STATIC
  endpoints: [{address: 10.0.0.1, weight: 3}, {address: 10.0.0.2, ports: {https: 8443}}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: far}
spec:
  host: far.example.com
  trafficPolicy:
    connectionPool: {tcp: {maxConnections: 7, connectTimeout: 2s}, http: {h2UpgradePolicy: UPGRADE}}
    outlierDetection: {consecutive5xxErrors: 3, baseEjectionTime: 1m}
    tls: {mode: SIMPLE, sni: sni.example.com}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: near, namespace: shop}
spec:
  host: near.shop.svc.cluster.local
  trafficPolicy: {loadBalancer: {consistentHash: {httpHeaderName: x-user, maglev: {}}}, tls: {mode: ISTIO_MUTUAL}}
---
apiVersion: v1
kind: Service
metadata: {name: near, namespace: shop}
spec: {ports: [{port: 8080}], selector: {app: near}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: nobody}
spec: {host: nobody}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: closed}
spec: {}
"""
    )
    mesh = loaded(made, tmp_path).mesh
    far, near = sorted(mesh.upstreams, key=lambda upstream: upstream.iri)
    assert [(end.authority, end.tls, end.weight) for end in far.endpoints] == [
        ("10.0.0.1:443", True, 3), ("10.0.0.2:8443", True, 1)
    ]  # fmt: skip
    assert (far.pool.max_connections, far.pool.connect_timeout_seconds, far.protocol) == (7, 2.0, "h2")
    assert far.outlier is not None and (far.outlier.consecutive_errors, far.outlier.maximum_ejection_percent) == (3, 10)
    assert far.tls is not None and far.tls.server_name == "sni.example.com"
    assert near.endpoints[0].authority == "near.shop.svc:8080" and near.in_mesh and near.mtls_mode == "STRICT"
    by_service = {route.upstream: route.balancer for route in mesh.routes}
    weighted, hashed = by_service[far.iri], by_service[near.iri]
    assert weighted is not None and (weighted.algorithm, weighted.panic_threshold) == (Algorithm.WEIGHTED, 0)
    assert hashed is not None and str(hashed.hash_key) == "header:x-user" and hashed.hash_algorithm == "MAGLEV"
    assert ["nobody" in line or "AuthorizationPolicy" in line for line in told(made)] == [True, True]


def test_gateways(tmp_path: Path) -> None:
    made = taken(
        HEAD
        + f"""\
  hosts: [a.example.com, b.example.org]
  gateways: [shop/edge]
  http: [{{{TO}}}]
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: edge}}
spec:
  selector: {{istio: ingressgateway}}
  servers:
    - {{port: {{number: 8080, name: http, protocol: HTTP}}, hosts: ["shop/*.example.com"]}}
    - {{port: {{number: 443, name: https, protocol: HTTPS}}, hosts: ["*.example.com"], tls: {{mode: SIMPLE, credentialName: site}}}}
    - {{port: {{number: 9000, name: tcp, protocol: TCP}}, hosts: ["*.example.com"]}}
"""
    )
    mesh = loaded(made, tmp_path).mesh
    assert mesh.routes[0].match.hosts == ("a.example.com",) and [each.port for each in mesh.listeners] == [8080]
    assert [line.split(" ")[0] for line in told(made)] == ["f.yaml:16:7", "f.yaml:17:7"]
    assert 'agw:privateKeyRef "file:tls/site.key"' in taken(HEAD_ONLY, certificates="tls").turtle


HEAD_ONLY = """\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge}
spec: {servers: [{port: {number: 443, protocol: HTTPS}, hosts: ["*"], tls: {mode: MUTUAL, credentialName: site}}]}
"""
