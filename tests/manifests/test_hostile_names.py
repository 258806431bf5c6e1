"""Names that collide, are very long, foreign to ASCII or look like YAML: every target still says each thing once.

Each graph is Turtle as somebody could write it. Rendered for every target, nothing has the name or the file of another,
every name is one that Kubernetes takes, what is read back is what was written, and the same graph gives the same bytes,
in whatever order it is written.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
import yaml

from api_gateway_service_mesh.control.build import build
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.manifests import TARGETS, WATCHERS, Manifest, Rendering, render
from api_gateway_service_mesh.manifests.name import name_of, names
from api_gateway_service_mesh.model import Mesh

Names = tuple[str, ...]
LONG = "x" * 300
#: The local names of a graph's services; each has a route of its own, of the same local name.
GRAPHS: dict[str, Names] = {
    "case": ("Orders", "orders", "ORDERS", "oRDERS"),
    "camel": ("ordersV1", "orders-v1", "orders_v1", "OrdersV1"),
    "dashes": ("a-b", "a--b", "a_b", "-a-b-", "_a_b_"),
    "dots": ("a.b", "a-b", "a..b"),
    "long": (LONG, f"{LONG}y", f"{LONG}z"),
    "at the limit": ("y" * 63, "y" * 64, "Y" * 63, "y" * 62),
    "cut at a dash": ("a" * 53 + "-" + "b" * 20, "a" * 53 + "--" + "b" * 20),
    "digits": ("1", "01", "0x1", "1e3", "1_000", "0o7"),
    "booleans": ("true", "True", "yes", "no", "on", "off", "y", "n"),
    "nulls": ("null", "Null", "NULL", "none"),
    "dates": ("2026-01-01", "2026-1-1", "12-34-56"),
    "infinities": ("inf", "-inf", "nan"),
    "german": ("Bestellungen-Ä", "Bestellungen-Ö", "Bestellungen-ä"),
    "greek": ("παραγγελίες", "παραγγελιες"),
    "chinese": ("订单", "訂單", "订"),
    "arabic": ("طلبات", "الطلبات"),
    "composed": ("caf\u00e9", "cafe\u0301", "cafe"),
    "emoji": ("\U0001f600", "\U0001f601", "\U0001f600\U0001f601"),
    "fullwidth": ("\uff4f\uff52\uff44\uff45\uff52", "order", "\uff2frder"),
    "turkish": ("\u0130stanbul", "istanbul", "\u0131stanbul"),
    "ligatures": ("\ufb01le", "file", "\u017fort", "sort"),
    "kelvin": ("\u212a", "k", "K"),
    "joiners": ("a\u200db", "a\u200cb", "ab"),
    "percent": ("%61", "a", "%2561", "%2F", "%2E%2E"),
    "own names": ("gateway", "agw", "default", "any", "kubernetes", "mesh"),
    "suffixes": ("gateway-80", "gateway-config", "gateway-any", "service-80", "orders-canary", "orders-primary"),
    "marked alike": ("Orders", "orders", name_of("x" * 64 + "orders"), f"orders-{'0' * 8}"),
    "reserved": ("constructor", "__proto__", "prototype", "con", "nul", "aux"),
    "of the cluster": ("kube-system", "kube-dns", "localhost", "istio-system"),
    "many": tuple(f"Service{number}" for number in range(40)) + tuple(f"service-{number}" for number in range(40)),
    "the mark of another": ("Orders", "orders", names([("https://x.example/#orders", "orders"), ("u", "orders")])["u"]),
}
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_PATH = re.compile(r"[a-z-]+/[A-Za-z0-9._/-]+")


def turtle(local: Names, *, backwards: bool = False) -> str:
    """A graph of services in two namespaces and at addresses, with a route for each."""
    parts = ["<https://x.example/#gateway> a agw:ApiGateway ."]
    for number, name in enumerate(local):
        place = (f"s{number}.shop.svc:80", f"same.space{number}.svc:80", f"192.0.2.{number + 1}:80")[number % 3]
        parts.append(
            f"<https://x.example/routes#{name}> a agw:Route ; agw:routePath '/{number}/*' ; "
            f"agw:hasBackendService <https://x.example/services#{name}> ."
        )
        parts.append(f"<https://x.example/services#{name}> a agw:BackendService ; agw:address '{place}' .")
    head = "@prefix agw: <https://ggen.ai/ontology/api-gateway#> .\n"
    return head + "\n".join(reversed(parts) if backwards else parts)


@cache
def mesh(name: str, *, backwards: bool = False) -> Mesh:
    built = build(SourceGraph.parse(turtle(GRAPHS[name], backwards=backwards), "hostile.ttl"))
    assert built.report.violations == ()
    return built.mesh


def rendered(name: str, target: str, *, backwards: bool = False) -> Rendering:
    return render(mesh(name, backwards=backwards), target, allow_loss=True)


def documents(manifest: Manifest) -> list[Any]:
    return [json.loads(manifest.text)] if manifest.path.endswith(".json") else list(yaml.safe_load_all(manifest.text))


def named(value: Any, at: str = "") -> Iterator[tuple[str, str]]:
    """Everything in a JSON value that has a name, with its place."""
    if isinstance(value, dict):
        if isinstance(value.get("name"), str):
            yield at, value["name"]
        for key, held in value.items():
            yield from named(held, f"{at}/{key}")
    elif isinstance(value, list):
        for held in value:
            yield from named(held, at)


@pytest.mark.parametrize("target", [*TARGETS, *WATCHERS])
def test_names_do_not_collide_and_bytes_are_stable(target: str) -> None:
    assert len(GRAPHS) >= 30
    for name in GRAPHS:
        made = rendered(name, target)
        assert [*made] == [*rendered(name, target)], name
        assert [*made] == [*rendered(name, target, backwards=True)], name
        paths = [manifest.path for manifest in made]
        assert len({path.lower() for path in paths}) == len(paths), (name, Counter(paths).most_common(3))
        for path in paths:
            assert _PATH.fullmatch(path) and ".." not in path and len(path) < 240, path
        found = [document for manifest in made for document in documents(manifest)]
        if target in WATCHERS or target == "envoy":
            continue
        keys = Counter(
            (each["apiVersion"], each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"])
            for each in found
            if "apiVersion" in each
        )
        assert [key for key, count in keys.items() if count > 1] == [], name
        for _, _, space, label in keys:
            assert isinstance(label, str) and _LABEL.fullmatch(label), (name, label)
            assert space is None or (isinstance(space, str) and _LABEL.fullmatch(space)), (name, space)
        for each in found:
            for key, value in (each.get("metadata", {}).get("annotations") or {}).items():
                assert isinstance(key, str) and isinstance(value, str), (name, key, value)


def test_each_service_has_a_cluster_of_its_own() -> None:
    for name, local in GRAPHS.items():
        (bootstrap,) = [
            json.loads(manifest.text) for manifest in rendered(name, "envoy") if "bootstrap" in manifest.path
        ]
        clusters = [each["name"] for each in bootstrap["static_resources"]["clusters"]]
        assert len(clusters) == len(set(clusters)) >= len(local), name


def test_each_service_is_said_by_every_mesh() -> None:
    """The annotations name every service of the graph: none took the place of another."""
    for name, local in GRAPHS.items():
        wanted = {service.iri for service in mesh(name).upstreams}
        assert len(wanted) == len(local)
        said = {
            document["metadata"]["annotations"].get("agw.ggen.ai/service")
            for manifest in rendered(name, "istio")
            for document in documents(manifest)
        }
        assert wanted <= said, name


def test_a_name_is_no_other_s_mark() -> None:
    pairs = [("urn:a", "Orders"), ("urn:b", "orders")]
    made = names(pairs)
    third = names([*pairs, ("urn:c", made["urn:a"])])
    assert len(set(third.values())) == 3
    assert all(one != other for one, other in pairwise(sorted(third.values())))
