"""Who calls: keys of consumers, groups that are let in, and blocks of addresses."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from api_gateway_service_mesh.importers.draft import Draft
from api_gateway_service_mesh.importers.turtle import Ref, Subject, anonymous
from api_gateway_service_mesh.vocabulary import AGW

from .entity import Entities, Plugin

__all__ = ["Callers"]

_NAMES: Final = ("apikey",)


class Callers:
    """API keys and policies, each made once."""

    def __init__(self, draft: Draft, there: Entities) -> None:
        self._draft = draft
        self._there = there
        self._keys: dict[tuple[str, bool], list[Ref]] = {}
        self._ways: dict[int, tuple[str, bool]] = {}
        self._policies: dict[tuple[int, int, bool], Ref | None] = {}
        self._read: dict[int, tuple[list[str], list[str]]] = {}

    def knows(self, plugin: Plugin) -> bool:
        """Whether a route has it."""
        return id(plugin) in self._ways or id(plugin) in self._read

    def keys(self, plugin: Plugin) -> list[Ref]:
        """The keys that are accepted."""
        if id(plugin) not in self._ways:
            self._ways[id(plugin)] = self._way(plugin)
        way = self._ways[id(plugin)]
        if way not in self._keys:
            self._keys[way] = [
                self._key(caller.name, text, way)
                for caller in self._there.consumers.values()
                for text, _ in caller.keys
            ]
            if not self._keys[way]:
                message = f"{plugin.part.name}: no key of any consumer stands here; its routes are closed to all"
                remedy = "make keys with agw key new, and state them with agw:hasAuthentication"
                self._draft.findings.lost(plugin.place, message, remedy)
        return self._keys[way]

    def _way(self, plugin: Plugin) -> tuple[str, bool]:
        """In which field keys are shown, and whether in the query, too."""
        config, name = plugin.config, plugin.part.name
        findings = self._draft.findings
        names = config.texts("key_names") or list(_NAMES)
        if len(names) > 1:
            message = f"{name}: a key has one name here, and that is {names[0]}; not {', '.join(names[1:])}"
            findings.lost(config.at("key_names"), message, "state an agw:ApiKey for each, with its agw:keyHeader")
        if config.flag("key_in_header") is False:
            message = f"{name}: agw takes keys from header fields always"
            findings.differs(config.at("key_in_header"), message, note=True)
        if config.flag("hide_credentials") is not True:
            message = "agw keeps keys from backends; Kong does where hide_credentials says so"
            findings.differs(plugin.place, f"{name}: {message}", note=True)
        if config.flag("key_in_body"):
            findings.lost(config.at("key_in_body"), f"{name}: agw takes no keys from bodies", "use a header field")
        if "anonymous" in config:
            message = f"{name}: agw has no one who stands for callers without a key; they are refused"
            findings.lost(config.at("anonymous"), message, "give the routes for them no agw:hasAuthentication")
        config.ignore("anonymous", "realm", "run_on_preflight")
        return names[0], config.flag("key_in_query") is not False

    def _key(self, owner: str, text: str, way: tuple[str, bool]) -> Ref:
        header, query = way
        digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        iri = self._draft.iri(f"{owner}-key", header)
        made = Subject("ApiKey", iri, f"a key of consumer {owner}")
        made.say(AGW.keyHash, f"sha256:{digest}").say(AGW.keyOwner, owner).say(AGW.keyHeader, header)
        made.say(AGW.keyQueryParameter, header if query else None)
        groups = [group for caller in self._there.consumers.values() if caller.name == owner for group in caller.groups]
        made.say(AGW.keyScope, *dict.fromkeys(groups))
        self._draft.others.append(made)
        return Ref(iri)

    def access(self, groups: Plugin | None, addresses: Plugin | None, *, known: bool) -> Ref | None:
        """The policy for both plugins; None: nobody may pass, as groups are asked for and callers have none."""
        key = (id(groups), id(addresses), known)
        if key not in self._policies:
            self._policies[key] = self._policy(groups, addresses, known=known)
        return self._policies[key]

    def _policy(self, groups: Plugin | None, addresses: Plugin | None, *, known: bool) -> Ref | None:
        let_in, kept_out = self._listed(groups)
        near, far = self._listed(addresses)
        if groups is not None and not known:
            message = (
                f"{groups.part.name}: groups are those of API keys here, and its routes ask for none; they are closed"
            )
            self._draft.findings.lost(groups.place, message, "state agw:requiredScope with agw:hasAuthentication")
            return None
        words = [plugin.name for plugin in (groups, addresses) if plugin is not None]
        iri = self._draft.iri("-".join(words))
        place = next(plugin.place for plugin in (groups, addresses) if plugin is not None)
        made = Subject("AuthorizationPolicy", iri, " and ".join(words), place)
        for group in kept_out:
            made.say(AGW.hasRule, anonymous("AuthorizationRule", (AGW.ruleAction, "DENY"), (AGW.callerScope, group)))
        if far:
            made.say(AGW.hasRule, _rule("DENY", far))
        for group in let_in:
            made.say(AGW.hasRule, _rule("ALLOW", near).say(AGW.callerScope, group))
        if near and not let_in:
            made.say(AGW.hasRule, _rule("ALLOW", near))
        self._draft.others.append(made)
        return Ref(iri)

    def _listed(self, plugin: Plugin | None) -> tuple[list[str], list[str]]:
        """Whom it lets in, and whom it keeps out."""
        if plugin is None:
            return [], []
        if id(plugin) not in self._read:
            config = plugin.config
            config.ignore("hide_groups_header", "always_use_authenticated_groups", "message", "include_consumer_groups")
            status = config.integer("status")
            if status not in (None, 403):
                message = f"{plugin.part.name}: agw refuses with 403, not with {status}"
                self._draft.findings.differs(config.at("status"), message, note=True)
            self._read[id(plugin)] = (config.texts("allow"), config.texts("deny"))
        return self._read[id(plugin)]


def _rule(action: str, addresses: list[str]) -> Subject:
    return anonymous("AuthorizationRule", (AGW.ruleAction, action)).say(AGW.callerAddress, *addresses)
