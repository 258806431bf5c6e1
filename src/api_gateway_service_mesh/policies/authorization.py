"""Who may do what: the decision, pure and compiled once for each route (``agw:AuthorizationPolicy``).

The order of rules and policies means nothing:

1. A rule of an enforced policy that denies, and holds: denied.
2. Else a rule of an enforced policy that allows, and holds: allowed.
3. Else, where an enforced policy has a rule that allows, or no rule at all: denied, since nobody was let in.
4. Else what the gateway says of requests that no policy speaks of (``agw:defaultDecision``).

Where several rules decide alike, the one with the least IRI is named. Policies that only audit are judged by
themselves, as if they were enforced alone; what they would have refused is told and let through.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from api_gateway_service_mesh.model import (
    Authorization,
    AuthorizationPolicy,
    AuthorizationRule,
    Caller,
    Enforcement,
    RuleAction,
    TimeWindow,
    claim_says,
)

__all__ = [
    "ALLOWED",
    "AUDITED",
    "DENIED",
    "MATCHED",
    "NOBODY",
    "AccessRequest",
    "AccessVerdict",
    "Authorizer",
    "RuleVerdict",
    "address_of",
    "pattern_holds",
    "readings",
    "window_holds",
]

ALLOWED, DENIED, AUDITED = 0, 1, 2
"""Kinds of `policies.event`, of policies."""
MATCHED = 0
"""The same, of rules."""

_DAY = 86400
_SLASHES = re.compile("//+")
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


NOBODY = Caller()


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """What is decided about. ``path`` as it is routed, without query; ``address`` without port; ``now`` in seconds
    since 1970."""

    caller: Caller
    method: str
    path: str
    address: str
    now: float


@dataclass(frozen=True, slots=True)
class AccessVerdict:
    """``policy`` and ``rule`` are the IRIs of what decided (None: the default, or that no rule allowed it).
    ``audited`` names each policy that only audits and would have refused, with its rule."""

    allowed: bool
    policy: str | None
    rule: str | None
    audited: tuple[tuple[str, str | None], ...] = ()

    @property
    def decided_by(self) -> str | None:
        """The IRI of the rule, else of the policy."""
        return self.rule or self.policy


@dataclass(frozen=True, slots=True)
class RuleVerdict:
    """For people: whether a rule holds, and the kinds of condition that did not."""

    policy: AuthorizationPolicy
    rule: AuthorizationRule
    held: bool
    failed: tuple[str, ...]


_Test = Callable[[AccessRequest], bool]


class _Rule:
    """One rule, its conditions compiled, the cheap ones first."""

    __slots__ = ("iri", "policy", "rule", "tests")

    def __init__(self, rule: AuthorizationRule, policy: AuthorizationPolicy) -> None:
        self.rule = rule
        self.iri = rule.iri
        self.policy = policy
        self.tests: tuple[tuple[str, _Test], ...] = tuple(_tests(rule))

    def holds(self, request: AccessRequest) -> bool:
        return all(test(request) for _, test in self.tests)


class Authorizer:
    """The decisions of one route."""

    __slots__ = ("_allow", "_audits", "_default", "_deny", "_first", "_rules", "_unless_allowed", "config")

    def __init__(self, config: Authorization) -> None:
        self.config = config
        policies = sorted(config.policies, key=lambda policy: policy.iri)
        enforced = [policy for policy in policies if policy.enforcement is Enforcement.ENFORCE]
        self._rules = [_Rule(rule, policy) for policy in policies for rule in policy.rules]
        self._deny = _of(self._rules, enforced, RuleAction.DENY)
        self._allow = _of(self._rules, enforced, RuleAction.ALLOW)
        self._unless_allowed: str | None = next((policy.iri for policy in enforced if policy.grants), None)
        self._first: str | None = enforced[0].iri if enforced else None
        self._default = config.default is RuleAction.ALLOW
        self._audits: list[Authorizer] = []
        for policy in policies:
            if policy.enforcement is Enforcement.AUDIT:
                alone = AuthorizationPolicy(policy.iri, policy.rules)
                self._audits.append(Authorizer(Authorization(config.stated_by, (alone,))))

    def missing_scopes(self, caller: Caller) -> tuple[str, ...]:
        """The scopes that the route demands and the caller lacks."""
        return tuple(scope for scope in self.config.scopes if scope not in caller.scopes)

    def decide(self, request: AccessRequest) -> AccessVerdict:
        """See the module."""
        audited: tuple[tuple[str, str | None], ...] = ()
        for audit in self._audits:
            would = audit.decide(request)
            if not would.allowed:
                audited = (*audited, (would.policy or "", would.rule))
        for rule in self._deny:
            if rule.holds(request):
                return AccessVerdict(False, rule.policy.iri, rule.iri, audited)
        for rule in self._allow:
            if rule.holds(request):
                return AccessVerdict(True, rule.policy.iri, rule.iri, audited)
        if self._unless_allowed is not None:
            return AccessVerdict(False, self._unless_allowed, None, audited)
        return AccessVerdict(self._default, self._first if self._default else None, None, audited)

    def verdicts(self, request: AccessRequest) -> tuple[RuleVerdict, ...]:
        """Every rule put to the request by itself, by policy and IRI."""
        found = []
        for rule in sorted(self._rules, key=lambda each: (each.policy.iri, each.iri)):
            failed = tuple(name for name, test in rule.tests if not test(request))
            found.append(RuleVerdict(rule.policy, rule.rule, not failed, failed))
        return tuple(found)


def _of(rules: Iterable[_Rule], policies: list[AuthorizationPolicy], action: RuleAction) -> list[_Rule]:
    chosen = [rule for rule in rules if rule.policy in policies and rule.rule.action is action]
    return sorted(chosen, key=lambda rule: (rule.iri, rule.policy.iri))


def _tests(rule: AuthorizationRule) -> list[tuple[str, _Test]]:
    tests: list[tuple[str, _Test]] = []
    if rule.methods:
        tests.append(("method", _method(frozenset(rule.methods))))
    if rule.paths:
        tests.append(("path", _path(tuple(map(_Path, rule.paths)), rule.action is RuleAction.DENY)))
    if rule.addresses:
        tests.append(("address", _address(rule.addresses)))
    if rule.scopes:
        tests.append(("scope", _scopes(frozenset(rule.scopes))))
    if rule.issuers:
        tests.append(("issuer", _one_of(rule.issuers, lambda caller: caller.issuer)))
    if rule.subjects:
        tests.append(("subject", _one_of(rule.subjects, lambda caller: caller.subject)))
    if rule.key_owners:
        tests.append(("key owner", _one_of(rule.key_owners, lambda caller: caller.key_owner)))
    if rule.spiffe_ids:
        tests.append(("SPIFFE ID", _one_of(rule.spiffe_ids, lambda caller: caller.spiffe_id)))
    if rule.names:
        tests.append(("certificate name", _any_of(rule.names, lambda caller: caller.names)))
    if rule.principals:
        tests.append(("principal", _any_of(rule.principals, lambda caller: caller.principals)))
    if rule.claims:
        tests.append(("claim", _claims(rule.claims)))
    if rule.windows:
        tests.append(("time", _time(rule.windows)))
    return tests


def _method(methods: frozenset[str]) -> _Test:
    return lambda request: request.method in methods


def _scopes(scopes: frozenset[str]) -> _Test:
    return lambda request: scopes <= request.caller.scopes


def _address(stated: tuple[str, ...]) -> _Test:
    blocks = tuple(ipaddress.ip_network(block, strict=False) for block in stated)

    def holds(request: AccessRequest) -> bool:
        address = address_of(request.address)
        return address is not None and any(address in block for block in blocks)

    return holds


def _path(paths: tuple[_Path, ...], denies: bool) -> _Test:
    """Who denies looks at every reading of a path that a backend may take; who allows at what was sent alone."""

    def holds(request: AccessRequest) -> bool:
        for path in readings(request.path) if denies else (request.path,):
            for stated in paths:
                if stated.holds(path):
                    return True
        return False

    return holds


def _time(stated: tuple[TimeWindow, ...]) -> _Test:
    windows = tuple((window, _zone(window.zone)) for window in stated)

    def holds(request: AccessRequest) -> bool:
        return any(window_holds(window, zone, request.now) for window, zone in windows)

    return holds


def _one_of(patterns: tuple[str, ...], read: Callable[[Caller], str]) -> _Test:
    def holds(request: AccessRequest) -> bool:
        text = read(request.caller)
        return bool(text) and any(pattern_holds(pattern, text) for pattern in patterns)

    return holds


def _any_of(patterns: tuple[str, ...], read: Callable[[Caller], tuple[str, ...]]) -> _Test:
    def holds(request: AccessRequest) -> bool:
        return any(pattern_holds(pattern, text) for text in read(request.caller) for pattern in patterns)

    return holds


def _claims(stated: tuple[str, ...]) -> _Test:
    wanted: dict[str, list[str | None]] = {}
    for text in stated:
        name, equals, value = text.partition("=")
        wanted.setdefault(name, []).append(value if equals else None)

    def holds(request: AccessRequest) -> bool:
        claims = request.caller.claims
        return all(any(claim_says(claims, name, value) for value in values) for name, values in wanted.items())

    return holds


def pattern_holds(pattern: str, text: str) -> bool:
    """Whether `text` is like `pattern`, in which each ``*`` stands for any text, also none. Takes no longer than the
    lengths of both multiplied, whatever they are."""
    first, *parts = pattern.split("*")
    if not parts:
        return text == pattern
    last = parts.pop()
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    start, end = len(first), len(text) - len(last)
    for part in parts:
        found = text.find(part, start, end)
        if found < 0:
            return False
        start = found + len(part)
    return True


class _Path:
    """A path as a rule states it, by whole segments; compared as it is routed."""

    __slots__ = ("_open", "_plain", "_segments")

    def __init__(self, text: str) -> None:
        self._open = text.endswith("/*")
        stated = text[:-2] if self._open else text
        self._plain = None if self._open or "{" in stated else stated
        self._segments = stated.split("/")

    def holds(self, path: str) -> bool:
        if self._plain is not None:
            return path == self._plain
        segments, wanted = path.split("/"), self._segments
        if len(segments) < len(wanted) or (len(segments) > len(wanted) and not self._open):
            return False
        return all(
            segment != "" if stated[:1] == "{" and stated[-1:] == "}" else segment == stated
            for stated, segment in zip(wanted, segments, strict=False)
        )


def address_of(text: str) -> _Address | None:
    """An address; one of IPv4 that is written as one of IPv6 is one of IPv4. None when it is none."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return address if mapped is None else mapped


