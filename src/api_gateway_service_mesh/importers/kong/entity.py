"""The entities of a declarative configuration of Kong: nested in each other or listed beside each other, and referred
to by name or id."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from api_gateway_service_mesh.errors import ConfigError, Finding, Location
from api_gateway_service_mesh.graph.plain import Map
from api_gateway_service_mesh.importers.part import Findings, Part

__all__ = ["Consumer", "Entities", "Plugin", "entities"]

#: What a plugin is for, where it says nothing: everything.
_SCOPES: Final = ("route", "service", "consumer", "consumer_group")
_ELSEWHERE: Final = {
    "certificates": "write them into files, and state agw:hasListener with agw:hasCertificate",
    "snis": "agw shows the certificate that has the name a client asks for",
    "ca_certificates": "write them into a file: agw:trustBundleFile of a service or a listener",
    "vaults": "write secrets as references: env:NAME or file:PATH",
    "consumer_groups": "give the keys of a group agw:keyScope, and the routes agw:hasAuthorization",
}


@dataclass(slots=True)
class Plugin:
    """A plugin as it is configured at one place."""

    name: str
    part: Part
    config: Part

    @property
    def place(self) -> Location:
        """Where it begins."""
        return self.part.place


@dataclass(slots=True)
class Consumer:
    """A caller: its keys with their places, and the groups that it is in."""

    name: str
    keys: list[tuple[str, Location]] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Entities:
    """All of them. Routes and plugins carry the name of what they belong to; None: nothing."""

    services: dict[str, Part] = field(default_factory=dict)
    routes: list[tuple[Part, str | None]] = field(default_factory=list)
    upstreams: dict[str, tuple[Part, list[Part]]] = field(default_factory=dict)
    consumers: dict[str, Consumer] = field(default_factory=dict)
    plugins: dict[tuple[str, str] | None, list[Plugin]] = field(default_factory=dict)
    """By kind and name of what they are for; None: everything."""

    names: dict[str, str] = field(default_factory=dict)
    """The names of those that are referred to by id."""


def entities(findings: Findings, documents: Iterable[Map]) -> Entities:
    """What `documents` hold.

    Raises:
        ConfigError: one of them is no declarative configuration of Kong 3, with its place.
    """
    made = Entities()
    opened = [_opened(findings, document) for document in documents]
    for top in opened:
        _taken(findings, top, made)
    for top in opened:
        _beside(findings, top, made)
    return made


def _opened(findings: Findings, document: Map) -> Part:
    top = Part(findings, document, "kong")
    version = top.text("_format_version")
    if version is None or not version.startswith("3"):
        stated = "says no _format_version" if version is None else f"has _format_version {version}"
        message = f"this is no declarative configuration of Kong 3: it {stated}"
        remedy = 'give a file that says _format_version: "3.0"; deck file convert makes one of older ones'
        raise ConfigError(Finding("syntax", message, location=top.at("_format_version"), remedy=remedy))
    top.ignore("_transform", "_comment", "_info", "_workspace", "_plugin_configs")
    return top


def _taken(findings: Findings, top: Part, made: Entities) -> None:
    """What may hold others."""
    for service in top.parts("services"):
        name = _named(service, made, service.text("host") or "service")
        made.services[name] = service
        made.routes += [(route, name) for route in service.parts("routes")]
        _plugins(findings, service, ("service", name), made)
    for upstream in top.parts("upstreams"):
        made.upstreams[_named(upstream, made, "upstream")] = (upstream, upstream.parts("targets"))
    for consumer in top.parts("consumers"):
        name = consumer.text("username") or consumer.text("custom_id") or "consumer"
        consumer.ignore("custom_id", "tags")
        made.names[consumer.text("id") or name] = name
        caller = made.consumers.setdefault(name, Consumer(name))
        _credentials(consumer, caller)
        _plugins(findings, consumer, ("consumer", name), made)


def _beside(findings: Findings, top: Part, made: Entities) -> None:
    """What stands by itself, and says what it belongs to."""
    for route in top.parts("routes"):
        made.routes.append((route, reference(route, "service", made)))
    for route, _ in made.routes:
        name = _named(route, made, "")
        _plugins(findings, route, ("route", name or str(id(route))), made)
    for target in top.parts("targets"):
        name = reference(target, "upstream", made) or ""
        if name in made.upstreams:
            made.upstreams[name][1].append(target)
        else:
            target.drop()
            findings.lost(target.place, f"kong.targets: there is no upstream {name}", "name one that there is")
    for key in ("keyauth_credentials", "acls"):
        for credential in top.parts(key):
            name = reference(credential, "consumer", made) or ""
            _credential(key, credential, made.consumers.setdefault(name, Consumer(name)))
    _plugins(findings, top, None, made)
    for key, remedy in _ELSEWHERE.items():
        if key in top:
            findings.lost(top.at(key), f"kong: {key} are not taken over", remedy)
            top.ignore(key)


def _named(part: Part, made: Entities, otherwise: str) -> str:
    part.ignore("tags", "created_at", "updated_at", "ws_id")
    name, own = part.text("name"), part.text("id")
    name = name or own or otherwise
    if own:
        made.names[own] = name
    return name


def reference(part: Part, key: str, made: Entities) -> str | None:
    """The name of what `part` refers to under `key`: a name, or a mapping with a name or an id."""
    if key not in part:
        part.ignore(key)
        return None
    if part.mapped(key):
        inner = part.part(key)
        name = inner and (inner.text("name") or inner.text("id") or inner.text("username"))
    else:
        name = part.text(key)
    return made.names.get(name, name) if name else None


def _plugins(findings: Findings, holder: Part, scope: tuple[str, str] | None, made: Entities) -> None:
    for part in holder.parts("plugins"):
        part.ignore("id", "tags", "instance_name", "protocols", "created_at", "updated_at", "ordering")
        name = part.text("name") or ""
        stated = {kind: found for kind in _SCOPES if (found := reference(part, kind, made))}
        if part.flag("enabled") is False:
            part.drop()
            continue
        config = part.part("config") or Part(findings, Map(part.place), f"{part.name}.config")
        nearest = next(((kind, stated[kind]) for kind in _SCOPES if kind in stated), scope)
        if "consumer" in stated or "consumer_group" in stated or (scope and scope[0] == "consumer") or len(stated) > 1:
            config.drop()
            message = f"{part.name}: {name} is for some callers, or for a route and a service at once"
            findings.lost(part.place, f"{message}; it is not taken over", "state it on routes of their own")
            continue
        made.plugins.setdefault(nearest, []).append(Plugin(name, part, config))


def _credentials(part: Part, caller: Consumer) -> None:
    for key in ("keyauth_credentials", "acls"):
        for credential in part.parts(key):
            _credential(key, credential, caller)


def _credential(key: str, part: Part, caller: Consumer) -> None:
    part.ignore("id", "tags", "created_at", "ttl", "consumer")
    if key == "acls":
        caller.groups.append(part.text("group") or "")
        return
    text = part.text("key")
    if not text or text.startswith("{vault://"):
        remedy = "make one with agw key new, and state its agw:keyHash"
        part.findings.lost(part.at("key"), f"{part.name}: the key of {caller.name} does not stand here", remedy)
        return
    caller.keys.append((text, part.at("key")))
