"""What `agw explain` says of the tokens that backends are shown."""

from __future__ import annotations

from api_gateway_service_mesh.model import ClientCredentials, Route

from .part import Part, cite

__all__ = ["client_credentials_part"]


def client_credentials_part(route: Route, credentials: ClientCredentials) -> Part:
    """With what token a request goes on."""
    iri = credentials.iri
    cited = [
        cite(route.iri, "hasClientCredentials", iri),
        cite(iri, "tokenEndpoint", credentials.endpoint),
        cite(iri, "clientId", credentials.client.client_id),
        *(cite(iri, "requestedScope", scope) for scope in credentials.scopes),
    ]
    text = f"Authorization: a token of {credentials.client.client_id} from {credentials.endpoint}"
    if credentials.scopes:
        text += f", with {' '.join(credentials.scopes)}"
    if credentials.audience is not None:
        cited.append(cite(iri, "tokenAudience", credentials.audience))
        text += f", for {credentials.audience}"
    if credentials.resource is not None:
        cited.append(cite(iri, "tokenResource", credentials.resource))
        text += f", for {credentials.resource}"
    return Part("client credentials", iri, text, tuple(cited))
