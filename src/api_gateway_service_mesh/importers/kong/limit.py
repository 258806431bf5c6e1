"""``rate-limiting``: a limiter for each window. One plugin's counts are shared by all its routes, in Kong and here."""

from __future__ import annotations

from typing import Final

from api_gateway_service_mesh.importers.draft import Draft
from api_gateway_service_mesh.importers.part import Part
from api_gateway_service_mesh.importers.turtle import Ref, Seconds, Stated, Subject
from api_gateway_service_mesh.vocabulary import AGW

from .entity import Plugin

__all__ = ["Limits"]

_WINDOWS: Final = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "month": 2_592_000, "year": 31_536_000}
_TOO_MANY: Final = 429


class Limits:
    """Limiters, each made once for callers that are known by key and once for those that are not."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._made: dict[tuple[int, bool], list[Stated]] = {}
        self._read: dict[int, tuple[dict[str, int], list[tuple[str, object]]]] = {}
        self._by: dict[int, tuple[str, str | None]] = {}
        self._stores: dict[str, Ref] = {}
        self._told = False

    def knows(self, plugin: Plugin) -> bool:
        """Whether a route has it."""
        return id(plugin) in self._read

    def of(self, plugin: Plugin, *, keyed: bool) -> list[Stated]:
        """The limiters of a route whose callers are known by a key, or not."""
        if id(plugin) not in self._read:
            self._open(plugin)
        windows, said = self._read[id(plugin)]
        by, header = self._by[id(plugin)]
        # Whoever is no consumer is counted by address in Kong.
        keyed = keyed and by in ("consumer", "credential")
        if (id(plugin), keyed) not in self._made:
            keys = {"header": f"header:{header}", "service": None}
            key = "api-key" if keyed else keys.get(by, "client-address")
            self._made[id(plugin), keyed] = [
                (AGW.hasRateLimiter, self._limiter(plugin, window, limit, key, said))
                for window, limit in windows.items()
            ]
        return self._made[id(plugin), keyed]

    def _limiter(self, plugin: Plugin, window: str, limit: int, key: str | None, said: list[tuple[str, object]]) -> Ref:
        iri = self._draft.iri(f"limit-each-{window}")
        made = Subject("RateLimiter", iri, f"rate-limiting, {limit} each {window}", plugin.place)
        if window == "second":
            made.say(AGW.requestsPerSecond, limit).say(AGW.limitAlgorithm, "FIXED_WINDOW")
        else:
            made.say(AGW.quota, limit).say(AGW.quotaPeriod, Seconds(_WINDOWS[window]))
        made.say(AGW.limitKey, key)
        for predicate, value in said:
            made.say(predicate, value)  # type: ignore[arg-type]
        self._draft.others.append(made)
        return Ref(iri)

    def _open(self, plugin: Plugin) -> None:
        config, findings = plugin.config, self._draft.findings
        windows = {window: limit for window in _WINDOWS if (limit := config.integer(window))}
        by, header = config.text("limit_by") or "consumer", config.text("header_name")
        if by in ("path", "consumer-group"):
            message = f"{plugin.part.name}: agw counts by address, key or field, not by {by}; it is by address now"
            findings.differs(config.at("limit_by"), message, "give the path a route and a limiter of its own")
        config.ignore("path", "error_message", "sync_rate")
        said: list[tuple[str, object]] = []
        if config.flag("hide_client_headers") is not True:
            said.append((AGW.rateLimitFields, True))
        status = config.integer("error_code")
        if status not in (None, _TOO_MANY):
            message = f"{plugin.part.name}: agw refuses with {_TOO_MANY}, not with {status}"
            findings.differs(config.at("error_code"), message, "let clients know")
        said += self._shared(plugin, config)
        if not self._told:
            self._told = True
            message = "a window begins with a caller's first request here, and with the clock's in Kong"
            findings.differs(plugin.place, message, note=True)
        self._read[id(plugin)] = (windows, said)
        self._by[id(plugin)] = (by, header)

    def _shared(self, plugin: Plugin, config: Part) -> list[tuple[str, object]]:
        policy, tolerant = config.text("policy") or "local", config.flag("fault_tolerant") is not False
        store = config.part("redis")
        old = [key for key in config.keys() if key.startswith("redis_")]  # noqa: SIM118
        if policy == "local":
            config.ignore(*old)
            if store is not None:
                store.drop()
            return []
        host = store.text("host") if store is not None else config.text("redis_host")
        port = store.integer("port") if store is not None else config.integer("redis_port")
        config.ignore(*old)
        if store is not None:
            store.ignore("database", "timeout", "ssl", "ssl_verify", "server_name", "username", "password")
        if policy != "redis" or not host:
            message = f"{plugin.part.name}: agw counts alone or through Redis, not by the policy {policy}; alone now"
            self._draft.findings.differs(config.at("policy"), message, "state agw:sharedThrough")
            return []
        secrets = [key for key in ("password", "username", "ssl", "database") if store is not None and key in store]
        if secrets:
            message = (
                f"{plugin.part.name}: of the Redis store the address alone is taken over, not {', '.join(secrets)}"
            )
            self._draft.findings.lost(plugin.place, message, "state them on the agw:RedisStore")
        address = f"{host}:{port or 6379}"
        if address not in self._stores:
            made = Subject("RedisStore", self._draft.iri("redis"), f"Redis at {host}", plugin.place)
            self._draft.others.append(made.say(AGW.storeAddress, address))
            self._stores[address] = Ref(str(made.iri))
        return [(AGW.sharedThrough, self._stores[address]), (AGW.failureMode, "OPEN" if tolerant else "CLOSED")]
