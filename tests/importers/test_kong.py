"""Kong's declarative files: what is taken over, and that agw then decides as Kong does."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from api_gateway_service_mesh.control.build import Build, build
from api_gateway_service_mesh.errors import ConfigError, Severity
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.importers import Imported, import_texts
from api_gateway_service_mesh.model import Algorithm
from api_gateway_service_mesh.routing import compile_table
from tests.support.asking import ask
from tests.support.backend import answer, backend, says
from tests.support.gateway import running

HEAD = '_format_version: "3.0"\n'


def taken(text: str) -> Imported:
    return import_texts("kong", {"kong.yaml": HEAD + text})


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


# How Kong 3 chooses (router flavour traditional_compatible), written down once more and apart from the importer.


def kong_rank(route: dict[str, Any], path: str | None) -> tuple[int, ...]:
    hosts, headers = route.get("hosts", []), route.get("headers", {})
    criteria = [hosts, headers, route.get("methods"), path]
    regex = path is not None and path.startswith("~")
    return (
        sum(map(bool, criteria)),
        bool(hosts) and all("*" not in host for host in hosts),
        len(headers),
        regex,
        route.get("regex_priority", 0) if regex else 0,
        0 if regex else len(path or ""),
    )


def kong_holds(route: dict[str, Any], path: str | None, request: dict[str, Any]) -> bool:
    hosts = route.get("hosts", [])
    if hosts and not any(
        request["host"].endswith(host[1:]) if host.startswith("*") else request["host"] == host for host in hosts
    ):
        return False
    if route.get("methods") and request["method"] not in route["methods"]:
        return False
    for name, values in route.get("headers", {}).items():
        if request["headers"].get(name, "").lower() not in [value.lower() for value in values]:
            return False
    if path is None:
        return True
    if path.startswith("~"):
        return re.match(path[1:].replace("(?<", "(?P<"), request["path"]) is not None
    return bool(request["path"].startswith(path))


def kong_chooses(routes: list[dict[str, Any]], request: dict[str, Any]) -> str | None:
    best: tuple[tuple[int, ...], str] | None = None
    for route in routes:
        for path in route.get("paths") or [None]:
            rank = kong_rank(route, path)
            if kong_holds(route, path, request) and (best is None or rank > best[0]):
                best = (rank, route["name"])
    return best and best[1]


PATHS = ["/", "/a", "/a/b", "/a/b/c", "/d", r"~/a/\d+$", "~/a/[^/]+$", r"~/a/b", "~/a/(?<n>[a-z]+)/c", r"~/[a-d]/\w+$"]
HOSTS = ["x.example", "y.example", "*.example", "*.y.example"]


def random_route(chance: random.Random, number: int) -> dict[str, Any]:
    made: dict[str, Any] = {"name": f"r{number}", "service": {"name": f"s{number}"}}
    if chance.random() < 0.85:
        made["paths"] = chance.sample(PATHS, chance.choice([1, 1, 2]))
        made["regex_priority"] = chance.choice([0, 0, number])
    if chance.random() < 0.4:
        made["hosts"] = chance.sample(HOSTS, chance.choice([1, 2]))
    if chance.random() < 0.35 or not set(made) & {"paths", "hosts"}:
        made["methods"] = chance.sample(["POST", "PUT", "DELETE"], chance.choice([1, 2]))
    if chance.random() < 0.3:
        made["headers"] = {name: ["1"] for name in chance.sample(["x-a", "x-b"], chance.choice([1, 2]))}
    return made


@pytest.mark.parametrize("seed", range(40))
def test_kongs_order_is_kept(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    routes = [random_route(chance, number) for number in range(chance.choice([2, 3, 5, 8]))]
    # Equal ranks are decided by the age of rows there, which a file does not tell: the first in the file here.
    services = [{"name": f"s{number}", "url": f"http://{number}.internal:80"} for number in range(len(routes))]
    made = loaded(taken(yaml.safe_dump({"services": services, "routes": routes})), tmp_path)
    table = compile_table(made.mesh)
    by_service = {upstream.iri: upstream.name for upstream in made.mesh.upstreams}
    for _ in range(200):
        request = {
            "host": chance.choice(["x.example", "y.example", "z.y.example", "other.test"]),
            "method": chance.choice(["GET", "POST", "PUT"]),
            "path": chance.choice(["/", "/a", "/a/7", "/a/b", "/a/b/c", "/a/x/c", "/d", "/d/e", "/c/1", "/q"]),
            "headers": {name: "1" for name in ("x-a", "x-b") if chance.random() < 0.5},
        }
        found = table.find(request["host"], request["method"], request["path"], "", request["headers"])
        chosen = None if found is None else by_service[found.route.upstream or ""].replace("s", "r")
        assert chosen == kong_chooses(routes, request), (routes, request)


SHOP = """\
services:
  - name: orders
    url: http://127.0.0.1:{one}/api
    retries: 0
    routes:
      - {{name: all, paths: [/orders]}}
      - {{name: one, paths: ['~/orders/\\d+$'], strip_path: false, preserve_host: true}}
      - name: made
        methods: [POST]
        paths: [/orders]
        plugins:
          - {{name: key-auth}}
          - {{name: acl, config: {{allow: [staff]}}}}
          - name: request-transformer
            config: {{remove: {{headers: [x-debug]}}, append: {{headers: ["x-via:kong"]}}, rename: {{headers: ["x-old:x-new"]}}}}
  - name: pages
    host: pages
    routes:
      - name: limited
        paths: [/limited]
        plugins: [{{name: rate-limiting, config: {{hour: 2, limit_by: ip}}}}]
      - {{name: secret, paths: [/secret], plugins: [{{name: jwt}}]}}
      - {{name: inside, paths: [/inside], plugins: [{{name: ip-restriction, config: {{deny: [127.0.0.0/8]}}}}]}}
      - {{name: near, paths: [/near], plugins: [{{name: ip-restriction, config: {{allow: [127.0.0.0/8]}}}}]}}
      - name: ended
        paths: [/ended]
        plugins: [{{name: request-termination, config: {{status_code: 410, message: gone}}}}]
      - {{name: safe, paths: [/safe], protocols: [https], https_redirect_status_code: 301}}
