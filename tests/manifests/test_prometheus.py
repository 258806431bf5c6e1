"""Rules for a Prometheus, as its own promtool reads them: whole, right, and fired when they should be."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from api_gateway_service_mesh.manifests import WATCHERS, render
from api_gateway_service_mesh.manifests.prometheus.alert import always, objective_alerts, stated
from api_gateway_service_mesh.manifests.prometheus.query import labelled
from api_gateway_service_mesh.manifests.prometheus.record import recordings
from tests.support.configuration import EX, mesh_of

needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool: Debian's prometheus has it")
PLAIN = """ex:g a agw:ApiGateway ; agw:hasRoute ex:a .
ex:a a agw:Route ; agw:routePath "/a" ; agw:hasBackendService ex:s .
ex:s a agw:BackendService ; agw:address "s:80" ."""
RICH = (
    PLAIN
    + """
ex:g agw:accessLogEnabled true ; agw:hasTracing [ a agw:DistributedTracing ; agw:traceCollector "http://c:4318/v1/traces" ] ;
    agw:hasRegistration [ a agw:Registration ; agw:registeredIn ex:c ; agw:registeredName "edge" ] .
ex:c a agw:ServiceRegistry ; agw:registryType "consul" ; agw:registryAddress "http://c:8500" .
ex:s agw:hasHealthCheck [ a agw:HealthCheck ; agw:healthCheckPath "/up" ] ; agw:hasServiceLevelObjective ex:quick ;
    agw:hasServiceDiscovery [ a agw:ServiceDiscovery ; agw:hasServiceRegistry ex:c ; agw:discoveryName "s" ] .
ex:a agw:hasServiceLevelObjective ex:reliable , ex:quick , ex:odd .
ex:reliable a agw:ServiceLevelObjective ; agw:availabilityTarget 0.99 .
ex:quick a agw:ServiceLevelObjective ; agw:latencyTarget 0.9 ; agw:latencyThreshold "PT0.1S"^^xsd:dayTimeDuration .
ex:odd a agw:ServiceLevelObjective ; agw:latencyTarget 0.9 ; agw:latencyThreshold "PT0.3S"^^xsd:dayTimeDuration ."""
)


def written(text: str, folder: Path, **options: Any) -> Path:
    for manifest in render(mesh_of(text), "prometheus", **options):
        (folder / manifest.path).parent.mkdir(exist_ok=True)
        (folder / manifest.path).write_text(manifest.text)
    return folder / "prometheus"


def promtool(*arguments: object) -> str:
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_there_is_a_rule_for_what_there_is() -> None:
    assert set(WATCHERS) == {"grafana", "prometheus"}
    names = {rule["alert"] for rule in (*always("agw"), *stated(mesh_of(PLAIN), "agw"))}
    assert "AgwDown" in names
    more = {rule["alert"] for rule in (*always("agw"), *stated(mesh_of(RICH), "agw"))} - names
    assert more == {
        "AgwEndpointUnhealthy", "AgwDiscoveryStale", "AgwRegistrationLost", "AgwLogLinesDropped", "AgwSpansDropped",
    }  # fmt: skip
    assert objective_alerts(mesh_of(PLAIN), "agw") == []
    assert len(objective_alerts(mesh_of(RICH), "agw")) == 8
    assert len({rule["record"] for rule in recordings("agw")}) == 7


def test_labels_are_quoted() -> None:
    assert labelled(route='a"b\\c\nd') == '{route="a\\"b\\\\c\\nd"}'


@needs_promtool
@pytest.mark.parametrize("text", [PLAIN, RICH])
def test_promtool_finds_nothing_wrong(text: str, tmp_path: Path) -> None:
    folder = written(text, tmp_path, job="edge")
    promtool("check", "config", folder / "prometheus.yml")
    promtool("check", "rules", folder / "rules.yml")


@needs_promtool
def test_alerts_fire_when_they_should(tmp_path: Path) -> None:
    folder = written(RICH, tmp_path)
    route, endpoint = EX + "a", EX + "s"
    series = {
        f'agw_requests_total{{job="agw",route="{route}",code_class="2xx"}}': "0+70x400",
        f'agw_requests_total{{job="agw",route="{route}",code_class="5xx"}}': "0+30x400",
        f'agw_request_duration_seconds_bucket{{job="agw",route="{route}",le="0.1"}}': "0+99x400",
        f'agw_request_duration_seconds_count{{job="agw",route="{route}"}}': "0+100x400",
        f'agw_endpoint_health{{job="agw",endpoint="{endpoint}",state="UNHEALTHY"}}': "1x400",
        'up{job="agw",instance="one:9901"}': "1x400",
    }
    reliable = {"severity": "critical", "indicator": "availability", "objective": EX + "reliable", "route": route}
    expected = [
        {
            "exp_labels": reliable,
            "exp_annotations": {"summary": "a burns its availability budget more than 14.4 times too fast."},
        }
    ]
    unhealthy = f"The endpoint {endpoint} has been unhealthy for five minutes."
    tests = {
        "rule_files": [str(folder / "rules.yml")],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "alert_rule_test": [
                    {"eval_time": "2h", "alertname": "AgwObjectiveBurnsFast", "exp_alerts": expected},
                    {
                        "eval_time": "2h",
                        "alertname": "AgwEndpointUnhealthy",
                        "exp_alerts": [
                            {
                                "exp_labels": {"severity": "warning", "endpoint": endpoint},
                                "exp_annotations": {"summary": unhealthy},
                            }
                        ],
                    },
                    {"eval_time": "2h", "alertname": "AgwDown", "exp_alerts": []},
                ],
                "promql_expr_test": [
                    {
                        "expr": "route:agw_errors:ratio_rate5m",
                        "eval_time": "2h",
                        "exp_samples": [{"labels": f'route:agw_errors:ratio_rate5m{{route="{route}"}}', "value": 0.3}],
                    }
                ],
            }
        ],
    }
    (tmp_path / "tests.yml").write_text(yaml.safe_dump(tests))
    promtool("test", "rules", tmp_path / "tests.yml")
