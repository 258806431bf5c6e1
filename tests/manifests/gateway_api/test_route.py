"""HTTPRoutes decide as the table does: read by the rules of Gateway API's own specification."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import re2
import yaml
from hypothesis import HealthCheck as Check
from hypothesis import given, settings

from api_gateway_service_mesh.manifests import Rendering, render
from api_gateway_service_mesh.manifests.name import span
from api_gateway_service_mesh.model import Endpoint, Mesh, PathKind, Redirect, Rewrite, Route, Timeout, Upstream
from api_gateway_service_mesh.routing import compile_table
from tests.support.mesh_model import shop
from tests.support.routes import EX, Request, header, mesh, requests, route, route_sets


def objects(rendering: Rendering, kind: str) -> list[dict[str, Any]]:
    documents = [yaml.safe_load(manifest.text) for manifest in rendering]
    return [document for document in documents if document["kind"] == kind]


def made(of: Mesh, **options: Any) -> Rendering:
    return render(of, "gateway-api", allow_loss=True, **options)


def test_hosts_paths_methods_and_predicates() -> None:
    found = {tuple(r["spec"].get("hostnames", ())): r["spec"]["rules"] for r in objects(made(shop()), "HTTPRoute")}
    matches = [match for rule in found["shop.example.com",] for match in rule["matches"]]
    assert {"path": {"type": "Exact", "value": "/users/me"}, "method": "GET"} in matches
    assert () in found
    assert any(match["path"]["value"] == "/users/[^/]+" for match in matches)


def test_a_split_has_weights_a_redirect_no_backend() -> None:
    moved = route("moved", "/old/*", redirect=Redirect(EX + "to", 308, "https", "www.example.com", None, None, "/new"))
    (found,) = objects(made(mesh(moved)), "HTTPRoute")
    (rule,) = found["spec"]["rules"]
    assert "backendRefs" not in rule
    assert rule["filters"][0]["requestRedirect"] == {
        "scheme": "https",
        "hostname": "www.example.com",
        "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/new"},
        "statusCode": 308,
    }
    split = next(
        rule
        for each in objects(made(shop()), "HTTPRoute")
        for rule in each["spec"]["rules"]
        if len(rule.get("backendRefs", ())) == 2
    )
    assert [(ref["name"], ref["weight"]) for ref in split["backendRefs"]] == [("orders", 90), ("orders", 10)]


def test_rewrites_and_timeouts() -> None:
    slow = route("slow", "/a/*", rewrite=Rewrite(EX + "rw", host="b", prefix="/c"), timeout=Timeout(EX + "t", 120, 240))
    (found,) = objects(made(mesh(slow)), "HTTPRoute")
    (rule,) = found["spec"]["rules"]
    assert rule["timeouts"] == {"request": "120s", "backendRequest": "120s"}
    changed = {"hostname": "b", "path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/c"}}
    assert rule["filters"] == [{"type": "URLRewrite", "urlRewrite": changed}]


def test_durations_keep_to_five_digits_a_unit() -> None:
    assert [span(s) for s in (0.25, 5, 123.4, 360_000, 99.9995)] == ["250ms", "5s", "123s400ms", "100h", "100s"]
    for seconds in (0.001, 99.999, 100.001, 86_400, 10**7 + 0.5):
        assert re.fullmatch(r"([0-9]{1,5}(h|m|s|ms)){1,4}", span(seconds))


def test_more_than_sixteen_rules_are_several_routes_and_one_path_stays_together() -> None:
    plain = [route(f"r{number}", f"/p{number:02}", upstream=EX + "u") for number in range(12)]
    tied = [route(f"t{number}", "/tied", headers=(header(f"x-{number}", "a"),)) for number in range(8)]
    found = objects(made(mesh(*plain, *tied)), "HTTPRoute")
    assert len({each["metadata"]["name"] for each in found}) == len(found) == 2
    assert all(len(each["spec"]["rules"]) <= 16 for each in found)
    with_tied = [
        each
        for each in found
        if any(m["path"]["value"] == "/tied" for r in each["spec"]["rules"] for m in r["matches"])
    ]
    assert len(with_tied) == 1


def _value(test: dict[str, str], got: str | None) -> bool:
    if got is None:
        return False
    return got == test["value"] if test["type"] == "Exact" else re2.fullmatch(test["value"], got) is not None


def _rank(match: dict[str, Any], request: Request) -> tuple[object, ...] | None:
    """The precedence of HTTPRouteRule's documentation; None where it does not hold. Regular expressions come last."""
    path, kind = match["path"]["value"], match["path"]["type"]
    if kind == "Exact":
        place: tuple[int, int] | None = (0, 0) if request.path == path else None
    elif kind == "PathPrefix":
        stem = path.rstrip("/")
        place = (1, -len(path)) if request.path == stem or request.path.startswith(stem + "/") else None
    else:
        place = (2, 0) if re2.fullmatch(path, request.path) else None
    if place is None or match.get("method", request.method) != request.method:
        return None
    parameters: dict[str, str] = {}
    for pair in filter(None, request.query.split("&")):
        name, _, value = pair.partition("=")
        parameters.setdefault(name, value)
    headers, query = match.get("headers", []), match.get("queryParams", [])
    if not all(_value(test, request.fields.get(test["name"])) for test in headers):
        return None
    if not all(_value(test, parameters.get(test["name"])) for test in query):
        return None
    return (*place, 0 if "method" in match else 1, -len(headers), -len(query))


@settings(max_examples=60, deadline=None, suppress_health_check=list(Check))
@given(route_sets(), requests())
def test_the_specification_decides_as_the_table(drawn: tuple[Route, ...], request: Request) -> None:
    """Of the paths that it ranks itself: exact ones and prefixes."""
    named, upstreams = [], []
    for number, each in enumerate(drawn):
        if each.match.path.kind in (PathKind.EXACT, PathKind.PREFIX) and "{" not in each.match.path.text:
            service = Upstream(f"{EX}s{number}", f"ex:s{number}", (Endpoint(f"{EX}e{number}", f"s{number}", 80),))
            upstreams.append(service)
            named.append(replace(each, upstream=service.iri, splits=(), redirect=None, direct=None))
    of = mesh(*named, upstreams=tuple(upstreams))
    rendering = made(of)
    if rendering.losses or any(
        f.code == "expressed-differently" and "regular" in f.message for f in rendering.report.findings
    ):
        return
    chosen: list[tuple[tuple[object, ...], str]] = []
    for document in objects(rendering, "HTTPRoute"):
        hosts = [_host(name, request.host) for name in document["spec"].get("hostnames", [""])]
        held = max((host for host in hosts if host is not None), default=None)
        for number, rule in enumerate(document["spec"]["rules"]):
            for match in rule["matches"]:
                rank = _rank(match, request)
                if held is not None and rank is not None:
                    key = (-held[0], -held[1], *rank, document["metadata"]["name"], number)
                    chosen.append((key, rule["backendRefs"][0]["name"]))
    wanted = compile_table(of).find(request.host, request.method, request.path, request.query, request.fields)
    got = min(chosen)[1] if chosen else None
    assert got == (None if wanted is None else (wanted.route.upstream or "").removeprefix(EX))


def _host(name: str, host: str) -> tuple[int, int] | None:
    if name == "":
        return (1, 0)
    if name == host:
        return (3, len(name))
    if name.startswith("*.") and host.endswith(name[1:]) and len(host) >= len(name):
        return (2, len(name))
    return None
