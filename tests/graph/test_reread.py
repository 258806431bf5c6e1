"""Reading again what was edited gives what reading everything gives: the same graph, or the same refusal."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from api_gateway_service_mesh.control.build import build
from api_gateway_service_mesh.errors import ConfigError
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.graph.document import Document, text_document
from api_gateway_service_mesh.graph.reread import reread
from api_gateway_service_mesh.graph.terms import Resource, Row
from tests.support.turtle import PREFIXES, routes_turtle

EDITS = int(os.environ.get("AGW_EDITS", "400"))

ROUTE = """
ex:new{n} a agw:Route ; agw:routePath "/new/{n}" ; agw:hasBackendService ex:backend{n} ;
    agw:hasTimeout [ a agw:Timeout ; agw:timeoutSeconds {n} ] .
"""
TOUCHY = (
    "ex:route1 agw:priority 3 .\n",
    'ex:route2 agw:description """of\nmany .\nlines""" .\n',
    "# a remark.\n",
    "# @prefix ex: <https://other.example/> .\n",
    "@prefix ex: <https://other.example/> .\n",
    "PREFIX more: <https://more.example/>\n",
    "@base <https://base.example/> .\n",
    "<relative> agw:priority 4 .\n",
    "ex:route3 agw:hasTimeout _:shared .\n_:shared a agw:Timeout ; agw:timeoutSeconds 3 .\n",
    "[] a agw:Timeout ; agw:timeoutSeconds 9 .\n",
    "[ a agw:Timeout ; agw:timeoutSeconds 9 ] .\n",
    "ex:list ex:of ( 1 2 [ ex:x ex:y ] ) .\n",
    "ex:a ex:b ex:c {| ex:d ex:e |} .\n",
    "<< ex:a ex:b ex:c >> ex:d ex:e .\n",
    "ex:a owl:imports <https://elsewhere.example/> .\n",
    "ex:one ex:two 'three . # four' .\r\n",
    "ex:backend1 a agw:BackendService .\n",
    '"""',
    "'''",
    ".\n",
    ";",
    "]",
)  # fmt: skip


def edited(rng: random.Random, text: str) -> str:
    lines = text.splitlines(keepends=True)
    at = rng.randrange(len(lines) + 1)
    match rng.randrange(7):
        case 0:
            lines.insert(at, ROUTE.format(n=rng.randrange(30)))
        case 1 | 2:
            lines.insert(at, rng.choice(TOUCHY))
        case 3:
            del lines[at : at + rng.randrange(1, 9)]
        case 4:
            place = rng.randrange(len(text))
            return text[:place] + rng.choice(('"', ".", " ", "\n", "9", "x", "#", "[", "")) + text[place + 1 :]
        case 5:
            blocks = text.split("\n\n")
            del blocks[rng.randrange(len(blocks))]
            return "\n\n".join(blocks)
        case _:
            number = rng.randrange(12)
            return text.replace(f"/thing{number}", f"/thing{number}x").replace(f"route{number} ", f"route{number}  ")
    return "".join(lines)


def outcome(made: Callable[[], SourceGraph]) -> tuple[object, ...]:
    try:
        source = made()
    except ConfigError as error:
        return ("refused", error.report)
    subjects: dict[Resource, list[Row]] = {}
    for row in source.rows:
        subjects.setdefault(row[0], []).append(row)
    fields = dict(source.prefixes), source.findings, source.documents, dict(source.generated), set(source.triples)
    return (source.digest, subjects, *fields)


def documents(texts: Sequence[str]) -> list[Document]:
    return [text_document(text, f"f{number}.ttl") for number, text in enumerate(texts)]


@pytest.mark.timeout(120 + EDITS // 4)
@pytest.mark.parametrize("files", [1, 3])
def test_the_graph_is_that_of_reading_everything(files: int) -> None:
    rng = random.Random(files)
    fresh = [routes_turtle(12), *(PREFIXES + ROUTE.format(n=n) + ROUTE.format(n=n + 10) for n in range(40, 39 + files))]
    texts = list(fresh)
    known = SourceGraph.of_documents(documents(texts))
    quick = 0
    for _ in range(EDITS):
        now = list(texts)
        for number in rng.sample(range(files), rng.choice((1, 1, min(2, files)))):
            now[number] = edited(rng, now[number])
        found = documents(now)
        expected = outcome(lambda found=found: SourceGraph.of_documents(found))  # type: ignore[misc]
        made: list[SourceGraph] = []

        def again(found: list[Document] = found, known: SourceGraph = known, made: list[SourceGraph] = made) -> SourceGraph:  # fmt: skip
            made.append(reread(found, known))
            return made[0]

        assert outcome(again) == expected, now
        if made:
            quick += made[0].step is not None
            texts, known = now, made[0]
            if rng.random() < 0.15 or sum(map(len, texts)) > 40_000:
                texts = list(fresh)
                known = SourceGraph.of_documents(documents(texts))
    assert quick > EDITS / 10


def test_what_is_built_of_it_is_the_same() -> None:
    rng, text = random.Random(3), routes_turtle(40)
    known = build(SourceGraph.parse(text))
    for _ in range(25):
        number = rng.randrange(40)
        now = text.replace(f"thing{number}", f"thing{number}x") if rng.random() < 0.7 else edited(rng, text)
        try:
            whole = build(SourceGraph.parse(now))
        except ConfigError as error:
            with pytest.raises(ConfigError) as caught:
                build(reread([text_document(now)], known.source), previous=known)
            assert set(caught.value.report.findings) == set(error.report.findings)
            continue
        made = build(reread([text_document(now)], known.source), previous=known)
        assert made.mesh == whole.mesh
        assert set(made.report.findings) == set(whole.report.findings)
        text, known = now, made


def test_an_edit_of_one_statement_parses_that_statement() -> None:
    text = routes_turtle(300)
    source = SourceGraph.of_documents(documents([text, PREFIXES + ROUTE.format(n=1000)]))
    made = reread(documents([text.replace('/thing9"', '/ninth"'), PREFIXES + ROUTE.format(n=1000)]), source)
    assert made.step is not None
    assert made.step.parent is source.identity
    assert {str(row[0]) for row in made.step.added} == {"<https://example.com/route9>"}


def test_the_same_texts_are_the_same_graph() -> None:
    found = documents([routes_turtle(3)])
    source = SourceGraph.of_documents(found)
    assert reread(documents([routes_turtle(3)]), source) is source
    remarked = reread([replace(found[0], text=found[0].text + "# the end\n")], source)
    assert remarked.identity is source.identity
    assert remarked.documents[0].text.endswith("# the end\n")
