"""OAuth 2 as parts of a decision."""

from __future__ import annotations

from api_gateway_service_mesh.model import ClientAuthentication, OpenIdLogin, TokenIntrospection

from .part import Part, cite

__all__ = ["introspection_part", "login_part"]


def introspection_part(demander: str, asked: TokenIntrospection) -> Part:
    """Its secret is neither shown nor cited."""
    iri = asked.iri
    cited = [
        cite(demander, "hasAuthentication", iri),
        cite(iri, "introspectionEndpoint", asked.endpoint),
        cite(iri, "clientId", asked.client.client_id),
    ]
    if asked.issuer is not None:
        cited.append(cite(iri, "issuer", asked.issuer))
    cited += [cite(iri, "audience", audience) for audience in asked.audiences]
    cited += [cite(iri, "requiredScope", scope) for scope in asked.required_scopes]
    cited += [cite(iri, "requiredClaim", claim) for claim in asked.required_claims]
    cited += [cite(iri, "forwardClaim", claim) for claim in asked.forwarded_claims]
    if asked.client.authentication is not ClientAuthentication.BASIC:
        cited.append(cite(iri, "clientAuthentication", asked.client.authentication.value))
    text = f"a token that {asked.endpoint} says is active"
    if asked.audiences:
        text += f", for {' or '.join(asked.audiences)}"
    if asked.required_scopes:
        text += f", scope {' '.join(asked.required_scopes)}"
    if asked.required_claims:
        text += f", claims {', '.join(asked.required_claims)}"
    return Part("authentication", iri, text, tuple(cited))


def login_part(demander: str, login: OpenIdLogin) -> Part:
    """Its secrets are neither shown nor cited."""
    iri = login.iri
    cited = [
        cite(demander, "hasAuthentication", iri),
        cite(iri, "issuer", login.issuer),
        cite(iri, "clientId", login.client.client_id),
        cite(iri, "externalUrl", login.external_url),
    ]
    cited += [cite(iri, "requestedScope", scope) for scope in login.scopes if scope != "openid"]
    cited += [cite(iri, "requiredClaim", claim) for claim in login.required_claims]
    cited += [cite(iri, "forwardClaim", claim) for claim in login.forwarded_claims]
    return Part("authentication", iri, f"a login at {login.issuer}", tuple(cited))
