"""The most specific place that speaks of a policy decides it; the rules and their explanation say the same."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from pyoxigraph import NamedNode

from api_gateway_service_mesh.graph import SourceGraph, infer
from api_gateway_service_mesh.graph.inheritance import Places, Said
from api_gateway_service_mesh.graph.terms import AGW, lexical
from tests.support.turtle import configuration

EX = "https://example.com/"
POLICIES = ("hasTimeout", "hasRateLimiter")
CLASSES, ROUTES, HOSTS = ("A", "B", "C"), ("r", "s", "t"), ("h", "i", "j")
NAMES = ("shop.example.com", "api.shop.example.com", "*.example.com", "*.shop.example.com", "other.test")

says = st.lists(
    st.tuples(st.sampled_from((*CLASSES, *ROUTES, *HOSTS, "g")), st.sampled_from(POLICIES), st.integers(0, 2)),
    max_size=12,
)
above = st.sets(st.tuples(st.sampled_from(CLASSES), st.sampled_from(CLASSES)), max_size=4)
members = st.sets(st.tuples(st.sampled_from(ROUTES), st.sampled_from(CLASSES)), max_size=4)
names = st.sets(st.tuples(st.sampled_from((*ROUTES, *HOSTS)), st.sampled_from(NAMES)), max_size=8)


def _places(body: str) -> Places:
    return Places(infer(SourceGraph.parse(configuration(body), "shop.ttl")))


def _counts(body: str, policy: str, route: str = "r") -> set[str]:
    """The local names of the policies of a kind that count for a route, by the rules and by their explanation."""
    places = _places(body)
    node, prop = NamedNode(EX + route), NamedNode(AGW + policy)
    by_rules = {lexical(value) for value in places.graph.index.values(node, prop)}
    standing = places.standing(node, prop)
    assert by_rules == set(standing.values if standing else ())
    return {value.removeprefix(EX) for value in by_rules}


@settings(max_examples=150, deadline=None)
@given(says, above, members, names, st.booleans())
def test_rules_and_explanation_agree(
    said: list[tuple[str, str, int]],
    above: set[tuple[str, str]],
    members: set[tuple[str, str]],
    names: set[tuple[str, str]],
    listed: bool,
) -> None:
    lines = [f"ex:{name} a agw:Route ." for name in ROUTES]
    lines += [f"ex:{name} a agw:VirtualService ." for name in HOSTS]
    lines += [f"ex:{name} rdfs:subClassOf agw:Route ." for name in CLASSES]
    lines += [f"ex:{lower} rdfs:subClassOf ex:{upper} ." for lower, upper in above]
    lines += [f"ex:{route} a ex:{kind} ." for route, kind in members]
    lines += [f'ex:{place} agw:hostname "{name}" .' for place, name in names]
    lines += ["ex:g a agw:ApiGateway .", "ex:g agw:hasRoute ex:r ." if listed else ""]
    for place, policy, value in said:
        declined = f"ex:{place} agw:withoutPolicy agw:{policy} ."
        lines.append(declined if value == 0 else f"ex:{place} agw:{policy} ex:{policy}{value}{place} .")
    body = "\n".join(lines)
    for route in ROUTES:
        for policy in POLICIES:
            _counts(body, policy, route)


def test_one_order_from_route_to_gateway() -> None:
    gateway = "ex:g a agw:ApiGateway ; agw:hasTimeout ex:ofGateway . "
    host = 'ex:h a agw:VirtualService ; agw:hostname "a.example.com" ; agw:hasTimeout ex:ofHost . '
    wide = 'ex:w a agw:VirtualService ; agw:hostname "*.example.com" ; agw:hasTimeout ex:ofWildcard . '
    upper = "ex:Upper rdfs:subClassOf agw:Route ; agw:hasTimeout ex:ofUpper . "
    lower = "ex:Lower rdfs:subClassOf ex:Upper ; agw:hasTimeout ex:ofLower . "
    route = 'ex:r a agw:Route ; agw:hostname "A.example.com" . '
    own = "ex:r agw:hasTimeout ex:own . "
    assert _counts(gateway + route, "hasTimeout") == {"ofGateway"}
    assert _counts(gateway + wide + route, "hasTimeout") == {"ofWildcard"}
    assert _counts(gateway + wide + host + route, "hasTimeout") == {"ofHost"}
    in_upper = "ex:r a ex:Upper . " + gateway + wide + host + upper
    assert _counts(in_upper + route, "hasTimeout") == {"ofUpper"}
    in_lower = in_upper + lower + "ex:r a ex:Lower . "
    assert _counts(in_lower + route, "hasTimeout") == {"ofLower"}
    assert _counts(in_lower + route + own, "hasTimeout") == {"own"}
    places = _places(in_lower + route + own)
    standing = places.standing(NamedNode(EX + "r"), NamedNode(AGW + "hasTimeout"))
    assert standing is not None
    assert [said.rank for said in standing.overridden] == [
        "class",
        "class",
        "virtual service",
        "virtual service",
        "gateway",
    ]
    assert [said.values[0].removeprefix(EX) for said in standing.overridden] == [
        "ofLower", "ofUpper", "ofHost", "ofWildcard", "ofGateway",
    ]  # fmt: skip


def test_all_values_of_the_nearest_place_count_and_none_of_a_farther() -> None:
    body = "ex:g a agw:ApiGateway ; agw:hasRateLimiter ex:far . ex:r a agw:Route . "
    assert _counts(body + "ex:r agw:hasRateLimiter ex:one , ex:two .", "hasRateLimiter") == {"one", "two"}


def test_what_is_declined_does_not_count_and_says_who_declined_it() -> None:
    body = "ex:g a agw:ApiGateway ; agw:hasTimeout ex:slow . ex:r a agw:Route ; agw:withoutPolicy agw:hasTimeout ."
    assert _counts(body, "hasTimeout") == set()
    places = _places(body)
    (standing,) = places.standings(EX + "r")
    assert standing.deciding == (Said("route", EX + "r", AGW + "hasTimeout", ()),)
    assert str(places.locate(standing.deciding[0])) == "shop.ttl:7:87"
    assert str(places.locate(standing.overridden[0])) == "shop.ttl:7:40"


def test_a_class_declines_for_its_members_and_a_nearer_one_states_again() -> None:
    body = """ex:g a agw:ApiGateway ; agw:hasTimeout ex:slow .
        ex:Bulk rdfs:subClassOf agw:Route ; agw:withoutPolicy agw:hasTimeout .
        ex:Small rdfs:subClassOf ex:Bulk ; agw:hasTimeout ex:quick .
        ex:r a ex:Bulk . ex:s a ex:Small ."""
    assert _counts(body, "hasTimeout") == set()
    assert _counts(body, "hasTimeout", "s") == {"quick"}


def test_a_lone_gateway_serves_every_route_and_one_of_several_those_it_lists() -> None:
    route = "ex:r a agw:Route . ex:g a agw:ApiGateway ; agw:hasTimeout ex:slow . "
    assert _counts(route, "hasTimeout") == {"slow"}
    assert _counts(route + "ex:f a agw:ApiGateway .", "hasTimeout") == set()
    assert _counts(route + "ex:f a agw:ApiGateway . ex:g agw:hasRoute ex:r .", "hasTimeout") == {"slow"}
    assert _counts(route + "ex:f a agw:ApiGateway ; agw:hasRoute ex:r .", "hasTimeout") == set()
    assert (
        _counts(route + "ex:f a agw:ApiGateway ; agw:hasRoute ex:r . ex:g agw:hasRoute ex:r .", "hasTimeout") == set()
    )


def test_services_inherit_from_their_classes_and_from_no_gateway() -> None:
    body = """ex:g a agw:ApiGateway ; agw:hasServiceMesh ex:mesh .
        ex:Guarded rdfs:subClassOf agw:BackendService ; agw:hasConnectionPool ex:pool . ex:r a ex:Guarded ."""
    assert _counts(body, "hasConnectionPool") == {"pool"}
    assert _counts(body, "hasServiceMesh") == set()
