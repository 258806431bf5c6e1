"""Cases of what is done with traffic on its way, and of how requests are read."""

from __future__ import annotations

import asyncio

from .backend import Backend, Call
from .case import Ask, Case, Facts, Json
from .client import Client
from .envoy import FILTERS

__all__ = ["TRAFFIC"]


async def ok(_: Backend, call: Call) -> None:
    call.answer()


async def kept(_: Backend, call: Call) -> None:
    call.answer(keep=True)


def seen(path: str, *noted: str, fields: str = "", host: str = "shop", body: bool = False) -> Ask:
    """One request: the status and the noted fields of its answer, the path and the host that backends saw."""

    async def ask(client: Client, backends: list[Backend]) -> Facts:
        answer = await client.ask(path, fields, host=host)
        facts: Facts = {"status": answer.status}
        facts |= {name: answer.fields.get(name) for name in noted}
        if body:
            facts["body"] = answer.body.decode()
        for call in (call for each in backends for call in each.calls):
            facts["path seen"] = call.target
            facts["host seen"] = call.fields["host"]
        return facts

    return ask


def passed(path: str, *noted: str, fields: str = "") -> Ask:
    """One request: which of the noted fields the backend saw, and how."""

    async def ask(client: Client, backends: list[Backend]) -> Facts:
        answer = await client.ask(path, fields)
        (call,) = backends[0].calls
        return {"status": answer.status, **{name: call.fields.get(name) for name in noted}}

    return ask


async def shares(client: Client, backends: list[Backend]) -> Facts:
    statuses = await client.statuses(300, "/shares/x")
    mine, other = (len(each.calls) for each in backends)
    return {"good": statuses.count(200), "sum": mine + other, "four fifths": 200 <= mine <= 280}


async def steered(client: Client, backends: list[Backend]) -> Facts:
    facts: Facts = {}
    for what, fields in (
        ("nothing", ""),
        ("header", "X-Version: next\r\n"),
        ("other header", "X-Version: nextish\r\n"),
        ("cookie", "Cookie: a=b; preview=1\r\n"),
        ("other cookie", "Cookie: a=b; nopreview=1\r\n"),
    ):
        before = len(backends[1].calls)
        facts[what] = ((await client.ask("/steered/x", fields)).status, len(backends[1].calls) - before)
    return facts


async def mirrored(client: Client, backends: list[Backend]) -> Facts:
    answer = await client.ask("/mirrored/x?a=1", method="POST", body=b"order")
    await backends[1].asked(1)
    (copy,) = backends[1].calls
    return {
        "status": answer.status,
        "asked": len(backends[0].calls),
        "method": copy.method,
        "path": copy.target,
        "body": copy.body.decode(),
        "host": copy.fields["host"],
    }


async def rated(client: Client, _: list[Backend]) -> Facts:
    answers = [await client.ask("/rated/x") for _ in range(6)]
    return {
        "statuses": [answer.status for answer in answers],
        "says when": "retry-after" in answers[-1].fields,
    }


async def paths(client: Client, backends: list[Backend]) -> Facts:
    facts: Facts = {}
    for path in (
        "/paths/a/../b",
        "/paths/./a",
        "/paths//a",
        "/paths/%61",
        "/paths/a%2Fb",
        "/paths/a%2f..%2fb",
        "/paths/%2e%2e/other",
        "/paths/a?q=/../x",
        "/other/../paths/a",
        "/paths/a\\b",
    ):
        backends[0].forget()
        status = (await client.ask(path)).status
        facts[path] = (status, *(call.target for call in backends[0].calls))
    return facts


async def hosts(client: Client, backends: list[Backend]) -> Facts:
    facts: Facts = {}
    for host in ("shop.example.com", "SHOP.Example.COM", "shop.example.com:8080", "shop.example.com.", "stranger", ""):
        backends[0].forget()
        status = (await client.ask("/hosts/x", host=host)).status
        facts[host] = (status, *(call.fields["host"] for call in backends[0].calls))
    return facts


