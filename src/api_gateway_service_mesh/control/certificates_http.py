"""``/certificates``: what a running gateway shows and trusts, and renewing one now."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from aiohttp import web

from api_gateway_service_mesh.errors import ClientError

from .access import writer
from .issuing import Issuing
from .live import Live
from .used import certificate_users

__all__ = ["certificate_routes"]


class UnknownCertificate(ClientError):
    """No certificate of that IRI is issued to this gateway."""

    status = 404
    problem = "unknown-certificate"


def certificate_routes(
    live_of: Callable[[web.Request], Live], issuing_of: Callable[[web.Request], Issuing]
) -> list[web.RouteDef]:
    """The routes."""

    async def listed(request: web.Request) -> web.Response:
        return _json(_told(live_of(request)))

    async def rotate(request: web.Request) -> web.Response:
        writer(request)
        iri = request.query.get("certificate", "")
        if not issuing_of(request).push(iri):
            raise UnknownCertificate(
                f"{iri!r} is no certificate that an authority issues to this gateway",
                remedy="GET /certificates lists them; a certificate that is given by file is rotated by its file",
            )
        return _json({"certificate": iri, "asked": True}, status=202)

    return [web.get("/certificates", listed), web.post("/certificates/rotate", rotate)]


def _told(live: Live) -> list[dict[str, Any]]:
    users = certificate_users(live.mesh)
    found: dict[str, dict[str, Any]] = {}
    for certificate, chain in live.certificates():
        leaf = chain[0]
        found[certificate.iri] = {
            "certificate": certificate.iri,
            "file": certificate.certificate_file,
            "names": [*leaf.dns_names, *leaf.ip_addresses, *leaf.uris],
            "issuer": leaf.issuer,
            "notAfter": leaf.not_after.isoformat(),
            "usedBy": list(users.get(certificate.iri, ())),
        }
    for iri, status in live.renewals.items():
        told = found.setdefault(iri, {"certificate": iri, "usedBy": list(users.get(iri, ()))})
        told["renewal"] = {
            "state": status.state.value,
            "due": status.due.isoformat() if status.due is not None else None,
            "renewed": status.renewed,
            "failed": status.failed,
            "error": status.error or None,
        }
    return list(found.values())


def _json(told: Any, status: int = 200) -> web.Response:
    return web.json_response(told, status=status, dumps=lambda value: json.dumps(value, indent=2) + "\n")