upstreams:
  - name: pages
    host_header: pages.internal
    targets: [{{target: "127.0.0.1:{two}"}}]
consumers:
  - {{username: alice, keyauth_credentials: [{{key: alices-key}}], acls: [{{group: staff}}]}}
  - {{username: bob, keyauth_credentials: [{{key: bobs-key}}]}}
plugins:
  - name: cors
    config: {{origins: ["https://shop.example"], methods: [GET], headers: [x-a]}}
"""


async def test_what_is_served_is_what_kong_serves(tmp_path: Path) -> None:
    async with backend(says(answer(b"one"))) as one, backend(says(answer(b"two"))) as two:
        mesh = loaded(taken(SHOP.format(one=one.port, two=two.port)), tmp_path).mesh
        async with running(mesh) as gateway:

            async def status(path: str, fields: str = "", method: str = "GET") -> int:
                return int((await ask(gateway, path, fields, method=method)).line.split()[1])

            assert await status("/orders") == 200 and await status("/orders/x/y?q=1") == 200
            assert await status("/orders/7") == 200
            lines = [(seen.line.split()[1], seen.get("host")) for seen in one.requests]
            here = f"127.0.0.1:{one.port}"
            assert lines == [("/api", here), ("/api/x/y?q=1", here), ("/api/orders/7", "a.example")]

            assert await status("/orders", method="POST") == 401
            assert await status("/orders", "apikey: bobs-key\r\n", "POST") == 403
            assert await status("/orders", "apikey: alices-key\r\nx-debug: 1\r\nx-old: 2\r\n", "POST") == 200
            seen = one.requests[-1]
            assert (seen.get("x-debug"), seen.get("x-via"), seen.get("x-old"), seen.get("x-new")) == (
                None,
                "kong",
                None,
                "2",
            )
            assert await status("/orders?apikey=alices-key", method="POST") == 200

            assert [await status("/limited") for _ in range(3)] == [200, 200, 429]
            assert two.requests[0].line.split()[1] == "/" and two.requests[0].get("host") == "pages.internal"
            assert [await status(path) for path in ("/secret", "/inside", "/near")] == [403, 403, 200]
            ended = await ask(gateway, "/ended")
            assert (ended.line.split()[1], ended.body) == ("410", b'{"message": "gone"}')
            sent = await ask(gateway, "/safe/x")
            assert (sent.line.split()[1], sent.get("location")) == ("301", "https://a.example/safe/x")
            asked = "Origin: https://shop.example\r\nAccess-Control-Request-Method: GET\r\n"
            preflight = await ask(gateway, "/near", asked, method="OPTIONS")
            assert preflight.get("access-control-allow-origin") == "https://shop.example"
            assert await status("/nothing") == 404


def test_targets_checks_and_waits(tmp_path: Path) -> None:
    made = taken(
        """\
