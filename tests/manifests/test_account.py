"""Nothing is dropped in silence: each field of the model changes what a target's manifests say, or is reported."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from functools import cache
from typing import get_args, get_type_hints

import pytest
from pyoxigraph import NamedNode

from api_gateway_service_mesh import model
from api_gateway_service_mesh.errors import ConfigError, Severity
from api_gateway_service_mesh.graph.capability import Level, capabilities
from api_gateway_service_mesh.graph.ontology import agw_ontology
from api_gateway_service_mesh.graph.terms import lexical
from api_gateway_service_mesh.manifests import TARGETS, NotExpressibleError, Rendering, render
from api_gateway_service_mesh.manifests.feature import FEATURES, IDENTITY, STRUCTURE
from api_gateway_service_mesh.manifests.gap import LOSS
from api_gateway_service_mesh.manifests.rows import BESIDE, WITHIN, says, terms
from api_gateway_service_mesh.manifests.stated import stated, text_of
from api_gateway_service_mesh.model import Mesh
from api_gateway_service_mesh.vocabulary import AGW, NAMESPACE, TERMS
from tests.support.mesh_model import published
from tests.support.rich_mesh import mutants, rich
from tests.support.routes import EX, mesh, route

#: Envoy is told nothing of what has no effect (a maintenance that is off, the path of a check that speaks TCP), so its
#: fields cannot be tried one by one on meshes that state all of them at once; tests/parity holds what it says.
TABLES = {
    name: table for name, table in capabilities().items() if name in TARGETS and not table.whole and name != "envoy"
}


def _held(kind: type, found: dict[str, type]) -> dict[str, type]:
    """A class of the model and all those that stand in its fields."""
    if kind.__name__ not in found:
        found[kind.__name__] = kind
        for hint in get_type_hints(kind).values():
            for part in (hint, *get_args(hint)):
                if is_dataclass(part):
                    _held(part, found)  # type: ignore[arg-type]
    return found


MODEL = _held(Mesh, {})


@cache
def made(name: str, target: str) -> Rendering:
    return render(rich()[name], target, allow_loss=True)


def text(rendering: Rendering) -> str:
    return "".join(manifest.text for manifest in rendering)


def test_a_target_that_stands_in_the_graph_renders_and_one_that_renders_stands_there() -> None:
    assert set(capabilities()) == set(TARGETS)
    for table in capabilities().values():
        assert table.title
        assert {term.removeprefix(NAMESPACE) for term in table.levels} <= TERMS


def test_every_property_that_can_be_stated_has_a_row() -> None:
    index = agw_ontology().index
    kinds = {NamedNode(f"http://www.w3.org/2002/07/owl#{name}Property") for name in ("Datatype", "Object")}
    stateable = {
        lexical(term)
        for kind in kinds
        for term in index.instances(kind)
        if isinstance(term, NamedNode) and "configuration" in map(lexical, index.values(term, NamedNode(AGW.termRole)))
    }
    assert len(stateable) > 400
    rows = set(terms(capabilities().values()))
    assert sorted(stateable - rows) == []
    assert sorted((WITHIN.keys() | BESIDE) & {*FEATURES.values()}) == []
    for target in capabilities().values():
        assert {says(target, term) for term in rows} <= {"yes", "part", "no", "-"}


@pytest.mark.parametrize("target", [name for name, table in capabilities().items() if not table.whole])
def test_every_cannot_is_refused(target: str) -> None:
    """What the table says that a target cannot say, stated: the rendering is refused, and names it or what holds it."""
    table = capabilities()[target]
    missed: set[str] = set()
    for name, each in rich().items():
        with pytest.raises(NotExpressibleError) as caught:
            render(each, target)
        lost = {finding.predicate for finding in caught.value.report.violations}
        told = lost | {finding.predicate for finding in caught.value.report.findings}
        for one in stated(each):
            level = table.level(one.term, text_of(one.value), one.kind)
            if one.term is not None and level is Level.NONE and not {one.term, *one.above} & told:
                missed.add(f"{name}: {one.term}")
    assert missed == set()


def test_the_fields_that_are_spoken_of_are_fields_of_the_model() -> None:
    there = {f"{name}.{field.name}" for name, kind in MODEL.items() for field in fields(kind)}
    assert {*FEATURES, *STRUCTURE, *(feature for feature in IDENTITY if "." in feature)} <= there


def test_the_rich_meshes_state_every_field() -> None:
    said = {one.feature for each in rich().values() for one in stated(each)}
    named = {f"{name}.{field.name}" for name, kind in MODEL.items() for field in fields(kind)}
    unnamed = {feature for feature in named if feature in IDENTITY or feature.partition(".")[2] in IDENTITY}
    # Keys are said with what they are keys of, and what depends on the rest is in the meshes all the same.
    assert named - said - unnamed - STRUCTURE == set()


@pytest.mark.parametrize("target", TABLES)
def test_every_field_is_rendered_or_reported(target: str) -> None:
    """A field that changes neither the text nor stands in the report is dropped in silence; one that the table says the
    target can say, and that changes no text anywhere, is a claim without truth."""
    table = TABLES[target]
    silent: dict[str, set[str]] = {}
    rendered: set[str] = set()
    reported: set[str] = set()
    for name, base in rich().items():
        before = made(name, target)
        facts = {(one.feature, one.subject): one for one in stated(base)}
        told = {(finding.subject, finding.predicate) for finding in before.report.findings}
        for feature, iri, mutant in mutants(base):
            one = facts.get((feature, iri))
            if one is None or feature in rendered:
                continue
            places = (getattr(one.value, "iri", None), one.subject, *one.holders[:-1], base.iri)
            if any((place, term) in told for place in places for term in (one.term, *one.above)):
                reported.add(feature)
                lost = any(table.level(term) is Level.NONE for term in one.above)
                if lost or table.level(one.term, kind=one.kind) is not Level.FULL:
                    continue
            try:
                after = render(mutant, target, allow_loss=True)
            except ConfigError:
                continue  # there is no such configuration
            if text(after) != text(before):
                rendered.add(feature)
            elif after.report != before.report:
                reported.add(feature)
            elif feature not in reported:
                silent.setdefault(feature, set()).add(name)
    dropped = sorted(set(silent) - rendered - reported)
    assert not dropped, " ".join(dropped)
    claimed = {
        one.feature
        for each in rich().values()
        for one in stated(each)
        if table.level(one.term, kind=one.kind) is Level.FULL
        and not any(table.level(term) is Level.NONE for term in one.above)
    }
    claimed.discard("ServiceMesh.mesh_type")  # whether it is the target's own
    assert claimed <= rendered, " ".join(sorted(claimed - rendered))


def test_what_would_be_missing_is_refused_unless_it_may_be() -> None:
    lossy = mesh(route("slow", "/", hedging=model.Hedging(EX + "hedge")))
    with pytest.raises(NotExpressibleError, match="no second attempt") as caught:
        render(lossy, "istio")
    (loss,) = caught.value.report.violations
    assert (loss.code, loss.subject) == (LOSS, EX + "hedge")
    (same,) = render(lossy, "istio", allow_loss=True).losses
    assert same.severity is Severity.WARNING
    assert render(lossy, "kubernetes").losses == ()
    assert render(published(), "istio").losses == ()


def test_a_feature_that_no_table_knows_is_a_loss() -> None:
    table = TABLES["istio"]
    assert table.level("urn:agw:no-such-term") is Level.NONE
    assert table.level(None) is Level.NONE


def test_what_a_whole_target_carries_needs_no_account() -> None:
    for each in rich().values():
        assert isinstance(each, Mesh)
        assert render(each, "kubernetes").losses == ()
