"""What filters are told of single routes and hosts, and what becomes of filters that agw has no word for."""

from __future__ import annotations

from typing import Final

from api_gateway_service_mesh.errors import Location
from api_gateway_service_mesh.importers.cors import is_origin
from api_gateway_service_mesh.importers.draft import Draft
from api_gateway_service_mesh.importers.part import Part
from api_gateway_service_mesh.importers.turtle import Ref, Seconds, Stated, Subject, anonymous
from api_gateway_service_mesh.vocabulary import AGW

from .limit import local_limit

__all__ = ["filters_of", "unknown"]

_GUARDS: Final = ("Jwt", "ExtAuthz", "RBAC", "OAuth2", "BasicAuth", "ApiKeyAuth", "Geoip", "Csrf", "CredentialInjector")
_CLOSED: Final = "nobody is let in here: what kept callers out in Envoy could not be taken over"
_REMEDY: Final = "see whether you need it; agw has other words, or none, for it"


def unknown(draft: Draft, name: str, kind: str, place: Location) -> list[Stated]:
    """Report a filter of `kind`; one that keeps callers out closes what it stands before."""
    if not kind.startswith(_GUARDS):
        draft.findings.lost(place, f"{name}: {kind} is not taken over", _REMEDY)
        return []
    closed = next((other for other in draft.others if other.comment == _CLOSED), None)
    if closed is None:
        closed = Subject("AuthorizationPolicy", draft.iri("closed"), _CLOSED)
        draft.others.append(closed)
    message = f"{name}: {kind} is not taken over; what is behind it is closed until callers are judged anew"
    remedy = f"state agw:hasAuthentication in the place of agw:hasAuthorization {closed.iri}"
    draft.findings.lost(place, message, remedy)
    return [(AGW.hasAuthorization, Ref(str(closed.iri)))]


def filters_of(draft: Draft, part: Part) -> list[Stated]:
    """What ``typed_per_filter_config`` of a route or a virtual host says."""
    told = part.part("typed_per_filter_config")
    made: list[Stated] = []
    for key in told.keys() if told is not None else ():
        assert told is not None
        config = told.part(key)
        kind = ((config.text("@type") if config is not None else None) or "").rpartition(".")[2]
        if config is None:
            continue
        if kind == "CorsPolicy":
            made += _cors(config)
        elif kind == "LocalRateLimit":
            made += local_limit(draft, config)
        else:
            config.drop()
            made += unknown(draft, told.name, kind, told.at(key))
    return made


def _cors(part: Part) -> list[Stated]:
    origins: list[str] = []
    for each in part.parts("allow_origin_string_match"):
        text, regex = each.text("exact"), each.part("safe_regex")
        if regex is not None and regex.text("regex") == ".*":
            text = "*"
        if text is not None and is_origin(text):
            origins.append(text)
        else:
            message = f"{part.name}: agw names origins, and does not compare them"
            part.findings.lost(each.place, message, "state agw:allowedOrigin for each")
            each.drop()
    words = {
        key: (part.text(key) or "").replace(" ", "") for key in ("allow_methods", "allow_headers", "expose_headers")
    }
    age = part.text("max_age") or ""
    credentials = part.flag("allow_credentials")
    if not origins:
        return []
    made = anonymous("CorsPolicy").say(AGW.allowedOrigin, *(["*"] if "*" in origins else origins))
    for key, term in (
        ("allow_methods", AGW.allowedMethod),
        ("allow_headers", AGW.allowedHeader),
        ("expose_headers", AGW.exposedHeader),
    ):
        made.say(term, *dict.fromkeys(word for word in words[key].split(",") if word and word != "CONNECT"))
    made.say(AGW.preflightMaxAge, Seconds(int(age)) if age.isascii() and age.isdigit() and int(age) else None)
    if credentials and "*" in (*origins, *words["allow_headers"].split(",")):
        message = f"{part.name}: with credentials nothing can be any; agw lets pages call without them"
        part.findings.lost(part.at("allow_credentials"), message, "name the origins and the header fields")
        credentials = False
    return [(AGW.hasCors, made.say(AGW.allowCredentials, True if credentials else None))]
