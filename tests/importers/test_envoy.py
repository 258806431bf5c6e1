"""Envoy's bootstrap: what is taken over, and that agw then does as a real Envoy with the same file."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import urljoin

import pytest

from api_gateway_service_mesh.control.build import Build, build
from api_gateway_service_mesh.errors import ConfigError, Severity
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.importers import Imported, import_texts
from tests.parity.running import ENVOY, free_port, started
from tests.support.backend import Received, answer, backend, read_answer, says
from tests.support.gateway import running

MANAGER = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
BOOTSTRAP = """\
static_resources:
  listeners:
    - name: web
      address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
      filter_chains:
        - filters:
            - name: hcm
              typed_config:
                "@type": {manager}
                stat_prefix: web
                route_config:
                  virtual_hosts:
                    - name: shop
                      domains: [shop.example, "*.shop.example"]
                      response_headers_to_add: [{{header: {{key: x-host, value: shop}}, append_action: OVERWRITE_IF_EXISTS_OR_ADD}}]
                      routes:
                        - match: {{path_separated_prefix: /a}}
                          route: {{cluster: one}}
                        - match: {{path: /a/exact}}
                          route: {{cluster: two}}
                        - match: {{safe_regex: {{regex: "/n/[0-9]+"}}}}
                          route: {{cluster: two, host_rewrite_literal: two.internal}}
                        - match: {{path_separated_prefix: /n}}
                          route: {{cluster: one, timeout: 3s, retry_policy: {{retry_on: "5xx,reset", num_retries: 2}}}}
                        - match: {{path_separated_prefix: /v, headers: [{{name: x-v, string_match: {{exact: "2"}}}}]}}
                          route: {{cluster: two, prefix_rewrite: /v2}}
                        - match: {{path_separated_prefix: /v/1}}
                          route: {{cluster: one}}
                        - match: {{path: /q, query_parameters: [{{name: k, string_match: {{exact: "1"}}}}]}}
                          route: {{cluster: one}}
                        - match: {{path: /q, headers: [{{name: ":method", string_match: {{exact: POST}}}}]}}
                          route: {{cluster: two}}
                        - match: {{prefix: /s/}}
                          route: {{cluster: two, prefix_rewrite: /t/}}
                        - match: {{path: /s}}
                          route: {{cluster: one}}
                        - match: {{path: /gone}}
                          direct_response: {{status: 410, body: {{inline_string: gone}}}}
                        - match: {{path: /old}}
                          redirect: {{path_redirect: /new, response_code: FOUND}}
                        - match: {{path_separated_prefix: /moved}}
                          redirect: {{prefix_rewrite: /there, host_redirect: other.example}}
                        - match: {{path: /CASE, case_sensitive: false}}
                          route: {{cluster: one}}
                        - match: {{path: /all}}
                          route: {{weighted_clusters: {{clusters: [{{name: one, weight: 0}}, {{name: two, weight: 100}}]}}}}
                        - match: {{path_separated_prefix: /h}}
                          route: {{cluster: one}}
                          request_headers_to_add: [{{header: {{key: x-by, value: gate}}}}]
                          request_headers_to_remove: [x-secret]
                    - name: rest
                      domains: ["*"]
                      routes:
                        - match: {{prefix: /}}
                          route: {{cluster: one, regex_rewrite: {{pattern: {{regex: "^/r/(.*)$"}}, substitution: '/\\1'}}}}
                http_filters:
                  - {{name: router, typed_config: {{"@type": {router}}}}}
  clusters:
    - name: one
      connect_timeout: 2s
      load_assignment: {{cluster_name: one, endpoints: [{{lb_endpoints: [{{endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {one}}}}}}}}}]}}]}}
      circuit_breakers: {{thresholds: [{{max_connections: 50, max_requests: 70}}]}}
      outlier_detection: {{consecutive_5xx: 9, base_ejection_time: 5s}}
    - name: two
      load_assignment: {{cluster_name: two, endpoints: [{{lb_endpoints: [{{endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {two}}}}}}}}}]}}]}}
