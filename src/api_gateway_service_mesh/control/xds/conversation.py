"""One Envoy's stream as a state machine: what it asked, what it has, and what is said to it next.

Rules:

- Of each type one answer is under way at a time; the next waits until it is taken (ACK) or refused (NACK).
- What was refused is not said again until the goal is another. Whatever depends on it waits, so the Envoy goes on with
  what it had.
- Listeners and routes wait until clusters and endpoints are there; routes wait for listeners, whose filters they need.
- Clusters go last: when the routes of the goal are taken, and the Envoy has let go of every older route configuration
  (connections may still be served by it).
- An Envoy says which versions it has when it comes back; what it has already is not sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .goal import CLUSTERS, ENDPOINTS, LISTENERS, ROUTES, SECRETS, Goal, Packed, set_version

__all__ = ["ORDER", "Answer", "Conversation", "Refused"]

ORDER = (SECRETS, CLUSTERS, ENDPOINTS, LISTENERS, ROUTES)
_WILDCARDS = frozenset({CLUSTERS, LISTENERS})


@dataclass(frozen=True, slots=True)
class Answer:
    """What to say: in state of the world all of ``resources``, in delta those that changed and what is ``removed``."""

    kind: str
    nonce: str
    version: str
    resources: Mapping[str, Packed]
    removed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """An Envoy would not take what it was told."""

    kind: str
    version: str
    detail: str


@dataclass
class _Subject:
    """One type in one stream."""

    wildcard: bool = False
    names: set[str] = field(default_factory=set)
    has: dict[str, str] = field(default_factory=dict)
    """Versions that the Envoy has taken, by name."""
    unanswered: set[str] = field(default_factory=set)
    """Names that were asked for and never spoken of."""
    said: dict[str, Packed] = field(default_factory=dict)
    """The resources themselves, as they were taken (state of the world says old clusters again)."""
    under_way: Answer | None = None
    latest: str = ""
    """The nonce of the latest answer."""
    refused: str | None = None
    """The version of the set that was refused last."""
    asked: bool = False


class Conversation:
    """See the module. ``goal`` may be replaced at any time; then ask for `answers`."""

    def __init__(self, goal: Goal, *, delta: bool) -> None:
        self.goal = goal
        self.delta = delta
        self._subjects: dict[str, _Subject] = {kind: _Subject() for kind in ORDER}
        self._nonce = 0

    @property
    def knows(self) -> frozenset[str]:
        """The types that were asked for."""
        return frozenset(kind for kind, subject in self._subjects.items() if subject.asked)

    @property
    def settled(self) -> bool:
        """The Envoy has everything of the goal that it can ask for."""
        return all(subject.asked for kind, subject in self._subjects.items() if kind in _WILDCARDS) and all(
            self._taken(kind) for kind in ORDER
        )

    def request(
        self,
        kind: str,
        *,
        nonce: str = "",
        error: str | None = None,
        names: Iterable[str] = (),
        unsubscribed: Iterable[str] = (),
        versions: Mapping[str, str] | None = None,
        version: str = "",
    ) -> Refused | None:
        """Take a request in. `names`: in state of the world all that the Envoy wants, in delta what it wants besides.
        `versions` (delta) and `version` (state of the world) are what it says it has when it comes back."""
        subject = self._subjects.get(kind)
        if subject is None:
            return None
        first, subject.asked = not subject.asked, True
        answer, before, refusal = subject.under_way, dict(subject.has), None
        if answer is not None and nonce == answer.nonce:
            subject.under_way = None
            if error is None:
                self._take(subject, answer)
                if kind == CLUSTERS:
                    self._ask_again(before, answer)
            else:
                subject.refused = answer.version
                refusal = Refused(kind, answer.version, error)
        elif nonce and nonce != subject.latest and not self.delta:
            return None  # an answer to what is not said any more: the next request counts
        wanted = set(names)
        if self.delta:
            self._subscribe(kind, subject, wanted, set(unsubscribed), first=first)
            if versions:
                subject.has.update(versions)
        else:
            subject.wildcard = kind in _WILDCARDS and not wanted
            subject.unanswered |= wanted - subject.names
            for name in subject.names - wanted:
                subject.has.pop(name, None)
            subject.unanswered &= wanted
            subject.names = wanted
            if first and version and version == self._version(kind, subject):
                subject.has = self._goal_of(kind, subject)
                subject.unanswered.clear()
        return refusal

    def _subscribe(self, kind: str, subject: _Subject, more: set[str], less: set[str], *, first: bool) -> None:
        if "*" in more or (first and not more and kind in _WILDCARDS):
            subject.wildcard = True
        more.discard("*")
        if "*" in less:
            subject.wildcard = False
        subject.names |= more
        subject.unanswered |= more
        subject.names -= less
        subject.unanswered -= less
        for name in less:
            subject.has.pop(name, None)

    def _take(self, subject: _Subject, answer: Answer) -> None:
        if not self.delta:
            subject.has, subject.said = {}, {}
        subject.said.update(answer.resources)
        subject.has.update({name: packed.version for name, packed in answer.resources.items()})
        for name in answer.removed:
            subject.has.pop(name, None)
            subject.said.pop(name, None)
        subject.refused = None

    def _ask_again(self, before: Mapping[str, str], answer: Answer) -> None:
        """A cluster that changed waits to be told its endpoints, though they are the same."""
        endpoints = self._subjects[ENDPOINTS]
        changed = {
            name for name, packed in answer.resources.items() if before.get(name, packed.version) != packed.version
        }
        endpoints.unanswered |= changed & endpoints.names

    def answers(self) -> list[Answer]:
        """What to say now; each counts as said."""
        found = [answer for kind in ORDER if (answer := self._answer(kind)) is not None]
        for answer in found:
            subject = self._subjects[answer.kind]
            subject.under_way, subject.latest = answer, answer.nonce
        return found

    def _answer(self, kind: str) -> Answer | None:
        subject = self._subjects[kind]
        if not subject.asked or subject.under_way is not None or not self._may_go(kind):
            return None
        version = self._version(kind, subject)
        if subject.refused == version:
            return None
        return self._difference(kind, subject, version) if self.delta else self._whole(kind, subject, version)

    def _difference(self, kind: str, subject: _Subject, version: str) -> Answer | None:
        goal = self.goal.of(kind)
        wanted = self._goal_of(kind, subject)
        changed = {name: goal[name] for name, at in wanted.items() if subject.has.get(name) != at}
        changed |= {name: goal[name] for name in subject.unanswered if name in goal}
        gone = set(subject.has) - set(goal) if self._may_remove(kind) and kind in _WILDCARDS else set()
        missing = {name for name in subject.unanswered if name not in goal}
        subject.unanswered.clear()
        greeted = bool(subject.latest) or not subject.wildcard  # who asks for all is told so even when there is nothing
        if not changed and not gone and not missing and greeted:
            return None
        return Answer(kind, self._next_nonce(), version, changed, tuple(sorted(gone | missing)))

    def _whole(self, kind: str, subject: _Subject, version: str) -> Answer | None:
        goal = self.goal.of(kind)
        wanted = self._goal_of(kind, subject)
        kept = {} if self._may_remove(kind) or kind != CLUSTERS else self._kept(subject, wanted)
        told = {name: goal[name] for name in wanted} | kept
        versions = {name: packed.version for name, packed in told.items()}
        greeted = bool(subject.latest) or not subject.wildcard
        if versions == subject.has and greeted and not subject.unanswered & set(goal):
            return None
        subject.unanswered -= set(told)
        return Answer(kind, self._next_nonce(), version, told)

    def _kept(self, subject: _Subject, wanted: Mapping[str, str]) -> dict[str, Packed]:
        """Clusters that the Envoy has and the goal has not: old ones are said again as they were."""
        return {name: packed for name, packed in subject.said.items() if name not in wanted}

    def _next_nonce(self) -> str:
        self._nonce += 1
        return str(self._nonce)

    def _goal_of(self, kind: str, subject: _Subject) -> dict[str, str]:
        """What the Envoy is to have of a type, by name."""
        return {
            name: packed.version
            for name, packed in self.goal.of(kind).items()
            if subject.wildcard or name in subject.names
        }

    def _version(self, kind: str, subject: _Subject) -> str:
        return set_version(self._goal_of(kind, subject))

    def _there(self, kind: str) -> bool:
        """The Envoy has all that it asks for of a type, in the goal's versions."""
        subject = self._subjects[kind]
        wanted = self._goal_of(kind, subject)
        return subject.under_way is None and all(subject.has.get(name) == at for name, at in wanted.items())

    def _taken(self, kind: str) -> bool:
        subject = self._subjects[kind]
        if not self._there(kind):
            return False
        if kind == ENDPOINTS:  # each is asked for when its cluster is there
            return set(self.goal.of(kind)) <= subject.names or not self._subjects[CLUSTERS].asked
        if kind == ROUTES and self.goal.of(LISTENERS):
            return set(self.goal.of(kind)) <= subject.names
        return True

    def _may_go(self, kind: str) -> bool:
        if kind in (SECRETS, CLUSTERS, ENDPOINTS):
            return True
        fit = self._taken(CLUSTERS) and self._taken(ENDPOINTS)
        return fit if kind == LISTENERS else fit and self._there(LISTENERS)

    def _may_remove(self, kind: str) -> bool:
        if kind != CLUSTERS:
            return True
        routes = self._subjects[ROUTES]
        return self._taken(LISTENERS) and self._taken(ROUTES) and routes.names <= set(self.goal.of(ROUTES))
