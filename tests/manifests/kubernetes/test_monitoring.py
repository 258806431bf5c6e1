"""Who may scrape, what is scraped, and what people are told of."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from api_gateway_service_mesh.control import metrics
from api_gateway_service_mesh.manifests import render
from api_gateway_service_mesh.manifests.kubernetes.access import network_policy
from tests.manifests.kubernetes.test_settings import objects
from tests.support.mesh_model import published, shop


def test_the_monitor_selects_the_admin_service_and_shows_the_token() -> None:
    documents = [yaml.safe_load(manifest.text) for manifest in render(published(), "kubernetes")]
    (admin,) = (d for d in documents if d["kind"] == "Service" and d["metadata"]["name"].endswith("-admin"))
    monitor = objects(published())["ServiceMonitor"]["spec"]
    assert monitor["selector"]["matchLabels"].items() <= admin["metadata"]["labels"].items()
    assert admin["spec"]["clusterIP"] == "None"
    (endpoint,) = monitor["endpoints"]
    assert endpoint["authorization"]["credentials"] == {"name": "gateway-admin", "key": "token"}


def test_alerts_ask_for_metrics_that_there_are() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in Path(metrics.__file__).parent.glob("*.py"))
    (group,) = objects(published())["PrometheusRule"]["spec"]["groups"]
    for rule in group["rules"]:
        for name in re.findall(r"\bagw_\w+", rule["expr"]):
            assert f'"{name.removesuffix("_total")}"' in source, name


def test_the_admin_port_is_for_the_namespace_and_for_who_scrapes() -> None:
    policy = objects(shop(), monitoring_namespace="watch")["NetworkPolicy"]["spec"]
    listeners, admin = policy["ingress"]
    assert "from" not in listeners
    assert [each["port"] for each in listeners["ports"]] == [80, 8443]
    assert admin["from"][1]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "watch"}
    assert network_policy.__doc__
