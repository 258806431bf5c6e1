"""Cases of what pages in browsers are told: CORS, compression, security headers, withdrawn versions."""

from __future__ import annotations

import gzip
from typing import Final

from tests.peers.backend import Backend, Call
from tests.peers.case import Case, Facts
from tests.peers.client import Answer, Client

__all__ = ["PAGES"]

TEXT: Final = b"a long answer to a short question, " * 100
ORIGIN = "Origin: https://a.shop.example\r\n"
FOREIGN = "Origin: https://shop.example.evil.example\r\n"
ASKS = "Access-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: x-a\r\n"
_CORS = (
    "allow-origin", "allow-methods", "allow-headers", "allow-credentials", "expose-headers", "max-age"
)  # fmt: skip


async def own(_: Backend, call: Call) -> None:
    """A backend with CORS fields of its own, which the gateway's policy takes the place of."""
    call.answer(fields="Access-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: x-mine\r\n")


async def text(_: Backend, call: Call) -> None:
    kind = "image/png" if call.target.endswith("png") else "text/plain"
    call.answer(body=TEXT, fields=f'Content-Type: {kind}\r\nETag: "1"\r\n')


async def short(_: Backend, call: Call) -> None:
    call.answer(body=b"short", fields="Content-Type: text/plain\r\n")


async def packed(_: Backend, call: Call) -> None:
    call.answer(body=gzip.compress(TEXT), fields="Content-Type: text/plain\r\nContent-Encoding: gzip\r\n")


async def talkative(_: Backend, call: Call) -> None:
    fields = "X-Powered-By: old\r\nX-Frame-Options: SAMEORIGIN\r\nDeprecation: @1\r\nCache-Control: public\r\n"
    call.answer(500 if call.target.endswith("broken") else 200, fields=fields)


def shared(answer: Answer) -> dict[str, str | None]:
    """What an answer tells a browser of who may read it: lists in one order, without regard to spaces."""
    found: dict[str, str | None] = {}
    for name in _CORS:
        said = answer.fields.get(f"access-control-{name}")
        found[name] = None if said is None else ",".join(sorted(part.strip().lower() for part in said.split(",")))
    return found


async def cors(client: Client, backends: list[Backend]) -> Facts:
    asked = await client.ask("/cors/x", ORIGIN + ASKS, method="OPTIONS")
    foreign = await client.ask("/cors/x", FOREIGN + ASKS, method="OPTIONS")
    before = len(backends[0].calls)
    served = await client.ask("/cors/x", ORIGIN, method="PUT", body=b"1")
    stranger = await client.ask("/cors/x", FOREIGN)
    plain = await client.ask("/cors/x")
    return {
        **{f"preflight {name}": said for name, said in shared(asked).items()},
        "preflight's status": asked.status,
        "foreign preflight": shared(foreign)["allow-origin"],
        "foreign preflight's status": foreign.status,
        "preflights passed on": before,
        "served": (served.status, shared(served)),
        "a stranger's": (stranger.status, shared(stranger)["allow-origin"], shared(stranger)["allow-credentials"]),
        "without an origin": (plain.status, plain.body),
        "asked": len(backends[0].calls),
    }


async def compressed(client: Client, backends: list[Backend]) -> Facts:
    found: Facts = {}
    for path, fields in (
        ("/compressed/a", "Accept-Encoding: gzip\r\n"),
        ("/compressed/a", "Accept-Encoding: gzip;q=0, identity\r\n"),
        ("/compressed/a", "Accept-Encoding: br;q=0.5, gzip;q=1\r\n"),
        ("/compressed/a", "Accept-Encoding: zstd\r\n"),
        ("/compressed/a", ""),
        ("/compressed/a.png", "Accept-Encoding: gzip\r\n"),
    ):
        said = await client.ask(path, fields)
        coding = said.fields.get("content-encoding")
        body = gzip.decompress(said.body) if coding == "gzip" else said.body
        place = f"{path} {fields.strip()}".strip()
        found[place] = (said.status, coding, body == TEXT)
        found[f"{place}: kept apart"] = "accept-encoding" in said.fields.get("vary", "").lower()
        found[f"{place}: tag"] = said.fields.get("etag")
    found["passed on"] = [call.fields.get("accept-encoding") for call in backends[0].calls][:1]
    return found


async def small(client: Client, _: list[Backend]) -> Facts:
    said = await client.ask("/small/a", "Accept-Encoding: gzip\r\n")
    return {"said": (said.status, said.fields.get("content-encoding"), said.body)}


async def ready(client: Client, _: list[Backend]) -> Facts:
    """What is compressed already is left so."""
    said = await client.ask("/ready/a", "Accept-Encoding: gzip\r\n")
    return {"said": (said.status, said.fields.get("content-encoding"), gzip.decompress(said.body) == TEXT)}


_CAREFUL = (
    "strict-transport-security", "content-security-policy", "referrer-policy", "x-frame-options",
    "x-content-type-options", "x-powered-by", "cache-control", "permissions-policy",
)  # fmt: skip


async def careful(client: Client, _: list[Backend]) -> Facts:
    found: Facts = {}
    for path in ("/careful/a", "/careful/broken"):
        said = await client.ask(path)
        found[path] = said.status
        found |= {f"{path} {name}": said.fields.get(name) for name in _CAREFUL}
    return found


async def withdrawn(client: Client, _: list[Backend]) -> Facts:
    said = await client.ask("/withdrawn/a")
    return {name: said.fields.get(name) for name in ("deprecation", "sunset")} | {
        "status": said.status,
        "links": sorted(part.strip() for part in said.fields.get("link", "").split(",")),
    }


PAGES: Final = (
    Case(
        "cors",
        cors,
        (own,),
        'agw:hasCors [ a agw:CorsPolicy ; agw:allowedOrigin "https://*.shop.example" ; agw:allowedMethod "GET" , "PUT" ; '
        'agw:allowedHeader "x-a" ; agw:exposedHeader "x-b" ; agw:allowCredentials true ; '
        'agw:preflightMaxAge "PT10M"^^xsd:dayTimeDuration ] ;',
    ),
    Case(
        "compressed",
        compressed,
        (text,),
        'agw:hasCompression [ a agw:Compression ; agw:offersCoding "gzip" ; agw:compressesType "text/plain" ] ;',
    ),
    Case("small", small, (short,), 'agw:hasCompression [ a agw:Compression ; agw:offersCoding "gzip" ] ;'),
    Case("ready", ready, (packed,), 'agw:hasCompression [ a agw:Compression ; agw:offersCoding "gzip" ] ;'),
    Case(
        "careful",
        careful,
        (talkative,),
        'agw:hasSecurityHeaders [ a agw:SecurityHeaders ; agw:setsField "Permissions-Policy: camera=()" ; '
        'agw:removesField "x-powered-by" ; agw:contentSecurityPolicy "default-src \'self\'" ; '
        'agw:frameOptions "DENY" ] ;',
    ),
    Case(
        "withdrawn",
        withdrawn,
        (talkative,),
        'agw:hasDeprecationPolicy [ a agw:DeprecationPolicy ; agw:deprecatedAt "2026-01-01T00:00:00Z"^^xsd:dateTime ; '
        'agw:sunsetAt "2099-01-01T00:00:00Z"^^xsd:dateTime ; agw:successorLink "https://shop.example/v2" ; '
        'agw:deprecationLink "https://shop.example/news" ] ;',
    ),
)
