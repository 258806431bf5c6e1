"""Turtle with the prefixes every test wants, and the stages it goes through."""

from __future__ import annotations

from pathlib import Path

from api_gateway_service_mesh.errors import Finding
from api_gateway_service_mesh.graph import SourceGraph, infer
from api_gateway_service_mesh.model import Mesh
from api_gateway_service_mesh.projection import Assembly, assemble, project

EX = "https://example.org/shop#"
AGW = "https://ggen.ai/ontology/api-gateway#"
HEAD = (
    f"@prefix agw: <{AGW}> . @prefix ex: <{EX}> . @prefix xsd: <http://www.w3.org/2001/XMLSchema#> . "
    "@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .\n"
)


def parse(text: str, base_dir: Path | None = None) -> SourceGraph:
    """A source from Turtle without its prefixes; its first line is line 2 of ``shop.ttl``."""
    return SourceGraph.parse(HEAD + text, name="shop.ttl", base_dir=base_dir)


def assembled(
    text: str,
    *,
    gateway: str | None = None,
    base_dir: Path | None = None,
    queries: Path | None = None,
    allowed_folders: tuple[Path, ...] = (),
) -> Assembly:
    """Projected and assembled, without validation: what these stages say by themselves."""
    graph = infer(parse(text, base_dir))
    return assemble(project(graph, queries), graph, gateway, allowed_folders)


def mesh_of(text: str, **options: Path) -> Mesh:
    """The model of a text that has nothing wrong."""
    return assembled(text, **options).accepted()  # type: ignore[arg-type]


def only_finding(assembly: Assembly) -> Finding:
    """The one finding there is."""
    (finding,) = assembly.findings
    return finding
