"""Updates taken apart, and evaluated to what they change: the same as the engine's own update comes to."""

from __future__ import annotations

import random
from typing import Any

import pyoxigraph as ox
import pytest

from api_gateway_service_mesh.control.sparql.changes import Editor, Refused
from api_gateway_service_mesh.control.sparql.guard import QueryRefused
from api_gateway_service_mesh.control.sparql.operations import check_update, operations
from api_gateway_service_mesh.vocabulary import GRAPH_CONFIG

PREFIX = "PREFIX ex: <urn:x:>\n"
CONFIG = ox.NamedNode(GRAPH_CONFIG)
OTHER = ox.NamedNode("urn:agw:graph:inferred")


def store(*triples: str) -> ox.Store:
    made = ox.Store()
    for text in triples:
        made.update(f"{PREFIX} INSERT DATA {{ {text} GRAPH <{GRAPH_CONFIG}> {{ {text} }} }}")
    made.update(f"{PREFIX} INSERT DATA {{ GRAPH <{OTHER.value}> {{ ex:o ex:p 9 }} }}")
    return made


def ran(made: ox.Store, text: str, using: list[str] | None = None, named: list[str] | None = None) -> Editor:
    editor = Editor(made, GRAPH_CONFIG, {"ex": "urn:x:"}, 1000)
    parts = operations(text)
    assert parts is not None
    check_update(text, parts)
    for part in parts:
        editor.run(part, using, named)
    return editor


def shown(triples: Any) -> list[str]:
    return sorted(str(triple) for triple in triples)


CASES = [
    "INSERT DATA { ex:a ex:p 1 . ex:a ex:q 'x' ; ex:r 2, 3 . }",
    "DELETE DATA { ex:a ex:p 1 }",
    "DELETE DATA { ex:a ex:p 1 } ; INSERT DATA { ex:a ex:p 1 }",
    "DELETE WHERE { ?s ex:p ?o }",
    "DELETE WHERE { GRAPH <urn:agw:graph:config> { ?s ex:p ?o } }",
    "DELETE { ?s ex:p ?o } INSERT { ?s ex:p ?n } WHERE { ?s ex:p ?o BIND(?o + 1 AS ?n) }",
    "INSERT { ?s ex:copy ?o . } WHERE { ?s ex:p ?o FILTER(?o < 3) } # a comment\n;\nDELETE WHERE { ?s ex:p 1 }",
    "WITH <urn:agw:graph:config> DELETE { ?s ?p ?o } INSERT { ?o ?p ?s } WHERE { ?s ?p ?o FILTER(isIRI(?o)) }",
    "INSERT { ex:n ex:p ?o } USING <urn:agw:graph:inferred> WHERE { ?s ex:p ?o }",
    "INSERT { ex:n ex:p ?o } WHERE { GRAPH <urn:agw:graph:inferred> { ?s ex:p ?o } }",
    "INSERT DATA { GRAPH <urn:agw:graph:config> { ex:z ex:p ex:y } }",
    "CLEAR DEFAULT",
    "DROP SILENT GRAPH <urn:agw:graph:config>",
    "COPY <urn:agw:graph:inferred> TO DEFAULT",
    "ADD <urn:agw:graph:inferred> TO DEFAULT",
    "PREFIX e: <urn:x:> INSERT DATA { e:a e:p e:b } ; PREFIX f: <urn:x:> DELETE DATA { f:a f:p 1 . e:a e:p 2 }",
    "BASE <urn:x:> INSERT DATA { ex:a ex:p 'a { # not a comment ; }' }",
    "INSERT DATA { }",
    "",
]


@pytest.mark.parametrize("text", CASES)
def test_an_update_comes_to_what_the_engine_makes_of_it(text: str) -> None:
    """The engine's own update on a store whose only writable graph is the default one."""
    made = store("ex:a ex:p 1 .", "ex:a ex:p 2 .", "ex:b ex:p 3 .", "ex:b ex:q ex:a .")
    before = set(made)
    theirs = ox.Store()
    theirs.extend(quad for quad in made if quad.graph_name != CONFIG)
    plain = text.replace("WITH <urn:agw:graph:config>", "").replace("SILENT GRAPH <urn:agw:graph:config>", "DEFAULT")
    plain = plain.replace("GRAPH <urn:agw:graph:config> { ex:z ex:p ex:y }", "ex:z ex:p ex:y")
    plain = plain.replace("GRAPH <urn:agw:graph:config> { ?s ex:p ?o }", "?s ex:p ?o")
    theirs.update(plain.replace("PREFIX f: <urn:x:> ", "").replace("f:", "e:"), prefixes={"ex": "urn:x:"})
    editor = ran(made, text)
    wanted = {quad.triple for quad in theirs.quads_for_pattern(None, None, None, ox.DefaultGraph())}
    for graph in (ox.DefaultGraph(), CONFIG):
        assert {quad.triple for quad in made.quads_for_pattern(None, None, None, graph)} == wanted
    old = {quad.triple for quad in before if quad.graph_name == CONFIG}
    assert set(editor.added) == wanted - old
    assert set(editor.removed) == old - wanted
    editor.undo()
    assert set(made) == before


