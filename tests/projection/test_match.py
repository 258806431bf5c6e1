from __future__ import annotations

import pytest

from api_gateway_service_mesh.model import PathKind, PathMatch, ValueKind
from api_gateway_service_mesh.projection.match import path_kind
from tests.support.configuration import assembled, mesh_of


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("/a/b", PathKind.EXACT),
        ("/", PathKind.EXACT),
        ("/a/*", PathKind.PREFIX),
        ("/*", PathKind.PREFIX),
        ("/users/{id}", PathKind.TEMPLATE),
        ("/users/{id}/*", PathKind.TEMPLATE),
        ("/a/{id}.json", PathKind.TEMPLATE),  # so that it is refused, instead of never matching
        ("/a*", PathKind.EXACT),
    ],
)
def test_kind_by_text(text: str, kind: PathKind) -> None:
    assert path_kind(text) is kind


@pytest.mark.parametrize(
    ("stated", "match"),
    [
        ('agw:routePath "/a/*"', PathMatch(PathKind.PREFIX, "/a")),
        ('agw:routePath "/*"', PathMatch(PathKind.PREFIX, "")),
        ('agw:routePath "/a/" ; agw:pathMatchType "Prefix"', PathMatch(PathKind.PREFIX, "/a")),
        ('agw:routePath "/a/*" ; agw:pathMatchType "Exact"', PathMatch(PathKind.EXACT, "/a/*")),
        ('agw:routePath "/a/[0-9]+" ; agw:pathMatchType "RegularExpression"', PathMatch(PathKind.REGULAR_EXPRESSION, "/a/[0-9]+")),
    ],
)  # fmt: skip
def test_paths_in_normal_form(stated: str, match: PathMatch) -> None:
    assert mesh_of(f"ex:r a agw:Route ; {stated} .").routes[0].match.path == match


def test_headers_and_parameters() -> None:
    match = (
        mesh_of("""
        ex:r a agw:Route ; agw:routePath "/" ; agw:matchesHeader ex:b, ex:a ; agw:matchesQueryParameter ex:q .
        ex:a a agw:HeaderMatch ; agw:headerName "X-Tenant" ; agw:headerValue "Blue" .
        ex:b a agw:HeaderMatch ; agw:headerName "x-debug" ; agw:valueMatchType "Present" .
        ex:q a agw:QueryParameterMatch ; agw:parameterName "Version" ; agw:parameterValue "v[12]" ;
          agw:valueMatchType "RegularExpression" .
    """)
        .routes[0]
        .match
    )
    assert [(h.name, h.kind, h.value) for h in match.headers] == [
        ("x-tenant", ValueKind.EXACT, "Blue"),
        ("x-debug", ValueKind.PRESENT, ""),
    ]
    assert [(q.name, q.kind, q.value) for q in match.query] == [("Version", ValueKind.REGULAR_EXPRESSION, "v[12]")]


def test_a_comparison_without_value_is_refused() -> None:
    found = assembled('ex:r a agw:Route ; agw:routePath "/" ; agw:matchesHeader [ agw:headerName "x" ] .')
    assert "missing-value" in {finding.code for finding in found.findings}
