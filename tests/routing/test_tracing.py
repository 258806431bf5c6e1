from __future__ import annotations

from api_gateway_service_mesh.model import Tracing
from api_gateway_service_mesh.routing.tracing import tracing_part
from tests.support.routes import EX, route


def test_what_is_stated_is_said_and_cited() -> None:
    plain = tracing_part(route("r", "/"), Tracing(EX + "t"))
    assert plain.text == "100 % of requests, by tracecontext, baggage; spans go nowhere"
    assert [citation.object for citation in plain.citations] == [EX + "t"]
    part = tracing_part(route("r", "/"), Tracing(EX + "t", 0.01, sample_errors=True, collector="http://c/"))
    assert part.text == "1 % of requests, and all that fail, by tracecontext, baggage; spans go to http://c/"
    assert [citation.object for citation in part.citations] == [EX + "t", "0.01", "true", "http://c/"]
