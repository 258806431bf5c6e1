"""What is changed on the way."""

from __future__ import annotations

from .case import Case, right, wrong

ASKED = "ex:route agw:hasRequestTransformation ex:in . ex:in a agw:RequestTransformation"
TOLD = "ex:route agw:hasResponseTransformation ex:out . ex:out a agw:ResponseTransformation"

TRANSFORM: list[Case] = [
    *right(
        "Transformation",
        "ex:in a agw:RequestTransformation . ex:out a agw:ResponseTransformation .",
        f'{ASKED} ; agw:setsHeader "X-A: b" , "Content-Type: text/plain" ; agw:addsHeader "X-B:c" ; agw:removesHeader "Cookie" .',
        f'{ASKED} ; agw:copiesHeader "Authorization: X-Was" ; agw:setsParameter "a=b&c=d" , "e=" ; agw:addsParameter "f=ö" .',
        f'{ASKED} ; agw:removesParameter "a b" .',
        f'{TOLD} ; agw:setsHeader "X-A: b" ; agw:addsHeader "Vary: X-B" ; agw:removesHeader "Set-Cookie" .',
        f'{ASKED} ; agw:removesMember "/a/b~1c" , "/a/0/b" ; agw:renamesMember "/a=b c" ; agw:setsMember "/a/b={{\\"c\\": 1}}" .',
        f'{TOLD} ; agw:removesMember "/a" ; agw:renamesMember "/a=b" ; agw:setsMember "/c=1" ; agw:maximumBodyBytes 65536 ; agw:passesUnchangeable true .',
        f'{ASKED} ; agw:removesMember "/a" ; agw:maximumBodyBytes 65536 ; agw:bodyExpression "a" .',
        "ex:gateway agw:hasRequestTransformation [ a agw:RequestTransformation ] .",
    ),
    *wrong(
        "Transformation",
        ("ex:route agw:hasRequestTransformation ex:service .", "must point to a RequestTransformation"),
        (f"{ASKED} . ex:route agw:hasRequestTransformation [ a agw:RequestTransformation ] .", "are changed once"),
        (f"ex:service agw:hasRequestTransformation ex:in . {ASKED} .", "agw:hasRequestTransformation belongs to"),
        ("ex:route agw:hasResponseTransformation ex:service .", "must point to a ResponseTransformation"),
        (f"{TOLD} . ex:route agw:hasResponseTransformation [ a agw:ResponseTransformation ] .", "are changed once"),
        (f"ex:service agw:hasResponseTransformation ex:out . {TOLD} .", "agw:hasResponseTransformation belongs to"),
        *(
            (f"{ASKED} ; agw:setsHeader {text} .", "agw:setsHeader must be")
            for text in (
                '"X-A"', '"X A: b"', '"X-A: b\\r\\nX-C: d"', '"host: a"', '"Content-LENGTH: 5"', '"Transfer-Encoding: chunked"',
                '"X-Forwarded-For: 1.2.3.4"', '"Authorization: Bearer x"', '"Cookie: a=b"', '"X-Request-Id: 1"',
            )
        ),
        (f'{ASKED} ; agw:addsHeader "Content-Type: a/b" .', "agw:addsHeader must be"),
        (f'{ASKED} ; agw:removesHeader "Host" .', "agw:removesHeader must be"),
        (f'{ASKED} ; agw:removesHeader "a: b" .', "agw:removesHeader must be"),
        (f'{ASKED} ; agw:copiesHeader "X-A: Host" .', "agw:copiesHeader must be"),
        (f'{ASKED} ; agw:copiesHeader "X-A: Authorization" .', "agw:copiesHeader must be"),
        (f'{ASKED} ; agw:copiesHeader "Connection: X-A" .', "agw:copiesHeader must be"),
        (f'{ASKED} ; agw:copiesHeader "X-A" .', "agw:copiesHeader must be"),
        (f'{ASKED} ; agw:setsParameter "a" .', "agw:setsParameter must be"),
        (f'{ASKED} ; agw:addsParameter "=a" .', "agw:addsParameter must be"),
        (f'{ASKED} ; agw:removesParameter "a=b" .', "agw:removesParameter must be"),
        (f'{ASKED} ; agw:removesMember "a" .', "agw:removesMember must be"),
        (f'{ASKED} ; agw:removesMember "/" .', "agw:removesMember must be"),
        (f'{ASKED} ; agw:renamesMember "/a" .', "agw:renamesMember must be"),
        (f'{ASKED} ; agw:setsMember "/a" .', "agw:setsMember must be"),
        (f'{TOLD} ; agw:removesMember "a" .', "agw:removesMember must be"),
        (f'{TOLD} ; agw:bodyExpression "" .', "agw:bodyExpression must be"),
        (f'{TOLD} ; agw:bodyExpression "a" , "b" .', "agw:bodyExpression must be"),
        ('ex:service agw:bodyExpression "a" .', "Changes to header fields and bodies belong to"),
        (f'{TOLD} ; agw:bodyTemplate "" .', "agw:bodyTemplate must be"),
        ('ex:service agw:bodyTemplate "1" .', "Changes to header fields and bodies belong to"),
        (f'{TOLD} ; agw:maximumBodyBytes 16777217 .', "agw:maximumBodyBytes must be"),
        (f'{TOLD} ; agw:passesUnchangeable "yes" .', "agw:passesUnchangeable must be"),
        (f'{ASKED} ; agw:maximumBodyBytes 0 .', "agw:maximumBodyBytes must be"),
        (f'{ASKED} ; agw:passesUnchangeable true .', "agw:passesUnchangeable belongs to"),
        ('ex:service agw:removesMember "/a" .', "Changes to header fields and bodies belong to"),
        ('ex:service agw:maximumBodyBytes 7 .', "agw:maximumBodyBytes belongs to"),
        (f'{TOLD} ; agw:setsHeader "Content-Type: a/b" .', "agw:setsHeader must be"),
        (f'{TOLD} ; agw:addsHeader "Set-Cookie: a=b" .', "agw:addsHeader must be"),
        (f'{TOLD} ; agw:removesHeader "Content-Length" .', "agw:removesHeader must be"),
        ('ex:service agw:setsHeader "X-A: b" .', "Changes to header fields and bodies belong to"),
        (f'{TOLD} ; agw:setsParameter "a=b" .', "changes to the query belong to"),
    ),
]  # fmt: skip