async def forwarded(client: Client, backends: list[Backend]) -> Facts:
    await client.ask(
        "/forwarded/x", "X-Forwarded-For: 192.0.2.77\r\nX-Forwarded-Proto: https\r\nForwarded: for=192.0.2.77\r\n"
    )
    (call,) = backends[0].calls
    return {
        "keeps what a stranger says": "192.0.2.77" in call.fields["x-forwarded-for"],
        "and in Forwarded": "192.0.2.77" in call.fields.get("forwarded", ""),
        "proto": call.fields["x-forwarded-proto"],
    }


async def at_once(client: Client, backends: list[Backend]) -> Facts:
    answers = await asyncio.gather(*(client.ask("/at-once/x") for _ in range(20)))
    return {"good": [answer.status for answer in answers].count(200), "attempts": len(backends[0].calls)}


def _rewritten(name: str, turtle: str, action: Json, path: str) -> Case:
    return Case(
        name,
        seen(path),
        (ok,),
        f"agw:hasRewrite [ a agw:Rewrite ; {turtle} ] ;",
        action=action,
    )


def _to(name: str) -> Json:
    return {"prefix": f"/{name}/"}


HALF_AND_HALF: Json = {"clusters": [{"name": "shares", "weight": 80}, {"name": "sharesNext", "weight": 20}]}

