"""``/doctor``: an examination of the running gateway, and what the diagnoses find in it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from aiohttp import web

from api_gateway_service_mesh.errors import ClientError

from .build import Build
from .diagnosis import diagnoses
from .doctor import Doctor, render_findings
from .live import Live
from .sparql.formats import choose

__all__ = ["doctor_routes"]


def doctor_routes(
    served: Callable[[web.Request], tuple[Build, Live]], doctor_of: Callable[[web.Request], Doctor]
) -> list[web.RouteDef]:
    """The route; `served` gives what is in force."""

    async def answer(request: web.Request) -> web.Response:
        connect = request.query.get("connect", "true")
        if connect not in ("true", "false"):
            raise ClientError("connect is true or false: whether endpoints are connected to")
        form = choose(request.headers.get("Accept", "*/*"), (("json", "application/json"), ("text", "text/plain")))
        build, live = served(request)
        asked = await asyncio.to_thread(diagnoses)
        wanted = request.query.getall("name", [])
        unknown = set(wanted) - {diagnosis.name for diagnosis in asked}
        if unknown:
            known = ", ".join(diagnosis.name for diagnosis in asked)
            raise ClientError(f"there is no diagnosis {min(unknown)[:80]!r}", remedy=f"there are: {known}")
        chosen = [diagnosis for diagnosis in asked if not wanted or diagnosis.name in wanted]
        found = await doctor_of(request).asked(chosen, build, live, connect=connect == "true")
        fields = {"Cache-Control": "no-store"}
        if form == "text":
            return web.Response(text=f"revision {found['revision']}\n{render_findings(found)}", headers=fields)
        text = json.dumps(found, ensure_ascii=False, indent=2) + "\n"
        return web.Response(text=text, content_type="application/json", headers=fields)

    return [web.get("/doctor", answer)]
