from __future__ import annotations

from api_gateway_service_mesh.model import ConditionSource, RequestCondition, ValueKind
from tests.support.configuration import EX, assembled, mesh_of, only_finding

TEXT = """
ex:s a agw:BackendService ; agw:address "s:80" .
ex:r a agw:Route ; agw:routePath "/" ; agw:hasTrafficSplit ex:a .
ex:a a agw:TrafficSplit ; agw:weight 100 ; agw:targetService ex:s ; agw:steeredBy ex:h , ex:c .
ex:c a agw:CookieMatch ; agw:cookieName "Beta" ; agw:valueMatchType "Present" .
"""


def test_headers_lose_their_case_and_cookies_keep_it() -> None:
    text = 'ex:h a agw:HeaderMatch ; agw:headerName "X-Canary" ; agw:headerValue "always" .'
    (route,) = mesh_of(TEXT + text).routes
    assert route.splits[0].steered_by == (
        RequestCondition(EX + "c", ConditionSource.COOKIE, "Beta", ValueKind.PRESENT),
        RequestCondition(EX + "h", ConditionSource.HEADER, "x-canary", ValueKind.EXACT, "always"),
    )


def test_a_condition_on_nothing_is_refused() -> None:
    finding = only_finding(assembled(TEXT + 'ex:h a agw:HeaderMatch ; agw:headerValue "x" .'))
    assert finding.code == "condition-without-name"
