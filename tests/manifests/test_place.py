"""How Kubernetes knows services, and the order in which proxies read routes."""

from __future__ import annotations

from api_gateway_service_mesh.manifests.order import catches_all, host_lists
from api_gateway_service_mesh.manifests.outline import outline
from api_gateway_service_mesh.manifests.place import places
from api_gateway_service_mesh.model import Endpoint, Upstream
from tests.support.mesh_model import shop
from tests.support.routes import EX, mesh, route


def test_names_in_the_cluster_are_services_that_are_there() -> None:
    ends = {"one": "one", "two": "two.shop", "three": "three.far.svc.cluster.local", "four": "four.example.com"}
    services = tuple(Upstream(EX + n, f"ex:{n}", (Endpoint(EX + n + "e", host, 80),)) for n, host in ends.items())
    found = places(outline(mesh(upstreams=services), "shop"))
    said = {name: (found[EX + name].name, found[EX + name].namespace, len(found[EX + name].documents)) for name in ends}
    assert said == {
        "one": ("one", None, 0),
        "two": ("two", None, 0),
        "three": ("three", "far", 0),
        "four": ("four", None, 1),
    }


def test_a_list_ends_with_what_catches_all() -> None:
    lists = host_lists(outline(shop(), None).table)
    assert all(not any(catches_all(item) for item in listed[:-1]) for listed in lists)
    dead = mesh(route("all", "/*"), route("dead", "/x.*", "RegularExpression"))
    ((listed, _),) = host_lists(outline(dead, None).table).items()
    assert [entry.route.name for entry, _ in listed] == ["ex:all"]


def test_names_of_slices_do_not_collide() -> None:
    long = "x" * 60
    ends = tuple(Endpoint(f"{EX}{n}", f"10.0.0.{n}", 80 + n) for n in (1, 2))
    services = (Upstream(EX + long + "a", f"ex:{long}a", ends), Upstream(EX + long + "b", f"ex:{long}b", ends))
    found = places(outline(mesh(upstreams=services), None))
    named = [(d["kind"], d["metadata"]["name"]) for place in found.values() for d in place.documents]
    assert len(named) == len(set(named)) == 6
