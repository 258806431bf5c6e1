"""All rows of one configuration: what the queries said, and nothing else.

Fields carry the stem of their query: ``ProjectedRows.route`` is what ``queries/project/route.rq`` answered, and the
fields of a row are the variables of its query. Values are lexical forms and IRIs; None is an unbound variable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, get_args, get_type_hints

from .access_log import AccessLogGatewayRow, AccessLogRow, AccessLogValueRow
from .api_key import ApiKeyRow
from .audit import AuditRow
from .authentication import AuthenticationRow
from .authority import AuthorityRow, IssuedRow
from .authorization import (
    AuthorizationRow,
    AuthorizationRuleRow,
    AuthorizationValueRow,
    AuthorizationWindowRow,
    RouteScopeRow,
)
from .balancer import BalancerRow
from .breaker import BreakerRow, BreakerStatusRow
from .cache import CachePurgeRow, CacheRow, CacheValueRow
from .canary import CanaryRow, CanaryStepRow
from .certificate import CertificateRow
from .change_right import ChangeRightRow
from .client_certificate import ClientCertificateRow
from .client_credentials import ClientCredentialsRow, ClientCredentialsScopeRow
from .compression import CompressionRow, CompressionValueRow
from .concurrency import ConcurrencyRow
from .condition import RequestConditionRow
from .connection_cap import ConnectionCapRow
from .cors import CorsRow, CorsValueRow
from .direct import DirectRow
from .discovery import DiscoveryRegistryRow, DiscoveryRow, DiscoveryTagRow
from .endpoint import EndpointRow
from .exemption import ExemptionRow
from .expectation import ExpectationRow, ExpectationValueRow
from .external_authorization import ExternalAuthorizationFieldRow, ExternalAuthorizationRow
from .fault import FaultRow
from .health import HealthRow, HealthValueRow
from .hedge import HedgeRow
from .jwt import JwtRow, JwtValueRow
from .listener import ListenerRow
from .login import LoginRow, LoginValueRow
from .maintenance import MaintenanceRow
from .match import HeaderMatchRow, QueryMatchRow
from .mesh import GatewayRouteRow, GatewayRow, ServiceMeshRow, TrustedProxyRow
from .metrics import MetricsRow
from .mirror import MirrorRow
from .mtls import MtlsRow, PeerRow
from .oauth2 import OAuth2Row, OAuth2ValueRow
from .objective import ObjectiveRow
from .outlier import OutlierRow
from .overload import OverloadRow
from .rate_limit import RateLimitKeyRow, RateLimitRow, RouteRateLimitRow
from .redirect import RedirectRow
from .redis import RedisRow
from .registration import RegistrationRow, RegistrationTagRow
from .retry import RetryConditionRow, RetryRow, RetryStatusRow
from .rewrite import RewriteRow
from .route import RouteHostnameRow, RouteMethodRow, RouteRow
from .security_headers import SecurityHeadersFieldRow, SecurityHeadersRow
from .sidecar import SidecarAuthorizationRow, SidecarCallRow, SidecarRow
from .split import SplitChoiceRow, SplitRow
from .subset import InstanceLabelRow, SubsetRow
from .timeout import TimeoutRow
from .tracing import TracingRow
from .transform import TransformRow, TransformValueRow
from .upstream import ConnectionPoolRow, UpstreamRow
from .validation import ValidationOperationRow, ValidationRow
from .version import VersionDeprecationRow, VersionPromiseRow, VersionRow
from .websocket import WebSocketRow

__all__ = ["ProjectedRows", "render_rows", "row_types"]


@dataclass(frozen=True, slots=True)
class ProjectedRows:
    """The answers of ``queries/project/*.rq``, each in its query's order."""

    gateway: tuple[GatewayRow, ...] = ()
    gateway_route: tuple[GatewayRouteRow, ...] = ()
    trusted_proxy: tuple[TrustedProxyRow, ...] = ()
    listener: tuple[ListenerRow, ...] = ()
    connection_cap: tuple[ConnectionCapRow, ...] = ()
    service_mesh: tuple[ServiceMeshRow, ...] = ()
    mtls: tuple[MtlsRow, ...] = ()
    peer: tuple[PeerRow, ...] = ()
    certificate: tuple[CertificateRow, ...] = ()
    authority: tuple[AuthorityRow, ...] = ()
    issued: tuple[IssuedRow, ...] = ()
    authentication: tuple[AuthenticationRow, ...] = ()
    jwt: tuple[JwtRow, ...] = ()
    jwt_value: tuple[JwtValueRow, ...] = ()
    oauth2: tuple[OAuth2Row, ...] = ()
    oauth2_value: tuple[OAuth2ValueRow, ...] = ()
    login: tuple[LoginRow, ...] = ()
    login_value: tuple[LoginValueRow, ...] = ()
    api_key: tuple[ApiKeyRow, ...] = ()
    authorization: tuple[AuthorizationRow, ...] = ()
    authorization_rule: tuple[AuthorizationRuleRow, ...] = ()
    authorization_value: tuple[AuthorizationValueRow, ...] = ()
    authorization_window: tuple[AuthorizationWindowRow, ...] = ()
    route_scope: tuple[RouteScopeRow, ...] = ()
    route: tuple[RouteRow, ...] = ()
    route_hostname: tuple[RouteHostnameRow, ...] = ()
    route_method: tuple[RouteMethodRow, ...] = ()
    header_match: tuple[HeaderMatchRow, ...] = ()
    query_match: tuple[QueryMatchRow, ...] = ()
    rate_limit: tuple[RateLimitRow, ...] = ()
    rate_limit_key: tuple[RateLimitKeyRow, ...] = ()
    route_rate_limit: tuple[RouteRateLimitRow, ...] = ()
    redis: tuple[RedisRow, ...] = ()
    concurrency: tuple[ConcurrencyRow, ...] = ()
    overload: tuple[OverloadRow, ...] = ()
    metrics: tuple[MetricsRow, ...] = ()
    breaker: tuple[BreakerRow, ...] = ()
    breaker_status: tuple[BreakerStatusRow, ...] = ()
    retry: tuple[RetryRow, ...] = ()
    retry_condition: tuple[RetryConditionRow, ...] = ()
    retry_status: tuple[RetryStatusRow, ...] = ()
    hedge: tuple[HedgeRow, ...] = ()
    tracing: tuple[TracingRow, ...] = ()
    timeout: tuple[TimeoutRow, ...] = ()
    balancer: tuple[BalancerRow, ...] = ()
    split: tuple[SplitRow, ...] = ()
    split_choice: tuple[SplitChoiceRow, ...] = ()
    canary: tuple[CanaryRow, ...] = ()
    canary_step: tuple[CanaryStepRow, ...] = ()
    request_condition: tuple[RequestConditionRow, ...] = ()
    maintenance: tuple[MaintenanceRow, ...] = ()
    client_certificate: tuple[ClientCertificateRow, ...] = ()
    client_credentials: tuple[ClientCredentialsRow, ...] = ()
    client_credentials_scope: tuple[ClientCredentialsScopeRow, ...] = ()
    fault: tuple[FaultRow, ...] = ()
    cors: tuple[CorsRow, ...] = ()
    cors_value: tuple[CorsValueRow, ...] = ()
    websocket: tuple[WebSocketRow, ...] = ()
    security_headers: tuple[SecurityHeadersRow, ...] = ()
    security_headers_field: tuple[SecurityHeadersFieldRow, ...] = ()
    compression: tuple[CompressionRow, ...] = ()
    compression_value: tuple[CompressionValueRow, ...] = ()
    cache: tuple[CacheRow, ...] = ()
    cache_value: tuple[CacheValueRow, ...] = ()
    cache_purge: tuple[CachePurgeRow, ...] = ()
    transform: tuple[TransformRow, ...] = ()
    transform_value: tuple[TransformValueRow, ...] = ()
    version: tuple[VersionRow, ...] = ()
    version_deprecation: tuple[VersionDeprecationRow, ...] = ()
    version_promise: tuple[VersionPromiseRow, ...] = ()
    validation: tuple[ValidationRow, ...] = ()
    validation_operation: tuple[ValidationOperationRow, ...] = ()
    redirect: tuple[RedirectRow, ...] = ()
    direct: tuple[DirectRow, ...] = ()
    rewrite: tuple[RewriteRow, ...] = ()
    mirror: tuple[MirrorRow, ...] = ()
    upstream: tuple[UpstreamRow, ...] = ()
    sidecar: tuple[SidecarRow, ...] = ()
    sidecar_call: tuple[SidecarCallRow, ...] = ()
    sidecar_authorization: tuple[SidecarAuthorizationRow, ...] = ()
    connection_pool: tuple[ConnectionPoolRow, ...] = ()
    endpoint: tuple[EndpointRow, ...] = ()
    discovery: tuple[DiscoveryRow, ...] = ()
    discovery_tag: tuple[DiscoveryTagRow, ...] = ()
    discovery_registry: tuple[DiscoveryRegistryRow, ...] = ()
    instance_label: tuple[InstanceLabelRow, ...] = ()
    subset: tuple[SubsetRow, ...] = ()
    health: tuple[HealthRow, ...] = ()
    health_value: tuple[HealthValueRow, ...] = ()
    outlier: tuple[OutlierRow, ...] = ()
    registration: tuple[RegistrationRow, ...] = ()
    registration_tag: tuple[RegistrationTagRow, ...] = ()
    exemption: tuple[ExemptionRow, ...] = ()
    objective: tuple[ObjectiveRow, ...] = ()
    expectation: tuple[ExpectationRow, ...] = ()
    expectation_value: tuple[ExpectationValueRow, ...] = ()
    access_log: tuple[AccessLogRow, ...] = ()
    access_log_gateway: tuple[AccessLogGatewayRow, ...] = ()
    access_log_value: tuple[AccessLogValueRow, ...] = ()
    audit: tuple[AuditRow, ...] = ()
    change_right: tuple[ChangeRightRow, ...] = ()
    external_authorization: tuple[ExternalAuthorizationRow, ...] = ()
    external_authorization_field: tuple[ExternalAuthorizationFieldRow, ...] = ()


_SECRETS = {"key_hash": "•••"}
"""What is printed for a field that stands for a secret."""


@cache
def row_types() -> Mapping[str, type[Any]]:
    """The row class of each query, by stem. Not to be changed."""
    return {name: get_args(hint)[0] for name, hint in get_type_hints(ProjectedRows).items()}


def render_rows(rows: ProjectedRows) -> str:
    """The rows as text: a heading a query, a line a row, ``name=value`` for what is bound."""
    lines: list[str] = []
    for stem in fields(rows):
        found = getattr(rows, stem.name)
        if not found:
            continue
        lines += ("", f"{stem.name} ({len(found)})")
        for row in found:
            bound = ((field.name, getattr(row, field.name)) for field in fields(row))
            stated = ((name, value) for name, value in bound if value is not None)
            lines.append("  " + "  ".join(f"{name}={_SECRETS.get(name, value)}" for name, value in stated))
    return "\n".join(lines[1:]) + "\n"
