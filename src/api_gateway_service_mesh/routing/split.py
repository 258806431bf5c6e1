"""What a traffic split does, as a part of a decision."""

from __future__ import annotations

from api_gateway_service_mesh.model import RequestCondition, Route, SplitTarget, ValueKind

from .part import Part, cite, number

__all__ = ["condition_text", "share_text", "split_part"]


def split_part(route: Route, split: SplitTarget, name: str, now: float | None) -> Part:
    """One share. `name`: of its service; `now`: its weight of the moment, per cent, where that is known."""
    cited = [cite(route.iri, "hasTrafficSplit", split.iri), cite(split.iri, "targetService", split.upstream)]
    canary = split.canary
    if canary is not None:
        steps = ", ".join(f"{step.weight} %" for step in canary.steps)
        text = (
            f"in steps of {steps} to {name}" if now is None else f"{number(now)} % now, in steps of {steps}, to {name}"
        )
        for step in canary.steps:
            cited += [cite(split.iri, "hasCanaryStep", step.iri), cite(step.iri, "stepWeight", str(step.weight))]
        if canary.paused:
            cited.append(cite(split.iri, "paused", "true"))
            text += ", paused"
    elif split.active is not None:
        text = f"{'active' if split.active else 'standby'}: {split.weight} % to {name}"
        cited.append(cite(split.iri, "active", str(split.active).lower()))
    else:
        at_now = f" ({number(now)} % now)" if now is not None and now != split.weight else ""
        text = f"{split.weight} %{at_now} to {name}"
        cited.insert(1, cite(split.iri, "weight", str(split.weight)))
    if split.steered_by:
        text += ", and whatever has " + " and ".join(condition_text(condition) for condition in split.steered_by)
        cited += [cite(split.iri, "steeredBy", condition.iri) for condition in split.steered_by]
    for term, key in (("splitKey", route.split_key), ("splitCookie", route.split_cookie)):
        if key is not None:
            by = f"cookie:{key}" if term == "splitCookie" else str(key)
            text += f", callers kept apart by {by}"
            cited.append(cite(route.iri, term, str(key)))
    return Part("traffic split", split.iri, text, tuple(cited))


def condition_text(condition: RequestCondition) -> str:
    """As people say it: ``header x-canary=always``."""
    compared = {ValueKind.EXACT: f"={condition.value}", ValueKind.REGULAR_EXPRESSION: f"~{condition.value}"}
    return f"{condition.source} {condition.name}{compared.get(condition.kind, '')}"


def share_text(split: SplitTarget) -> str:
    """A share in short: ``10%``, or ``10-50%`` for a canary with steps."""
    if split.canary is None:
        return f"{split.weight}%"
    first, last = split.canary.steps[0].weight, split.canary.steps[-1].weight
    return f"{first}%" if first == last else f"{first}-{last}%"
