"""Ontology, shapes, queries, examples and code speak of the same terms, and no term is decoration."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pyoxigraph
import pytest
import re2
from rdflib import OWL, RDF, RDFS, BNode, Graph, Literal, Namespace, URIRef
from rdflib.collection import Collection

from api_gateway_service_mesh import resources, vocabulary
from api_gateway_service_mesh.vocabulary import AGW, NAMESPACE, TERMS
from api_gateway_service_mesh.vocabulary import RDFS as RDFS_TERMS
from api_gateway_service_mesh.vocabulary import SH as SH_TERMS

SH = Namespace(vocabulary.PREFIXES["sh"])
NS = Namespace(NAMESPACE)
QUERIES = {kind: sorted(resources.queries(kind).glob("*.rq")) for kind in ("project", "infer", "report", "doctor")}
SHAPE_FILES = sorted(resources.shapes().glob("*.ttl"))
EXAMPLES = sorted(resources.examples().rglob("*.ttl"))
SOURCES = Path(vocabulary.__file__).parent

# What agw's own engine evaluates; a shape with anything else would be passed over.
CORE = [
    "class",
    "datatype",
    "nodeKind",
    "minCount",
    "maxCount",
    "minInclusive",
    "maxInclusive",
    "minExclusive",
    "maxExclusive",
    "minLength",
    "maxLength",
    "pattern",
    "flags",
    "in",
    "hasValue",
    "node",
    "or",
    "and",
    "not",
    "xone",
    "lessThan",
    "lessThanOrEquals",
    "disjoint",
    "equals",
    "property",
    "sparql",
]
ANNOTATIONS = [
    "path",
    "name",
    "description",
    "order",
    "message",
    "severity",
    "targetClass",
    "targetSubjectsOf",
    "targetObjectsOf",
]
BENEATH_OTHERS = {"property", "sparql"}  # constraints whose own node carries message and severity


@cache
def _graph(folder: str) -> Graph:
    graph = Graph()
    for file in sorted((resources.ontology() if folder == "ontology" else resources.shapes()).glob("*.ttl")):
        graph.parse(file)
    return graph


def _role(name: str) -> str:
    return str(_graph("ontology").value(NS[name], NS.termRole))


def _terms_in(text: str) -> set[str]:
    return set(re.findall(r"(?<!urn:)\bagw:([A-Za-z]\w*)", text)) | set(
        re.findall(re.escape(NAMESPACE) + r"(\w+)", text)
    )


@cache
def _projected(*kinds: str) -> set[str]:
    """Terms that a projection query (or one of another kind too) names outside its comments."""
    files = [file for kind in ("project", *kinds) for file in QUERIES[kind]]
    lines = [line for file in files for line in file.read_text().splitlines()]
    return _terms_in("\n".join(line for line in lines if not line.startswith("#")))


def test_the_vocabulary_is_the_ontology() -> None:
    declared = {str(term).removeprefix(NAMESPACE) for term in _graph("ontology").subjects(RDFS.isDefinedBy)}
    assert declared == TERMS
    kinds = (OWL.Class, OWL.DatatypeProperty, OWL.ObjectProperty, OWL.AnnotationProperty)
    typed = {t for kind in kinds for t in _graph("ontology").subjects(RDF.type, kind) if str(t).startswith(NAMESPACE)}
    assert {str(term).removeprefix(NAMESPACE) for term in typed} == TERMS


def test_an_unknown_name_raises_and_names_its_neighbour() -> None:
    assert AGW.routePath == "https://ggen.ai/ontology/api-gateway#routePath"
    assert SH_TERMS.class_ == str(SH["class"])
    assert str(RDFS.subClassOf) == RDFS_TERMS.subClassOf
    with pytest.raises(AttributeError, match="did you mean routePath"):
        getattr(AGW, "routPath")  # noqa: B009 - a type checker refuses AGW.routPath
    for method_of_str in ("count", "format", "index", "encode"):
        with pytest.raises(AttributeError):
            getattr(AGW, method_of_str)
    with pytest.raises(AttributeError, match="closed"):
        AGW.routePath = "x"  # type: ignore[misc]


@pytest.mark.parametrize(
    "file",
    [*SHAPE_FILES, *(file for files in QUERIES.values() for file in files), *EXAMPLES],
    ids=lambda file: f"{file.parent.name}/{file.name}",
)
def test_every_term_used_is_declared(file: Path) -> None:
    assert _terms_in(file.read_text()) <= TERMS


def test_every_configured_property_is_read_by_a_projection() -> None:
    """Or by a rule, which says it in terms that projections read."""
    kinds = (OWL.DatatypeProperty, OWL.ObjectProperty)
    properties = {str(p).removeprefix(NAMESPACE) for kind in kinds for p in _graph("ontology").subjects(RDF.type, kind)}
    assert {name for name in properties if _role(name) == "configuration"} - _projected("infer") == set()


def test_a_projection_reads_only_what_is_configured() -> None:
    assert {name for name in _projected() if _role(name) != "configuration"} == set()


def test_every_configured_class_is_reached_by_a_projection() -> None:
    """By name (or a rule's), as what a projected property points at, or as a kind of such a class."""
    graph = _graph("ontology")
    reached = {NS[name] for name in _projected("infer")}
    reached |= {kind for name in _projected("infer") for kind in graph.objects(NS[name], RDFS.range)}
    reached |= {below for kind in set(reached) for below in graph.subjects(RDFS.subClassOf, kind)}
    classes = {c for c in graph.subjects(RDF.type, OWL.Class) if isinstance(c, URIRef)}
    configured = {c for c in classes if _role(str(c).removeprefix(NAMESPACE)) == "configuration"}
    assert configured - reached == set()


def test_every_runtime_term_is_written_by_the_gateway() -> None:
    code = "\n".join(file.read_text() for file in (SOURCES / "control").rglob("*.py"))
    runtime = {name for name in TERMS if _role(name) == "runtime"}
    assert {name for name in runtime if f"AGW.{name}" not in code} == set()


@pytest.mark.parametrize("file", QUERIES["project"], ids=lambda file: file.stem)
def test_a_projection_ends_in_order(file: Path) -> None:
    assert re.match(r"ORDER BY( +(DESC\()?\?\w+\)?)+$", file.read_text().rstrip().splitlines()[-1]), file.name


@pytest.mark.parametrize(
    "file", [*QUERIES["report"], *QUERIES["doctor"]], ids=lambda file: f"{file.parent.name}/{file.stem}"
)
def test_a_question_says_its_name_and_runs(file: Path) -> None:
    name, question = file.read_text().splitlines()[:2]
    assert name == f"# name: {file.stem}"
    assert re.match(r"# question: [A-Z].*[?)]$", question)
    answer = pyoxigraph.Store().query(file.read_text())
    assert isinstance(answer, pyoxigraph.QuerySolutions)
    list(answer)


@pytest.mark.parametrize("file", QUERIES["infer"], ids=lambda file: file.stem)
def test_a_rule_states_itself_and_constructs(file: Path) -> None:
    assert re.match(r"# rule: [A-Z]", file.read_text())
    assert isinstance(pyoxigraph.Store().query(file.read_text()), pyoxigraph.QueryTriples)


def test_every_constraint_has_a_sentence_and_a_severity() -> None:
    shapes = _graph("shapes")
    severities = {SH.Violation, SH.Warning, SH.Info}
    named = [shape for shape in shapes.subjects(RDF.type, SH.NodeShape) if isinstance(shape, URIRef)]
    assert named
    for shape in named:
        assert isinstance(shapes.value(shape, SH.name), Literal), shape
        own = {str(p).removeprefix(str(SH)) for p in shapes.predicates(shape)} & set(CORE) - BENEATH_OTHERS
        speakers = [*shapes.objects(shape, SH.property), *shapes.objects(shape, SH.sparql), *([shape] if own else [])]
        for speaker in speakers:
            message, severity = shapes.value(speaker, SH.message), shapes.value(speaker, SH.severity)
            assert severity in severities, (shape, message)
            assert isinstance(message, Literal), shape
            assert re.match(r"""["*A-Za-z].{20,400}[.?]$""", str(message)), message
            assert "{" not in re.sub(r"\{(id|name|version|)\}", "", str(message)), f"a placeholder in {message}"


def test_shapes_use_only_what_both_engines_evaluate() -> None:
    shapes = _graph("shapes")
    used = {str(p).removeprefix(str(SH)) for p in shapes.predicates() if str(p).startswith(str(SH))}
    assert used <= {*CORE, *ANNOTATIONS, "inversePath", "select"}
    for path in shapes.objects(None, SH.path):
        if isinstance(path, BNode):
            assert set(shapes.predicates(path)) == {SH.inversePath}
    assert all(isinstance(p, URIRef) for p in shapes.objects(None, SH.inversePath))


def test_patterns_are_linear_and_anchored() -> None:
    for pattern in set(_graph("shapes").objects(None, SH.pattern)):
        re2.compile(str(pattern))
        re.compile(str(pattern))
        assert str(pattern).startswith("^"), pattern
        assert str(pattern).endswith("$"), pattern


def test_enumerations_are_those_of_the_comments() -> None:
    """Each value that a shape allows stands in the term's comment, in quotes."""
    shapes, ontology = _graph("shapes"), _graph("ontology")
    for shape in shapes.subjects(SH["in"]):
        path, head = shapes.value(shape, SH.path), shapes.value(shape, SH["in"])
        if path is None or shapes.value(shape, SH.message) is None:
            continue
        comment = str(ontology.value(path, RDFS.comment))
        for value in Collection(shapes, head):
            assert f'"{value}"' in comment or f" {value}" in comment, (path, value)
