"""``jwt_authn`` of a connection manager, where one rule is for every path."""

from __future__ import annotations

from api_gateway_service_mesh.importers.draft import Draft
from api_gateway_service_mesh.importers.part import Part
from api_gateway_service_mesh.importers.turtle import Ref, Seconds, Stated, Subject
from api_gateway_service_mesh.vocabulary import AGW

__all__ = ["token_check"]

_SKEW = 60  # Envoy's own, in seconds


def token_check(draft: Draft, part: Part) -> list[Stated] | None:
    """What callers of all routes must show; None: agw cannot say it so."""
    part.ignore("@type")
    providers, rules = part.part("providers"), part.parts("rules")
    if providers is None or len(rules) != 1:
        return None
    match, required = rules[0].part("match"), rules[0].part("requires")
    if match is None or match.text("prefix") != "/" or any(key != "prefix" for key in match.keys()):  # noqa: SIM118
        return None
    wanted = [required] if required is not None else []
    either = required.part("requires_any") if required is not None else None
    if either is not None:
        wanted = either.parts("requirements")
    names = [each.text("provider_name") for each in wanted]
    made = [_provider(draft, providers.part(name), name) if name else None for name in names]
    if not made or any(subject is None for subject in made):
        return None
    draft.others += [subject for subject in made if subject is not None]
    return [(AGW.hasAuthentication, Ref(str(subject.iri))) for subject in made if subject is not None]


def _provider(draft: Draft, part: Part | None, name: str) -> Subject | None:
    """None: without an audience, an issuer or an https place of keys agw would not know whose tokens to take."""
    if part is None or any(key in part for key in ("from_params", "from_cookies", "from_headers", "subjects")):
        return None
    issuer, audiences, remote = part.text("issuer"), part.texts("audiences"), part.part("remote_jwks")
    where = remote.part("http_uri") if remote is not None else None
    uri = where.text("uri") if where is not None else None
    if remote is None or where is None or not issuer or not audiences or not (uri or "").startswith("https://"):
        return None
    where.ignore("cluster", "timeout")  # agw asks by itself
    remote.ignore("cache_duration", "async_fetch", "retry_policy")
    if part.flag("forward") is not True:
        message = f"{part.name}: Envoy takes the token away before it forwards; agw leaves it for the backend"
        draft.findings.differs(part.place, message, "state what removes it: agw:removesHeader", note=True)
    skew = part.integer("clock_skew_seconds")
    made = Subject("JWTAuthentication", draft.iri(name), f"provider {name}", part.place)
    made.say(AGW.issuer, issuer).say(AGW.audience, *audiences).say(AGW.jwksUri, uri)
    return made.say(AGW.clockSkew, Seconds(_SKEW if skew is None else skew))
