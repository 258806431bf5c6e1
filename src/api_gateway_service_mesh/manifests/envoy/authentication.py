"""Who may call: tokens by Envoy's JWT filter, what they must say by its RBAC filter, keys by a script.

Envoy's filter for keys compares the keys themselves, and agw's model holds only their hashes, so that nobody who reads
a configuration has a key. `api_key.lua` hashes what a caller shows, as `security.api_key` does.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from api_gateway_service_mesh.manifests.gap import differs
from api_gateway_service_mesh.model import ApiKey, Authentication, JwtAuthentication, Route
from api_gateway_service_mesh.vocabulary import AGW

from .authorization import said_by_token
from .context import Context
from .secret import SYSTEM_ROOTS
from .typed import FILTER, TRANSPORT, Json, extension, seconds, typed

__all__ = ["authentication_filters", "key_clusters", "route_authentication"]

_TOKENS: Final = "agw.tokens"
_KEYS: Final = "agw.keys"
_CLAIMS: Final = "agw.claims"
_FETCH_SECONDS: Final = 5.0
_REFRESH_SECONDS: Final = 300.0


@cache
def _script() -> str:
    return Path(__file__).with_name("api_key.lua").read_text(encoding="utf-8")


def _demands(context: Context) -> list[Authentication]:
    return list(dict.fromkeys(route.authentication for route in context.routes if route.authentication is not None))


def authentication_filters(context: Context) -> list[Json]:
    """The filters that some route needs; each does nothing unless a route says so."""
    demands = _demands(context)
    made: list[Json] = []
    tokens = {jwt.iri: jwt for demand in demands for jwt in demand.jwt}
    if tokens:
        providers = {iri: _provider(context, jwt) for iri, jwt in sorted(tokens.items())}
        wanted = {_requirement_name(demand): _requirement(demand) for demand in demands if demand.jwt}
        made.append(
            extension(
                _TOKENS,
                f"{FILTER}.jwt_authn.v3.JwtAuthentication",
                providers=providers,
                requirement_map=dict(sorted(wanted.items())),
            )
        )
    if any(_asks_script(demand) for demand in demands):
        source = {"inline_string": _script()}
        script = extension(_KEYS, f"{FILTER}.lua.v3.Lua", default_source_code=source)
        made.append({**script, "disabled": True})
    if any(_judged(demand) for demand in demands):
        made.append(extension(_CLAIMS, f"{FILTER}.rbac.v3.RBAC"))
    return made


def route_authentication(route: Route) -> dict[str, Any]:
    """A route's own configuration of those filters."""
    demand = route.authentication
    if demand is None:
        return {}
    made: dict[str, Any] = {}
    if demand.jwt:
        made[_TOKENS] = typed(f"{FILTER}.jwt_authn.v3.PerRouteConfig", requirement_name=_requirement_name(demand))
    if _asks_script(demand):
        made[_KEYS] = typed(f"{FILTER}.lua.v3.LuaPerRoute", filter_context=_keys(demand))
    if _judged(demand):
        rules: Json = {"action": "ALLOW", "policies": {jwt.iri: _policy(jwt) for jwt in demand.jwt}}
        if demand.api_keys:
            rules["policies"]["agw.keys"] = _any_key()
        made[_CLAIMS] = typed(f"{FILTER}.rbac.v3.RBACPerRoute", rbac={"rules": rules})
    return made


def _asks_script(demand: Authentication) -> bool:
    """Also where nothing at all is accepted: somebody has to say no."""
    return bool(demand.api_keys) or not demand.jwt


def _judged(demand: Authentication) -> bool:
    return any(jwt.required_scopes or jwt.required_claims for jwt in demand.jwt)


def _requirement_name(demand: Authentication) -> str:
    return " ".join(jwt.iri for jwt in demand.jwt) + (" or a key" if demand.api_keys else "")


def _requirement(demand: Authentication) -> Json:
    tokens: list[Json] = [{"provider_name": jwt.iri} for jwt in demand.jwt]
    if demand.api_keys:  # a caller with a key may show a token that is none of ours; the script has the last word
        tokens.append({"allow_missing_or_failed": {}})
    return tokens[0] if len(tokens) == 1 else {"requires_any": {"requirements": tokens}}


