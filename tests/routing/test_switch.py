"""Routes that only a value tells apart: found by one look-up, with the same answer as one by one."""

from __future__ import annotations

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from api_gateway_service_mesh.routing import compile_table
from api_gateway_service_mesh.routing.switch import FEWEST
from tests.support.routes import Request, header, mesh, oracle, parameter, route


@st.composite
def crowds(draw: st.DrawFn):
    """Many routes on one path: most want a value of x-tenant, some something else, a few nothing."""
    made = []
    for index in range(draw(st.integers(FEWEST, 24))):
        headers, query = [], []
        if draw(st.integers(0, 3)):
            headers.append(header("x-tenant", str(draw(st.integers(0, 5)))))
        if not draw(st.integers(0, 3)):
            headers.append(header("x-b", "[01]", "RegularExpression"))
        if not draw(st.integers(0, 3)):
            query.append(parameter("p", str(draw(st.integers(0, 1)))))
        methods = draw(st.sampled_from([(), (), ("GET",), ("POST",)]))
        made.append(route(f"r{index:02}", "/a", headers=tuple(headers), query=tuple(query), methods=methods))
    return tuple(made)


@settings(max_examples=150)
@given(crowds(), st.sampled_from(["GET", "HEAD", "PUT"]), st.integers(-1, 6), st.integers(-1, 2), st.integers(-1, 1))
def test_a_switch_changes_no_answer(routes, method: str, tenant: int, other: int, value: int) -> None:
    fields = [(name, str(n)) for name, n in (("x-tenant", tenant), ("x-b", other)) if n >= 0]
    request = Request(method, "h", "/a", f"p={value}" if value >= 0 else "", tuple(fields))
    entry = compile_table(mesh(*routes)).find("h", method, "/a", request.query, request.fields)
    expected = oracle(routes, request)
    assert (entry.route.iri if entry else None) == (expected.iri if expected else None)


def test_ten_thousand_tenants_on_one_path_cost_what_ten_do() -> None:
    def fastest(count: int) -> float:
        table = compile_table(
            mesh(*(route(f"r{i}", "/a", headers=(header("x-tenant", f"t{i}"),)) for i in range(count)))
        )
        asked = {"x-tenant": f"t{count - 1}"}
        best = 1.0
        for _ in range(5):
            start = time.perf_counter()
            for _ in range(1000):
                assert table.find("h", "GET", "/a", "", asked) is not None
            best = min(best, time.perf_counter() - start)
        return best

    assert fastest(10_000) < 4 * fastest(10)