"""
REQUESTS = [
    (host, method, path, fields)
    for host in ("shop.example", "a.shop.example", "other.test")
    for method, path, fields in [
        ("GET", "/a", ""), ("GET", "/a/exact", ""), ("GET", "/ab", ""), ("GET", "/n/7", ""), ("GET", "/n/x", ""),
        ("GET", "/n", ""), ("GET", "/v/1", ""), ("GET", "/v/1/z?q=1", "x-v: 2\r\n"), ("GET", "/v/9", ""),
        ("GET", "/v", "x-v: 2\r\n"), ("GET", "/q?k=1", ""), ("POST", "/q?k=1", ""), ("POST", "/q", ""), ("GET", "/q", ""),
        ("GET", "/s", ""), ("GET", "/s/x", ""), ("GET", "/s/", ""), ("GET", "/gone", ""), ("GET", "/old?x=1", ""), ("GET", "/moved/by", ""), ("GET", "/case", ""), ("GET", "/all", ""),
        ("GET", "/h/x", "x-secret: 1\r\n"), ("GET", "/r/s", ""), ("GET", "/nothing", ""), ("DELETE", "/", ""),
    ]
]  # fmt: skip


def text(one: int = 8001, two: int = 8002, port: int = 8000) -> str:
    return BOOTSTRAP.format(one=one, two=two, port=port, manager=MANAGER, router=ROUTER)


def loaded(imported: Imported, folder: Path) -> Build:
    file = folder / "imported.ttl"
    file.write_text(imported.turtle, encoding="utf-8")
    made = build(SourceGraph.load([file]))
    assert made.report.violations == ()
    return made


def told(imported: Imported) -> list[str]:
    """Without the notes."""
    return [
        f"{finding.location}: {finding.message}"
        for finding in imported.report.findings
        if finding.severity is not Severity.INFO
    ]


async def asked(port: int, host: str, method: str, path: str, fields: str) -> Received:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    framing = "Content-Length: 0\r\n" if method == "POST" else ""
    writer.write(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{framing}{fields}\r\n".encode())
    got = await read_answer(reader)
    writer.close()
    return got


@pytest.mark.skipif(ENVOY is None, reason="there is no envoy program beside Python or on the path")
async def test_what_is_imported_does_as_envoy_does(tmp_path: Path) -> None:
    async with backend(says(answer(b"one"))) as one, backend(says(answer(b"two"))) as two:
        port = free_port()
        file = tmp_path / "envoy.yaml"
        file.write_text(text(one.port, two.port, port))
        imported = import_texts("envoy", {"envoy.yaml": file.read_text()})
        assert told(imported) == []
        mesh = loaded(imported, tmp_path).mesh
        differing = []
        async with started(file, port), running(mesh) as gateway:
            for request in REQUESTS:
                seen = []
                for where in (port, gateway.port):
                    one.requests.clear()
                    two.requests.clear()
                    got = await asked(where, *request)
                    reached = [(name, *request_seen(each)) for name, each in
                               [*(("one", r) for r in one.requests), *(("two", r) for r in two.requests)]]  # fmt: skip
                    status = int(got.line.split()[1])
                    seen.append((status, sent_to(request, got), got.get("x-host") if status == 200 else None, reached))
                if seen[0] != seen[1]:
                    differing.append((request, *seen))
        assert differing == []


def sent_to(request: tuple[str, str, str, str], got: Received) -> str | None:
    """Envoy's places are whole, agw's are relative where the host stays."""
    place = got.get("location")
    return None if place is None else urljoin(f"http://{request[0]}{request[2]}", place)


def request_seen(request: Received) -> tuple[object, ...]:
    method, path, _ = request.line.split(" ")
    return method, path, request.get("host"), request.get("x-by"), request.get("x-secret")


def test_clusters_come_with_what_bounds_them(tmp_path: Path) -> None:
    mesh = loaded(import_texts("envoy", {"e.yaml": text()}), tmp_path).mesh
    one = next(upstream for upstream in mesh.upstreams if upstream.name == "one")
    assert one.pool is not None and (one.pool.max_connections, one.pool.connect_timeout_seconds) == (50, 2)
    assert one.outlier is not None and one.outlier.consecutive_errors == 9
    assert {listener.port for listener in mesh.listeners} == {8000}


def test_what_has_no_counterpart_is_told_and_what_guards_closes(tmp_path: Path) -> None:
    made = text().replace(
        "                  - {name: router",
        '                  - {name: rbac, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC}}\n'
        "                  - {name: router",
    )
    made = made.replace("{path: /gone}", "{path: /gone, grpc: {}}").replace(
        "cluster: one, timeout", "cluster: missing, timeout"
    )
    made = made.replace("name: x-v, ", "name: x-v, invert_match: true, ").replace('domains: ["*"]', 'domains: ["a.*"]')
    imported = import_texts("envoy", {"e.yaml": made})
    mesh = loaded(imported, tmp_path).mesh
    assert mesh.routes and all(route.authorization for route in mesh.routes)
    said = told(imported)
    for wanted in (
        "does not match by grpc",
        "what x-v is not",
        "there is no cluster missing",
        "RBAC is not taken over",
        "a.*",
    ):
        assert any(wanted in line and line.startswith("e.yaml:") for line in said), (wanted, said)


JWT = """\
                  - name: jwt
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication
                      providers:
                        id: {issuer: "https://id.example/", audiences: [shop], forward: true,
                          remote_jwks: {http_uri: {uri: "https://id.example/keys", cluster: one, timeout: 1s}}}
                      rules: [{match: {prefix: "/"}, requires: {provider_name: id}}]
"""


@pytest.mark.parametrize(
    ("old", "new"), [("", ""), ("audiences: [shop], ", ""), ('prefix: "/"', 'prefix: "/x"'), ("name: id}", "name: no}")]
)
def test_tokens_are_asked_for_or_nobody_is_let_in(old: str, new: str, tmp_path: Path) -> None:
    filters = JWT.replace(old, new) if old else JWT
    made = text().replace("                  - {name: router", f"{filters}                  - {{name: router")
    imported = import_texts("envoy", {"e.yaml": made})
    mesh = loaded(imported, tmp_path).mesh
    assert mesh.routes
    if old:
        assert all(route.authorization and not route.authentication for route in mesh.routes)
        assert any("JwtAuthentication is not taken over" in line for line in told(imported))
    else:
        assert all(route.authentication and not route.authorization for route in mesh.routes)
        assert told(imported) == []


@pytest.mark.parametrize("wrong", ["a: 1", "static_resources: 7", "- 1", "static_resources: {listeners: [&a [*a]]}"])
def test_what_is_no_bootstrap_is_refused(wrong: str) -> None:
    with pytest.raises(ConfigError) as error:
        import_texts("envoy", {"e.yaml": wrong})
    (finding,) = error.value.report.findings
    assert finding.remedy and finding.location is not None
