"""Expectations, and what is no part of a configuration."""

from __future__ import annotations

from .case import right, warned, wrong

__all__ = ["EXPECTATION"]

ONE = 'ex:one a agw:Expectation ; agw:requestUrl "http://shop.example/a?b=c" ; agw:expectsRoute ex:route'

EXPECTATION = [
    *right(
        "an expectation",
        f"{ONE} .",
        ONE.replace("http://shop.example/a?b=c", "/") + " .",
        f'{ONE} ; agw:requestMethod "POST" ; agw:requestHeader "X-A: b" , "Cookie: c=d" ; agw:requestClient "::1" .',
        f"{ONE} ; agw:expectsNotRoute ex:route ; agw:expectsStatus 404 ; agw:expectsService ex:service .",
        f'{ONE} ; agw:expectsRefusal "maintenance" ; agw:expectsPath "/x" ; agw:expectsLocation "/y" .',
        f"{ONE} ; agw:expectsPolicy agw:hasTimeout , ex:limit ; agw:expectsNoPolicy agw:hasFaultInjection .",
    ),
    *wrong(
        "an expectation",
        (ONE.replace("; agw:expectsRoute ex:route", "") + " .", "always holds"),
        (ONE.replace('agw:requestUrl "http://shop.example/a?b=c" ; ', "") + " .", "one request URL"),
        (ONE.replace("shop.example", "[::1") + " .", "one request URL"),
        (ONE.replace("http://shop.example/a?b=c", "shop.example/a") + " .", "one request URL"),
        (ONE.replace("?b=c", "#b") + " .", "one request URL"),
        (f'{ONE} ; agw:requestMethod "get" .', "one method, in capital letters"),
        (f'{ONE} ; agw:requestHeader "X-A" .', "a name, a colon and a value"),
        (f'{ONE} ; agw:requestClient "somewhere" .', "one IP address"),
        (ONE.replace("ex:route", "ex:nobody") + " .", "none that is defined"),
        (f"{ONE} ; agw:expectsNotRoute ex:nobody .", "it can take nothing"),
        (f"{ONE} ; agw:expectsStatus 999 .", "from 100 to 599"),
        (f'{ONE} ; agw:expectsStatus "404" .', "from 100 to 599"),
        (f"{ONE} ; agw:expectsStatus 404 , 405 .", "from 100 to 599"),
        (f'{ONE} ; agw:expectsRefusal "tired" .', "kind of refusal"),
        (f"{ONE} ; agw:expectsService ex:nobody .", "nothing is sent there"),
        (f'{ONE} ; agw:expectsPolicy "timeout" .', "expected by its name"),
        (f'{ONE} ; agw:expectsNoPolicy "timeout" .', "excluded by its name"),
        (f'{ONE} ; agw:expectsPath "a" .', "begins with a slash"),
        (f'{ONE} ; agw:expectsLocation "" .', "One place is expected"),
        ("ex:route agw:expectsStatus 404 .", "belong to an agw:Expectation"),
    ),
    *warned("a change gate", ('ex:keep a agw:ChangeGate ; agw:ask "ASK {}" .', "never asked")),
    *wrong("a change gate", ('ex:route agw:ask "ASK {}" .', "belongs to an agw:ChangeGate")),
]
