"""Models in which everything is stated, made from the classes of the model, and models that differ from them in one field.

A field that is new in the model is filled by its type, so that the test of the targets' account asks about it at once.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass, replace
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints

from api_gateway_service_mesh import model
from api_gateway_service_mesh.model import Algorithm, Mesh, PathKind, RetryCondition, Route, SplitTarget, Upstream
from tests.support.routes import EX

#: Values that have to be of a certain form, by ``Class.field``.
_VALUES: dict[str, Any] = {
    "PathMatch.kind": PathKind.PREFIX,
    "PathMatch.text": "/things",
    "RouteMatch.hosts": ("shop.example.com",),
    "RouteMatch.methods": ("POST",),
    "HeaderMatch.kind": model.ValueKind.REGULAR_EXPRESSION,
    "QueryMatch.kind": model.ValueKind.REGULAR_EXPRESSION,
    "Endpoint.host": "things.shop.svc.cluster.local",
    "Endpoint.port": 8080,
    "Route.splits": (),
    "Route.redirect": None,
    "Route.direct": None,
    "Route.upstream": EX + "service",
    "Mirror.upstream": EX + "other",
    "SplitTarget.upstream": EX + "other",
    "Mesh.trusted_proxies": ("10.0.0.0/8",),
    "Maintenance.bypass_addresses": ("10.0.0.0/8",),
    "Rewrite.full_path": None,
    "Rewrite.pattern": None,
    "Rewrite.substitution": "",
    "Redirect.full_path": None,
    "Redirect.status": 301,
    "Redirect.scheme": "https",
    "Redirect.port": 8443,
    "HealthCheck.statuses": ("200-204",),
    "HealthCheck.headers": ("X-Check: yes",),
    "DirectResponse.status": 404,
    "DirectResponse.fields": ("X-Kind: none",),
    "Cors.origins": ("https://shop.example.com",),
    "Cors.methods": ("PUT",),
    "RequestTransformation.sets": (("X-From", "some-from"),),
    "RequestTransformation.adds": (("X-Hop", "some-hop"),),
    "RequestTransformation.removes": ("x-debug",),
    "RequestTransformation.copies": (("x-tenant", "X-Id"),),
    "RequestTransformation.sets_parameters": (("limit", "some-limit"),),
    "RequestTransformation.removes_members": ("/some-member",),
    "RequestTransformation.renames_members": (("/some-old", "some-new"),),
    "RequestTransformation.sets_members": (("/some", "1"),),
    "RequestTransformation.adds_parameters": (("source", "some-source"),),
    "ResponseTransformation.sets": (("X-By", "some-by"),),
    "ResponseTransformation.adds": (("X-Back", "some-back"),),
    "ResponseTransformation.removes": ("x-made",),
    "ResponseTransformation.removes_members": ("/some-inner",),
    "ResponseTransformation.renames_members": (("/some-was", "some-is"),),
    "RequestTransformation.template": '["${body/some}"]',
    "ResponseTransformation.template": '["${body/other}"]',
    "RequestTransformation.expression": "{some: inner}",
    "ResponseTransformation.expression": "{other: inner}",
    "ResponseTransformation.sets_members": (("/some-back", "1"),),
    "RequestValidation.description": '{"openapi":"3.1.0","paths":{"/things":{"get":{}}}}',
    "SecurityHeaders.sets": ("Cache-Control: no-store",),
    "Compression.codings": ("br", "gzip"),
    "RateLimit.zone": "Asia/Tokyo",
    "Fault.abort_status": 503,
    "Breaker.failure_statuses": (500, 503),
    "Retry.statuses": (429,),
    "Retry.conditions": frozenset({RetryCondition.SERVER_ERROR}),
    "JwtAuthentication.jwks_uri": "https://login.example.com/jwks",
    "JwtAuthentication.issuer": "https://login.example.com",
    "JwtAuthentication.required_claims": ("tenant=a",),
    "ApiKey.hashes": ("0" * 64,),
    "RequestKey.kind": model.KeyKind.HEADER,
    "RateLimit.burst": 30,
    "Balancer.sticky": None,
    "TimeWindow.days": (1,),
    "TimeWindow.zone": "Europe/Berlin",
    "AuthorizationRule.addresses": ("10.0.0.0/8",),
    "AuthorizationRule.methods": ("POST",),
    "AuthorizationRule.paths": ("/things/*",),
    "AuthorizationRule.spiffe_ids": ("spiffe://example.org/a",),
    "Certificate.certificate_file": "/certs/c.pem",
    "Certificate.private_key_ref": "file:/certs/k.pem",
    "Certificate.trust_bundle_file": "/certs/ca.pem",
    "ServiceMesh.namespace": "shop",
    "Mesh.zone": "a",
    "Endpoint.zone": "a",
    "OutlierDetection.failure_percentage": 50,
}


def filled(kind: type, **more: Any) -> Any:
    """An instance of a class of the model in which every field says something else than its default."""
    hints = get_type_hints(kind)
    made = {
        field.name: more.get(field.name, _VALUES.get(f"{kind.__name__}.{field.name}", MISSING))
        for field in fields(kind)
    }
    for field in fields(kind):
        if made[field.name] is MISSING:
            own = f"{EX}{kind.__name__.lower()}" if field.name == "iri" else None
            made[field.name] = own or _value(hints[field.name], field.default, field.name)
    return kind(**made)


def _value(hint: Any, default: Any, name: str) -> Any:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (types.UnionType, Union):
        (hint,) = (kind for kind in inner if kind is not type(None))
        return _value(hint, default, name)
    if origin is tuple:
        return (_value(inner[0], MISSING, name),)
    if origin is frozenset:
        return frozenset({_value(inner[0], MISSING, name)})
    if is_dataclass(hint):
        return filled(hint)  # type: ignore[arg-type]
    if isinstance(hint, type) and issubclass(hint, Enum):
        return next(member for member in hint if member is not default)
    if hint is bool:
        return default is not True
    if hint is int:
        return 3 if default in (MISSING, None) else default + 3
    if hint is float:
        return 7.5 if default in (MISSING, None) else default + 2.5
    assert hint is str, hint
    return f"some-{name.replace('_', '-')}"


def rich() -> dict[str, Mesh]:
    """Some meshes that together state everything there is."""
    labels = filled(model.Endpoint).labels  # routes select the endpoints that there are
    whole = filled(Route, iri=EX + "whole", name="ex:whole", subset=labels)
    beside = filled(model.Endpoint, iri=EX + "beside", host="others.shop.svc.cluster.local")
    other = filled(Upstream, iri=EX + "other", name="ex:other", outlier=None, endpoints=(beside,))
    service = filled(Upstream, iri=EX + "service", name="ex:service", outlier=None)
    canary = filled(SplitTarget, active=None, weight=0, subset=labels)
    stable = SplitTarget(EX + "stable", EX + "service", 70)
    share = filled(SplitTarget, iri=EX + "share", weight=30, active=None, canary=None, steered_by=(), subset=("blue",))
    hash_key = filled(model.RequestKey)
    balancers = {
        "hashed": filled(model.Balancer, algorithm=Algorithm.CONSISTENT_HASH, hash_key=hash_key),
        "sticky": filled(model.Balancer, sticky=filled(model.StickyCookie)),
        "random": filled(model.Balancer, algorithm=Algorithm.RANDOM, hash_key=None),
    }
    routes = {
        "whole": whole,
        "split": replace(whole, splits=(stable, canary), mirrors=(), upstream=None),
        "shares": replace(whole, splits=(stable, share), upstream=None),
        "redirect": replace(whole, redirect=filled(model.Redirect), upstream=None),
        "elsewhere": replace(
            whole, redirect=filled(model.Redirect, prefix=None, full_path="/elsewhere"), upstream=None
        ),
        "direct": replace(whole, direct=filled(model.DirectResponse), upstream=None),
        "pattern": replace(
            whole, rewrite=filled(model.Rewrite, prefix=None, pattern="^/a/(.*)$", substitution="/b/\\1"),
        ),
        "replaced": replace(whole, rewrite=filled(model.Rewrite, prefix=None, full_path="/b")),
        "calm": replace(whole, faults=(filled(model.Fault, triggered_by=()),), maintenance=None),
        "plain": replace(
            whole, faults=(), maintenance=None, authentication=None, concurrency=None, hedging=None,
            breaker=filled(model.Breaker, failure_rate=None, slow_seconds=None, failure_statuses=()),
        ),
        **{name: replace(whole, balancer=balancer) for name, balancer in balancers.items()},
    }  # fmt: skip
    upstreams = (other, service)
    made = {
        name: filled(Mesh, iri=EX + "gateway", name="ex:gateway", routes=(route,), upstreams=upstreams)
        for name, route in routes.items()
    }
    ejecting = filled(Upstream, iri=EX + "service", name="ex:service")
    made["outlier"] = replace(made["whole"], upstreams=(other, ejecting))
    plain = filled(model.RateLimit, keys=(), algorithm=model.LimitAlgorithm.TOKEN_BUCKET)
    limits = (replace(plain, cost_field=None, answer_cost_field=None),)
    made["limited"] = replace(made["calm"], routes=(replace(routes["plain"], rate_limits=limits, request_cost=1),))
    plaintext = tuple(
        replace(one, tls=None, endpoints=tuple(replace(end, tls=False) for end in one.endpoints)) for one in upstreams
    )
    made["plaintext"] = replace(made["plain"], upstreams=plaintext)
    twin = replace(whole, iri=EX + "a-twin", match=replace(whole.match, priority=0), maintenance=None)
    made["ordered"] = replace(made["whole"], routes=(twin, whole))
    first = filled(model.Endpoint, iri=EX + "first", host="10.0.0.1", priority=0)
    second = replace(first, iri=EX + "second", host="10.0.0.2", weight=2)
    listed = replace(service, tls=None, endpoints=(first, second), health=None)
    made["addresses"] = replace(made["plain"], upstreams=(other, listed))
    speaking = replace(service, tls=None, endpoints=(replace(beside, iri=EX + "tls", tls=True),))
    made["speaking"] = replace(made["plain"], upstreams=(other, speaking))
    listener = filled(model.Listener, certificate=None, mtls_mode=None)
    made["open"] = replace(made["plain"], listeners=(listener,))
    return made


def mutants(mesh: Mesh) -> Iterator[tuple[str, str, Mesh]]:
    """``Class.field``, the IRI of what it belongs to, and `mesh` with that one field changed: to its default, or, where
    it has none (or is at it), to another value."""
    yield from _changes(mesh, mesh.iri)


def _changes(thing: Any, iri: str) -> Iterator[tuple[str, str, Any]]:
    iri = getattr(thing, "iri", "") or iri
    hints = get_type_hints(type(thing))
    for field in fields(thing):
        value, feature = getattr(thing, field.name), f"{type(thing).__name__}.{field.name}"
        at_default = field.default is not MISSING and value == field.default
        if not at_default:
            other = field.default if field.default is not MISSING else _other(value, hints[field.name])
            if other is not MISSING and other != value:
                yield feature, iri, replace(thing, **{field.name: other})
        if is_dataclass(value):
            for below, where, changed in _changes(value, iri):
                yield below, where, replace(thing, **{field.name: changed})
        elif isinstance(value, tuple):
            for at, item in enumerate(value):
                if is_dataclass(item):
                    for below, where, changed in _changes(item, iri):
                        yield below, where, replace(thing, **{field.name: (*value[:at], changed, *value[at + 1 :])})


def _other(value: Any, hint: Any) -> Any:
    if isinstance(value, Enum):
        return next(member for member in type(value) if member is not value)
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 1
    if isinstance(value, str):
        return value + "z"
    if isinstance(value, tuple) and value and isinstance(value[0], str):
        return (*value, value[0] + "z")
    return MISSING
