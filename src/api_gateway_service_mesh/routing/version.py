"""Which version a request names, and what answers of a version say that is withdrawn."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime

from api_gateway_service_mesh.model import ApiVersion, Deprecation, Route, VersionedBy

from .condition import first_parameters
from .decision import ExplainRequest
from .part import Part, cite

__all__ = ["deprecation_fields", "deprecation_part", "other_version", "successor_path", "version_part"]


def other_version(version: ApiVersion) -> Callable[[Callable[[str], str | None], str], str | None]:
    """What asks a request for the version that it names, when that is another than `version`; None: this, or none. It
    is given a look-up of header fields (names in lower case) and the query string."""
    name, field = version.name, version.field
    if version.by is VersionedBy.MEDIA_TYPE:
        start, _, end = field.partition("{version}")
        kind = re.compile(
            re.sub(r"\\? *;(\\? )*", " *; *", re.escape(start)) + r"([0-9A-Za-z._-]+)" + re.escape(end) + r" *(?:;.*)?",
            re.IGNORECASE,
        )

        def accepted(header: Callable[[str], str | None], query: str) -> str | None:
            other = None
            for part in (header("accept") or "").split(","):
                part = part.strip(" \t")
                if part.startswith("*/*"):
                    return None
                match = kind.fullmatch(part)
                if match is not None:
                    if match[1].lower() == name.lower():
                        return None
                    other = match[1]
            return other

        return accepted
    if version.by is VersionedBy.QUERY:

        def asked(header: Callable[[str], str | None], query: str) -> str | None:
            named = first_parameters(query).get(field) if field in query or "%" in query else None
            return None if named == name else named

        return asked

    def stated(header: Callable[[str], str | None], query: str) -> str | None:
        named = header(field)
        return None if named is None or named.strip(" \t") == name else named

    return stated


def deprecation_fields(deprecation: Deprecation) -> tuple[tuple[str, str], ...]:
    """Name and value of the fields that answers get, whatever was asked: Deprecation (RFC 9745), Sunset (RFC 8594) and
    links (RFC 8288)."""
    fields = []
    if deprecation.deprecated_at is not None:
        fields.append(("Deprecation", f"@{int(deprecation.deprecated_at)}"))
    if deprecation.sunset_at is not None:
        fields.append(("Sunset", format_datetime(datetime.fromtimestamp(int(deprecation.sunset_at), UTC), usegmt=True)))
    if deprecation.successor is not None:
        fields.append(("Link", f'<{deprecation.successor}>; rel="successor-version"'))
    if deprecation.page is not None:
        fields.append(("Link", f'<{deprecation.page}>; rel="deprecation"; type="text/html"'))
    return tuple(fields)


def successor_path(path: str, segments: tuple[str, str]) -> str | None:
    """`path` in the successor version; None when it has no segment for the version."""
    parts = path.split("/")
    if segments[0] not in parts:
        return None
    parts[parts.index(segments[0])] = segments[1]
    return "/".join(parts)


def version_part(route: Route, version: ApiVersion, request: ExplainRequest | None) -> Part:
    """The version, and whether requests that name none mean it."""
    iri = version.iri
    text = f"{version.name}, {_where(version)}"
    cited = [cite(route.iri, "inVersion", iri), cite(iri, "versionName", version.name)]
    if not version.is_default:
        return Part("version", iri, text, tuple(cited))
    cited.append(cite(iri, "isDefaultVersion", "true"))
    text += ", also for requests that name none; another one is refused"
    if request is not None:
        other = other_version(version)(request.fields.get, request.query)
        if other is not None:
            text += f": this request names {other}, and is answered {400 + 6 * (version.by is VersionedBy.MEDIA_TYPE)}"
    return Part("version", iri, text, tuple(cited))


def _where(version: ApiVersion) -> str:
    if version.by is VersionedBy.HEADER:
        return f"by header {version.field}"
    return f"by query parameter {version.field}" if version.by is VersionedBy.QUERY else f"by Accept: {version.field}"


def deprecation_part(route: Route, deprecation: Deprecation, request: ExplainRequest | None) -> Part:
    """Since when and until when, and what then."""
    iri = deprecation.iri
    cited = [cite(route.iri, "hasDeprecationPolicy", iri)]
    said = []
    if deprecation.deprecated_at is not None:
        cited.append(cite(iri, "deprecatedAt", _moment(deprecation.deprecated_at)))
        said.append(f"deprecated since {_moment(deprecation.deprecated_at)}")
    if deprecation.sunset_at is not None:
        cited.append(cite(iri, "sunsetAt", _moment(deprecation.sunset_at)))
        then = "answered 410" if deprecation.refuses else "served still"
        said.append(f"to be gone at {_moment(deprecation.sunset_at)}, from then on {then}")
    if deprecation.refuses:
        cited.append(cite(iri, "afterSunset", "REFUSE"))
    if deprecation.successor is not None:
        cited.append(cite(iri, "successorLink", deprecation.successor))
        said.append(f"in its place {deprecation.successor}")
    if deprecation.page is not None:
        cited.append(cite(iri, "deprecationLink", deprecation.page))
    if deprecation.segments is not None:
        moved = successor_path(request.path, deprecation.segments) if request is not None else None
        said.append(f"in its place {moved or '/' + deprecation.segments[1]}")
    return Part("deprecation", iri, "; ".join(said) or "withdrawn", tuple(cited))


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
