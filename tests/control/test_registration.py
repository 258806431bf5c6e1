"""A served gateway is in Consul before anybody asks, tells so itself, and is out of it before it drains."""

from __future__ import annotations

import json
import socket
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.consul_agent import consul_agent, needs_consul
from tests.support.serving import serve_process, turtle

CONFIGURATION = """@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
ex:gateway a agw:ApiGateway ; agw:hasRegistration ex:entry .
ex:entry a agw:Registration ; agw:registeredName "edge" ; agw:registeredIn ex:consul ; agw:registeredTag "@tag@" ;
    agw:heartbeatInterval "PT1S"^^xsd:dayTimeDuration .
ex:consul a agw:ServiceRegistry ; agw:registryType "consul" ; agw:registryAddress "@url@" .
ex:here a agw:Route ; agw:routePath "/here" ; agw:hasDirectResponse ex:hello .
ex:hello a agw:DirectResponse ; agw:responseBody "hello" .
"""
STANDING = """PREFIX agw: <https://ggen.ai/ontology/api-gateway#> PREFIX ex: <http://example.org/>
SELECT ?id WHERE { ex:entry agw:registrationState "REGISTERED" ; agw:registeredAs ?id }"""


def until(met: Callable[[], Any]) -> Any:
    end = time.monotonic() + 60
    while not (found := met()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


@needs_consul
def test_it_is_found_while_it_serves(tmp_path: Path) -> None:
    with consul_agent(tmp_path) as agent:

        def entries() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = json.loads(agent.ask("/v1/health/service/edge?passing=1")[1])
            return found

        file = tmp_path / "gateway.ttl"
        text = turtle(CONFIGURATION.replace("@url@", agent.url))
        file.write_text(text.replace("@tag@", "one"))
        with serve_process(file, "--workers", "1") as gateway:
            (found,) = until(entries)
            assert found["Service"]["Port"] == gateway.port
            identity = f"edge-{found['Service']['Address']}-{gateway.port}"
            asked = urllib.request.Request(
                gateway.admin + "/sparql",
                STANDING.encode(),
                {"content-type": "application/sparql-query", "accept": "application/sparql-results+json"},
            )

            def told() -> list[dict[str, Any]]:
                with urllib.request.urlopen(asked, timeout=20) as answer:
                    rows: list[dict[str, Any]] = json.load(answer)["results"]["bindings"]
                return rows

            (row,) = until(told)
            assert row["id"]["value"] == identity
            with urllib.request.urlopen(gateway.admin + "/metrics", timeout=20) as answer:
                metrics = answer.read().decode()
            assert 'agw_registration_state{registration="http://example.org/entry",state="REGISTERED"} 1' in metrics
            file.write_text(text.replace("@tag@", "two"))
            until(lambda: [each["Service"]["Tags"] for each in entries()] == [["two"]])
        until(lambda: agent.ask("/v1/health/service/edge") == (200, "[]"))


def test_a_registry_that_does_not_answer_is_told_by_the_doctor(tmp_path: Path) -> None:
    with socket.socket() as nobody:  # bound, and nobody listens
        nobody.bind(("127.0.0.1", 0))
        file = tmp_path / "gateway.ttl"
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        file.write_text(turtle(CONFIGURATION.replace("@url@", url).replace("@tag@", "one")))
        with serve_process(file, "--workers", "1") as gateway:

            def lost() -> list[dict[str, Any]]:
                with urllib.request.urlopen(gateway.admin + "/doctor", timeout=60) as answer:
                    found: list[dict[str, Any]] = json.load(answer)["findings"]
                return [each for each in found if each["diagnosis"] == "registration-lost"]

            (one,) = until(lost)
            assert one["about"] == "http://example.org/entry"
            assert "http://example.org/consul" in one["message"] or "ex:consul" in one["message"]
            assert any("gateway.ttl:" in str(triple["at"]) for triple in one["triples"])
