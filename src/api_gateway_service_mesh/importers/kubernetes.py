"""What the objects of Kubernetes have in common: metadata, Services, durations of Go."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from api_gateway_service_mesh.errors import Location
from api_gateway_service_mesh.graph.plain import List, Map
from api_gateway_service_mesh.model import Registry
from api_gateway_service_mesh.vocabulary import AGW

from .draft import Draft
from .part import Findings, Part
from .turtle import Ref, Subject, anonymous

__all__ = ["Cluster", "Thing", "seconds", "things"]

_UNITS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 0.000_001, "µs": 0.000_001, "ns": 1e-9}
_DURATION: Final = re.compile(r"(?:[0-9]{1,9}(?:\.[0-9]{1,9})?(?:ms|us|µs|ns|h|m|s))+")
_ONE: Final = re.compile(r"([0-9.]+)(ms|us|µs|ns|h|m|s)")


def seconds(part: Part, key: str) -> float | None:
    """A duration of Go such as ``1m30s`` or ``250ms``; 0 comes as 0."""
    text = part.text(key)
    if text is None:
        return None
    if text == "0":
        return 0.0
    if _DURATION.fullmatch(text) is None:
        part.findings.lost(part.at(key), f"{part.name}: {key} is no duration: {text!r}", "write 5s, 250ms or 1m30s")
        return None
    return round(sum(float(number) * _UNITS[unit] for number, unit in _ONE.findall(text)), 6)


@dataclass(slots=True)
class Thing:
    """One object."""

    kind: str
    group: str
    name: str
    namespace: str | None
    annotations: dict[str, str]
    body: Part
    places: dict[str, Location] = field(default_factory=dict)
    """Where each annotation stands."""

    @property
    def place(self) -> Location:
        """Where it begins."""
        return self.body.place

    @property
    def called(self) -> str:
        """As people name it."""
        return f"{self.kind} {self.namespace + '/' if self.namespace else ''}{self.name}"

    def spec(self) -> Part:
        """Its ``spec``; an empty one where there is none."""
        found = self.body.part("spec")
        return found or Part(self.body.findings, Map(self.place), f"{self.called}.spec")


def things(findings: Findings, documents: Iterable[Map]) -> list[Thing]:
    """The objects of `documents`; a ``List`` is opened. What is no Kubernetes object is reported."""
    found: list[Thing] = []
    for document in documents:
        items = document.values.get("items")
        if isinstance(items, List) and str(document.values.get("kind", "")).endswith("List"):
            found += things(findings, [item for item in items.values if isinstance(item, Map)])
            continue
        body = Part(findings, document, "object")
        kind, version = body.text("kind"), body.text("apiVersion")
        if kind is None or version is None:
            body.drop()
            findings.lost(document.place, "this is no Kubernetes object: kind or apiVersion is missing", "leave it out")
            continue
        meta = body.part("metadata") or Part(findings, Map(document.place), "metadata")
        name, namespace = meta.text("name") or kind.lower(), meta.text("namespace")
        stated = meta.part("annotations")
        annotations = {key: stated.text(key) or "" for key in stated.keys()} if stated is not None else {}  # noqa: SIM118
        places = {key: stated.at(key) for key in annotations} if stated is not None else {}
        meta.drop()
        body.ignore("status")
        body.name = f"{kind} {name}"
        found.append(Thing(kind, version.rpartition("/")[0], name, namespace, annotations, body, places))
    return found


@dataclass(slots=True)
class Cluster:
    """The Services that stand among the files, so that what they say of addresses is known."""

    draft: Draft
    external: dict[tuple[str | None, str], str] = field(default_factory=dict)
    ports: dict[tuple[str | None, str], list[int]] = field(default_factory=dict)
    names: dict[tuple[str | None, str, int], str] = field(default_factory=dict)
    named: dict[tuple[str | None, str, str], int] = field(default_factory=dict)
    second: set[tuple[str | None, str, int]] = field(default_factory=set)
    """Ports whose application is spoken to in HTTP/2 without TLS."""
    instances: dict[tuple[str | None, str], list[tuple[str, int | None, str | None]]] = field(default_factory=dict)

    def take(self, thing: Thing) -> bool:
        """Read a Service or an EndpointSlice; anything else is left to others."""
        if thing.group == "" and thing.kind == "Service":
            spec = thing.spec()
            spec.drop()  # selectors and the like: who is behind it is the cluster's business
            name = spec.text("externalName")
            if spec.text("type") == "ExternalName" and name:
                self.external[thing.namespace, thing.name] = name
            for port in spec.parts("ports"):
                port.drop()
                number = port.integer("port")
                if number is not None:
                    if port.text("appProtocol") == "kubernetes.io/h2c":
                        self.second.add((thing.namespace, thing.name, number))
                    self.ports.setdefault((thing.namespace, thing.name), []).append(number)
                    self.named[thing.namespace, thing.name, port.text("name") or ""] = number
                    self.names[thing.namespace, thing.name, number] = port.text("name") or ""
            return True
        if thing.kind != "EndpointSlice":
            return False
        meta = thing.body
        service = _label(meta, "kubernetes.io/service-name") or thing.name
        meta.text("addressType")
        ports = []
        for port in meta.parts("ports"):
            port.ignore("name", "protocol", "appProtocol")
            ports.append(port.integer("port"))
        listed = self.instances.setdefault((thing.namespace, service), [])
        for endpoint in meta.parts("endpoints"):
            endpoint.ignore("conditions", "nodeName", "targetRef", "hostname")
            zone = endpoint.text("zone")
            listed += [(address, ports[0] if ports else None, zone) for address in endpoint.texts("addresses")]
        return True

    def service(self, name: str, namespace: str | None, port: int, place: Location, used: str) -> Subject:
        """The backend service for a port of a Service; `used` is what names it first."""
        key = (namespace, name, port)
        made, new = self.draft.service(key, name, namespace or "", str(port), place=place, comment=used)
        if not new:
            return made
        made.say(AGW.upstreamProtocol, "h2" if (namespace, name, port) in self.second else None)
        listed = self.instances.get((namespace, name))
        if listed:
            for address, own, zone in listed:
                host = f"[{address}]" if ":" in address else address
                iri = self.draft.iri(f"{name}-{address}")
                instance = Subject("ServiceInstance", iri, f"an address of {name}", place)
                instance.say(AGW.address, f"{host}:{own or port}").say(AGW.zone, zone)
                self.draft.others.append(instance)
                made.say(AGW.hasInstance, Ref(iri))
            return made
        joined = self.draft.joined
        if joined is not None and (namespace, name) not in self.external:
            return made.say(AGW.hasServiceDiscovery, self._lookup(joined.registry, name, namespace, port))
        host = self.external.get((namespace, name)) or (f"{name}.{namespace}.svc" if namespace else name)
        made.say(AGW.address, f"{host}:{port}")
        return made

    def _lookup(self, registry: Registry, name: str, namespace: str | None, port: int) -> Subject:
        """Its instances, by its EndpointSlices."""
        if not any(other.iri == registry.iri for other in self.draft.others):
            found = Subject("ServiceRegistry", registry.iri, "the cluster that these routes are from")
            found.say(AGW.registryType, str(registry.type)).say(AGW.registryAddress, registry.address)
            found.say(AGW.registryTokenRef, registry.token_ref).say(AGW.registryTrustFile, registry.trust_file)
            self.draft.others.append(found)
        lookup = anonymous("ServiceDiscovery", (AGW.hasServiceRegistry, Ref(registry.iri)), (AGW.discoveryName, name))
        lookup.say(AGW.discoveryNamespace, namespace)
        return lookup.say(AGW.instancePortName, self.names.get((namespace, name, port)) or None)


def _label(body: Part, label: str) -> str | None:
    """A label: metadata was read, and is opened once more."""
    meta = body.part("metadata")
    labels = meta.part("labels") if meta is not None else None
    found = labels.text(label) if labels is not None else None
    for part in (meta, labels):
        if part is not None:
            part.drop()
    return found
