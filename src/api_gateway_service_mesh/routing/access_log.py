"""What an access log comes to, in words."""

from __future__ import annotations

from api_gateway_service_mesh.model import LogFormat, Route

from .part import Part, cite, number, unless_default

__all__ = ["access_log_part"]


def access_log_part(route: Route, log: LogFormat) -> Part:
    """Which requests of `route` are logged, what of them, and where to."""
    conditions: list[str] = []
    if log.minimum_status is not None:
        conditions.append(f"answered with {log.minimum_status} or above")
    if log.slower_seconds is not None:
        conditions.append(f"slower than {number(log.slower_seconds)} s")
    which = " or ".join(conditions)
    if log.sample_percent >= 100:
        text = "every request"
    elif not conditions:
        text = f"{number(log.sample_percent)} % of requests" if log.sample_percent else "no request"
    else:
        text = f"requests {which}" + (f", {number(log.sample_percent)} % of others" if log.sample_percent else "")
    if log.template is not None:
        text += ", as text"
    elif not log.standard:
        text += f", {len(log.fields)} fields" if log.fields else ""
        text += f", {len(log.headers)} of its head" if log.headers else ""
    if log.file is not None:
        text += f", into {log.file.rpartition('/')[2]}"
    iri = log.iri
    default = 0.0 if conditions else 100.0
    cited = [cite(route.iri, "hasAccessLog", iri)]
    cited += [cite(iri, "logField", field) for field in log.fields]
    cited += [cite(iri, "logRequestHeader", name) for name in log.headers]
    if log.template is not None:
        cited.append(cite(iri, "logTemplate", log.template))
    cited += unless_default(
        iri,
        (
            ("logMinimumStatus", log.minimum_status, None),
            ("logSamplePercent", log.sample_percent, default),
        ),
    )
    return Part("access log", iri, text, tuple(cited))
