"""What is said to an Envoy, in which order; and that what it refuses is said once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api_gateway_service_mesh.control.xds.conversation import Answer, Conversation
from api_gateway_service_mesh.control.xds.goal import (
    CLUSTERS,
    ENDPOINTS,
    LISTENERS,
    ROUTES,
    Goal,
    Packed,
    set_version,
)


def goal(number: int, clusters: str, routes: str = "r1", listener: str = "l1") -> Goal:
    """A goal: a letter is a cluster, in capitals its second version; `routes` names the route configuration."""
    names = {letter.lower(): Packed(letter, None) for letter in clusters}
    return Goal(
        number,
        {
            CLUSTERS: names,
            ENDPOINTS: {name: Packed("e", None) for name in names},
            LISTENERS: {"front": Packed(f"{listener}-{routes}", routes)},
            ROUTES: {routes: Packed(f"{routes}-{clusters}", None)},
        },
    )


class Envoy:
    """The other end: asks and answers as Envoy does, and notes what it was told."""

    def __init__(self, talk: Conversation, refuses: frozenset[str] = frozenset()) -> None:
        self.talk = talk
        self.refuses = refuses
        self.clusters: set[str] = set()
        self.routes: set[str] = set()
        self.told: list[str] = []
        talk.request(CLUSTERS)
        self.run()

    def run(self, most: int = 200) -> None:
        for _ in range(most):
            answers = self.talk.answers()
            if not answers:
                return
            for answer in answers:
                self.take(answer)
        raise AssertionError(f"it never ends: {self.told[-10:]}")

    def take(self, answer: Answer) -> None:
        kind = answer.kind.rpartition(".")[2]
        self.told.append(kind + (" -" + "".join(answer.removed) if answer.removed else ""))
        refused = "bad" if kind in self.refuses else None
        held = {CLUSTERS: self.clusters, ENDPOINTS: self.clusters, ROUTES: self.routes}.get(answer.kind, set())
        if self.talk.delta:
            self.talk.request(answer.kind, nonce=answer.nonce, error=refused)
        else:
            names = () if answer.kind in (CLUSTERS, LISTENERS) else tuple(held)
            self.talk.request(answer.kind, nonce=answer.nonce, error=refused, names=names)
        if refused:
            return
        if answer.kind == CLUSTERS:
            self._clusters(answer)
        elif answer.kind == LISTENERS and answer.resources:
            self._subscribe(ROUTES, self.routes, {packed.message for packed in answer.resources.values()})

    def _clusters(self, answer: Answer) -> None:
        if self.talk.delta:
            now = (self.clusters | set(answer.resources)) - set(answer.removed)
        else:
            now = set(answer.resources)
        gone = self.clusters - now
        if gone and self.talk.delta:
            self.talk.request(ENDPOINTS, unsubscribed=gone)
        new = now - self.clusters
        self.clusters = now
        if self.talk.delta:
            if new:
                self.talk.request(ENDPOINTS, names=new)
        else:
            latest = self.talk._subjects[ENDPOINTS].latest
            self.talk.request(ENDPOINTS, nonce=latest, names=now)
        if LISTENERS not in self.talk.knows:
            self.talk.request(LISTENERS)

    def _subscribe(self, kind: str, held: set[str], names: set[str]) -> None:
        new = names - held
        held |= names
        if self.talk.delta:
            if new:
                self.talk.request(kind, names=new)
        else:
            self.talk.request(kind, nonce=self.talk._subjects[kind].latest, names=held)

    def let_go(self, name: str) -> None:
        """Old connections are over: the filters with the routes `name` are gone."""
        self.routes.discard(name)
        if self.talk.delta:
            self.talk.request(ROUTES, unsubscribed={name})
        else:
            self.talk.request(ROUTES, nonce=self.talk._subjects[ROUTES].latest, names=self.routes)
        self.run()


@pytest.fixture(params=[True, False], ids=["delta", "whole"])
def delta(request: pytest.FixtureRequest) -> Iterator[bool]:
    yield request.param


def test_clusters_before_endpoints_before_listeners_before_routes(delta: bool) -> None:
    envoy = Envoy(Conversation(goal(1, "ab"), delta=delta))
    assert envoy.told == ["Cluster", "ClusterLoadAssignment", "Listener", "RouteConfiguration"]
    assert envoy.talk.settled


def test_a_cluster_goes_only_when_no_route_needs_it(delta: bool) -> None:
    envoy = Envoy(Conversation(goal(1, "ab"), delta=delta))
    envoy.told.clear()
    envoy.talk.goal = goal(2, "bc")
    envoy.run()
    assert envoy.told[0] == "Cluster" and envoy.told[-1].startswith("Cluster")
    assert envoy.told.index("RouteConfiguration") < len(envoy.told) - 1
    assert envoy.clusters == {"b", "c"} and envoy.talk.settled


def test_clusters_stay_while_old_filters_serve_old_connections(delta: bool) -> None:
    envoy = Envoy(Conversation(goal(1, "ab", "r1"), delta=delta))
    envoy.talk.goal = goal(2, "b", "r2")
    envoy.run()
    assert envoy.clusters == {"a", "b"} and envoy.talk.settled
    envoy.let_go("r1")
    assert envoy.clusters == {"b"}


@pytest.mark.parametrize("kind", ["Cluster", "Listener", "RouteConfiguration"])
def test_what_is_refused_is_said_once_and_nothing_that_depends_on_it(kind: str, delta: bool) -> None:
    envoy = Envoy(Conversation(goal(1, "a"), delta=delta))
    envoy.told.clear()
    envoy.refuses = frozenset({kind})
    envoy.talk.goal = goal(2, "Ab", listener="l2")
    envoy.run()
    assert envoy.told.count(kind) == 1 and not envoy.talk.settled
    if kind == "Cluster":
        assert "RouteConfiguration" not in envoy.told and "Listener" not in envoy.told
    envoy.refuses = frozenset()
    envoy.talk.goal = goal(3, "Abc", listener="l3")
    envoy.run()
    assert envoy.talk.settled and envoy.clusters == {"a", "b", "c"}


def test_who_comes_back_with_the_same_is_told_nothing() -> None:
    now = goal(1, "ab")
    talk = Conversation(now, delta=True)
    for kind in (CLUSTERS, LISTENERS, ENDPOINTS, ROUTES):
        names = () if kind in (CLUSTERS, LISTENERS) else tuple(now.of(kind))
        talk.request(kind, names=names, versions={name: each.version for name, each in now.of(kind).items()})
    assert [answer for answer in talk.answers() if answer.resources and answer.kind in (CLUSTERS, LISTENERS)] == []
    whole = Conversation(now, delta=False)
    whole.request(CLUSTERS, version=set_version({name: each.version for name, each in now.of(CLUSTERS).items()}))
    (greeting,) = whole.answers()
    assert greeting.version == set_version({name: each.version for name, each in now.of(CLUSTERS).items()})


def test_a_changed_cluster_is_told_its_endpoints_again(delta: bool) -> None:
    envoy = Envoy(Conversation(goal(1, "a"), delta=delta))
    envoy.told.clear()
    envoy.talk.goal = goal(2, "A")
    envoy.run()
    assert "ClusterLoadAssignment" in envoy.told


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.text("abcdABC", max_size=4), st.sampled_from(["r1", "r2", "r3"])), min_size=1, max_size=6),
    st.booleans(),
)
def test_whatever_comes_it_ends_with_what_is_wanted(steps: list[tuple[str, str]], delta: bool) -> None:
    clusters, routes = steps[0]
    envoy = Envoy(Conversation(goal(0, clusters, routes), delta=delta))
    for number, (clusters, routes) in enumerate(steps[1:], 1):
        envoy.talk.goal = goal(number, clusters, routes)
        envoy.run()
        for name in envoy.routes - {routes}:
            envoy.let_go(name)
    assert envoy.talk.settled
    assert envoy.clusters == {letter.lower() for letter in steps[-1][0]}
