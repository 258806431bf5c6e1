"""Which requests are as the description says."""

from __future__ import annotations

from .case import Case, right, wrong

NAMED = 'ex:route agw:hasRequestValidation ex:v . ex:v a agw:RequestValidation ; agw:descriptionFile "shop.yaml"'

VALIDATION: list[Case] = [
    *right(
        "RequestValidation",
        f"{NAMED} .",
        f'{NAMED} ; agw:describedOperation "addOrder" , "GET /orders" ; agw:descriptionBase "/v1" ; agw:enforcement "audit" .',
        f'{NAMED} ; agw:unknownParameters "REFUSE" ; agw:checksFormats true ; agw:maximumBodyBytes 65536 ; agw:maximumBodyDepth 8 .',
        f'{NAMED} ; agw:descriptionBase "/" .',
        'ex:gateway agw:hasRequestValidation [ a agw:RequestValidation ; agw:descriptionFile "shop.yaml" ] .',
    ),
    *wrong(
        "RequestValidation",
        ("ex:route agw:hasRequestValidation ex:service .", "must point to a RequestValidation"),
        (
            f'{NAMED} . ex:route agw:hasRequestValidation [ a agw:RequestValidation ; agw:descriptionFile "b.yaml" ] .',
            "held against one description",
        ),
        (f"ex:service agw:hasRequestValidation ex:v . {NAMED} .", "no request would be checked"),
        ("ex:route agw:hasRequestValidation [ a agw:RequestValidation ] .", "names one file"),
        (f'{NAMED} , "other.yaml" .', "names one file"),
        (f"{NAMED} ; agw:describedOperation 5 .", "agw:describedOperation must be"),
        (f'{NAMED} ; agw:descriptionBase "v1" .', "agw:descriptionBase must be"),
        (f'{NAMED} ; agw:descriptionBase "/v1/" .', "agw:descriptionBase must be"),
        (f'{NAMED} ; agw:unknownParameters "refuse" .', "agw:unknownParameters must be"),
        (f'{NAMED} ; agw:checksFormats "yes" .', "agw:checksFormats must be"),
        (f"{NAMED} ; agw:maximumBodyBytes 0 .", "agw:maximumBodyBytes must be"),
        (f"{NAMED} ; agw:maximumBodyDepth 201 .", "agw:maximumBodyDepth must be"),
        (f'{NAMED} ; agw:enforcement "warn" .', "agw:enforcement must be"),
        ('ex:service agw:descriptionFile "shop.yaml" .', "belong to an agw:RequestValidation"),
        ('ex:service agw:enforcement "audit" .', "agw:enforcement belongs to"),
    ),
]
