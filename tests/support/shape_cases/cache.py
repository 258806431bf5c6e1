"""Which answers are kept."""

from __future__ import annotations

from .case import Case, right, wrong

NAMED = "ex:route agw:hasCache ex:kept . ex:kept a agw:Cache"
PURGED = f"{NAMED} ; agw:hasPurge [ a agw:CachePurge ; "
MOMENT = '"2027-01-31T12:00:00Z"^^xsd:dateTime'


def _duration(term: str, zero: bool = False) -> list[Case]:
    return [
        *right(
            "Cache",
            f'{NAMED} ; agw:{term} "PT1M"^^xsd:dayTimeDuration .',
            *([f'{NAMED} ; agw:{term} "PT0S"^^xsd:dayTimeDuration .'] if zero else []),
        ),
        *wrong(
            "Cache",
            (f"{NAMED} ; agw:{term} 60 .", f"agw:{term} must be one duration"),
            (f'{NAMED} ; agw:{term} "P1M"^^xsd:dayTimeDuration .', "years or months"),
            (
                f'{NAMED} ; agw:{term} "-PT1S"^^xsd:dayTimeDuration .',
                f"agw:{term} must {'not be negative' if zero else 'be longer than zero'}",
            ),
        ),
    ]


CACHE: list[Case] = [
    *right(
        "Cache",
        f"{NAMED} .",
        f'{NAMED} ; agw:cacheBytes 65536 ; agw:cacheObjectBytes 1 ; agw:keyedField "x-tenant" , "accept" .',
        f"{NAMED} ; agw:heuristicFreshness true ; agw:heedsRequestDirectives false ; agw:showsCacheStatus false ; "
        "agw:hidesCacheTags false .",
        "ex:gateway agw:hasCache [ a agw:Cache ] .",
        f'{PURGED} agw:purgedBefore {MOMENT} ] , [ a agw:CachePurge ; agw:purgesTag "a-7" ; agw:purgedBefore {MOMENT} ] .',
        f'{PURGED} agw:purgedBefore {MOMENT} ; agw:purgesUrl "https://a.example/b?c=d" ] .',
    ),
    *right(
        "Cache",
        f'{NAMED} ; agw:sharedThrough ex:redis . ex:redis a agw:RedisStore ; agw:storeAddress "redis.internal:6379" .',
    ),
    *_duration("defaultFreshness"),
    *_duration("maximumFreshness"),
    *_duration("staleWhileRevalidate"),
    *_duration("staleIfError"),
    *_duration("collapseTimeout", zero=True),
    *wrong(
        "Cache",
        (f"{NAMED} ; agw:sharedThrough ex:service .", "agw:sharedThrough must point to one RedisStore"),
        ("ex:route agw:hasCache ex:service .", "must point to a Cache"),
        (f"{NAMED} . ex:route agw:hasCache [ a agw:Cache ] .", "A route has one cache"),
        (f"ex:service agw:hasCache ex:kept . {NAMED} .", "no answer would be kept"),
        (f"{NAMED} ; agw:cacheBytes 1 .", "agw:cacheBytes must be"),
        (f'{NAMED} ; agw:cacheObjectBytes "1 kB" .', "agw:cacheObjectBytes must be"),
        (f'{NAMED} ; agw:heuristicFreshness "yes" .', "agw:heuristicFreshness must be"),
        (f'{NAMED} ; agw:heedsRequestDirectives "yes" .', "agw:heedsRequestDirectives must be"),
        (f'{NAMED} ; agw:showsCacheStatus "yes" .', "agw:showsCacheStatus must be"),
        (f'{NAMED} ; agw:hidesCacheTags "yes" .', "agw:hidesCacheTags must be"),
        (f'{NAMED} ; agw:keyedField "X-Tenant" .', "agw:keyedField must be"),
        (f"{NAMED} ; agw:hasPurge ex:service .", "must point to a CachePurge"),
        (f"{PURGED} ] .", "agw:purgedBefore must be"),
        (f'{PURGED} agw:purgedBefore "2027-01-31T12:00:00"^^xsd:dateTime ] .', "agw:purgedBefore must be"),
        (f'{PURGED} agw:purgedBefore {MOMENT} ; agw:purgesUrl "/list" ] .', "agw:purgesUrl must be"),
        (f'{PURGED} agw:purgedBefore {MOMENT} ; agw:purgesTag "a b" ] .', "agw:purgesTag must be"),
        (
            f'{PURGED} agw:purgedBefore {MOMENT} ; agw:purgesTag "a" ; agw:purgesUrl "http://a.example/" ] .',
            "by a URL or by a tag",
        ),
        ("ex:service agw:cacheBytes 65536 .", "belong to an agw:Cache"),
        (f"ex:service agw:purgedBefore {MOMENT} .", "belong to an agw:CachePurge"),
    ),
]
