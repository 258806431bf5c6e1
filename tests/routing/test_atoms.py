"""Requests that stand for all others: one for each way in which routes hold together, few where few are asked about."""

from __future__ import annotations

from api_gateway_service_mesh.routing import compile_table
from api_gateway_service_mesh.routing.atoms import requests_between
from tests.support.routes import header, mesh, route


def test_one_request_for_each_way_to_hold() -> None:
    table = compile_table(mesh(route("user", "/users/{id}"), route("me", "/users/me", headers=(header("x-a", "1"),))))
    found = list(requests_between(table.entries, ()))
    assert {request.path for request in found} == {"/users/me", "/users/any"}
    assert {request.headers for request in found if request.path == "/users/me"} == {
        (),
        (("x-a", "1"),),
        (("x-a", "other"),),
    }


def test_only_paths_of_the_routes_asked_about() -> None:
    many = compile_table(mesh(*(route(f"r{number}", f"/a{number}/*") for number in range(300))))
    asked = [entry for entry in many.entries if entry.route.name == "ex:r7"]
    assert {request.path for request in requests_between(asked, many.entries)} == {"/a7"}


def test_hosts_and_methods_that_nobody_names() -> None:
    table = compile_table(mesh(route("a", "/a", hosts=("*.example.com", "www.example.com"), methods=("GET",))))
    found = list(requests_between(table.entries, ()))
    hosts = {request.host for request in found}
    assert "www.example.com" in hosts
    assert any(host.endswith(".example.com") and host != "www.example.com" for host in hosts)
    assert any(not host.endswith(".example.com") for host in hosts)
    assert {request.method for request in found} == {"GET", "HEAD", "POST"}
