"""What a reload says that changed."""

from __future__ import annotations

from dataclasses import replace

from api_gateway_service_mesh.control.differences import differences

from .test_snapshot import mesh


def test_counts() -> None:
    old = mesh(4)
    changed = replace(old.routes[0], upstream="urn:u0")
    new = replace(mesh(6), routes=(changed, *mesh(6).routes[2:]), trusted_proxies=("10.0.0.0/8",))
    found = differences(old, new)
    assert str(found) == "routes: 2 added, 1 removed, 1 changed; backends: 1 added; gateway settings changed"
    assert found.routes_changed == ("urn:r0",)


def test_nothing_and_everything() -> None:
    assert str(differences(mesh(2), mesh(2))) == "nothing that is served changed"
    assert str(differences(None, mesh(2))) == "routes: 2 added; backends: 1 added"
