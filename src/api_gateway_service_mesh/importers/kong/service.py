"""Services and upstreams: where Kong sends, how long it waits, and how it judges targets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from api_gateway_service_mesh.importers.draft import Draft
from api_gateway_service_mesh.importers.part import Part
from api_gateway_service_mesh.importers.turtle import Ref, Seconds, Stated, Subject, anonymous
from api_gateway_service_mesh.vocabulary import AGW

from .entity import Entities

__all__ = ["Service", "Services"]

_PORTS: Final = {"http": 80, "https": 443, "grpc": 80, "grpcs": 443}
_RETRIES: Final = 5  # Kong's own
_READ: Final = 60_000
_ALGORITHMS: Final = {
    "round-robin": "WEIGHTED",
    "least-connections": "LEAST_CONNECTIONS",
    "consistent-hashing": "CONSISTENT_HASH",
    "latency": "EWMA",
}
_WEIGHT: Final = 100


@dataclass(slots=True)
class Service:
    """A backend service, and what its routes have of it. `host`: what its targets see as Host; None: what they are
    asked for. `path`: what stands before every path that is forwarded."""

    subject: Subject
    host: str | None
    path: str
    stated: list[Stated] = field(default_factory=list)


class Services:
    """The backend services of an import, by name."""

    def __init__(self, draft: Draft, there: Entities) -> None:
        self._draft = draft
        self._there = there
        self._made: dict[str, Service | None] = {}
        self._told: set[str] = set()

    def all(self) -> None:
        """Make those that no route names, too."""
        for name in self._there.services:
            self.named(name)

    def named(self, name: str) -> Service | None:
        """One; None: it is not taken over, and that is told."""
        if name not in self._made:
            part = self._there.services.get(name)
            self._made[name] = self._service(name, part) if part is not None else None
        return self._made[name]

    def _service(self, name: str, part: Part) -> Service | None:
        scheme, host, port, path = self._place(part)
        if part.flag("enabled") is False:
            part.drop()
            self._draft.findings.differs(part.place, f"service {name} is switched off, and left out", note=True)
            return None
        if scheme not in _PORTS or not host:
            part.drop()
            message = f"service {name}: agw forwards HTTP, not {scheme}" if host else f"service {name} has no host"
            self._draft.findings.lost(part.place, message, "keep a proxy for it" if host else "state one")
            return None
        secure = "https://" if scheme in ("https", "grpcs") else ""
        subject, _ = self._draft.service(name, name, place=part.place, comment=f"service {name}")
        subject.say(AGW.upstreamProtocol, "h2" if scheme.startswith("grpc") else None)
        made = Service(subject, None, path)
        upstream = self._there.upstreams.get(host)
        if upstream is None:
            literal = f"[{host}]" if ":" in host and not host.startswith("[") else host
            subject.say(AGW.address, f"{secure}{literal}:{port}")
            made.host = None if ":" in host else host if port == _PORTS[scheme] else f"{host}:{port}"
        else:
            self._upstream(host, upstream, made, secure)
        self._waits(part, made)
        self._tls(name, part, secure=bool(secure))
        return made

    def _place(self, part: Part) -> tuple[str, str, int, str]:
        """Scheme, host, port, and what stands before every path."""
        part.ignore("ca_certificates" if part.flag("tls_verify") is not True else "tls_verify")
        stated = part.text("url")
        scheme, host = part.text("protocol") or "http", part.text("host") or ""
        port, path = part.integer("port"), part.text("path") or ""
        if stated:
            try:
                url = urlsplit(stated)
                scheme, host, path = url.scheme or "http", url.hostname or "", url.path
                port = url.port
            except ValueError:
                self._draft.findings.lost(part.at("url"), f"{part.name}: {stated} is no URL", "correct it there")
        default = _PORTS.get(scheme, 80) if stated else 80
        return scheme, host, default if port is None else port, path

    def _waits(self, part: Part, made: Service) -> None:
        connect, read = part.integer("connect_timeout"), part.integer("read_timeout")
        part.ignore("write_timeout")
        if connect:
            pool = anonymous("ConnectionPool", (AGW.connectTimeout, Seconds(connect / 1000)))
            made.subject.say(AGW.hasConnectionPool, pool)
        wait = Seconds((read or _READ) / 1000)
        made.stated.append((AGW.hasTimeout, anonymous("Timeout", (AGW.perAttemptTimeout, wait))))
        retries = part.integer("retries")
        retries = _RETRIES if retries is None else retries
        if retries:
            kinds = [(AGW.retryOn, kind) for kind in ("connect-failure", "reset", "timeout")]
            made.stated.append((AGW.hasRetryPolicy, anonymous("RetryPolicy", (AGW.retryAttempts, retries), *kinds)))

    def _tls(self, name: str, part: Part, *, secure: bool) -> None:
        part.ignore("tls_verify_depth")
        if not secure:
            part.ignore("tls_verify", "client_certificate", "ca_certificates")
            return
        if "client_certificate" in part:
            part.ignore("client_certificate")
            message = f"service {name}: the certificate that is shown to it is not taken over"
            remedy = 'state agw:hasMutualTLS [ a agw:MutualTLS ; agw:mtlsMode "STRICT" ; agw:hasCertificate … ]'
            self._draft.findings.lost(part.at("client_certificate"), message, remedy)
        if part.flag("tls_verify") is not True:
            self.once(part, "agw verifies the certificates of backends; Kong does where tls_verify says so")

    def once(self, part: Part, message: str) -> None:
        """A note that is told once an import."""
        if message not in self._told:
            self._told.add(message)
            self._draft.findings.differs(part.place, message, note=True)

    def _upstream(self, name: str, upstream: tuple[Part, list[Part]], made: Service, secure: str) -> None:
        part, targets = upstream
        part.ignore("name", "id", "tags", "slots", "targets", "use_srv_name")
        listed: list[tuple[str, int, Part]] = []
        for target in targets:
            target.ignore("id", "tags", "upstream", "created_at")
            weight = target.integer("weight")
            listed.append((target.text("target") or "", _WEIGHT if weight is None else weight, target))
        uneven = len({weight for _, weight, _ in listed}) > 1
        for text, weight, target in listed:
            port = text.rpartition(":")[2]
            address = text if port.isdigit() and not text.endswith("]") and port != text else f"{text}:8000"
            iri = self._draft.iri(f"{name}-{text}")
            instance = Subject("ServiceInstance", iri, f"a target of {name}", target.place)
            instance.say(AGW.address, f"{secure}{address}").say(AGW.instanceWeight, weight if uneven else None)
            self._draft.others.append(instance)
            made.subject.say(AGW.hasInstance, Ref(iri))
        names = {text for text, _, _ in listed}
        made.host = part.text("host_header") or (names.pop() if len(names) == 1 else None)
        if made.host is None:
            self.once(part, "Kong tells each target its own name as Host, agw tells it the client's")
        if made.host is not None and "[" in made.host:
            made.host = None
        balancer = self._balancer(part, uneven=uneven)
        health = part.part("healthchecks")
        if health is not None and self._health(health, made):
            balancer.say(AGW.panicThreshold, 0)
        if balancer.stated:
            made.stated.append((AGW.hasLoadBalancer, balancer))

    def _balancer(self, part: Part, *, uneven: bool) -> Subject:
        made = anonymous("LoadBalancer")
        hashed = part.text("hash_on") or "none"
        word = part.text("algorithm") or ("round-robin" if hashed == "none" else "consistent-hashing")
        if word not in _ALGORITHMS:
            self._draft.findings.lost(
                part.at("algorithm"), f"{part.name}: agw does not balance by {word}", "choose another"
            )
        elif word != "round-robin" or uneven:
            made.say(AGW.balancingAlgorithm, _ALGORITHMS[word])
        if word != "consistent-hashing":
            part.ignore("hash_on_header", "hash_on_cookie", "hash_on_cookie_path", "hash_fallback")
            return made
        key = {
            "ip": "client-address",
            "header": f"header:{part.text('hash_on_header')}",
            "cookie": f"cookie:{part.text('hash_on_cookie')}",
        }.get(hashed)
        part.ignore("hash_on_cookie_path")
        if key is None:
            message = f"{part.name}: agw hashes by address, header or cookie, not by {hashed}; it is by address now"
            self._draft.findings.differs(part.at("hash_on"), message, "state agw:hashKey")
        return made.say(AGW.hashKey, key or "client-address")

    def _health(self, part: Part, made: Service) -> bool:
        """State checks and ejections; whether there are any."""
        said = False
        if part.number("threshold"):
            message = f"{part.name}: agw does not close a service of which too few targets are well"
            self._draft.findings.lost(part.at("threshold"), message, "state agw:panicThreshold for what it has instead")
        active, passive = part.part("active"), part.part("passive")
        if active is not None:
            check = _check(active)
            if check is not None:
                made.subject.say(AGW.hasHealthCheck, check)
                said = True
        if passive is not None:
            detection = self._ejection(passive)
            if detection is not None:
                made.subject.say(AGW.hasOutlierDetection, detection)
                said = True
        return said

    def _ejection(self, part: Part) -> Subject | None:
        bad, good = part.part("unhealthy"), part.part("healthy")
        part.ignore("type")
        if good is not None:
            good.drop()
        if bad is None:
            return None
        bad.ignore("http_statuses")
        errors = bad.integer("http_failures") or 0
        silent = max(bad.integer("tcp_failures") or 0, bad.integer("timeouts") or 0)
        if not errors and not silent:
            return None
        message = "agw ejects a target for a while, longer each time, after 5xx answers or none; Kong until it is "
        self.once(bad, message + "brought back, after the statuses that it lists")
        made = anonymous("OutlierDetection", (AGW.consecutiveErrors, errors))
        return made.say(AGW.consecutiveGatewayErrors, silent or None).say(AGW.maximumEjectionPercent, 100)


def _check(part: Part) -> Subject | None:
    """An active check; Kong has none where both intervals are 0."""
    good, bad = part.part("healthy"), part.part("unhealthy")
    every = good.number("interval") if good is not None else None
    when_bad = bad.number("interval") if bad is not None else None
    if not every and not when_bad:
        for each in (part, good, bad):
            if each is not None:
                each.drop()
        return None
    part.ignore("concurrency", "https_verify_certificate", "https_sni")
    made = anonymous("HealthCheck", (AGW.healthCheckInterval, Seconds(every or when_bad or 1)))
    made.say(AGW.unhealthyCheckInterval, Seconds(when_bad) if every and when_bad and when_bad != every else None)
    kind, path, wait = part.text("type") or "http", part.text("http_path") or "/", part.number("timeout")
    if kind == "tcp":
        made.say(AGW.healthCheckProtocol, "TCP")
    else:
        made.say(AGW.healthCheckPath, path)
    made.say(AGW.healthCheckTimeout, Seconds(wait or 1))
    fields = part.part("headers")
    for name in fields.keys() if fields is not None else ():
        assert fields is not None
        values = fields.texts(name) if fields.listed(name) else [fields.text(name) or ""]
        made.say(AGW.healthCheckHeader, *(f"{name}: {value}" for value in values))
    if good is not None:
        made.say(AGW.successThreshold, good.integer("successes") or None)
        if kind != "tcp":
            made.say(AGW.expectedStatus, *good.texts("http_statuses"))
        good.ignore("http_statuses")
    if bad is not None:
        bad.ignore("http_statuses")
        limits = [bad.integer(key) or 0 for key in ("http_failures", "tcp_failures", "timeouts")]
        made.say(AGW.failureThresholdHealth, min((limit for limit in limits if limit), default=None))
    return made
