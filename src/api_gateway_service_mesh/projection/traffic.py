"""What happens to a route's traffic besides its way to a service: each route with all that is said of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from api_gateway_service_mesh.model import PeerNames, RedisStore, Registry, RequestCondition, Route, Upstream

from .cache import caches
from .client_certificate import client_certificates
from .client_credentials import client_credentials
from .compression import compressions
from .cors import cors_policies
from .direct import direct_responses
from .external_authorization import external_authorizations
from .fault import faults
from .maintenance import maintenances
from .mirror import mirrors
from .reading import Reading
from .redirect import redirects
from .rewrite import rewrites
from .rows import ProjectedRows
from .security_headers import security_headers
from .transform import request_transformations, response_transformations
from .validation import request_validations
from .websocket import websocket_bounds

__all__ = ["with_traffic"]


def with_traffic(
    served: tuple[Route, ...],
    rows: ProjectedRows,
    upstreams: Mapping[str, Upstream],
    conditions: Mapping[str, tuple[RequestCondition, ...]],
    peers: Mapping[str, PeerNames],
    directories: Mapping[str, Registry],
    stores: Mapping[str, RedisStore],
    reading: Reading,
) -> tuple[Route, ...]:
    """`served` with what happens to their requests and answers on the way."""
    closed = maintenances(rows.maintenance, conditions, reading)
    shown = client_certificates(rows.client_certificate, peers, directories, reading)
    harmed = faults(rows.fault, conditions, reading)
    paged = cors_policies(rows.cors, rows.cors_value, reading)
    careful = security_headers(rows.security_headers, rows.security_headers_field, reading)
    bounded = websocket_bounds(rows.websocket, reading)
    as_whom = client_credentials(rows.client_credentials, rows.client_credentials_scope, reading)
    packed = compressions(rows.compression, rows.compression_value, reading)
    kept = caches(rows.cache, rows.cache_value, rows.cache_purge, stores, reading)
    ordered = request_transformations(rows.transform, rows.transform_value, reading)
    replies = response_transformations(rows.transform, rows.transform_value, reading)
    checked = request_validations(rows.validation, rows.validation_operation, reading)
    moved = redirects(rows.redirect, reading)
    answered = direct_responses(rows.direct, reading)
    rewritten = rewrites(rows.rewrite)
    asked = external_authorizations(rows.external_authorization, rows.external_authorization_field, upstreams, reading)
    copied = mirrors(rows.mirror, upstreams, reading)
    stated = (closed, shown, harmed, moved, answered, rewritten, copied, asked, paged, careful, packed, ordered)
    if not (replies or as_whom or bounded or kept or checked or any(stated)):
        return served
    return tuple(
        replace(
            route,
            maintenance=closed.get(route.iri),
            client_certificate=shown.get(route.iri),
            faults=harmed.get(route.iri, ()),
            cors=paged.get(route.iri),
            websocket=bounded.get(route.iri),
            security_headers=careful.get(route.iri),
            compression=packed.get(route.iri),
            cache=kept.get(route.iri),
            validation=checked.get(route.iri),
            request_transformation=ordered.get(route.iri),
            response_transformation=replies.get(route.iri),
            client_credentials=as_whom.get(route.iri),
            redirect=moved.get(route.iri),
            direct=answered.get(route.iri),
            rewrite=rewritten.get(route.iri),
            mirrors=copied.get(route.iri, ()),
            external_authorization=asked.get(route.iri),
        )
        for route in served
    )
