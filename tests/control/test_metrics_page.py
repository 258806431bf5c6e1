"""The reference page of the metrics says what ``/metrics`` says, all of it and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from api_gateway_service_mesh import model
from api_gateway_service_mesh.control.cluster_routes import RouteSourceStanding
from api_gateway_service_mesh.control.issuing import RenewalStatus
from api_gateway_service_mesh.control.live import Live
from api_gateway_service_mesh.control.metrics import ControlCounters, metric_families
from api_gateway_service_mesh.control.objective import Standing as ObjectiveStanding
from api_gateway_service_mesh.control.objective import Watched
from api_gateway_service_mesh.control.plane import Proxy
from api_gateway_service_mesh.discovery.registration import Standing as EntryStanding
from api_gateway_service_mesh.discovery.standing import Standing
from api_gateway_service_mesh.model import Certificate, Mesh
from api_gateway_service_mesh.policies import CellLayout, CellStore, layout_for
from api_gateway_service_mesh.security.client_credentials import TokenStanding
from api_gateway_service_mesh.telemetry import render_metrics
from api_gateway_service_mesh.telemetry.live_rate import LiveRate
from api_gateway_service_mesh.telemetry.objective import Burn, ObjectiveState
from tests.support.certs import new_authority
from tests.support.rich_mesh import filled, rich
from tests.support.routes import EX
from tests.support.serving import serve_process, turtle

from .test_serve import get, until

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"
_ROW = re.compile(r"^\| `(agw_\w+)` \| (\w+) \| ([^|]*?) ?\| ([^|]*?) ?\| ([^|]+) \|$")
_WORKERS = 2
_EVENTS = ("listener", "websocket", "mirror")
"""Cells whose samples are of what has happened: nothing is told of what has not."""

Told = dict[str, tuple[str, set[str]]]


def page() -> Told:
    """Type and labels by name, as the page has them."""
    found: Told = {}
    for line in PAGE.read_text().splitlines():
        if line.startswith("| `agw_"):
            row = _ROW.match(line)
            assert row, line
            name, kind, _, labels, _ = row.groups()
            assert name not in found, name
            found[name] = kind, set(re.findall(r"`(\w+)`", labels))
    return found


def scraped(text: str, found: Told) -> Told:
    """What a scrape says, added to `found`."""
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M):
        info = kind == "gauge" and name.endswith("_info")
        labels = found.setdefault(name, ("info" if info else kind, set()))[1]
        samples = f"{name}(?:_bucket|_sum|_count)?" if kind == "histogram" else name
        for pairs in re.findall(rf"^{samples}\{{(.*)\}} \S+$", text, re.M):
            labels |= set(re.findall(r'(\w+)="', pairs)) - {"le"}
    return found


def gateways(certificate: Certificate) -> Iterator[Live]:
    """Everything that can be configured, each thing in a state of which there is something to tell."""
    for mesh in rich().values():
        listeners = tuple(replace(one, certificate=certificate) for one in mesh.listeners)
        yield served(replace(mesh, listeners=listeners))


def served(mesh: Mesh) -> Live:
    cells = CellStore.local(2**20)
    slots = layout_for(mesh, CellLayout(cells), _WORKERS)
    for (kind, _), base in slots.items():
        if kind in _EVENTS:
            for cell in range(base, base + 16):
                cells.view[cell] = 1.0
    now = datetime(2026, 1, 1, tzinfo=UTC)
    burning = Burn({300.0: 2.0}, ObjectiveState.MET, None)
    subjects = (("gateway", mesh.iri), ("route", EX + "whole"), ("service", EX + "service"))
    return Live(
        mesh,
        slots,
        cells,
        _WORKERS,
        1,
        now,
        proxies=lambda: (Proxy("envoy", "1", None),),
        discovered=[(filled(model.Discovery), Standing(1.0))],
        registrations=[(filled(model.Registration), EntryStanding())],
        route_source=RouteSourceStanding(),
        renewals={EX + "issued": RenewalStatus(due=now)},
        rates=lambda: {subject: [LiveRate(60.0, 1.0, 0.0, (0.1, 0.2, 0.3))] for subject in subjects},
        objectives=lambda: [
            ObjectiveStanding(Watched(EX + "o", subject, "latency", 0.9, 60.0, 1.0), burning)
            for subject in subjects[1:]
        ],
        tokens=lambda: {EX + "credentials": TokenStanding(until=1.0)},
    )


def test_the_page_has_every_metric_and_no_other(tmp_path: Path) -> None:
    issued = new_authority(tmp_path).issue("gateway.example")
    certificate = Certificate(EX + "certificate", str(issued.certificate_file), f"file:{issued.key_file}")
    found: Told = {}
    for live in gateways(certificate):
        scraped(render_metrics(metric_families(live, ControlCounters())), found)
    assert found == page()


async def test_a_gateway_says_what_the_page_says(tmp_path: Path, backend_port: int) -> None:
    file = tmp_path / "gateway.ttl"
    file.write_text(
        turtle(
            f"""
            ex:g a agw:ApiGateway ; agw:hasRoute ex:r ; agw:accessLogEnabled true ;
                agw:hasServiceLevelObjective [ a agw:ServiceLevelObjective ; agw:availabilityTarget 0.99 ] .
            ex:r a agw:Route ; agw:routePath "/*" ; agw:hasBackendService ex:s ;
                agw:hasRateLimiter [ a agw:RateLimiter ; agw:requestsPerSecond 1000 ] .
            ex:s a agw:BackendService ; agw:address "127.0.0.1:{backend_port}" .
            """
        )
    )
    with serve_process(file, "--workers", "1") as gateway:
        assert (await get(gateway.url + "/x"))[0] == 200

        async def rated() -> bool:
            return "agw_request_rate{" in (await get(gateway.admin + "/metrics"))[1]

        await until(rated, 30.0)
        said, known = scraped((await get(gateway.admin + "/metrics"))[1], {}), page()
    assert said["agw_requests_total"] == ("counter", {"route", "code_class"})
    for name, (kind, labels) in said.items():
        assert kind == known[name][0], name
        assert labels <= known[name][1], name
