"""A mesh cut into frames and put together again."""

from __future__ import annotations

import pickle

from api_gateway_service_mesh.control.snapshot import Assembly, Snapshot, snapshot_frames
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
