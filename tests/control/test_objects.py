"""Pickles of the model's objects: what is read is what was written, and nothing but data classes with slots is made."""

from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass, fields

import pytest

from api_gateway_service_mesh.control.build import build
from api_gateway_service_mesh.control.objects import dumped, restored
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.model import Endpoint, PathKind
from tests.support.edits import BASE
from tests.support.turtle import routes_turtle


@dataclass(frozen=True, slots=True)
class _One:
    only: object


@dataclass(frozen=True, slots=True)
class _None:
    pass


@dataclass
class _Loose:
    held: int = 1


@pytest.mark.parametrize("text", [BASE, routes_turtle(40)])
def test_a_model_is_what_the_plain_pickle_makes(text: str) -> None:
    mesh = build(SourceGraph.parse(text)).mesh
    made = pickle.loads(dumped(mesh))
    assert made == mesh == pickle.loads(pickle.dumps(mesh))
    route, again = mesh.routes[0], made.routes[0]
    assert [getattr(again, field.name) for field in fields(route)] == [
        getattr(route, field.name) for field in fields(route)
    ]
    assert hash(again) == hash(route)
    assert copy.copy(again) == again


@pytest.mark.parametrize(
    "thing", [_One(None), _One((1, "a")), _None(), _Loose(7), [PathKind.EXACT, {"a": b"c"}], {1, 2}]
)
def test_what_is_no_part_of_a_model_comes_back_as_well(thing: object) -> None:
    assert pickle.loads(dumped(thing)) == thing


def test_what_is_the_same_object_stays_so() -> None:
    one = Endpoint("urn:e", "h", 1)
    first, second = pickle.loads(dumped([one, one]))
    assert first is second


def test_nothing_but_data_classes_with_slots_is_made() -> None:
    for kind in (int, object, _Loose, type):
        with pytest.raises(TypeError):
            restored(kind, 1)
    with pytest.raises(ValueError, match="zip"):
        restored(_One, 1, 2)
    with pytest.raises(ValueError, match="zip"):
        restored(_One)
