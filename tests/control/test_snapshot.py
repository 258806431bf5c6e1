"""A mesh cut into frames and put together again."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest

from api_gateway_service_mesh.control.compiled import Compiled, seal
from api_gateway_service_mesh.control.snapshot import (
    Assembly,
    MeshDifference,
    Patched,
    PatchLost,
    Sealed,
    Snapshot,
    patch_frames,
    sealed_frames,
    snapshot_frames,
)
from api_gateway_service_mesh.model import Endpoint, Mesh, PathKind, PathMatch, Route, RouteMatch, Upstream


def mesh(routes: int) -> Mesh:
    return Mesh(
        "urn:g",
        "g",
        tuple(Route(f"urn:r{i}", f"r{i}", RouteMatch(PathMatch(PathKind.EXACT, f"/{i}"))) for i in range(routes)),
        tuple(Upstream(f"urn:u{i}", f"u{i}", (Endpoint(f"urn:e{i}", "h", 1),)) for i in range(routes // 2)),
    )


def messages(snapshot: Snapshot) -> list[tuple[object, ...]]:
    return [pickle.loads(frame[4:]) for frame in snapshot_frames(snapshot)]


def test_what_comes_out_is_what_went_in() -> None:
    for routes in (0, 1, 64, 65, 500):
        snapshot = Snapshot(mesh(routes), {("route", f"urn:r{i}"): i for i in range(routes * 5)}, 7)
        assembly = Assembly()
        found = [assembly.take(message) for message in messages(snapshot)]
        assert found[:-1] == [None] * (len(found) - 1)
        assert found[-1] == snapshot


def test_what_was_sealed_comes_as_it_was_kept() -> None:
    """Behind a snapshot that was not finished, too."""
    made, slots = mesh(5000), {("route", f"urn:r{i}"): i for i in range(5000)}
    sealed = Sealed(Compiled.of(seal(made, slots)), 3, 1)
    assert len(sealed_frames(sealed)) > 2
    assembly = Assembly()
    for message in messages(Snapshot(mesh(100), {}, 1))[:-1]:
        assembly.take(message)
    assert assembly.begun
    found = [assembly.take(pickle.loads(frame[4:])) for frame in sealed_frames(sealed)]
    assert found[:-1] == [None] * (len(found) - 1)
    last = found[-1]
    assert isinstance(last, Sealed)
    assert last.snapshot() == Snapshot(made, slots, 3, 1)
    assert not assembly.begun


def test_no_frame_is_large() -> None:
    assert max(map(len, snapshot_frames(Snapshot(mesh(2000), {}, 1)))) < 64 * 1024


def test_an_unfinished_snapshot_is_dropped_by_the_next() -> None:
    first, second = Snapshot(mesh(100), {}, 1), Snapshot(mesh(3), {}, 2)
    assembly = Assembly()
    for message in messages(first)[:-1]:
        assembly.take(message)
    found = [assembly.take(message) for message in messages(second)]
    assert found[-1] == second
    assert assembly.take(("commit", 1)) is None


def test_a_patch_makes_the_next_of_the_one_before() -> None:
    old = Snapshot(mesh(200), {("route", f"urn:r{i}"): i for i in range(200)}, 4)
    served = old.mesh
    routes = (replace(served.routes[7], name="other"), *served.routes[9:150], replace(served.routes[0], iri="urn:a"))
    upstreams = (*served.upstreams[1:], replace(served.upstreams[0], name="u"))
    changed = replace(served, routes=sorted_things(routes), upstreams=sorted_things(upstreams), zone="z")
    old = replace(
        old, mesh=replace(served, routes=sorted_things(served.routes), upstreams=sorted_things(served.upstreams))
    )
    new = Snapshot(changed, {**old.slots, ("route", "urn:a"): 900}, 5)
    difference = MeshDifference.between(old.mesh, changed)
    frames = patch_frames(old, new, difference, {("route", "urn:a"): 900})
    told = [pickle.loads(frame[4:]) for frame in frames]
    assembly = Assembly()
    assembly.base = old
    *none, made = [assembly.take(message) for message in told]
    assert not any(none)
    assert isinstance(made, Patched)
    assert made.snapshot == new
    kept = {route.iri: route for route in old.mesh.routes}
    assert all(kept[r.iri] is r for r in made.snapshot.mesh.routes if r.iri not in ("urn:a", "urn:r7"))


def test_a_patch_to_another_revision_is_lost() -> None:
    old, new = Snapshot(mesh(5), {}, 1), Snapshot(mesh(6), {}, 2)
    told = patch_frames(old, new, MeshDifference.between(old.mesh, new.mesh), {})
    for base in (None, Snapshot(mesh(5), {}, 3)):
        assembly = Assembly()
        assembly.base = base
        with pytest.raises(PatchLost) as lost:
            for frame in told:
                assembly.take(pickle.loads(frame[4:]))
        assert lost.value.key == (2, 0)
        found = [assembly.take(message) for message in messages(new)]
        assert found[-1] == new


def sorted_things(things):
    return tuple(sorted(things, key=lambda thing: thing.iri))