TRAFFIC: tuple[Case, ...] = (
    Case(
        "shares",
        shares,
        (kept,),
        "agw:hasTrafficSplit ex:sharesOld , ex:sharesNew ;",
        more="""ex:sharesOld a agw:TrafficSplit ; agw:weight 80 ; agw:targetService ex:sharesService .
            ex:sharesNew a agw:TrafficSplit ; agw:weight 20 ; agw:targetService ex:sharesNext .""",
        routes=({"match": _to("shares"), "route": {"weighted_clusters": HALF_AND_HALF}},),
        apart={"sharesNext": kept},
        serviceless=True,
    ),
    Case(
        "steered",
        steered,
        (ok,),
        "agw:hasTrafficSplit ex:steeredOld , ex:steeredNew , ex:steeredLooks ;",
        more="""ex:steeredOld a agw:TrafficSplit ; agw:weight 100 ; agw:targetService ex:steeredService .
            ex:steeredNew a agw:TrafficSplit ; agw:weight 0 ; agw:targetService ex:steeredNext ;
            agw:steeredBy [ a agw:HeaderMatch ; agw:headerName "X-Version" ; agw:headerValue "next" ] .
            ex:steeredLooks a agw:TrafficSplit ; agw:weight 0 ; agw:targetService ex:steeredNext ;
            agw:steeredBy [ a agw:CookieMatch ; agw:cookieName "preview" ; agw:valueMatchType "Present" ] .""",
        routes=(
            {
                "match": {
                    **_to("steered"),
                    "headers": [{"name": "x-version", "string_match": {"exact": "next"}}],
                },
                "route": {"cluster": "steeredNext"},
            },
            {
                "match": {
                    **_to("steered"),
                    "headers": [{"name": "cookie", "string_match": {"safe_regex": {"regex": "(.*; *)?preview=.*"}}}],
                },
                "route": {"cluster": "steeredNext"},
            },
            {"match": _to("steered"), "route": {"cluster": "steered"}},
        ),
        apart={"steeredNext": ok},
        serviceless=True,
    ),
    Case(
        "mirrored",
        mirrored,
        (ok,),
        "agw:hasTrafficMirroring [ a agw:TrafficMirroring ; agw:targetService ex:mirroredNext ; agw:mirrorPercent 100 ] ;",
        action={"request_mirror_policies": [{"cluster": "mirroredNext"}]},
        apart={"mirroredNext": ok},
    ),
    Case(
        "redirected",
        seen("/redirected/a?b=1", "location"),
        (),
        'agw:hasRedirect [ a agw:Redirect ; agw:replacePrefixMatch "/new" ; agw:redirectStatus 308 ] ;',
        routes=(
            {
                "match": _to("redirected"),
                "redirect": {"prefix_rewrite": "/new/", "response_code": "PERMANENT_REDIRECT"},
            },
        ),
        serviceless=True,
    ),
    Case(
        "elsewhere-redirected",
        seen("/elsewhere-redirected/a?b=1", "location"),
        (),
        """agw:hasRedirect [ a agw:Redirect ; agw:redirectScheme "https" ; agw:redirectHost "new.example.com" ;
            agw:redirectStatus 302 ] ;""",
        routes=(
            {
                "match": _to("elsewhere-redirected"),
                "redirect": {"host_redirect": "new.example.com", "https_redirect": True, "response_code": "FOUND"},
            },
        ),
        serviceless=True,
    ),
    Case(
        "direct",
        seen("/direct/x", "content-type", "content-length", body=True),
        (),
        'agw:hasDirectResponse [ a agw:DirectResponse ; agw:responseStatus 410 ; agw:responseBody "gone" ] ;',
        routes=({"match": _to("direct"), "direct_response": {"status": 410, "body": {"inline_string": "gone"}}},),
        serviceless=True,
    ),
    _rewritten("prefix", 'agw:replacePrefixMatch "/inner"', {"prefix_rewrite": "/inner/"}, "/prefix/a/b?c=1"),
    _rewritten("stripped", 'agw:replacePrefixMatch "/"', {"prefix_rewrite": "/"}, "/stripped/a?c=1"),
    _rewritten(
        "full",
        'agw:replaceFullPath "/whole"',
        {"regex_rewrite": {"pattern": {"regex": "^.*$"}, "substitution": "/whole"}},
        "/full/a?c=1",
    ),
    _rewritten(
        "regex",
        'agw:rewritePattern "/regex/([0-9]+)/of/([a-z]+)" ; agw:rewriteSubstitution "/\\\\2/\\\\1"',
        {"regex_rewrite": {"pattern": {"regex": "/regex/([0-9]+)/of/([a-z]+)"}, "substitution": "/\\2/\\1"}},
        "/regex/17/of/orders?c=1",
    ),
    _rewritten("host", 'agw:rewriteHost "inner.example"', {"host_rewrite_literal": "inner.example"}, "/host/a"),
    Case(
        "rated",
        rated,
        (ok,),
        """agw:hasRateLimiter [ a agw:RateLimiter ; agw:quota 4 ; agw:quotaPeriod "PT1H"^^xsd:dayTimeDuration ;
            agw:limitAlgorithm "FIXED_WINDOW" ] ;""",
        per_filter={
            "limit": {
                "@type": f"{FILTERS}.http.local_ratelimit.v3.LocalRateLimit",
                "stat_prefix": "limit",
                "token_bucket": {"max_tokens": 4, "tokens_per_fill": 4, "fill_interval": "3600s"},
                "filter_enabled": {"default_value": {"numerator": 100}},
                "filter_enforced": {"default_value": {"numerator": 100}},
            }
        },
    ),
    Case("paths", paths, (ok,)),
    Case("hosts", hosts, (ok,), 'agw:hostname "shop" , "shop.example.com" ;'),
    Case("at-once", at_once, (kept,)),
    Case(
        "hops",
        passed(
            "/hops/x",
            "x-hop",
            "te",
            "keep-alive",
            "proxy-authorization",
            "x-end",
            fields="Connection: close, X-Hop\r\nX-Hop: 1\r\nTE: gzip\r\nKeep-Alive: 5\r\n"
            "Proxy-Authorization: Basic Og==\r\nX-End: 1\r\n",
        ),
        (ok,),
    ),
    Case("forwarded", forwarded, (ok,)),
)
