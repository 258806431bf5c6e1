"""Where Istio sends: hosts, what a ServiceEntry knows of them, and the policies of their DestinationRule."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from api_gateway_service_mesh.errors import Location
from api_gateway_service_mesh.importers.draft import Draft
from api_gateway_service_mesh.importers.kubernetes import Cluster, Thing, seconds
from api_gateway_service_mesh.importers.part import Part
from api_gateway_service_mesh.importers.turtle import Ref, Seconds, Subject, anonymous
from api_gateway_service_mesh.vocabulary import AGW

__all__ = ["Destinations"]

_SIMPLE: Final = {
    "ROUND_ROBIN": None,
    "LEAST_REQUEST": "POWER_OF_TWO",  # of two drawn
    "LEAST_CONN": "POWER_OF_TWO",
    "RANDOM": "RANDOM",
    "UNSPECIFIED": None,
}
_PANIC: Final = 50  # agw's own


@dataclass(slots=True)
class _Policy:
    """What a DestinationRule says of one host, or one port of it: what goes to the service, what to its routes."""

    stated: list[tuple[str, Subject | str | Ref]] = field(default_factory=list)
    balancer: Subject | None = None
    tls: bool = False


@dataclass(slots=True)
class _Entry:
    place: Location
    ports: list[tuple[str, int]]
    ends: list[tuple[str, dict[str, int], int | None, str | None]]


class Destinations:
    """The backend services of an import, made when a route names them first."""

    def __init__(self, draft: Draft, cluster: Cluster) -> None:
        self.draft = draft
        self.cluster = cluster
        self._policies: dict[tuple[str, int | None], _Policy] = {}
        self._rules: dict[str, Thing] = {}
        self._entries: dict[str, _Entry] = {}
        self._used: set[str] = set()
        self._mesh: Subject | None = None

    def entry(self, thing: Thing) -> None:
        """Read a ServiceEntry."""
        spec = thing.spec()
        spec.ignore("location", "resolution", "exportTo")
        ports: list[tuple[str, int]] = []
        for port in spec.parts("ports"):
            port.ignore("protocol", "targetPort")
            ports.append((port.text("name") or "", port.integer("number") or 0))
        ends = []
        for end in spec.parts("endpoints"):
            own = end.part("ports")
            numbers = {key: own.integer(key) or 0 for key in own.keys()} if own is not None else {}  # noqa: SIM118
            ends.append((end.text("address") or "", numbers, end.integer("weight"), end.text("locality")))
        for host in spec.texts("hosts"):
            self._entries[host] = _Entry(thing.place, ports, ends)

    def rule(self, thing: Thing) -> None:
        """Read a DestinationRule."""
        spec = thing.spec()
        spec.ignore("exportTo")
        host = spec.text("host") or ""
        name = _full(host, thing.namespace)
        if "*" in host:
            spec.drop()
            self.draft.findings.lost(
                thing.place, f"{thing.called} is for many hosts", "state it on each service, or a class"
            )
            return
        self._rules[name] = thing
        policy = spec.part("trafficPolicy")
        if policy is not None:
            for each in policy.parts("portLevelSettings"):
                port = each.part("port")
                number = port.integer("number") if port is not None else None
                self._policies[name, number] = self._policy(each, host)
            self._policies[name, None] = self._policy(policy, host)
        for subset in spec.parts("subsets"):
            subset.ignore("name", "labels")  # a route that names it is told

    def close(self) -> None:
        """Report the rules that no route had a use for."""
        for name, thing in self._rules.items():
            if name not in self._used:
                message = f"{thing.called}: no route among these files sends to {name}"
                self.draft.findings.lost(thing.place, message, "import the routes that do, too")

    def service(self, destination: Part, namespace: str | None) -> tuple[Subject, Subject | None] | None:
        """The service of a ``destination``, and the balancer of routes to it."""
        host, port = destination.text("host"), destination.part("port")
        if not host:
            self.draft.findings.lost(destination.place, f"{destination.name}: a destination has a host", "name it")
            return None
        name = _full(host, namespace)
        number = port.integer("number") if port is not None else self._port(destination, name)
        subset = destination.text("subset")
        if number is None:
            return None
        key, comment = (name, number, subset), f"host {host}, port {number}"
        made, new = self.draft.service(
            key, host.split(".")[0], subset or "", str(number), place=destination.place, comment=comment
        )
        self._used.add(name)
        policy = self._policies.get((name, number)) or self._policies.get((name, None)) or _Policy()
        if new:
            self._address(made, name, number, tls=policy.tls)
            made.stated += policy.stated
        if new and subset:
            message = f"{destination.name}: agw sees no labels of pods; {host} is taken whole, not its subset {subset}"
            remedy = f"give the subset a Service of its own, and {made.iri} its address"
            self.draft.findings.lost(destination.at("subset"), message, remedy)
        balancer, entry = policy.balancer, self._entries.get(name)
        if entry is not None and any(weight is not None for _, _, weight, _ in entry.ends):
            stated = balancer.stated if balancer is not None else []
            if not any(predicate in (AGW.balancingAlgorithm, AGW.stickyCookie) for predicate, _ in stated):
                balancer = anonymous("LoadBalancer", (AGW.balancingAlgorithm, "WEIGHTED"), *stated)
        return made, balancer

    def _port(self, destination: Part, name: str) -> int | None:
        entry = self._entries.get(name)
        labels = name.split(".")
        listed = self.cluster.ports.get((labels[1] if len(labels) > 1 else None, labels[0]), [])
        known = [number for _, number in entry.ports] if entry else listed
        if len(known) == 1:
            return known[0]
        message = f"{destination.name}: the port of {name} does not stand here; 80 is written"
        self.draft.findings.differs(destination.place, message, "give the Service or ServiceEntry too, or the port")
        return 80

    def _address(self, service: Subject, name: str, port: int, *, tls: bool) -> None:
        scheme = "https://" if tls else ""
        entry = self._entries.get(name)
        if entry is None or not entry.ends:
            service.say(AGW.address, f"{scheme}{name}:{port}")
            return
        port_name = next((name for name, number in entry.ports if number == port), "")
        for host, ports, weight, locality in entry.ends:
            literal = f"[{host}]" if ":" in host else host
            iri = self.draft.iri(f"{str(service.iri).removeprefix(self.draft.base)}-{host}")
            instance = Subject("ServiceInstance", iri, f"an endpoint of {name}", entry.place)
            instance.say(AGW.address, f"{scheme}{literal}:{ports.get(port_name, port)}")
            instance.say(AGW.instanceWeight, weight).say(AGW.zone, locality)
            self.draft.others.append(instance)
            service.say(AGW.hasInstance, Ref(iri))

    def _policy(self, part: Part, host: str) -> _Policy:
        made = _Policy()
        pool = part.part("connectionPool")
        if pool is not None:
            made.stated += [(AGW.hasConnectionPool, said)] if (said := _pool(pool, made)).stated else []
        balancer = _balancer(part)
        outlier = part.part("outlierDetection")
        if outlier is not None:
            made.stated.append((AGW.hasOutlierDetection, _outlier(outlier)))
            least = outlier.integer("minHealthPercent") or 0
            if least != _PANIC:
                balancer = (balancer or anonymous("LoadBalancer")).say(AGW.panicThreshold, least)
        made.balancer = balancer
        tls = part.part("tls")
        if tls is not None:
            self._tls(tls, host, made)
        return made

    def _tls(self, tls: Part, host: str, made: _Policy) -> None:
        mode = tls.text("mode") or "DISABLE"
        name, names = tls.text("sni"), tls.texts("subjectAltNames")
        if mode == "ISTIO_MUTUAL":
            if self._mesh is None:
                self._mesh = Subject(
                    "ServiceMesh", self.draft.iri("mesh"), "the mesh that carries mutual TLS", tls.place
                )
                self.draft.others.append(self._mesh.say(AGW.meshType, "istio"))
            made.stated.append((AGW.hasServiceMesh, Ref(str(self._mesh.iri))))
            made.stated.append((AGW.hasMutualTLS, anonymous("PeerAuthentication", (AGW.mtlsMode, "STRICT"))))
            message = f"{host}: its mutual TLS is carried by a sidecar, which agw needs beside it too"
            self.draft.findings.differs(tls.place, message, "or give agw a certificate: agw:hasCertificate", note=True)
            return
        if mode == "DISABLE":
            return
        made.tls = True
        if mode == "MUTUAL":
            message = f"{host}: the certificate that is shown to it lives in Istio; agw shows none"
            remedy = 'state agw:hasMutualTLS [ a agw:MutualTLS ; agw:mtlsMode "STRICT" ; agw:hasCertificate … ]'
            tls.ignore("credentialName", "clientCertificate", "privateKey", "caCertificates")
            self.draft.findings.lost(tls.at("mode"), message, remedy)
        if name and name != host:
            made.stated.append((AGW.serverName, name))
        if names not in ([], [name or host]):
            message = f"{host}: who it may be by its certificate is not taken over: {', '.join(names)}"
            self.draft.findings.lost(tls.at("subjectAltNames"), message, "state agw:peerAltName or agw:serverName")


def _full(host: str, namespace: str | None) -> str:
    """A host as agw connects to it; what Kubernetes calls by several names has one here."""
    name = host.lower().removesuffix(".cluster.local")
    if "." not in name and namespace:
        return f"{name}.{namespace}.svc"
    return name


def _pool(part: Part, made: _Policy) -> Subject:
    said = anonymous("ConnectionPool")
    tcp, http = part.part("tcp"), part.part("http")
    if tcp is not None:
        said.say(AGW.maxConnections, tcp.integer("maxConnections"))
        wait = seconds(tcp, "connectTimeout")
        said.say(AGW.connectTimeout, Seconds(wait) if wait else None)
    if http is not None:
        idle = seconds(http, "idleTimeout")
        said.say(AGW.idleTimeout, Seconds(idle) if idle else None)
        said.say(AGW.maxPendingRequests, http.integer("http1MaxPendingRequests"))
        said.say(AGW.maxRequests, http.integer("http2MaxRequests"))
        said.say(AGW.maxRequestsPerConnection, http.integer("maxRequestsPerConnection") or None)
        said.say(AGW.maxConcurrentRetries, http.integer("maxRetries"))
        if http.text("h2UpgradePolicy") == "UPGRADE":
            made.stated.append((AGW.upstreamProtocol, "h2"))
    return said


def _outlier(part: Part) -> Subject:
    said = anonymous("OutlierDetection")
    said.say(AGW.consecutiveErrors, _or(part.integer("consecutive5xxErrors"), 5))
    said.say(AGW.consecutiveGatewayErrors, part.integer("consecutiveGatewayErrors"))
    for key, term in (("interval", AGW.outlierInterval), ("baseEjectionTime", AGW.baseEjectionTime)):
        value = seconds(part, key)
        said.say(term, Seconds(value) if value else None)
    return said.say(AGW.maximumEjectionPercent, _or(part.integer("maxEjectionPercent"), 10))


def _or(value: int | None, default: int) -> int:
    return default if value is None else value


def _balancer(part: Part) -> Subject | None:
    stated = part.part("loadBalancer")
    if stated is None:
        return None
    made = anonymous("LoadBalancer")
    simple, hashed, warm = stated.text("simple"), stated.part("consistentHash"), stated.part("warmup")
    if simple in _SIMPLE:
        made.say(AGW.balancingAlgorithm, _SIMPLE[simple])
    elif simple is not None:
        part.findings.lost(stated.at("simple"), f"{stated.name}: agw does not balance by {simple}", "choose another")
    if hashed is not None:
        _hash(hashed, made)
    if warm is not None:
        warm.ignore("minimumPercent")
        window = seconds(warm, "duration")
        made.say(AGW.slowStartWindow, Seconds(window) if window else None)
        made.say(AGW.slowStartAggression, warm.number("aggression"))
    return made if made.stated else None


def _hash(part: Part, made: Subject) -> None:
    cookie, header = part.part("httpCookie"), part.text("httpHeaderName")
    if cookie is not None:
        name, life = cookie.text("name") or "", seconds(cookie, "ttl")
        path = cookie.text("path")
        if life:
            made.say(AGW.stickyCookie, name).say(AGW.stickyCookieLifetime, Seconds(life)).say(
                AGW.stickyCookiePath, path
            )
            return
        key: str | None = f"cookie:{name}"
    elif header is not None:
        key = f"header:{header}"
    else:
        key = "client-address" if part.flag("useSourceIp") else None
    if key is None:
        part.drop()
        part.findings.lost(part.place, f"{part.name}: agw hashes by address, header or cookie", "choose one of them")
        return
    made.say(AGW.balancingAlgorithm, "CONSISTENT_HASH").say(AGW.hashKey, key)
    if "maglev" in part:
        made.say(AGW.hashAlgorithm, "MAGLEV")
    part.ignore("maglev")
