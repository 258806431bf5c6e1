"""Changes to header fields: what is set, added and removed."""

from __future__ import annotations

from api_gateway_service_mesh.vocabulary import AGW

from .part import Part
from .turtle import Subject, anonymous

__all__ = ["header_changes"]


def header_changes(part: Part, kind: str) -> Subject:
    """A transformation of `kind`. ``set`` and ``add`` are lists of names and values (Gateway API), or mappings of them
    (Istio), in whose values a percent sign begins a command of Envoy's and two are one."""
    made = anonymous(kind)
    for key, term in (("set", AGW.setsHeader), ("add", AGW.addsHeader)):
        if part.listed(key):
            for each in part.parts(key):
                made.say(term, f"{each.text('name') or ''}: {each.text('value') or ''}")
            continue
        fields = part.part(key)
        for name in fields.keys() if fields is not None else ():
            value = fields.text(name) or "" if fields is not None else ""
            if fields is not None and "%" in value.replace("%%", ""):
                message = f"{fields.name}: {name} is not taken over: agw has no commands such as {value}"
                part.findings.lost(fields.at(name), message, "state a fixed value, or let the backend do it")
                continue
            made.say(term, f"{name}: {value.replace('%%', '%')}")
    return made.say(AGW.removesHeader, *part.texts("remove"))
