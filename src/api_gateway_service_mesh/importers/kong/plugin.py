"""Plugins: what of them is a policy here. Of a plugin that stands at several places the nearest counts, as in Kong: the
route's, then the service's, then the one for everything.

A plugin that keeps callers out and cannot be taken over closes its routes, rather than leaving them open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from api_gateway_service_mesh.importers.draft import Draft
from api_gateway_service_mesh.importers.part import Part
from api_gateway_service_mesh.importers.turtle import Ref, Stated, Subject
from api_gateway_service_mesh.vocabulary import AGW

from .answer import cors, request_changes, response_changes, termination
from .caller import Callers
from .entity import Entities, Plugin
from .limit import Limits

__all__ = ["Policies"]

_CHANGES: Final[Mapping[str, Callable[[Part], list[Stated]]]] = {
    "cors": cors,
    "request-transformer": request_changes,
    "response-transformer": response_changes,
    "request-termination": termination,
}
_GUARDS: Final = frozenset(
    {
        "basic-auth", "hmac-auth", "jwt", "jwt-signer", "jwe-decrypt", "ldap-auth", "ldap-auth-advanced", "mtls-auth",
        "oauth2", "oauth2-introspection", "openid-connect", "opa", "saml", "vault-auth", "key-auth-enc",
        "header-cert-auth", "bot-detection", "acme-auth", "session",
    }
)  # fmt: skip
_WATCHING: Final = frozenset(
    {
        "prometheus", "opentelemetry", "zipkin", "datadog", "statsd", "file-log", "http-log", "tcp-log", "udp-log",
        "syslog", "loggly", "correlation-id",
    }
)  # fmt: skip
_READ: Final = frozenset({"rate-limiting", "key-auth", "acl", "ip-restriction", *_CHANGES})
_REMEDIES: Final = {
    "jwt": "export the keys as a JWKS, and state agw:hasAuthentication [ a agw:JWTAuthentication ; agw:issuer … ; "
    "agw:audience … ; agw:jwksUri … ]",
    "openid-connect": "state agw:hasAuthentication with an agw:OpenIdLogin or an agw:JWTAuthentication",
    "oauth2-introspection": "state agw:hasAuthentication with an agw:OAuth2",
    "mtls-auth": "state agw:hasMutualTLS on a listener, and agw:hasAuthorization with agw:callerName",
    "opa": "state agw:hasExternalAuthorization",
    "rate-limiting-advanced": "state agw:hasRateLimiter",
    "proxy-cache": "state agw:hasCache",
    "proxy-cache-advanced": "state agw:hasCache",
    "request-size-limiting": "state agw:hasRequestValidation with agw:maximumBodyBytes",
    "request-validator": "state agw:hasRequestValidation",
    "redirect": "state agw:hasRedirect",
    "canary": "state agw:hasTrafficSplit with agw:hasCanaryStep",
}


class Policies:
    """What plugins say of routes; each plugin is read once."""

    def __init__(self, draft: Draft, there: Entities) -> None:
        self._draft = draft
        self._there = there
        self._callers = Callers(draft, there)
        self._limits = Limits(draft)
        self._made: dict[int, list[Stated]] = {}
        self._closed: Ref | None = None

    def of(self, route: str, service: str | None) -> list[Stated]:
        """The policies of a route."""
        acting = self._acting(route, service)
        keys, access = acting.get("key-auth"), (acting.get("acl"), acting.get("ip-restriction"))
        made: list[Stated] = []
        closed = False
        for name, plugin in acting.items():
            if name in _CHANGES:
                made += self._once(plugin)
            elif name == "rate-limiting":
                made += self._limits.of(plugin, keyed=keys is not None)
            elif name not in _READ:
                self._once(plugin)
                closed = closed or name in _GUARDS
        if keys is not None:
            known = self._callers.keys(keys)
            made += [(AGW.hasAuthentication, key) for key in known]
            closed = closed or not known
        if any(access):
            policy = self._callers.access(*access, known=keys is not None)
            closed = closed or policy is None
            made += [(AGW.hasAuthorization, policy)] if policy is not None and not closed else []
        return [*made, (AGW.hasAuthorization, self._close())] if closed else made

    def close(self) -> None:
        """Read the plugins that no route has."""
        for plugins in self._there.plugins.values():
            for plugin in plugins:
                if plugin.name in _CHANGES or plugin.name not in _READ:
                    self._once(plugin)
                elif not self._limits.knows(plugin) and not self._callers.knows(plugin):
                    plugin.config.drop()
                    message = f"{plugin.part.name}: no route here has this {plugin.name}"
                    self._draft.findings.lost(plugin.place, message, "name a route or a service that there is")

    def _acting(self, route: str, service: str | None) -> dict[str, Plugin]:
        found: dict[str, Plugin] = {}
        for scope in (None, ("service", service), ("route", route)):
            if scope is None or scope[1] is not None:
                for plugin in self._there.plugins.get(scope, ()):  # type: ignore[arg-type]
                    found[plugin.name] = plugin
        return found

    def _once(self, plugin: Plugin) -> list[Stated]:
        if id(plugin) not in self._made:
            reading = _CHANGES.get(plugin.name)
            self._made[id(plugin)] = self._unknown(plugin) if reading is None else reading(plugin.config)
        return self._made[id(plugin)]

    def _unknown(self, plugin: Plugin) -> list[Stated]:
        plugin.config.drop()
        name = plugin.name
        remedy = _REMEDIES.get(name)
        message = f"{plugin.part.name}: {name} is not taken over"
        if name in _GUARDS:
            message += "; its routes are closed to all until callers are judged otherwise"
            remedy = (
                f"{remedy or 'state agw:hasAuthentication'} in the place of agw:hasAuthorization {self._closed_name()}"
            )
        elif name in _WATCHING:
            remedy = "agw has metrics, traces and access logs of its own: see docs/how-to/observe.md"
        self._draft.findings.lost(
            plugin.place, message, remedy or "see whether you need it; agw has other words, or none"
        )
        return []

    def _closed_name(self) -> str:
        return self._close().iri

    def _close(self) -> Ref:
        """A policy that lets nobody through."""
        if self._closed is None:
            comment = "nobody is let in here: what kept callers out in Kong could not be taken over"
            made = Subject("AuthorizationPolicy", self._draft.iri("closed"), comment)
            self._draft.others.append(made)
            self._closed = Ref(str(made.iri))
        return self._closed
