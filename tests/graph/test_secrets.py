"""No secret written by mistake is ever printed: not by reports, not by syntax errors, on whatever line it stands."""

from __future__ import annotations

import json

import pytest

from api_gateway_service_mesh.errors import ConfigError
from api_gateway_service_mesh.graph import SourceGraph, infer, validate
from api_gateway_service_mesh.graph.report import render_report, report_json
from api_gateway_service_mesh.graph.secrets import blot, is_reference, masked_source
from tests.support.turtle import configuration

TELL = "hunter2hunter2"


@pytest.mark.parametrize(
    "text",
    [
        f'ex:c a agw:Certificate ; agw:privateKeyRef "{TELL}" .',
        f'ex:c a agw:Certificate ; agw:privateKeyRef "file:a" , "{TELL}" ; agw:rotationPeriod 5 .',
        f'ex:c a agw:Certificate ; agw:privateKeyRef\n"{TELL}" ; agw:rotationPeriod 5 .',
        f'ex:c a agw:Certificate ; agw:privateKeyRef """line\n{TELL}""" ; agw:rotationPeriod 5 .',
        f'ex:c a agw:Certificate ; agw:secretRef "{TELL}"^^xsd:integer .',
        f'ex:pin rdfs:subPropertyOf agw:secretRef . ex:c a agw:Certificate ; ex:pin "{TELL}" ; agw:rotationPeriod 5 .',
        f'ex:c a agw:Certificate ; agw:privateKeyRef "{TELL}" ; agw:nonsense 1 .',
        f'ex:c a agw:Certificate ; agw:privateKeyRef "{TELL}" agw:nonsense 1 .',
        f"ex:c a agw:Certificate ; agw:privateKeyRef '{TELL}' ; nowhere:x 1 .",
        f'ex:c a agw:Certificate ; agw:privateKeyRef "{TELL}\n',
        f'ex:t a agw:RequestTransformation ; agw:setsHeader "Authorization: Bearer {TELL}" .',
        f"ex:t a agw:RequestTransformation ; agw:addsHeader 'cookie:{TELL}' , \"A\" .",
        f'ex:t a agw:RequestTransformation ; agw:setsHeader "Proxy-Authorization: Basic {TELL}" nowhere:x 1 .',
        f'ex:t a agw:RequestTransformation ; agw:removesHeader "X-Api-Key: {TELL}" .',
    ],
)
def test_never_printed(text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        validate(infer(SourceGraph.parse(configuration(text))))
    report = refused.value.report
    assert TELL not in render_report(report)
    assert TELL not in json.dumps(report_json(report))
    assert TELL not in str(refused.value)


def test_references_are_shown() -> None:
    assert is_reference("env:KEY") and is_reference("file:tls/a b.key")
    assert not any(map(is_reference, ("env:", "file:", "env:a b", "KEY", "http://x", "-----BEGIN PRIVATE KEY-----")))
    line = 'agw:privateKeyRef "env:KEY" ; agw:x "y"'
    assert masked_source(line) == line


def test_blots_keep_the_columns() -> None:
    assert blot('"a b"') == '"• •"'