def readings(path: str) -> tuple[str, ...]:
    """`path`, and how a lenient backend might read it: percent-decoded, without parameters of segments (``;v=1``), runs
    of slashes as one."""
    if "%" not in path and "//" not in path and ";" not in path:
        return (path,)
    found = [path]
    plain = unquote(path)
    for text in (plain, unquote(plain)):
        bare = "/".join(segment.partition(";")[0] for segment in text.split("/"))
        for reading in (text, bare, _SLASHES.sub("/", text), _SLASHES.sub("/", bare)):
            if reading not in found:
                found.append(reading)
    return tuple(found)


def _zone(name: str) -> tzinfo:
    return UTC if name == "UTC" else ZoneInfo(name)


def window_holds(window: TimeWindow, zone: tzinfo, now: float) -> bool:
    """Whether `now` (seconds since 1970) lies in `window`."""
    local = datetime.fromtimestamp(now, zone)
    second = local.hour * 3600 + local.minute * 60 + local.second
    today = local.weekday()
    begins, ends = window.begins % _DAY, window.ends
    if begins < ends:
        return begins <= second < ends and _on(window, today)
    if begins == ends:
        return _on(window, today)
    return (second >= begins and _on(window, today)) or (second < ends and _on(window, (today - 1) % 7))


def _on(window: TimeWindow, day: int) -> bool:
    return not window.days or day in window.days