def test_random_updates_come_to_what_the_engine_makes_of_them() -> None:
    rng = random.Random("updates")
    made, theirs = store("ex:s0 ex:p0 0 ."), ox.Store()
    theirs.update(PREFIX + "INSERT DATA { ex:s0 ex:p0 0 . GRAPH <urn:agw:graph:inferred> { ex:o ex:p 9 } }")

    def term(kinds: str) -> str:
        kind = rng.choice(kinds)
        return {"s": f"ex:s{rng.randrange(4)}", "p": f"ex:p{rng.randrange(3)}", "n": str(rng.randrange(4))}[kind]

    def data() -> str:
        return " ".join(f"{term('s')} {term('p')} {term('sn')} ." for _ in range(rng.randrange(1, 5)))

    for number in range(300):
        forms = (
            f"INSERT DATA {{ {data()} }}",
            f"DELETE DATA {{ {data()} }}",
            f"DELETE {{ ?s {term('p')} ?o }} INSERT {{ ?s {term('p')} ?o . ?s {term('p')} {term('n')} }} "
            f"WHERE {{ ?s {term('p')} ?o }}",
            f"DELETE WHERE {{ {term('s')} ?p ?o . ?o ?q ?r }}",
            f"INSERT {{ ?o {term('p')} ?s }} WHERE {{ ?s {term('p')} ?o FILTER(isIRI(?o)) }}",
        )
        text = PREFIX + " ;\n".join(rng.choice(forms) for _ in range(rng.randrange(1, 4)))
        ran(made, text)
        theirs.update(text)
        ours = {quad.triple for quad in made.quads_for_pattern(None, None, None, CONFIG)}
        wanted = {quad.triple for quad in theirs.quads_for_pattern(None, None, None, ox.DefaultGraph())}
        assert ours == wanted, f"after {number}: {text}"


@pytest.mark.parametrize(
    "text",
    [
        "INSERT DATA { GRAPH <urn:agw:graph:inferred> { ex:a ex:b ex:c } }",
        "INSERT { GRAPH ?g { ex:a ex:b ex:c } } WHERE { GRAPH ?g { ?s ?p ?o } }",
        "WITH ex:g INSERT { ex:a ex:b ex:c } WHERE {}",
        "CLEAR ALL",
        "CLEAR NAMED",
        "DROP GRAPH <urn:agw:graph:inferred>",
        "CREATE GRAPH ex:g",
        "CREATE GRAPH <urn:agw:graph:config>",
        "COPY DEFAULT TO ex:g",
        "MOVE <urn:agw:graph:inferred> TO DEFAULT",
        "ADD ex:none TO DEFAULT",
    ],
)
def test_only_the_configuration_is_written(text: str) -> None:
    made = store("ex:a ex:p 1 .")
    with pytest.raises(Refused):
        ran(made, text)
    assert len(made) == 3


def test_the_dataset_of_the_protocol() -> None:
    made = store("ex:a ex:p 1 .")
    editor = ran(made, "INSERT { ex:n ex:p ?o } WHERE { ?s ex:p ?o }", using=[OTHER.value])
    assert shown(editor.added) == ['<urn:x:n> <urn:x:p> "9"^^<http://www.w3.org/2001/XMLSchema#integer>']
    with pytest.raises(Refused):
        ran(made, "WITH <urn:agw:graph:config> INSERT { ex:n ex:p ?o } WHERE { ?s ex:p ?o }", using=[OTHER.value])


def test_too_many_changes_are_refused() -> None:
    editor = Editor(store("ex:a ex:p 1 ."), GRAPH_CONFIG, {"ex": "urn:x:"}, 3)
    with pytest.raises(Refused, match="more than 3"):
        editor.run(operations("INSERT DATA { ex:a ex:q 1, 2, 3, 4, 5 }")[0])  # type: ignore[index]
    editor.undo()
    assert len(editor.store) == 3


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("LOAD <urn:x>", 403),
        ("LOAD SILENT <urn:x> INTO GRAPH <urn:y>", 403),
        ("INSERT { ?s ?p ?o } WHERE { SERVICE <urn:x> { ?s ?p ?o } }", 403),
        ("INSERT DATA { <urn:a> <urn:b> " + "[ <urn:c> " * 120 + "1" + " ]" * 120 + " }", 400),
        ("INSERT DATA { <urn:a> <urn:b> <urn:c> } ;" * 65, 400),
        ("DELETE { ?s ?p ?o } INSERT { ?s ?p ?u } WHERE { ?s ?p ?o BIND(UUID() AS ?u) }", 400),
        ("INSERT DATA { <urn:a> <urn:b> '" + "x" * 1100000 + "' }", 413),
    ],
)
def test_what_is_not_run(text: str, status: int) -> None:
    with pytest.raises(QueryRefused) as caught:
        check_update(text, operations(text))
    assert caught.value.status == status


@pytest.mark.parametrize("text", ["SELECT * {}", "INSERT", "DELETE { ?s ?p ?o }", "INSERT DATA { ex:a", "nonsense {}"])
def test_what_is_no_update_is_left_to_the_parser(text: str) -> None:
    assert operations(text) is None