def _provider(context: Context, jwt: JwtAuthentication) -> Json:
    made: Json = {
        "issuer": jwt.issuer,
        "audiences": list(jwt.audiences),
        "forward": True,
        "require_expiration": True,
        "payload_in_metadata": jwt.iri,
        "clock_skew_seconds": round(jwt.clock_skew_seconds),
        "from_headers": [{"name": "Authorization", "value_prefix": "Bearer "}],
        "jwt_cache_config": {"jwt_cache_size": 1000},
    }
    if jwt.forwarded_claims:
        made["claim_to_headers"] = [
            {"header_name": JwtAuthentication.claim_header(claim), "claim_name": claim}
            for claim in jwt.forwarded_claims
        ]
    kind, _, rest = jwt.jwks_uri.partition(":")
    if kind == "file":
        made["local_jwks"] = {"filename": rest}
    else:
        where = {"uri": jwt.jwks_uri, "cluster": _key_cluster(jwt.jwks_uri), "timeout": seconds(_FETCH_SECONDS)}
        made["remote_jwks"] = {
            "http_uri": where,
            "cache_duration": seconds(_REFRESH_SECONDS),
            "async_fetch": {"fast_listener": True},
        }
    message = (
        f"{jwt.iri}: Envoy takes whatever algorithm the key set names; {', '.join(jwt.algorithms)} are not enforced"
    )
    remedy = 'give each key of the set its "alg"'
    context.say(differs(jwt.iri, AGW.signingAlgorithm, message, remedy))
    return made


def _key_cluster(uri: str) -> str:
    return f"keys.{urlsplit(uri).netloc.replace(':', '-')}"


def key_clusters(context: Context) -> dict[str, Json]:
    """Where key sets are fetched from."""
    made: dict[str, Json] = {}
    for demand in _demands(context):
        for jwt in demand.jwt:
            if jwt.jwks_uri.startswith("file:"):
                continue
            name, parts = _key_cluster(jwt.jwks_uri), urlsplit(jwt.jwks_uri)
            host, secure = parts.hostname or "", parts.scheme == "https"
            port = parts.port or (443 if secure else 80)
            place = {"socket_address": {"address": host, "port_value": port}}
            members = [{"lb_endpoints": [{"endpoint": {"address": place}}]}]
            made[name] = {
                "name": name,
                "type": "STRICT_DNS",
                "connect_timeout": seconds(_FETCH_SECONDS),
                "load_assignment": {"cluster_name": name, "endpoints": members},
            }
            if secure:
                checked = {
                    "trusted_ca": {"filename": SYSTEM_ROOTS},
                    "match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": host}}],
                }
                made[name]["transport_socket"] = extension(
                    "envoy.transport_sockets.tls",
                    f"{TRANSPORT}.tls.v3.UpstreamTlsContext",
                    sni=host,
                    common_tls_context={"validation_context": checked},
                )
    return made


def _keys(demand: Authentication) -> Json:
    """What the script is told: by place and hash whose key it is."""
    known: dict[str, dict[str, Json]] = {}
    for key in demand.api_keys:
        for place in (f"h:{key.header}", *([f"q:{key.query_parameter}"] if key.query_parameter else [])):
            for digest in key.hashes:
                known.setdefault(place, {})[digest] = _key(key)
    return {
        "keys": known,
        "tokens": [jwt.iri for jwt in demand.jwt],
        "demand": demand.stated_by,
    }


def _key(key: ApiKey) -> Json:
    made: Json = {"iri": key.iri}
    if key.owner is not None:
        made["owner"] = key.owner
    if key.expires is not None:
        made["expires"] = key.expires
    return made


def _policy(jwt: JwtAuthentication) -> Json:
    asked = [said_by_token((jwt,), "iss", {"exact": jwt.issuer})]
    scopes = [{"safe_regex": {"regex": rf"(?:.* )?{re.escape(scope)}(?: .*)?"}} for scope in jwt.required_scopes]
    asked += [said_by_token((jwt,), "scope", matcher) for matcher in scopes]
    for demand in jwt.required_claims:
        name, equals, value = demand.partition("=")
        matcher = {"exact": value} if equals else {"safe_regex": {"regex": "(?s).*"}}
        asked.append(said_by_token((jwt,), name, matcher))
    return {"permissions": [{"any": True}], "principals": [{"and_ids": {"ids": asked}}]}


def _any_key() -> Json:
    where = {"filter": "agw", "path": [{"key": "api-key"}], "value": {"present_match": True}}
    return {"permissions": [{"any": True}], "principals": [{"sourced_metadata": {"metadata_matcher": where}}]}
