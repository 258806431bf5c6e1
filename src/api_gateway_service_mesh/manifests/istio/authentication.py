"""RequestAuthentication and AuthorizationPolicies: who shows a token, where one is needed, and who may do what.

The first policy allows what it names and refuses the rest; the second, where a rule denies, goes before it.
"""

from __future__ import annotations

from typing import Any

from api_gateway_service_mesh.manifests.document import Document
from api_gateway_service_mesh.manifests.gap import differs, lost
from api_gateway_service_mesh.manifests.name import metadata, name_of
from api_gateway_service_mesh.model import JwtAuthentication, Route
from api_gateway_service_mesh.routing import RouteEntry
from api_gateway_service_mesh.vocabulary import AGW

from .authorization import allowed_rules, denied_rules
from .context import Context
from .operation import path_forms

__all__ = ["authentication_documents"]


def authentication_documents(context: Context) -> list[Document]:
    """Nothing where no route asks who calls."""
    entries = context.table.entries
    if not any(entry.route.authentication is not None or entry.route.authorization is not None for entry in entries):
        return []
    tokens = {jwt.iri: jwt for entry in entries for jwt in _accepted(entry.route)}
    for entry in entries:
        _report(context, entry)
    where: dict[str, Any] = {"selector": {"matchLabels": context.selector}} if context.gateway_bound else {}
    made: list[Document] = []
    rules = [_token_rule(jwt) for _, jwt in sorted(tokens.items()) if not jwt.jwks_uri.startswith("file:")]
    if rules:
        made.append(_document(context, "RequestAuthentication", {**where, "jwtRules": rules}))
    allowed = [rule for entry in entries for rule in allowed_rules(context, entry)]
    spec = {**where, "action": "ALLOW", "rules": allowed} if allowed else {**where}  # none: nobody gets in
    made.append(_document(context, "AuthorizationPolicy", spec))
    if denied := denied_rules(context):
        spec = {**where, "action": "DENY", "rules": denied}
        made.append(_document(context, "AuthorizationPolicy", spec, name=name_of(f"{context.name} denied")))
    return made


def _document(context: Context, kind: str, spec: dict[str, Any], *, name: str | None = None) -> Document:
    return {
        "apiVersion": "security.istio.io/v1",
        "kind": kind,
        "metadata": metadata(name or context.name, context.namespace, gateway=context.mesh.iri),
        "spec": spec,
    }


def _accepted(route: Route) -> tuple[JwtAuthentication, ...]:
    return () if route.authentication is None else route.authentication.jwt


def _token_rule(jwt: JwtAuthentication) -> dict[str, Any]:
    made: dict[str, Any] = {"issuer": jwt.issuer, "jwksUri": jwt.jwks_uri, "forwardOriginalToken": True}
    if jwt.audiences:
        made["audiences"] = list(jwt.audiences)
    if jwt.forwarded_claims:
        made["outputClaimToHeaders"] = [
            {"header": jwt.claim_header(claim).lower(), "claim": claim.strip("/").replace("/", ".")}
            for claim in jwt.forwarded_claims
        ]
    return made


def _report(context: Context, entry: RouteEntry) -> None:
    route, found = entry.route, context.findings
    if route.authentication is not None:
        message = f"{route.name}: without a token Istio answers 403, and a wrong one is refused everywhere"
        found.append(differs(route.iri, AGW.hasAuthentication, message))
    if path_forms(entry.path) is None:
        message = f"{route.name}: Istio's policies know no such path; its requests are refused"
        found.append(lost(route.iri, AGW.pathMatchType, message, "write it as a template or a prefix"))
    for jwt in _accepted(route):
        if jwt.jwks_uri.startswith("file:"):
            message = f"{route.name}: Istio reads keys from URLs; tokens of {jwt.issuer} are refused"
            found.append(lost(jwt.iri, AGW.jwksUri, message, "give the https: URL of the keys"))
