"""OpenAPI 3.0, 3.1 and Swagger 2.0 descriptions: every operation becomes a route, every server a backend service.

A description says what an API offers, little of what a gateway does for it. Its paths, methods and servers are taken
over; whom its security schemes would keep out is reported, as something that is open until it is stated anew. Schemas,
examples and the like are passed over: where requests are to be held against them, the routes name the file itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePath, PurePosixPath
from typing import Final
from urllib.parse import urlsplit

from api_gateway_service_mesh.errors import Location
from api_gateway_service_mesh.graph.plain import Map, Value
from api_gateway_service_mesh.model import PathKind, PathMatch
from api_gateway_service_mesh.vocabulary import AGW

from .draft import Draft, RouteDraft
from .part import Part
from .path import UnsayableError, exact, expression, literal
from .turtle import Ref, Subject

__all__ = ["import_openapi"]

_METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_DESCRIBES: Final = (
    *("info", "tags", "externalDocs", "jsonSchemaDialect", "webhooks", "components", "definitions", "parameters"),
    *("responses", "securityDefinitions", "consumes", "produces", "$self"),
)
_PATH_DESCRIBES: Final = ("summary", "description", "parameters")
_OPERATION_DESCRIBES: Final = (
    *("tags", "description", "externalDocs", "parameters", "requestBody", "responses", "callbacks", "deprecated"),
    *("consumes", "produces"),
)
#: Extensions by which other gateways are configured; those of other tools say nothing to a gateway.
_GATEWAYS: Final = ("x-kong", "x-google-", "x-amazon-", "x-envoy", "x-tyk", "x-ms-", "x-apigee", "x-traefik", "x-yc-")
_PARAMETER: Final = re.compile(r"\{([^{}/]+)\}")
_NO_HOST: Final = "127.0.0.1:8080"
_GUARDS: Final = {
    "apiKey": "agw:APIKeyAuthentication (agw key new makes keys)",
    "oauth2": "agw:JWTAuthentication or agw:OAuth2",
    "openIdConnect": "agw:JWTAuthentication or agw:OpenIdLogin",
    "mutualTLS": "a listener that demands client certificates",
    "bearer": "agw:JWTAuthentication",
}


@dataclass(frozen=True, slots=True)
class _Server:
    """Where an API is: the service, and what stands before its paths."""

    service: Subject
    base: str


@dataclass(slots=True)
class _Description:
    """One document, as far as it is read."""

    draft: Draft
    document: Map
    title: str
    body: Part
    guarded: dict[str, int] = field(default_factory=dict)
    """How many operations each security scheme guards."""
    held_against: Subject | None = None
    """What requests are held against, where that is wanted."""


def import_openapi(
    draft: Draft, documents: Iterable[Map], *, certificates: str | None = None, descriptions: str | None = None
) -> None:
    """Take over what `documents` say. `certificates` is of no use here: descriptions name none. `descriptions`: the
    folder of the files, as the Turtle is to name it, where requests are to be held against them."""
    for document in documents:
        body = Part(draft.findings, document, "description")
        version = body.text("openapi") or body.text("swagger") or ""
        if not version.startswith("3.") and version != "2.0":
            body.drop()
            message = f"this is no OpenAPI description: version {version or 'missing'}"
            draft.findings.lost(document.place, message, "give OpenAPI 3.0 or 3.1, or Swagger 2.0")
            continue
        body.ignore(*_DESCRIBES)
        info = document.values.get("info")
        title = info.values.get("title") if isinstance(info, Map) else None
        name = " ".join(title.split()) if isinstance(title, str) else ""
        made = _Description(draft, document, name or "api", body)
        if descriptions is not None:
            made.held_against = _held_against(made, descriptions, version)
        _read(made)


def _held_against(made: _Description, folder: str, version: str) -> Subject | None:
    """The validation that names the file of a description."""
    if not version.startswith(("3.0", "3.1")):
        message = f"requests are not held against {made.title}: that takes OpenAPI 3.0 or 3.1, and this is {version}"
        made.draft.findings.lost(made.document.place, message, "bring the description to OpenAPI 3.1")
        return None
    file = (PurePosixPath(folder) / PurePath(made.document.place.file or "").name).as_posix()
    subject = Subject(
        "RequestValidation",
        made.draft.iri(f"{made.title} as described"),
        f"{made.title}: what requests are held against",
        made.document.place,
    )
    subject.say(AGW.descriptionFile, file)
    made.draft.others.append(subject)
    return subject


def _read(made: _Description) -> None:
    body = made.body
    server = _swagger(made) if "swagger" in body else _server(made, body) or _nowhere(made)
    _extensions(body)
    before = len(made.draft.routes)
    paths = body.part("paths")
    for template in paths.keys() if paths is not None else ():
        if paths is None or template.startswith("x-"):
            continue
        item = _item(made, paths, template)
        if item is not None:
            _operations(made, item, template, server)
    if paths is not None:
        paths.drop()
    if len(made.draft.routes) == before:
        made.draft.findings.lost(body.at("paths"), f"{made.title}: there is no operation", "give the whole description")
    _guards(made)


def _item(made: _Description, paths: Part, template: str) -> Part | None:
    """The operations of one path, where they stand or where they are said to."""
    item = paths.part(template)
    if item is None:
        return None
    reference = item.text("$ref")
    if reference is None:
        return item
    item.drop()
    found = _resolved(made.document, reference)
    if found is None:
        message = f"{template} is not taken over: {reference} is not in the file"
        made.draft.findings.lost(item.at("$ref"), message, "bundle the description into one file first")
        return None
    return Part(made.draft.findings, found, f"paths.{template}")


def _resolved(document: Map, reference: str) -> Map | None:
    """What a JSON pointer into the document names (RFC 6901), if it is a mapping."""
    if not reference.startswith("#/"):
        return None
    value: Value = document
    for token in reference[2:].split("/"):
        if not isinstance(value, Map):
            return None
        value = value.values.get(token.replace("~1", "/").replace("~0", "~"))
    return value if isinstance(value, Map) else None


def _operations(made: _Description, item: Part, template: str, server: _Server) -> None:
    item.ignore(*_PATH_DESCRIBES)
    _extensions(item)
    here = _server(made, item) or server
    for key in item.keys():  # noqa: SIM118
        if key not in _METHODS:
            continue
        operation = item.part(key)
        if operation is None:
            continue
        operation.name = f"{key.upper()} {template}"
        operation.ignore(*_OPERATION_DESCRIBES)
        _extensions(operation)
        there = _server(made, operation) or here
        named, summary = operation.text("operationId"), operation.text("summary")
        operation.ignore("schemes")
        path = _path(operation, item.at(key), there.base, template)
        if path is None:
            continue
        _guarded(made, operation)
        comment = operation.name + (f": {summary}" if summary else "")
        route = RouteDraft(named or f"{key}{template}", item.at(key), path, comment, methods=(key.upper(),))
        made.draft.shares(route, [(there.service, 1)])
        if made.held_against is not None:
            route.say(AGW.hasRequestValidation, Ref(str(made.held_against.iri)))
        made.draft.routes.append(route)


def _path(operation: Part, place: Location, base: str, template: str) -> PathMatch | None:
    try:
        return _template(base, template)
    except UnsayableError as error:
        operation.drop()
        operation.findings.lost(place, f"{operation.name} is not taken over: {error}", "correct it there")
        return None


def _template(base: str, template: str) -> PathMatch:
    """`template` below `base`: parameters that are whole segments stay what they are; others become expressions.

    Raises:
        UnsayableError: no request that agw accepts has such a path.
    """
    if not template.startswith("/"):
        raise UnsayableError(f"the path {template!r} does not begin with a slash")
    if _PARAMETER.search(template) is None:
        return exact(base + template)
    exact(base + _PARAMETER.sub("x", template))
    segments = template.split("/")
    if any("{" in segment and _PARAMETER.fullmatch(segment) is None for segment in segments):
        whole = literal(base) + "".join(
            "[^/]+" if at % 2 else literal(text) for at, text in enumerate(_PARAMETER.split(template))
        )
        return expression(whole)
    names = list(_names(segments))
    return PathMatch(PathKind.TEMPLATE, base + "/".join(names))


def _names(segments: Iterable[str]) -> Iterator[str]:
    """The segments, each parameter with a name that agw takes and that is there but once."""
    taken: set[str] = set()
    for segment in segments:
        found = _PARAMETER.fullmatch(segment)
        if found is None:
            yield segment
            continue
        name = re.sub(r"[^A-Za-z0-9_-]", "_", found[1])
        name = name if name[0].isalpha() or name[0] == "_" else f"_{name}"
        while name in taken:
            name += "_"
        taken.add(name)
        yield f"{{{name}}}"


def _server(made: _Description, part: Part) -> _Server | None:
    """The first of the servers that `part` states; further ones may be other stages of life, so none is joined."""
    servers = part.parts("servers")
    if not servers:
        return None
    for other in servers[1:]:
        message = f"{part.name}: {other.text('url')} is not taken over; agw takes the first server"
        other.drop()
        made.draft.findings.lost(
            other.place, message, "where it serves the same, state it as a further agw:hasInstance"
        )
    first = servers[0]
    first.ignore("description", "name")
    url = first.text("url") or "/"
    variables = first.part("variables")
    for name in variables.keys() if variables is not None else ():
        variable = variables.part(name) if variables is not None else None
        if variable is not None:
            variable.drop()
            url = url.replace(f"{{{name}}}", variable.text("default") or "")
    return _located(made, url, first.at("url"))


def _swagger(made: _Description) -> _Server:
    """Swagger 2.0 says it in pieces."""
    body = made.body
    host, base, schemes = body.text("host"), body.text("basePath") or "", body.texts("schemes")
    scheme = "https" if "https" in schemes or not schemes else schemes[0]
    return _located(made, f"{scheme}://{host}{base}" if host else base or "/", body.at("host"))


def _nowhere(made: _Description) -> _Server:
    return _located(made, "/", made.document.place)


def _located(made: _Description, url: str, place: Location) -> _Server:
    draft = made.draft
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = urlsplit("/"), None, None
        draft.findings.lost(place, f"the server {url!r} is no URL", "correct it there")
    base = parts.path.rstrip("/")
    if host is None or parts.scheme not in ("http", "https"):
        service, new = draft.service((made.title, None), made.title, place=place, comment=f"{made.title}: its server")
        if new:
            message = f"{made.title}: no server says at which host it is; {_NO_HOST} is written"
            draft.findings.differs(place, message, f"write the address of {service.iri} at its agw:address")
            service.say(AGW.address, _NO_HOST)
        return _Server(service, base)
    secure = parts.scheme == "https"
    shown = f"[{host}]" if ":" in host else host
    authority = f"{shown}:{port or (443 if secure else 80)}"
    service, new = draft.service((secure, authority), host, place=place, comment=f"{made.title}: its server")
    if new:
        service.say(AGW.address, f"https://{authority}" if secure else authority)
    return _Server(service, base)


def _guarded(made: _Description, operation: Part) -> None:
    """Count an operation for each scheme that it demands; one that may be called without any is open as it was."""
    held = operation if "security" in operation.keys() else made.body  # noqa: SIM118
    demands = held.parts("security")
    for demand in demands:
        demand.drop()
    if any(not demand.keys() for demand in demands):
        return
    for name in dict.fromkeys(name for demand in demands for name in demand.keys()):  # noqa: SIM118
        made.guarded[name] = made.guarded.get(name, 0) + 1


def _guards(made: _Description) -> None:
    """Say of each scheme that nobody is kept out any more."""
    made.body.ignore("security")
    for name, count in made.guarded.items():
        scheme = _resolved(made.document, f"#/components/securitySchemes/{name}")
        scheme = scheme or _resolved(made.document, f"#/securityDefinitions/{name}") or Map(made.document.place)
        kind, form = str(scheme.values.get("type", "unknown")), str(scheme.values.get("scheme", "")).lower()
        words = _GUARDS.get(form if kind == "http" else kind, "agw:hasAuthentication with what agw knows")
        operations = "1 operation is" if count == 1 else f"{count} operations are"
        message = f"the security scheme {name} ({form or kind}) is not taken over: {operations} open to all"
        remedy = f"state agw:hasAuthentication on the gateway, a class or the routes: {words}"
        made.draft.findings.lost(scheme.place, message, remedy)


def _extensions(part: Part) -> None:
    """Those of other gateways are reported; what other tools add is passed over."""
    part.ignore(*(key for key in part.keys() if key.startswith("x-") and not key.startswith(_GATEWAYS)))  # noqa: SIM118
