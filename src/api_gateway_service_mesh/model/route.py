"""A route: what it matches, where it sends, and the policies on the way (``agw:Route``)."""

from __future__ import annotations

from dataclasses import dataclass

from .access_log import LogFormat
from .authentication import Authentication
from .authority import AcmeChallenge
from .authorization import Authorization
from .balancer import Balancer
from .breaker import Breaker
from .cache import Cache
from .client_certificate import ClientCertificate
from .client_credentials import ClientCredentials
from .compression import Compression
from .concurrency import AdaptiveConcurrency, RequestPriority
from .cors import Cors
from .direct import DirectResponse
from .external_authorization import ExternalAuthorization
from .fault import Fault
from .hedge import Hedging
from .key import RequestKey
from .maintenance import Maintenance
from .match import RouteMatch
from .mirror import Mirror
from .mtls import MtlsMode
from .rate_limit import RateLimit, RedisStore
from .redirect import Redirect
from .retry import Retry
from .rewrite import Rewrite
from .security_headers import SecurityHeaders
from .split import SplitTarget
from .timeout import Timeout
from .tracing import Tracing
from .transform import RequestTransformation, ResponseTransformation
from .validation import RequestValidation
from .version import ApiVersion, Deprecation
from .websocket import WebSocketBounds

__all__ = ["Route"]


@dataclass(frozen=True, slots=True)
class Route:
    """One route. ``upstream`` is the IRI of its `Upstream`; with ``splits`` the choice among their targets comes first.

    A route with neither is legal (the published vocabulary allows it) and answers 503.
    ``rate_limits`` are all asked; each must admit the request. ``authentication`` None: anybody may call; what a
    gateway demands of all its routes stands in each of them. ``authorization`` None: whoever may call may do
    all of it. ``request_cost`` is what a request takes from each limit;
    ``request_priority`` None is NORMAL.
    ``split_key`` or ``split_cookie`` (a cookie that the gateway sets) keeps a caller on one side of ``splits``.
    ``subset``: labels that an endpoint must all have to take this route's requests; a split may select by its own.
    ``grpc_service``: the service of gRPC whose calls it takes; its path and method say the same to a proxy.
    ``challenge`` answers an ACME server's questions.
    ``redirect`` and ``direct`` answer in the place of an upstream; ``rewrite`` and ``mirrors`` act on the way to one.
    """

    iri: str
    name: str
    match: RouteMatch
    upstream: str | None = None
    splits: tuple[SplitTarget, ...] = ()
    rate_limits: tuple[RateLimit, ...] = ()
    breaker: Breaker | None = None
    retry: Retry | None = None
    timeout: Timeout | None = None
    balancer: Balancer | None = None
    authentication: Authentication | None = None
    request_cost: int = 1
    request_priority: RequestPriority | None = None
    concurrency: AdaptiveConcurrency | None = None
    split_key: RequestKey | None = None
    split_cookie: str | None = None
    subset: tuple[str, ...] = ()
    hedging: Hedging | None = None
    maintenance: Maintenance | None = None
    faults: tuple[Fault, ...] = ()
    redirect: Redirect | None = None
    direct: DirectResponse | None = None
    rewrite: Rewrite | None = None
    mirrors: tuple[Mirror, ...] = ()
    authorization: Authorization | None = None
    external_authorization: ExternalAuthorization | None = None
    client_certificate: ClientCertificate | None = None
    challenge: AcmeChallenge | None = None
    grpc_service: str | None = None
    grpc_web: bool = False
    tracing: Tracing | None = None
    cors: Cors | None = None
    websocket: WebSocketBounds | None = None
    security_headers: SecurityHeaders | None = None
    compression: Compression | None = None
    cache: Cache | None = None
    validation: RequestValidation | None = None
    access_log: LogFormat | None = None
    version: ApiVersion | None = None
    deprecation: Deprecation | None = None
    request_transformation: RequestTransformation | None = None
    response_transformation: ResponseTransformation | None = None
    client_credentials: ClientCredentials | None = None

    @property
    def shared_stores(self) -> tuple[RedisStore, ...]:
        """Where what it does is done together with other gateways."""
        cached = () if self.cache is None or self.cache.store is None else (self.cache.store,)
        return (*(limit.store for limit in self.rate_limits if limit.store is not None), *cached)

    @property
    def looks_at_certificates(self) -> bool:
        """Whether it wants to know what certificate its clients have."""
        policy = self.client_certificate
        if policy is not None and policy.mode is not MtlsMode.DISABLE:
            return True
        policies = () if self.authorization is None else self.authorization.policies
        return any(rule.asks_certificate for each in policies for rule in each.rules)

    @property
    def targets(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Each service that may answer its requests (IRI), with the labels that select its endpoints; of splits all,
        whatever their share is at the moment."""
        if self.splits:
            return tuple((split.upstream, (*self.subset, *split.subset)) for split in self.splits)
        return () if self.upstream is None else ((self.upstream, self.subset),)

    @property
    def upstreams(self) -> tuple[str, ...]:
        """The IRIs of the services that may answer its requests, each once: what its breaker, its retries and its
        hedges are about."""
        return tuple(dict.fromkeys(upstream for upstream, _ in self.targets))

    @property
    def reached(self) -> tuple[str, ...]:
        """`upstreams`, those that get copies, and the one that is asked who may do what."""
        asked = () if self.external_authorization is None else (self.external_authorization.upstream,)
        return tuple(dict.fromkeys((*self.upstreams, *(mirror.upstream for mirror in self.mirrors), *asked)))
