"""Who may call the services: the gateway may; with what tokens, where routes ask for such."""

from __future__ import annotations

from typing import Any

from api_gateway_service_mesh.manifests.gap import differs, lost
from api_gateway_service_mesh.manifests.name import names
from api_gateway_service_mesh.manifests.order import items
from api_gateway_service_mesh.manifests.outline import Outline
from api_gateway_service_mesh.model import Authentication, JwtAuthentication, MtlsMode, Route
from api_gateway_service_mesh.vocabulary import AGW

from .entry import Entry, entry
from .match import paths
from .service import known_as

__all__ = ["intention_entries"]


def intention_entries(outline: Outline) -> list[Entry]:
    """The providers of tokens, then an intention for each service that routes send to."""
    providers = {
        jwt.iri: jwt
        for route in outline.mesh.routes
        if route.authentication is not None
        for jwt in route.authentication.jwt
    }
    called = names((iri, iri) for iri in sorted(providers))
    made = [_provider(outline, jwt, called[iri]) for iri, jwt in sorted(providers.items())]
    for route in outline.mesh.routes:
        if route.authentication is not None:
            _report(outline, route, route.authentication)
    for iri, name in known_as(outline).items():
        routes = outline.used.get(iri)
        if routes:
            made.append(_intention(outline, iri, name, routes, called))
    return made


def _provider(outline: Outline, jwt: JwtAuthentication, name: str) -> Entry:
    scheme, _, rest = jwt.jwks_uri.partition(":")
    keys: dict[str, Any]
    if scheme == "file":
        keys = {"Local": {"Filename": rest.removeprefix("//")}}
        message = f"{jwt.issuer}: its keys are read from {rest} on the machine of each proxy"
        outline.findings.append(differs(jwt.iri, AGW.jwksUri, message))
    else:
        keys = {"Remote": {"URI": jwt.jwks_uri, "FetchAsynchronously": True}}
    fields: dict[str, Any] = {
        "Issuer": jwt.issuer,
        "JSONWebKeySet": keys,
        "ClockSkewSeconds": round(jwt.clock_skew_seconds),
    }
    if jwt.audiences:
        fields["Audiences"] = list(jwt.audiences)
    return entry("jwt-provider", name, fields, service=jwt.iri)


def _intention(outline: Outline, iri: str, name: str, routes: list[Route], called: dict[str, str]) -> Entry:
    source: dict[str, Any] = {"Name": outline.name}
    if any(route.authentication is not None for route in routes):
        source["Permissions"] = _permissions(outline, iri, called)
    else:
        source["Action"] = "allow"
    sources = [source]
    mesh = outline.mesh.service_mesh
    if outline.upstreams[iri].mtls_mode is MtlsMode.STRICT or (
        mesh is not None and mesh.mtls is not None and mesh.mtls.mode is MtlsMode.STRICT
    ):
        sources.append({"Name": "*", "Action": "deny"})
    return entry("service-intentions", name, {"Sources": sources}, service=iri)


def _permissions(outline: Outline, upstream: str, called: dict[str, str]) -> list[dict[str, Any]]:
    """In the routes' order: what a route takes is allowed with one of its tokens, and without is denied."""
    made: list[dict[str, Any]] = []
    seen: set[str] = set()
    for chain in outline.table.chains:
        for leaf in chain[0].all_leaves():
            for one, methods in items(leaf):
                route = one.route
                if upstream not in route.upstreams or f"{route.iri} {methods}" in seen:
                    continue
                seen.add(f"{route.iri} {methods}")
                for kind, text in paths(one.path):
                    asked: dict[str, Any] = {f"Path{kind}": text}
                    if methods:
                        asked["Methods"] = list(methods)
                    if route.authentication is None:
                        made.append({"Action": "allow", "HTTP": asked})
                        continue
                    tokens = [_token(jwt, called) for jwt in route.authentication.jwt]
                    if tokens:
                        made.append({"Action": "allow", "HTTP": asked, "JWT": {"Providers": tokens}})
                    made.append({"Action": "deny", "HTTP": asked})
    return made


def _token(jwt: JwtAuthentication, called: dict[str, str]) -> dict[str, Any]:
    claims = [
        {"Path": claim.partition("=")[0].strip("/").split("/"), "Value": claim.partition("=")[2]}
        for claim in jwt.required_claims
        if "=" in claim
    ]
    return {"Name": called[jwt.iri], **({"VerifyClaims": claims} if claims else {})}


def _report(outline: Outline, route: Route, demanded: Authentication) -> None:
    found = outline.findings
    message = (
        f"{route.name}: tokens are verified at the service's proxy, by the path that comes there, not at the gateway"
    )
    found.append(differs(route.iri, AGW.hasAuthentication, message))
    for jwt in demanded.jwt:
        if jwt.required_scopes:
            message = f"{route.name}: Consul cannot look into a list of scopes; who has a token has them all"
            found.append(lost(jwt.iri, AGW.requiredScope, message, "keep agw in front"))
        if any("=" not in claim for claim in jwt.required_claims):
            message = f"{route.name}: Consul asks for values of claims, not whether there are such"
            found.append(lost(jwt.iri, AGW.requiredClaim, message, "write NAME=VALUE"))
        if jwt.forwarded_claims:
            message = f"{route.name}: Consul does not tell backends of single claims"
            found.append(lost(jwt.iri, AGW.forwardClaim, message, "keep agw in front"))
    if not route.targets:
        message = f"{route.name}: it has no service whose proxy could verify tokens"
        found.append(lost(route.iri, AGW.hasAuthentication, message))
