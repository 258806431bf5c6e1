"""CORS policies of others: what is taken over, and what is told."""

from __future__ import annotations

from pathlib import Path

from api_gateway_service_mesh.importers import import_texts
from tests.importers.test_gateway_api import HEAD, loaded, taken

RULE = """\
  rules:
    - matches:
        - {path: {type: PathPrefix, value: /api}, method: PUT}
        - {path: {type: PathPrefix, value: /api}, method: OPTIONS,
           headers: [{name: Access-Control-Request-Method, value: PUT}]}
      filters:
        - type: CORS
          cors: %s
      backendRefs: [{name: one, port: 80}]
"""


def test_a_filter_and_its_preflights(tmp_path: Path) -> None:
    policy = "{allowOrigins: ['https://*.shop.example', 'capacitor://localhost'], allowMethods: ['*'], maxAge: 600}"
    made = taken(HEAD + RULE % policy)
    (route,) = loaded(made, tmp_path).mesh.routes
    assert route.match.methods == ("PUT",)
    assert route.cors is not None
    assert (route.cors.origins, route.cors.methods, route.cors.max_age_seconds) == (
        ("https://*.shop.example",),
        (),
        600,
    )
    assert [finding.message.partition(".cors: ")[2] for finding in made.report.findings] == [
        "agw names origins, and not by capacitor://localhost",
        "agw names methods; pages may call with those of the route, else GET, HEAD and POST",
    ]


def test_credentials_for_any_page_are_not_taken_over(tmp_path: Path) -> None:
    made = taken(HEAD + RULE % "{allowOrigins: ['*'], allowCredentials: true}")
    (route,) = loaded(made, tmp_path).mesh.routes
    assert route.cors is not None and (route.cors.origins, route.cors.credentials) == (("*",), False)
    assert "with credentials nothing can be any" in made.report.findings[0].message


def test_a_policy_of_istio(tmp_path: Path) -> None:
    text = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: shop}
spec:
  hosts: [a.example]
  http:
    - match: [{uri: {prefix: /api/}, method: {exact: PUT}}]
      corsPolicy:
        allowOrigins: [{exact: "https://a.example"}, {regex: 'https://([0-9a-z_-]+\\.)+b\\.example'}, {prefix: "https://c"}]
        allowMethods: [PUT]
        allowHeaders: [x-a]
        maxAge: 24h
      route: [{destination: {host: one, port: {number: 80}}}]
      retries: {attempts: 0}
"""
    made = import_texts("istio", {"f.yaml": text})
    (route,) = loaded(made, tmp_path).mesh.routes
    assert route.cors is not None
    assert set(route.cors.origins) == {"https://a.example", "https://*.b.example"}
    assert (route.cors.methods, route.cors.headers, route.cors.max_age_seconds) == (("PUT",), ("x-a",), 86400)
    assert any("not by https://c…" in finding.message for finding in made.report.findings)


def test_a_policy_without_an_origin_is_told() -> None:
    made = taken(HEAD + RULE % "{allowOrigins: ['https://*']}")
    assert "agw:hasCors" not in made.turtle
    assert any("no origin is left" in finding.message for finding in made.report.findings)
