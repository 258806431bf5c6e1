"""The build of any revision; one that cannot be built any more is told, and the latest few stay at hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from api_gateway_service_mesh.control.as_of import AsOf, PastRefused, wanted_revision
from api_gateway_service_mesh.control.delta import between
from api_gateway_service_mesh.control.history import History, Revision
from api_gateway_service_mesh.control.options import ServeOptions
from api_gateway_service_mesh.errors import ClientError
from api_gateway_service_mesh.graph import SourceGraph
from tests.support.turtle import configuration

START = datetime(2026, 1, 1, tzinfo=UTC)
ROUTE = 'ex:r a agw:Route ; agw:routePath "/{0}" ; agw:hasBackendService ex:s . '
SERVICE = 'ex:s a agw:BackendService ; agw:address "s:80" .'


def history(*texts: str) -> History:
    made, old = History(), None
    for number, text in enumerate(texts, 1):
        new = SourceGraph.parse(configuration(text))
        delta = between(old, new)
        at = START + timedelta(minutes=number)
        made.record(Revision(number, at, new.digest, 1, 0.0, parent=number - 1 or None, delta=delta), new)
        old = new
    return made


async def test_every_revision_is_built_once() -> None:
    past = AsOf(history(*(ROUTE.format(path) + SERVICE for path in "abc")), ServeOptions())
    revision, first = await past.build(1)
    assert (revision.number, first.mesh.routes[0].match.path.text) == (1, "/a")
    revision, second = await past.build(START + timedelta(minutes=2, seconds=30), first)
    assert (revision.number, second.mesh.routes[0].match.path.text) == (2, "/b")
    assert (await past.build(1))[1] is first
    assert (await past.build(2, second))[1] is second


async def test_what_cannot_be_built_any_more() -> None:
    past = AsOf(history(ROUTE.format("a"), ROUTE.format("a") + SERVICE), ServeOptions())
    with pytest.raises(PastRefused, match="revision 1 cannot be built any more"):
        await past.build(1)
    assert (await past.build(2))[0].number == 2


def test_how_revisions_are_named() -> None:
    assert wanted_revision("7") == 7
    assert wanted_revision("2026-01-01T00:00:00Z") == START
    with pytest.raises(ClientError, match="neither a revision's number nor a moment"):
        wanted_revision("yesterday")
