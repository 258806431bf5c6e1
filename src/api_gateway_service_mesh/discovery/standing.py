"""What is believed of a registry's answers, and when it is passed on. Pure: time comes as arguments.

Rules:

- The first answer that tells of somebody counts at once. After that an answer is passed on when it has stood for
  `QUIET_SECONDS`, or `LONGEST_SECONDS` after the first change that waits; at most once in `BETWEEN_SECONDS`. So a
  hundred changes a second make four updates a second, and no change waits for half a second.
- What is back to what is in use is no change.
- No answer changes nothing: the last instances stay in use, STALE.
- An answer that tells of *nobody* empties nothing at once. The set is DOUBTED; it is emptied when the registry tells
  of nobody again ``empty_after`` seconds or more after it first did, with no other answer and no failure in between.
- Of more than `MOST_INSTANCES` the first by address are used, and no instance is used twice. What names no host and
  port is none.
- Labels and zones that cannot be printed, or are longer than `_LONGEST_LABEL`, are left out; of the labels of one
  instance the first `_MOST_LABELS` count. So one instance that is described oddly takes nothing from the others.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv6Address
from math import inf

from .source import Instance, Instances

__all__ = ["BETWEEN_SECONDS", "LONGEST_SECONDS", "MOST_INSTANCES", "QUIET_SECONDS", "DiscoveryState", "Standing"]

MOST_INSTANCES = 10_000
QUIET_SECONDS = 0.05
LONGEST_SECONDS = 0.25
BETWEEN_SECONDS = 0.25
_HEAVIEST = 1_000_000
_LONGEST_LABEL = 1000
_MOST_LABELS = 200
_LONGEST_FAULT = 500
_NAME = re.compile(r"(?=.{1,253}\Z)[0-9A-Za-z_][0-9A-Za-z_-]{0,62}(?:\.[0-9A-Za-z_-]{1,63})*\.?\Z")
"""RFC 1123, §2.1, with the underscores that are in use: what resolvers take without raising anything odd."""


class DiscoveryState(StrEnum):
    """``agw:discoveryState``."""

    WAITING = "WAITING"
    CURRENT = "CURRENT"
    DOUBTED = "DOUBTED"
    STALE = "STALE"


class Standing:
    """What one look-up has come to. ``held`` is in use: sorted, each address and port once."""

    __slots__ = (
        "_changed",
        "_doubted",
        "_empty_after",
        "_published",
        "_waiting",
        "_waits_since",
        "answered_at",
        "answers",
        "failures",
        "fault",
        "first_told",
        "held",
        "left_out",
        "revision",
        "stale_since",
        "state",
    )

    def __init__(self, empty_after: float) -> None:
        self._empty_after = empty_after
        self.held: tuple[Instance, ...] = ()
        self.first_told: dict[tuple[str, int], datetime] = {}
        """When an instance in use was first told of, by address and port."""
        self.state = DiscoveryState.WAITING
        self.fault: str | None = None
        """Why there is no answer."""
        self.stale_since: datetime | None = None
        self.answered_at: datetime | None = None
        self.revision = ""
        self.answers = self.failures = 0
        self.left_out = 0
        """Instances of the last answer beyond the bound."""
        self._waiting: tuple[Instance, ...] | None = None
        self._waits_since = self._changed = 0.0
        self._published = -inf
        self._doubted: float | None = None

    def answered(self, told: Instances, now: float) -> None:
        """Take in an answer."""
        self.answers += 1
        self.answered_at, self.revision = told.at, told.revision
        self.fault = self.stale_since = None
        self.state = DiscoveryState.CURRENT
        single = {(one.address, one.port): _described(one) for one in sorted(told.endpoints) if _usable(one)}
        self.left_out = max(0, len(single) - MOST_INSTANCES)
        fresh = tuple(single.values())[:MOST_INSTANCES]
        if fresh or not self.held:
            self._doubted = None
        else:
            if self._doubted is None:
                self._doubted = now
            if now - self._doubted < self._empty_after:
                self.state = DiscoveryState.DOUBTED
                self._waiting = None  # what it said before it said nothing is not its word any more
                return
            self._doubted = None
        if fresh == self.held:
            self._waiting = None
            return
        if fresh != self._waiting:
            if self._waiting is None:
                self._waits_since = now
            self._changed = now
        self._waiting = fresh
        known = self.first_told
        self.first_told = {
            (one.address, one.port): known.get((one.address, one.port), told.at) for one in (*self.held, *fresh)
        }

    def failed(self, reason: str, now: float, at: datetime) -> None:
        """There is no answer; `at` is `now` by the clock on the wall."""
        self.failures += 1
        self.fault = reason if _printable(reason, _LONGEST_FAULT) else _shown(reason)
        self._doubted = None
        if self.stale_since is None:
            self.stale_since = at
        if self.answers:
            self.state = DiscoveryState.STALE

    def carry(self, other: Standing) -> None:
        """Go on from what another look-up for the same service has come to, until there is an answer."""
        self.held, self.first_told = other.held, other.first_told
        self.answered_at = other.answered_at

    @property
    def due(self) -> float:
        """When what waits is to be passed on; infinity when nothing does."""
        if self._waiting is None:
            return inf
        if not self.held:
            return self._changed
        return max(
            min(self._changed + QUIET_SECONDS, self._waits_since + LONGEST_SECONDS), self._published + BETWEEN_SECONDS
        )

    def take(self, now: float) -> bool:
        """Use from now on what is due; whether anything was."""
        if self._waiting is None or now < self.due:
            return False
        self.held, self._waiting = self._waiting, None
        self._published = now
        self.first_told = {key: self.first_told[key] for key in ((one.address, one.port) for one in self.held)}
        return True


def _usable(one: Instance) -> bool:
    return 0 < one.port < 65536 and 0 <= one.weight <= _HEAVIEST and _names_a_host(one.address)


def _names_a_host(address: str) -> bool:
    if ":" not in address:
        return _NAME.match(address) is not None
    try:
        return len(address) < 46 and IPv6Address(address).scope_id is None
    except ValueError:
        return False


def _described(one: Instance) -> Instance:
    """`one`, with what of its labels and zone can be told to others."""
    if len(one.labels) <= _MOST_LABELS and all(map(_printable, (one.zone, *one.labels))):
        return one
    labels = [label for label in one.labels if _printable(label)]
    return replace(one, zone=one.zone if _printable(one.zone) else "", labels=tuple(labels[:_MOST_LABELS]))


def _printable(text: str, longest: int = _LONGEST_LABEL) -> bool:
    return text.isprintable() and len(text) <= longest


def _shown(reason: str) -> str:
    """What a registry said, for people: one line of bounded length, without what no encoding has."""
    return "".join(each if each.isprintable() else " " for each in reason[:_LONGEST_FAULT])
