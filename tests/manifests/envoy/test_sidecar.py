"""What the Envoys beside services are told: whom they let in, whom they speak to, and with whose keys."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from api_gateway_service_mesh.manifests import render
from api_gateway_service_mesh.manifests.envoy import resources, sidecar_resources, sidecars
from api_gateway_service_mesh.manifests.envoy.sidecar import inbound, outbound
from api_gateway_service_mesh.model import (
    Certificate,
    Endpoint,
    HealthCheck,
    Mesh,
    MtlsMode,
    PeerNames,
    Sidecar,
    Upstream,
    UpstreamTls,
)
from tests.support.routes import EX, mesh


def certificate(name: str) -> Certificate:
    return Certificate(EX + name, f"/certs/{name}.pem", f"file:/certs/{name}.key", "/certs/ca.pem")


def service(name: str, *, host: str = "", mode: MtlsMode = MtlsMode.STRICT, **more: Any) -> Upstream:
    beside = Sidecar(
        f"{EX}{name}-side",
        9000,
        mode=mode,
        certificate=certificate(name),
        spiffe_id=f"spiffe://a.example/{name}",
        **more,
    )
    end = Endpoint(EX + name, host or f"{name}.internal", 80, tls=True)
    tls = UpstreamTls(certificate("gate"), peers=PeerNames((f"spiffe://a.example/{name}",)))
    return Upstream(EX + name, f"ex:{name}", (end,), tls, mode, health=HealthCheck(EX + "h"), sidecar=beside)


def clusters(of: Mesh, each: Upstream) -> dict[str, Any]:
    return dict(sidecar_resources(of, each).clusters)


def test_they_are_known_by_the_name_of_their_service() -> None:
    found = mesh(upstreams=(service("orders"), service("stock"), Upstream(EX + "plain", "ex:plain")))
    assert list(sidecars(found)) == ["orders", "stock"]


def test_a_sidecar_names_no_key_but_its_own() -> None:
    found = mesh(upstreams=(service("orders"), service("stock")))
    made = sidecar_resources(found, found.upstreams[0])
    assert set(made.secrets) == {EX + "orders", f"{EX}orders#trust"}
    text = json.dumps([dict(made.secrets), made.clusters, made.listeners])
    assert "gate" not in text and "stock.pem" not in text


def test_it_speaks_to_each_service_as_that_asks() -> None:
    orders, strict, plain = service("orders"), service("strict"), service("plain", mode=MtlsMode.DISABLE)
    web = Upstream(EX + "web", "ex:web", (Endpoint(EX + "web", "web.example", 443, tls=True),), UpstreamTls())
    guarded = replace(web, iri=EX + "guarded", name="ex:guarded", tls=UpstreamTls(certificate("gate")))
    found = mesh(upstreams=(orders, strict, plain, web, guarded))
    made = clusters(found, orders)
    socket = made["outbound.strict"]["transport_socket"]["typed_config"]
    names = socket["common_tls_context"]["combined_validation_context"]["default_validation_context"]
    assert names["match_typed_subject_alt_names"] == [
        {"san_type": "URI", "matcher": {"exact": "spiffe://a.example/strict"}}
    ]
    assert "transport_socket" not in made["outbound.plain"]
    assert "transport_socket" in made["outbound.web"]
    assert "outbound.guarded" not in made  # what agw itself shows there is nobody else's
    assert "plaintext-forbidden" in json.dumps(dict(sidecar_resources(found, orders).routes))
    assert not any("health_checks" in cluster for cluster in made.values())
    assert made["inbound.orders"]["name"] == "inbound.orders"


def test_it_calls_whom_it_may_and_by_names_that_mean_one_service() -> None:
    one, two = service("one", host="same.internal"), service("two", host="same.internal")
    caller = service("caller", calls=(EX + "one", EX + "three"))
    three = service("three", host="10.0.0.9")
    found = mesh(upstreams=(caller, one, two, three))
    hosts = {route.iri: route.match.hosts for route in outbound(found, caller).routes}
    assert hosts == {EX + "one": ("one",), EX + "three": ("three",)}
    everybody = {route.iri: route.match.hosts for route in outbound(found, two).routes}
    assert everybody[EX + "caller"] == ("caller", "caller.internal") and len(everybody) == 4


@pytest.mark.parametrize("mode", list(MtlsMode))
def test_the_mode_is_what_callers_are_asked_for(mode: MtlsMode) -> None:
    found = mesh(upstreams=(service("orders", mode=mode),))
    listeners = sidecar_resources(found, found.upstreams[0]).listeners
    chains = listeners["listener-0.0.0.0-80"]["filter_chains"]
    asked = {
        chain["name"]: chain.get("transport_socket", {})
        .get("typed_config", {})
        .get("require_client_certificate", False)
        for chain in chains
    }
    wanted = {
        MtlsMode.STRICT: {"tls": True},
        MtlsMode.PERMISSIVE: {"tls": False, "plain": False},
        MtlsMode.DISABLE: {"plain": False},
    }
    assert asked == wanted[mode]
    assert listeners["listener-127.0.0.1-15001"]["filter_chains"][0]["name"] == "plain"


def test_a_service_that_is_looked_up_is_called_at_the_port_it_states() -> None:
    orders = replace(service("orders"), endpoints=())
    found = mesh(upstreams=(orders,))
    assert inbound(found, orders).listeners == ()
    (loss,) = [one for one in sidecar_resources(found, orders).report.findings if one.code == "not-expressible"]
    assert "no port to listen on" in loss.message


def test_the_names_of_both_sides_never_meet() -> None:
    found = mesh(upstreams=(service("orders"), service("stock")))
    made = sidecar_resources(found, found.upstreams[0])
    assert {name.partition(".")[0] for name in (*made.clusters, *made.routes)} == {"inbound", "outbound"}
    assert len(made.routes) == 2 and len(made.listeners) == 2


def test_each_has_a_file_of_its_own() -> None:
    found = mesh(upstreams=(service("orders"), service("stock")))
    written = {manifest.path: json.loads(manifest.text) for manifest in render(found, "envoy", allow_loss=True)}
    assert sorted(written) == ["envoy/bootstrap.json", "envoy/sidecars/orders.json", "envoy/sidecars/stock.json"]
    assert written["envoy/sidecars/stock.json"]["node"]["id"] == "sidecar/stock"
    assert written["envoy/bootstrap.json"]["node"]["id"] == "agw"


def test_without_sidecars_nothing_is_different() -> None:
    bare = mesh(upstreams=(Upstream(EX + "s", "ex:s", (Endpoint(EX + "s", "s", 80),)),))
    assert "forward_client_cert_details" not in json.dumps(dict(resources(bare).listeners))
