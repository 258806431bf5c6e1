"""Transformations from triples to the model."""

from __future__ import annotations

import pytest

from api_gateway_service_mesh.errors import ConfigError
from api_gateway_service_mesh.model import RequestTransformation, ResponseTransformation
from tests.support.configuration import EX, mesh_of

TEXT = """ex:s a agw:BackendService ; agw:address "s:80" .
ex:r a agw:Route ; agw:routePath "/a" ; agw:hasBackendService ex:s ;
    agw:hasRequestTransformation ex:in ; agw:hasResponseTransformation ex:out . """


def test_all_that_they_say() -> None:
    (route,) = mesh_of(
        TEXT
        + """ex:in a agw:RequestTransformation ; agw:setsHeader "B: c" , "A:b:c" ; agw:addsHeader "D: e" ; agw:removesHeader "X-Y" ;
        agw:copiesHeader "From: To" ; agw:setsParameter "a=b=c" ; agw:addsParameter "d=" ; agw:removesParameter "e" ;
        agw:removesMember "/a" , "/b/c" ; agw:renamesMember "/a/b=c" ; agw:setsMember "/d=\\"e=f\\"" .
        ex:in agw:maximumBodyBytes 10 . ex:out agw:maximumBodyBytes 20 ; agw:passesUnchangeable true ; agw:removesMember "/a" ;
        agw:renamesMember "/a=b" ; agw:setsMember "/c=1" ; agw:bodyExpression "{a: b}" ; agw:bodyTemplate "[\\"${body/a}\\"]" .
        ex:out a agw:ResponseTransformation ; agw:setsHeader "A: b" ; agw:addsHeader "C: d" ; agw:removesHeader "Server" ."""
    ).routes
    assert route.request_transformation == RequestTransformation(
        EX + "in",
        (("A", "b:c"), ("B", "c")),
        (("D", "e"),),
        ("x-y",),
        (("from", "To"),),
        (("a", "b=c"),),
        (("d", ""),),
        ("e",),
        ("/a", "/b/c"),
        (("/a/b", "c"),),
        (("/d", '"e=f"'),),
        10,
    )
    assert route.response_transformation == ResponseTransformation(
        EX + "out",
        (("A", "b"),),
        (("C", "d"),),
        ("server",),
        ("/a",),
        (("/a", "b"),),
        (("/c", "1"),),
        20,
        True,
        "{a: b}",
        '["${body/a}"]',
    )


def test_one_that_says_nothing() -> None:
    (route,) = mesh_of(TEXT + "ex:in a agw:RequestTransformation . ex:out a agw:ResponseTransformation .").routes
    assert route.request_transformation == RequestTransformation(EX + "in")
    assert route.response_transformation == ResponseTransformation(EX + "out")


def test_what_is_set_must_be_json() -> None:
    with pytest.raises(ConfigError, match="not JSON"):
        mesh_of(
            TEXT + 'ex:in a agw:RequestTransformation ; agw:setsMember "/a=b" . ex:out a agw:ResponseTransformation .'
        )


@pytest.mark.parametrize(
    ("text", "said"),
    [("items[*", "Incomplete expression"), ("foo(a)", "no function foo"), ("length()", "takes 1 arguments")],
)
def test_an_expression_is_read_when_it_is_loaded(text: str, said: str) -> None:
    pytest.importorskip("jmespath")
    with pytest.raises(ConfigError, match=said) as raised:
        mesh_of(
            TEXT
            + f'ex:in a agw:RequestTransformation ; agw:bodyExpression "{text}" . ex:out a agw:ResponseTransformation .'
        )
    assert "write JMESPath" in str(raised.value.report.violations[0].remedy)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": ${body/a}}', "it is not JSON"),
        ('["${body.a}"]', "nothing of the name"),
        ('["${claim.sub}"]', "is not to be had here"),
        ('["${header.a}"]', "is not to be had here"),
        ('["${request.id}"]', "may be kept for others"),
    ],
)
def test_a_template_is_read_when_it_is_loaded(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as raised:
        mesh_of(
            TEXT
            + f"ex:out a agw:ResponseTransformation ; agw:bodyTemplate '''{text}''' . ex:in a agw:RequestTransformation ."
        )
    assert "places in its texts" in str(raised.value.report.violations[0].remedy)
