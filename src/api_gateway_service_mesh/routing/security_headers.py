"""The fields that a policy of security headers comes to."""

from __future__ import annotations

from api_gateway_service_mesh.model import Route, SecurityHeaders

from .part import Part, cite

__all__ = ["header_fields", "security_headers_part"]


def header_fields(policy: SecurityHeaders, *, secure: bool) -> tuple[tuple[str, str], ...]:
    """Name and value of each field that answers get; `secure`: the client came over TLS (RFC 6797 §7.2: over anything
    else Strict-Transport-Security is not said). What ``agw:setsField`` states goes before what is the default."""
    stated = [(name, value.strip()) for name, _, value in (field.partition(":") for field in policy.sets)]
    fields = [
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", policy.frames),
        ("Referrer-Policy", policy.referrer),
    ]
    if policy.content is not None:
        fields.append(("Content-Security-Policy", policy.content))
    if secure:
        below = "; includeSubDomains" if policy.subdomains else ""
        fields.append(("Strict-Transport-Security", f"max-age={policy.transport_seconds}{below}"))
    kept = {name.lower() for name, _ in stated}
    return (*(field for field in fields if field[0].lower() not in kept), *stated)


def security_headers_part(route: Route, policy: SecurityHeaders) -> Part:
    """What answers get and lose."""
    iri, standard = policy.iri, SecurityHeaders("")
    cited = [cite(route.iri, "hasSecurityHeaders", iri)]
    if policy.subdomains:
        cited.append(cite(iri, "includesSubdomains", "true"))
    if policy.content is not None:
        cited.append(cite(iri, "contentSecurityPolicy", policy.content))
    if policy.referrer != standard.referrer:
        cited.append(cite(iri, "referrerPolicy", policy.referrer))
    if policy.frames != standard.frames:
        cited.append(cite(iri, "frameOptions", policy.frames))
    cited += [cite(iri, "setsField", field) for field in policy.sets]
    cited += [cite(iri, "removesField", name) for name in policy.removes]
    text = "; ".join(f"{name}: {value}" for name, value in header_fields(policy, secure=True))
    if policy.removes:
        text += f"; without {', '.join(policy.removes)}"
    return Part("security headers", iri, text, tuple(cited))
