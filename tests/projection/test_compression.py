"""Compression from triples to the model."""

from __future__ import annotations

from api_gateway_service_mesh.model import Compression, CompressionEffort
from tests.support.configuration import EX, mesh_of

TEXT = """ex:s a agw:BackendService ; agw:address "s:80" .
ex:r a agw:Route ; agw:routePath "/a" ; agw:hasBackendService ex:s ; agw:hasCompression ex:c .
ex:c a agw:Compression """


def test_all_that_it_says() -> None:
    (route,) = mesh_of(TEXT + ".").routes
    assert route.compression == Compression(EX + "c")
    (route,) = mesh_of(
        TEXT
        + """; agw:offersCoding "gzip" , "zstd" ; agw:compressesType "text/html" , "application/json" ;
        agw:minimumBytes 10 ; agw:compressionEffort "SMALL" ."""
    ).routes
    assert route.compression == Compression(
        EX + "c", ("zstd", "gzip"), ("application/json", "text/html"), 10, CompressionEffort.SMALL
    )