services:
  - {name: web, host: web, protocol: https, connect_timeout: 1500, read_timeout: 2500}
routes: [{name: web, paths: [/], service: web}]
upstreams:
  - name: web
    algorithm: consistent-hashing
    hash_on: header
    hash_on_header: x-user
    targets: [{target: "10.0.0.1:8443", weight: 10}, {target: web-2, weight: 30}]
    healthchecks:
      active: {type: https, http_path: /up, timeout: 2, healthy: {interval: 5, successes: 2, http_statuses: [200, 204]},
        unhealthy: {interval: 1, http_failures: 4, tcp_failures: 3}}
      passive: {unhealthy: {http_failures: 7}}
targets: [{target: "10.0.0.3:80", upstream: web, weight: 0}]
"""
    )
    mesh = loaded(made, tmp_path).mesh
    (web,) = mesh.upstreams
    assert {(end.host, end.port, end.weight, end.tls is not None) for end in web.endpoints} == {
        ("10.0.0.1", 8443, 10, True), ("web-2", 8000, 30, True), ("10.0.0.3", 80, 0, True)
    }  # fmt: skip
    check = web.health
    assert check is not None
    assert (check.path, check.interval_seconds, check.unhealthy_interval_seconds) == ("/up", 5, 1)
    assert (check.success_threshold, check.failure_threshold) == (2, 3)
    assert web.outlier is not None and web.outlier.consecutive_errors == 7
    (route,) = mesh.routes
    assert route.balancer.algorithm is Algorithm.CONSISTENT_HASH
    assert route.retry is not None and route.retry.attempts == 5
    assert route.timeout is not None and route.timeout.per_attempt_seconds == 2.5
    assert told(made) == []


def test_what_has_no_counterpart_is_told_with_its_place(tmp_path: Path) -> None:
    made = taken(
        """\
services:
  - {name: raw, url: "tcp://10.0.0.1:5432", routes: [{name: raw, protocols: [tcp]}]}
  - name: web
    url: http://10.0.0.1
    routes:
      - {name: sni, paths: [/a], snis: [a.example]}
      - {name: end, paths: [/b], hosts: ["a.*"]}
      - {name: either, paths: ['~/c|/d']}
      - {name: back, paths: ['~/e(?=f)']}
      - {name: slash, paths: [/f/], plugins: [{name: key-auth}]}
      - {name: odd, paths: [/g], methods: GET, future: {x: 1}}
      - {name: own, expression: 'http.path == "/x"'}
plugins:
  - {name: http-log, config: {http_endpoint: "http://x"}}
  - {name: rate-limiting, consumer: alice, config: {second: 1}}
certificates: [{cert: a, key: b}]
"""
    )
    mesh = loaded(made, tmp_path).mesh
    assert {route.name for route in mesh.routes} == {"slash", "odd"}
    places = {line.split(": ")[0].split(":", 1)[1] for line in told(made)}
    assert places >= {"3:5", "7:9", "8:9", "9:24", "10:22", "11:47", "12:34", "12:48", "13:9", "15:5", "16:5", "17:1"}
    (slash,) = [route for route in mesh.routes if route.name == "slash"]
    assert slash.authorization, "no key is known, so nobody is let in"
    assert all(finding.remedy for finding in made.report.findings if finding.severity is not Severity.INFO)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("services: []", "says no _format_version"),
        ('_format_version: "1.1"\nservices: []', "has _format_version 1.1"),
        ("- a", "a document is a mapping"),
        ('_format_version: "3.0"\nservices: [&a [*a]]', "aliases nest too deep"),
        ('_format_version: "3.0"\nservices: [', "this is no YAML"),
    ],
)
def test_what_is_no_configuration_of_kong_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        import_texts("kong", {"kong.yaml": text})
    (finding,) = error.value.report.findings
    assert said in finding.message and finding.remedy and str(finding.location).startswith("kong.yaml:")


def test_values_of_another_kind_are_told() -> None:
    made = taken(
        "services: [{name: [a], host: x, port: many, routes: {}, retries: -}]\nroutes: [7, {paths: /a}]\nplugins: x\n"
        "consumers: [{username: {}, keyauth_credentials: [{key: [1]}]}]\nupstreams: [{name: x, targets: [1]}]\n"
    )
    assert len(told(made)) >= 8
