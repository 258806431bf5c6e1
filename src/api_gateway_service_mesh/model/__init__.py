"""The typed model: frozen dataclasses, the meeting point of compiler, proxy and manifests.

Rules of this package: no RDF, HTTP, YAML or network types; names are the trade's; units stand in the field's name
(``…_seconds``, ``…_bytes``); a thing with runtime state has an ``iri``, because state outlives a reload by IRI.
Defaults here are the defaults of the ontology (each property's comment states it).
"""

from .access_log import LogFormat
from .api_key import ApiKey
from .audit import AuditedKind, AuditLog
from .authentication import Authentication
from .authority import AcmeChallenge, CertificateAuthority, ChallengeType, IssuerKind
from .authorization import Authorization, AuthorizationPolicy, AuthorizationRule, Enforcement, RuleAction, TimeWindow
from .balancer import Algorithm, Balancer, HashAlgorithm, SameSite, StickyCookie
from .breaker import Breaker, BreakerScope
from .cache import Cache, CachePurge
from .caller import Caller
from .canary import Canary, CanaryStep
from .certificate import Certificate
from .change_right import ChangeRight
from .claim import claim_says, claim_text, claim_values
from .client_certificate import (
    CertificateDetail,
    CertificateForwarding,
    ClientCertificate,
    IntentionFailureMode,
    Intentions,
)
from .client_credentials import ClientCredentials
from .compression import CODINGS, Compression, CompressionEffort
from .concurrency import AdaptiveConcurrency, RequestPriority
from .condition import ConditionSource, RequestCondition
from .connection_cap import ConnectionCap
from .cors import Cors
from .direct import DirectResponse
from .discovery import Discovery, RecordType, Registry, RegistryType
from .endpoint import Endpoint
from .exemption import Exemption
from .expectation import Expectation
from .external_authorization import AuthorizationFailureMode, ExternalAuthorization
from .fault import Fault
from .health import CheckProtocol, HealthCheck, Purpose
from .hedge import Hedging
from .jwt import JwtAlgorithm, JwtAuthentication
from .key import KeyKind, RequestKey
from .listener import Limits, Listener, TlsVersion, UnknownServerName
from .login import OpenIdLogin, RenewalClaim
from .maintenance import Maintenance
from .match import HeaderMatch, PathKind, PathMatch, QueryMatch, RouteMatch, ValueKind
from .mesh import Mesh, MeshType, ServiceMesh
from .metrics import MetricsExport, MetricsFormat
from .mirror import Mirror
from .mtls import MtlsMode, MutualTls, PeerNames
from .oauth2 import ClientAuthentication, OAuthClient, TokenIntrospection
from .objective import Objective
from .outlier import OutlierDetection
from .overload import OverloadGuard
from .rate_limit import CalendarUnit, FailureMode, LimitAlgorithm, RateLimit, RedisStore
from .redirect import Redirect
from .registration import Registration
from .retry import Retry, RetryCondition
from .rewrite import Rewrite
from .route import Route
from .security_headers import SecurityHeaders
from .sidecar import Sidecar
from .split import SplitTarget
from .timeout import DeadlineTrust, Timeout
from .tracing import Propagation, TraceFormat, Tracing
from .transform import RequestTransformation, ResponseTransformation
from .upstream import ConnectionPool, HttpProtocol, Upstream, UpstreamTls
from .validation import RequestValidation, UnknownParameters
from .version import ApiVersion, Deprecation, VersionedBy
from .websocket import WebSocketBounds

__all__ = [
    "CODINGS",
    "AcmeChallenge",
    "AdaptiveConcurrency",
    "Algorithm",
    "ApiKey",
    "ApiVersion",
    "AuditLog",
    "AuditedKind",
    "Authentication",
    "Authorization",
    "AuthorizationFailureMode",
    "AuthorizationPolicy",
    "AuthorizationRule",
    "Balancer",
    "Breaker",
    "BreakerScope",
    "Cache",
    "CachePurge",
    "CalendarUnit",
    "Caller",
    "Canary",
    "CanaryStep",
    "Certificate",
    "CertificateAuthority",
    "CertificateDetail",
    "CertificateForwarding",
    "ChallengeType",
    "ChangeRight",
    "CheckProtocol",
    "ClientAuthentication",
    "ClientCertificate",
    "ClientCredentials",
    "Compression",
    "CompressionEffort",
    "ConditionSource",
    "ConnectionCap",
    "ConnectionPool",
    "Cors",
    "DeadlineTrust",
    "Deprecation",
    "DirectResponse",
    "Discovery",
    "Endpoint",
    "Enforcement",
    "Exemption",
    "Expectation",
    "ExternalAuthorization",
    "FailureMode",
    "Fault",
    "HashAlgorithm",
    "HeaderMatch",
    "HealthCheck",
    "Hedging",
    "HttpProtocol",
    "IntentionFailureMode",
    "Intentions",
    "IssuerKind",
    "JwtAlgorithm",
    "JwtAuthentication",
    "KeyKind",
    "LimitAlgorithm",
    "Limits",
    "Listener",
    "LogFormat",
    "Maintenance",
    "Mesh",
    "MeshType",
    "MetricsExport",
    "MetricsFormat",
    "Mirror",
    "MtlsMode",
    "MutualTls",
    "OAuthClient",
    "Objective",
    "OpenIdLogin",
    "OutlierDetection",
    "OverloadGuard",
    "PathKind",
    "PathMatch",
    "PeerNames",
    "Propagation",
    "Purpose",
    "QueryMatch",
    "RateLimit",
    "RecordType",
    "Redirect",
    "RedisStore",
    "Registration",
    "Registry",
    "RegistryType",
    "RenewalClaim",
    "RequestCondition",
    "RequestKey",
    "RequestPriority",
    "RequestTransformation",
    "RequestValidation",
    "ResponseTransformation",
    "Retry",
    "RetryCondition",
    "Rewrite",
    "Route",
    "RouteMatch",
    "RuleAction",
    "SameSite",
    "SecurityHeaders",
    "ServiceMesh",
    "Sidecar",
    "SplitTarget",
    "StickyCookie",
    "TimeWindow",
    "Timeout",
    "TlsVersion",
    "TokenIntrospection",
    "TraceFormat",
    "Tracing",
    "UnknownParameters",
    "UnknownServerName",
    "Upstream",
    "UpstreamTls",
    "ValueKind",
    "VersionedBy",
    "WebSocketBounds",
    "claim_says",
    "claim_text",
    "claim_values",
]
