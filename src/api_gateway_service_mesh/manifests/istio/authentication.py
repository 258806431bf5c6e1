"""RequestAuthentication and AuthorizationPolicy: who shows a token, and where one is needed.

The policy allows what it names and refuses the rest. A rule of a route leaves out the paths of routes that rank before
it and ask for something else, whatever their methods: where Istio cannot tell them apart it refuses, it never lets in.
"""

from __future__ import annotations

from typing import Any

from api_gateway_service_mesh.manifests.document import Document
from api_gateway_service_mesh.manifests.gap import differs, lost
from api_gateway_service_mesh.manifests.name import metadata
from api_gateway_service_mesh.model import JwtAuthentication, PathKind, Route
from api_gateway_service_mesh.routing import ANY_HOST, ANY_SEGMENT, PathPattern, RouteEntry, host_text
from api_gateway_service_mesh.vocabulary import AGW

from .context import Context

__all__ = ["authentication_documents"]


def authentication_documents(context: Context) -> list[Document]:
    """Nothing where no route asks who calls."""
    asking = [entry for entry in context.table.entries if entry.route.authentication is not None]
    if not asking:
        return []
    tokens = {jwt.iri: jwt for entry in asking for jwt in _accepted(entry.route)}
    for entry in asking:
        _report(context, entry)
    where: dict[str, Any] = {"selector": {"matchLabels": context.selector}} if context.gateway_bound else {}
    made: list[Document] = []
    rules = [_token_rule(jwt) for _, jwt in sorted(tokens.items()) if not jwt.jwks_uri.startswith("file:")]
    if rules:
        made.append(_document(context, "RequestAuthentication", {**where, "jwtRules": rules}))
    allowed = [rule for entry in context.table.entries for rule in _rules(context, entry)]
    spec = {**where, "action": "ALLOW", "rules": allowed} if allowed else {**where}  # none: nobody gets in
    made.append(_document(context, "AuthorizationPolicy", spec))
    return made


def _document(context: Context, kind: str, spec: dict[str, Any]) -> Document:
    return {
        "apiVersion": "security.istio.io/v1",
        "kind": kind,
        "metadata": metadata(context.name, context.namespace, gateway=context.mesh.iri),
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


def _rules(context: Context, entry: RouteEntry) -> list[dict[str, Any]]:
    """What a route's requests are allowed by: anybody's, or one rule for each kind of token."""
    paths = _paths(entry.path)
    if paths is None:
        return []
    operation: dict[str, Any] = {"paths": paths}
    others: list[str] = []
    for before in context.table.entries:
        if before is entry:
            break
        if before.route.authentication != entry.route.authentication:
            others += [path for path in _paths(before.path) or () if path not in paths]
    if others:
        operation["notPaths"] = list(dict.fromkeys(others))
    methods = sorted(entry.methods)
    if methods:
        operation["methods"] = [*methods, *(["HEAD"] if "GET" in methods and "HEAD" not in methods else [])]
    if ANY_HOST not in entry.hosts:
        texts = [host_text(host) for host in entry.hosts]
        operation["hosts"] = [form for text in texts for form in (text, f"{text}:*") if form.count("*") < 2]
    to = [{"operation": operation}]
    if entry.route.authentication is None:
        return [{"to": to}]
    return [
        {
            "from": [{"source": {"requestPrincipals": [f"{jwt.issuer}/*"]}}],
            "to": to,
            **({"when": asked} if (asked := _asked(jwt)) else {}),
        }
        for jwt in _accepted(entry.route)
    ]


def _asked(jwt: JwtAuthentication) -> list[dict[str, Any]]:
    made = [{"key": "request.auth.claims[scope]", "values": [scope]} for scope in jwt.required_scopes]
    by_name: dict[str, list[str]] = {}
    for claim in jwt.required_claims:
        name, stated, value = claim.partition("=")
        by_name.setdefault(name, []).append(value if stated else "*")
    for name, values in by_name.items():
        parts = "".join(f"[{part}]" for part in name.strip("/").split("/")) if name.startswith("/") else f"[{name}]"
        made.append({"key": f"request.auth.claims{parts}", "values": values})
    return made


def _paths(path: PathPattern) -> list[str] | None:
    """Istio's patterns of a path; None: it has none for it. Its star at the end is by characters."""
    if path.kind is PathKind.REGULAR_EXPRESSION:
        return None
    if path.kind is PathKind.EXACT:
        return None if "*" in path.text else [path.text]
    if any("*" in segment for segment in path.segments if segment != ANY_SEGMENT):
        return None
    stem = "".join("/{*}" if segment == ANY_SEGMENT else f"/{segment}" for segment in path.segments)
    if not path.open_ended:
        return [stem]
    if ANY_SEGMENT in path.segments:
        return [stem, f"{stem}/{{**}}"]
    return [stem, f"{stem}/*"] if stem else ["/*"]


def _report(context: Context, entry: RouteEntry) -> None:
    route, found = entry.route, context.findings
    message = f"{route.name}: without a token Istio answers 403, and a wrong one is refused everywhere"
    found.append(differs(route.iri, AGW.hasAuthentication, message))
    if _paths(entry.path) is None:
        message = f"{route.name}: Istio's policies know no such path; its requests are refused"
        found.append(lost(route.iri, AGW.pathMatchType, message, "write it as a template or a prefix"))
    for jwt in _accepted(route):
        if jwt.jwks_uri.startswith("file:"):
            message = f"{route.name}: Istio reads keys from URLs; tokens of {jwt.issuer} are refused"
            found.append(lost(jwt.iri, AGW.jwksUri, message, "give the https: URL of the keys"))
