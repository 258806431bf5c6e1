"""Each command on good input: what it prints, and its exit status."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

from api_gateway_service_mesh import resources

from .conftest import Run


def test_the_version_names_the_build(agw: Run) -> None:
    said = agw("--version")
    assert said.returncode == 0
    assert re.fullmatch(rf"agw, version \S+, data plane {resources.build()}\n", said.stdout)


def test_init_writes_once_and_never_overwrites(agw: Run, tmp_path: Path) -> None:
    assert agw("init", "first").returncode == 0
    written = (tmp_path / "first" / "gateway.ttl").read_text()
    again = agw("init", "first")
    assert again.returncode == 1
    assert "is there already and stays as it is" in again.stderr
    assert (tmp_path / "first" / "gateway.ttl").read_text() == written


def test_validate_says_what_it_found(agw: Run, gateway_file: Path) -> None:
    result = agw("validate", "gateway.ttl")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("ok: 2 routes, 2 services, ")


def test_validate_as_json(agw: Run, gateway_file: Path) -> None:
    good = agw("validate", "gateway.ttl", "--format", "json")
    assert good.returncode == 0
    assert json.loads(good.stdout)["conforms"] is True
    gateway_file.write_text(gateway_file.read_text().replace("requestsPerSecond 50", "requestsPerSecond -50"))
    bad = agw("validate", "gateway.ttl", "--format", "json")
    assert bad.returncode == 1
    report = json.loads(bad.stdout)
    assert report["conforms"] is False
    assert [finding["code"] for finding in report["findings"]] == ["min-inclusive"]


def test_routes_in_order(agw: Run, gateway_file: Path) -> None:
    result = agw("routes", "gateway.ttl")
    assert result.returncode == 0
    lines = result.stdout.splitlines()
    assert lines[1].split()[-1] == "users"
    assert lines[2].split()[-1] == "hello"
    as_json = json.loads(agw("routes", "gateway.ttl", "--format", "json").stdout)
    assert [route["path"] for route in as_json] == ["/api/v1/users/{id}", "/hello"]


@pytest.mark.parametrize("stage", ["source", "inferred", "report", "rows", "model", "table"])
def test_show_prints_every_stage(agw: Run, gateway_file: Path, stage: str) -> None:
    result = agw("show", "gateway.ttl", "--stage", stage)
    assert (result.returncode, result.stderr) == (0, "")
    if stage == "model":
        assert len(json.loads(result.stdout)["routes"]) == 2
    elif stage not in ("inferred", "report"):  # nothing to infer, nothing to report
        assert "usersService" in result.stdout


def test_explain_cites_file_and_line(agw: Run, gateway_file: Path) -> None:
    result = agw("explain", "gateway.ttl", "GET", "http://shop.example/api/v1/users/7")
    assert result.returncode == 0
    line = next(
        number for number, text in enumerate(gateway_file.read_text().splitlines(), 1) if "/api/v1/users/{id}" in text
    )
    assert f"gateway.ttl:{line}:" in result.stdout
    nowhere = agw("explain", "gateway.ttl", "GET", "/nowhere")
    assert nowhere.returncode == 1
    assert "404" in nowhere.stdout
    wrong_method = agw("explain", "gateway.ttl", "DELETE", "/api/v1/users/7")
    assert "405" in wrong_method.stdout
    assert "GET" in wrong_method.stdout


def test_effective_lists_policies_and_where_they_are_stated(agw: Run, gateway_file: Path) -> None:
    result = agw("effective", "gateway.ttl", "users")
    assert result.returncode == 0
    assert "agw:hasRateLimiter: " in result.stdout and "(gateway.ttl:" in result.stdout
    listed = json.loads(agw("effective", "gateway.ttl", "users", "--format", "json").stdout)
    assert {"agw:hasRateLimiter", "agw:hasBackendService"} <= {each["kind"] for each in listed["policies"]}
    nobody = agw("effective", "gateway.ttl", "user")
    assert (nobody.returncode, "did you mean" in nobody.stderr) == (1, True)


def test_explain_sees_headers(agw: Run, tmp_path: Path) -> None:
    (tmp_path / "g.ttl").write_text(
        """@prefix agw: <https://ggen.ai/ontology/api-gateway#> . @prefix ex: <http://example.org/> .
        ex:beta a agw:Route ; agw:routePath "/a" ; agw:hasBackendService ex:s ;
            agw:matchesHeader [ a agw:HeaderMatch ; agw:headerName "X-Beta" ; agw:headerValue "yes" ] .
        ex:plain a agw:Route ; agw:routePath "/a" ; agw:hasBackendService ex:s .
        ex:s a agw:BackendService ; agw:address "127.0.0.1:9" ."""
    )
    with_header = agw("explain", "g.ttl", "GET", "/a", "-H", "X-Beta: yes", "--format", "json")
    without = agw("explain", "g.ttl", "GET", "/a", "--format", "json")
    assert "http://example.org/beta" in json.dumps(json.loads(with_header.stdout)["winner"])
    assert "http://example.org/plain" in json.dumps(json.loads(without.stdout)["winner"])


def test_query_text_names_and_formats(agw: Run, gateway_file: Path) -> None:
    question = "SELECT ?route ?limit { ?route agw:hasRateLimiter/agw:requestsPerSecond ?limit }"
    table = agw("query", "gateway.ttl", "-q", question)
    assert table.stdout.splitlines() == ["route     limit", "ex:users  50"]
    assert agw("query", "gateway.ttl", "-q", "-", stdin=question).stdout == table.stdout
    rows = json.loads(agw("query", "gateway.ttl", "-q", question, "--format", "json").stdout)
    assert rows["results"]["bindings"][0]["limit"]["value"] == "50"
    assert agw("query", "gateway.ttl", "-q", "ASK { ?r a agw:Route }").stdout == "yes\n"
    named = agw("query", "gateway.ttl", "--name", "rate-limited-routes")
    assert "/api/v1/users/{id}" in named.stdout
    graph = agw("query", "gateway.ttl", "-q", "CONSTRUCT { ?r a agw:Route } WHERE { ?r a agw:Route }")
    assert "ex:users a agw:Route" in graph.stdout


def test_query_lists_its_questions(agw: Run) -> None:
    listed = agw("query", "--list").stdout
    for name in ("rate-limited-routes", "strict-mtls-services", "circuit-breakers", "health-checks"):
        assert name in listed


def test_manifests_to_a_folder_and_to_standard_output(agw: Run, gateway_file: Path, tmp_path: Path) -> None:
    refused = agw("manifests", "gateway.ttl", "--target", "istio", "-o", "out")
    assert (refused.returncode, refused.stdout, (tmp_path / "out").exists()) == (1, "", False)
    assert "error[not-expressible]" in refused.stderr
    written = agw("manifests", "gateway.ttl", "--target", "istio", "--allow-loss", "-o", "out")
    assert written.returncode == 0, written.stderr
    for line in written.stdout.splitlines():
        assert (tmp_path / line).is_file()
    lossy = ("manifests", "gateway.ttl", "--target", "istio", "--allow-loss")
    assert "kind: VirtualService" in agw(*lossy).stdout
    assert agw(*lossy, "--diff", "out").returncode == 0
    changed = agw(*lossy, "--namespace", "elsewhere", "--diff", "out")
    assert changed.returncode == 1
    assert "+  namespace: elsewhere" in changed.stdout
    assert "kind: Deployment" in agw("manifests", "gateway.ttl", "--target", "kubernetes").stdout


def test_canaries_are_handed_to_flagger(agw: Run, tmp_path: Path) -> None:
    source = Path(__file__).parents[1] / "golden" / "accepted" / "canary" / "mesh.ttl"
    (tmp_path / "canary.ttl").write_text(source.read_text())
    plain = agw("manifests", "canary.ttl", "--target", "istio")
    assert plain.returncode == 1
    assert "--canary" in plain.stderr
    made = agw("manifests", "canary.ttl", "--target", "istio", "--canary", "flagger", "-o", "out")
    assert made.returncode == 0, made.stderr
    assert "stepWeights:" in (tmp_path / "out" / "istio" / "canary-orders.yaml").read_text()
    elsewhere = agw("manifests", "canary.ttl", "--target", "linkerd", "--canary", "flagger")
    assert elsewhere.returncode == 2
    assert "--canary belongs to --target istio" in elsewhere.stderr


def test_what_targets_can_say_is_printed(agw: Run, gateway_file: Path) -> None:
    table = agw("manifests", "--explain").stdout.splitlines()
    assert {"term", "istio", "kubernetes"} <= set(table[0].split())
    assert any(line.split()[:1] == ["agw:hasHedging"] for line in table)
    one = agw("manifests", "gateway.ttl", "--explain", "--target", "istio").stdout
    assert "agw:routePath" in one
    assert "agw:hasHedging" not in one  # it states none


def test_certificates_can_be_pasted_into_a_configuration(agw: Run, tmp_path: Path) -> None:
    assert agw("cert", "ca", "-d", "certs").returncode == 0
    issued = agw("cert", "issue", "-d", "certs", "--name", "localhost", "--uri", "spiffe://shop.example/gateway")
    assert issued.returncode == 0, issued.stderr
    (tmp_path / "g.ttl").write_text(
        """@prefix agw: <https://ggen.ai/ontology/api-gateway#> . @prefix ex: <http://example.org/> .
        ex:g a agw:ApiGateway ; agw:hasListener [ a agw:Listener ; agw:port 8443 ; agw:hasCertificate ex:c ] .
        ex:r a agw:Route ; agw:routePath "/a" ; agw:hasBackendService ex:s .
        ex:s a agw:BackendService ; agw:address "127.0.0.1:9" .
        ex:c a agw:Certificate ;\n"""
        + issued.stdout
    )
    checked = agw("validate", "g.ttl")
    assert checked.returncode == 0, checked.stderr
    status = agw("cert", "status", "-d", "certs")
    assert "spiffe://shop.example/gateway" in status.stdout
    assert agw("cert", "ca", "-d", "certs").returncode == 1


def test_demo_shows_limits_breaker_canary_and_an_answer(agw: Run) -> None:
    result = agw("demo")
    assert result.returncode == 0, result.stderr
    text = result.stdout
    assert "429 Too Many Requests" in text
    assert "503 Service Unavailable" in text
    assert "answered by productsNext" in text
    assert "OPEN" in text.split("6. Ask the running gateway")[1]
    rolled_back = r"ROLLED_BACK: 10 % -> 0 % of the requests to productsNext; error rate [\d.]+ is more than 0.05 above"
    assert re.search(rolled_back, " ".join(text.split()))
    wide = [line for line in text.splitlines()[2:] if len(line) > 80]  # the first lines name a file
    assert wide == []


def test_help_names_every_command(agw: Run) -> None:
    shown = agw("--help").stdout
    for name in (
        "demo",
        "init",
        "validate",
        "serve",
        "routes",
        "explain",
        "effective",
        "query",
        "show",
        "manifests",
        "cert",
        "key",
    ):
        assert f"\n  {name} " in shown
        assert agw(name, "--help").returncode == 0


def test_a_key_is_shown_once_and_its_line_can_be_pasted(agw: Run, tmp_path: Path) -> None:
    made = agw("key", "new", "--owner", 'acme "inc"')
    assert made.returncode == 0
    shown, line = made.stdout.splitlines()
    key = shown.removeprefix("X-API-Key: ")
    assert len(key) >= 43
    assert key not in line + made.stderr
    assert hashlib.sha256(key.encode()).hexdigest() in line
    prefixes = "@prefix agw: <https://ggen.ai/ontology/api-gateway#> .\n@prefix ex: <http://example.org/> .\n"
    route = 'ex:r a agw:Route ; agw:routePath "/" ; agw:hasBackendService ex:s ; agw:hasAuthentication ex:key .\n'
    (tmp_path / "k.ttl").write_text(f'{prefixes}{line}\n{route}ex:s a agw:BackendService ; agw:address "s:80" .\n')
    assert agw("validate", "k.ttl").returncode == 0
    assert agw("key", "new").stdout.splitlines()[0] != shown
    assert agw("key", "new", "--owner", "Zo\u00eb").returncode == 2
    assert 'agw:keyScope "a:b" ; agw:keyScope "c"' in agw("key", "new", "--scope", "a:b", "--scope", "c").stdout
    assert agw("key", "new", "--scope", "a b").returncode == 2
    assert json.loads(agw("key", "new", "--format", "json").stdout)["keyHash"].startswith("sha256:")


def test_diff_as_diff_does(agw: Run, gateway_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    folder.mkdir()
    other = folder / "a.ttl"
    other.write_text("# reordered, reformatted\n" + gateway_file.read_text().replace("  ", " "))
    alike = agw("diff", "gateway.ttl", "new")
    assert (alike.returncode, alike.stdout) == (0, "nothing that is served changed\n")
    other.write_text(gateway_file.read_text().replace("requestsPerSecond 50", "requestsPerSecond 5"))
    result = agw("diff", "gateway.ttl", "new")
    assert result.returncode == 1, result.stderr
    assert "requests per second changed from 50 to 5" in result.stdout
    assert json.loads(agw("diff", "gateway.ttl", "new", "--format", "json").stdout)["different"] is True
    triples = agw("diff", "gateway.ttl", "new", "--triples")
    assert triples.returncode == 1
    assert [line[0] for line in triples.stdout.splitlines()] == ["-", "+"] or triples.stdout[0] in "+-"
    assert agw("diff", "gateway.ttl", "gateway.ttl", "--triples").returncode == 0
    other.write_text("nonsense")
    assert agw("diff", "gateway.ttl", "new").returncode == 2
    assert agw("diff", "gateway.ttl", "nowhere.ttl").returncode == 2


def test_impact_of_a_change_and_of_a_thing(agw: Run, gateway_file: Path, tmp_path: Path) -> None:
    text = gateway_file.read_text()
    (tmp_path / "change.ttl").write_text(text.replace("requestsPerSecond 50", "requestsPerSecond 5"))
    result = agw("impact", "gateway.ttl", "--change", "change.ttl")
    assert (result.returncode, "1 route\n" in result.stdout) == (0, True), result.stdout + result.stderr
    told = json.loads(agw("impact", "gateway.ttl", "--change", "gateway.ttl", "--format", "json").stdout)
    assert told["routes"] == []
    assert agw("impact", "gateway.ttl").returncode == 2


def test_import_writes_turtle_that_validates_and_says_what_is_missing(
    agw: Run, gateway_file: Path, tmp_path: Path
) -> None:
    agw("manifests", "gateway.ttl", "--target", "gateway-api", "--allow-loss", "-o", "out")
    files = [str(path) for path in sorted((tmp_path / "out").rglob("*.yaml"))]
    done = agw("import", "gateway-api", *files, "-o", "back.ttl")
    assert (done.returncode, done.stdout) == (0, "back.ttl\n"), done.stderr
    assert agw("validate", "back.ttl").returncode == 0
    again = agw("import", "gateway-api", *files, "-o", "back.ttl")
    assert again.returncode == 1 and "is there already" in again.stderr
    route = tmp_path / "route.yaml"
    route.write_text("apiVersion: gateway.networking.k8s.io/v1\nkind: TLSRoute\nmetadata: {name: x}\n")
    loose, strict = agw("import", "gateway-api", "route.yaml"), agw("import", "gateway-api", "route.yaml", "--strict")
    assert (loose.returncode, strict.returncode, strict.stdout) == (0, 1, "")
    assert "route.yaml:1:1" in loose.stderr and "remedy" in loose.stderr
    route.write_text("a: [")
    broken = agw("import", "gateway-api", "route.yaml")
    assert broken.returncode == 1 and "route.yaml:" in broken.stderr and "Traceback" not in broken.stderr
    assert agw("import", "nothing", "route.yaml").returncode == 2
