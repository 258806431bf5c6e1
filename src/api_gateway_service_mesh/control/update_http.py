"""Updates over HTTP: who, why and from where; preconditions; what the answer says."""

from __future__ import annotations

from aiohttp import web

from api_gateway_service_mesh.errors import ClientError
from api_gateway_service_mesh.model.codec import encode

from .access import writer
from .history import Author, Revision
from .sparql.answers import QueryUnavailable
from .supervisor import Supervisor
from .update import Edit, PreconditionFailed, etag, matches

__all__ = ["REVISION_FIELD", "author", "changed", "current_etag", "updated"]

REVISION_FIELD = "Agw-Revision"
_MESSAGE_CHARACTERS = 2000


def author(request: web.Request) -> Author:
    """Who wants this: the principal; why: the field ``Agw-Message`` or the parameter ``message``; from where: the
    field ``Agw-Source`` (a file's name, as ``agw apply`` sends it) and the client's address.

    Raises:
        AccessRefused: changes are not theirs to make.
    """
    who = writer(request).name
    why = request.query.get("message") or _field(request, "Agw-Message")
    stated = _field(request, "Agw-Source")
    where = f"{stated} ({request.remote})" if stated else request.remote
    return Author(who, why[:_MESSAGE_CHARACTERS] if why else None, where)


def _field(request: web.Request, name: str) -> str | None:
    text = request.headers.get(name)
    if text is None:
        return None
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(character for character in text if character.isprintable())[:_MESSAGE_CHARACTERS] or None


def current_etag(supervisor: Supervisor, form: str = "") -> str:
    """The entity tag of what is in force.

    Raises:
        QueryUnavailable: nothing is yet.
    """
    if supervisor.build is None:
        raise QueryUnavailable("the first configuration is still being loaded", problem="not-ready")
    return etag(supervisor.build.source.digest, form)


async def updated(request: web.Request, supervisor: Supervisor, edit: Edit, *, to: int | None = None) -> Revision:
    """Make the change, if the request's conditions hold. ``to``: the revision this brings back.

    Raises:
        as `Supervisor.update`.
    """
    wanted = author(request)
    forbidden = request.headers.get("If-None-Match")
    if forbidden is not None and (supervisor.build is None or matches(forbidden, supervisor.build.source.digest)):
        raise PreconditionFailed("the graph is there, and If-None-Match asks that it is not")
    for field in ("If-Modified-Since", "If-Unmodified-Since"):
        if field in request.headers:
            raise ClientError(f"{field} is not understood here", remedy="use If-Match with the ETag of a read")
    return await supervisor.update(edit, wanted, if_match=request.headers.get("If-Match"), rolled_back_to=to)


def changed(revision: Revision, *, status: int = 200) -> web.Response:
    """The answer to a change that was made: the revision in force, with its ETag."""
    fields = {"Cache-Control": "no-store", REVISION_FIELD: str(revision.number)}
    if revision.digest is not None:
        fields["ETag"] = etag(revision.digest)
    if status == 204:
        return web.Response(status=204, headers=fields)
    body = {
        "revision": revision.number,
        "digest": revision.digest,
        "added": revision.added,
        "removed": revision.removed,
        "seconds": round(revision.seconds, 4),
        "summary": str(revision.changed),
        "changed": encode(revision.changed) if revision.changed is not None else None,
    }
    return web.json_response(body, status=status, headers=fields)
