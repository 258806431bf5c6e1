"""Places that policies are stated at, what declines them, and exemptions."""

from __future__ import annotations

from .case import right, wrong
from .subjects import RATED

LEAVE = """ex:leave a agw:Exemption ; agw:exempts ex:route ; agw:exemptsFrom agw:hasAuthentication ;
    agw:exemptionReason "probes" ; agw:exemptionOwner "platform" ; agw:validUntil "2027-03-31"^^xsd:date"""

INHERITANCE = [
    *right(
        "places",
        f"ex:gateway agw:hasRateLimiter ex:limit . {RATED} .",
        f'ex:site a agw:VirtualService ; agw:hostname "*.example.com" ; agw:hasRateLimiter ex:limit . {RATED} .',
    ),
    *right(
        "withoutPolicy",
        "ex:route agw:withoutPolicy agw:hasTimeout , agw:hasRetryPolicy .",
        "ex:service agw:withoutPolicy agw:hasConnectionPool .",
        "ex:Bulk rdfs:subClassOf agw:Route ; agw:withoutPolicy agw:hasTimeout .",
        'ex:site a agw:VirtualService ; agw:hostname "a.test" ; agw:withoutPolicy agw:hasTimeout .',
    ),
    *wrong(
        "withoutPolicy",
        ("ex:gateway agw:withoutPolicy agw:hasTimeout .", "leave the policy out"),
    ),
    *wrong(
        "hostname of a virtual service",
        ('ex:site a agw:VirtualService ; agw:hostname "https://a.test" .', "without scheme"),
        ('ex:service agw:hostname "a.test" .', "belongs to an agw:Route or an agw:VirtualService"),
    ),
    *right("guarantee", f"{RATED} ; agw:guarantee true .", f"{RATED} ; agw:guarantee false ."),
    *wrong("guarantee", (f'{RATED} ; agw:guarantee "yes" .', "true or false")),
    *right("an exemption", f"{LEAVE} ."),
    *wrong(
        "an exemption",
        (LEAVE.replace("agw:exempts ex:route ;", "") + " .", "whom it is for"),
        (LEAVE.replace("ex:route", "ex:nobody") + " .", "whom it is for"),
        (LEAVE.replace("agw:exemptsFrom agw:hasAuthentication ;", "") + " .", "what it is from"),
        (LEAVE.replace('agw:exemptionReason "probes" ;', "") + " .", "gives one reason"),
        (LEAVE.replace('agw:exemptionOwner "platform" ;', "") + " .", "names one owner"),
        (LEAVE.replace("^^xsd:date", "") + " .", "ends on one date"),
        (LEAVE + ', "2028-03-31"^^xsd:date .', "ends on one date"),
        ('ex:route agw:validUntil "2027-03-31"^^xsd:date .', "belong to an agw:Exemption"),
    ),
]
