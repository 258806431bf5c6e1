"""Who may do what (``agw:AuthorizationPolicy``)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = [
    "Authorization",
    "AuthorizationPolicy",
    "AuthorizationRule",
    "Enforcement",
    "RuleAction",
    "TimeWindow",
]


class RuleAction(StrEnum):
    """``agw:ruleAction``, ``agw:defaultDecision``."""

    ALLOW = "ALLOW"
    DENY = "DENY"


class Enforcement(StrEnum):
    """``agw:enforcement``."""

    ENFORCE = "enforce"
    AUDIT = "audit"


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """A time of the day, on some days of the week. ``days``: 0 is Monday; none: every day. ``begins`` and ``ends`` are
    seconds since midnight in ``zone`` (IANA); the end is outside. A window that ends before it begins goes on into the
    day after; one that ends when it begins is the whole day."""

    iri: str
    days: tuple[int, ...] = ()
    begins: int = 0
    ends: int = 86400
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class AuthorizationRule:
    """All kinds of condition that are stated must hold; of several values of a kind one, of ``scopes`` each, of
    ``claims`` (``NAME`` or ``NAME=VALUE``) one for each name. A rule that states none speaks of every request.

    ``principals``, ``issuers``, ``subjects``, ``key_owners``, ``spiffe_ids`` and ``names`` are patterns: ``*`` stands
    for any text. ``addresses`` are CIDR blocks. ``paths``: exact, ``{name}`` for a segment, ``/*`` at the end for all
    below.
    """

    iri: str
    action: RuleAction = RuleAction.ALLOW
    principals: tuple[str, ...] = ()
    issuers: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    key_owners: tuple[str, ...] = ()
    spiffe_ids: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    windows: tuple[TimeWindow, ...] = ()

    @property
    def asks_identity(self) -> bool:
        """Whether it speaks of who is calling."""
        return self.asks_token or self.asks_certificate or bool(self.key_owners or self.principals or self.scopes)

    @property
    def asks_token(self) -> bool:
        """Whether it speaks of what only a token can prove."""
        return bool(self.issuers or self.subjects or self.claims)

    @property
    def asks_certificate(self) -> bool:
        """Whether it speaks of what only a client certificate can prove."""
        kinds = ("spiffe:", "dns:", "uri:", "ip:", "email:")
        return bool(self.spiffe_ids or self.names) or any(text.startswith(kinds) for text in self.principals)


@dataclass(frozen=True, slots=True)
class AuthorizationPolicy:
    """``rules`` by IRI. One that only audits decides nothing."""

    iri: str
    rules: tuple[AuthorizationRule, ...] = ()
    enforcement: Enforcement = Enforcement.ENFORCE

    @property
    def grants(self) -> bool:
        """Whether somebody must be allowed by it: it has a rule that allows, or no rule at all."""
        return not self.rules or any(rule.action is RuleAction.ALLOW for rule in self.rules)


@dataclass(frozen=True, slots=True)
class Authorization:
    """What a route asks of its callers besides who they are: ``scopes``, each of which they must have, and
    ``policies``, by IRI. ``default`` decides where no policy does; ``stated_by`` is who states the scopes."""

    stated_by: str
    policies: tuple[AuthorizationPolicy, ...] = ()
    scopes: tuple[str, ...] = ()
    default: RuleAction = RuleAction.ALLOW
