"""Redirects, rewrites, answers, faults and mirrors in a VirtualService, and what of them Istio's API cannot say.

Names after ``HTTPRedirect``, ``HTTPRewrite``, ``HTTPDirectResponse``, ``HTTPFaultInjection`` and ``HTTPMirrorPolicy``
(networking.istio.io/v1).
"""

from __future__ import annotations

import re
from typing import Any

from api_gateway_service_mesh.errors import Finding
from api_gateway_service_mesh.manifests.gap import differs, lost
from api_gateway_service_mesh.manifests.name import duration
from api_gateway_service_mesh.manifests.transform import answer_changes, request_changes
from api_gateway_service_mesh.model import Fault, Rewrite, Route
from api_gateway_service_mesh.vocabulary import AGW

from .context import Context

__all__ = ["answered", "headers", "on_the_way", "traffic_gaps"]


def answered(route: Route) -> dict[str, Any]:
    """The answer of a route that has no destination."""
    direct, redirect = route.direct, route.redirect
    if direct is not None:
        said: dict[str, Any] = {"status": direct.status}
        if direct.body:
            said["body"] = {"string": direct.body}
        return {"directResponse": said}
    if redirect is None:
        return {}
    sent: dict[str, Any] = {"redirectCode": redirect.status}
    if redirect.scheme is not None:
        sent["scheme"] = redirect.scheme
    if redirect.host is not None:
        sent["authority"] = redirect.host
    if redirect.port is not None:
        sent["port"] = redirect.port
    elif redirect.scheme is not None or redirect.host is not None:
        sent["derivePort"] = "FROM_PROTOCOL_DEFAULT"
    if redirect.full_path is not None and "{" not in redirect.full_path:
        sent["uri"] = redirect.full_path
    if len(sent) == 1:  # what is left would send the client to where it is
        return {"directResponse": {"status": 503}}
    return {"redirect": sent}


def headers(route: Route) -> dict[str, Any]:
    """What happens to header fields (``Headers``)."""
    changes = {"request": request_changes(route), "response": answer_changes(route)}
    return {what: each.for_envoy.named() for what, each in changes.items() if each is not None}


def on_the_way(context: Context, route: Route) -> dict[str, Any]:
    """What happens to requests that have a destination."""
    made: dict[str, Any] = {}
    rewrite = _rewrite(route, route.rewrite) if route.rewrite is not None else {}
    if rewrite:
        made["rewrite"] = rewrite
    for fault in route.faults[:1]:
        if not fault.triggered_by:
            made["fault"] = _fault(fault)
    mirrors = []
    for mirror in route.mirrors:
        there = context.destinations.get(mirror.upstream)
        if there is not None:
            destination = {"host": there.host, "port": {"number": there.port}}
            mirrors.append({"destination": destination, "percentage": {"value": mirror.percent}})
    if mirrors:
        made["mirrors"] = mirrors
    return made


def _rewrite(route: Route, rewrite: Rewrite) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if rewrite.host is not None:
        made["authority"] = rewrite.host
    if rewrite.pattern is not None:
        made["uriRegexRewrite"] = {"match": rewrite.pattern, "rewrite": rewrite.substitution}
    elif rewrite.prefix is not None:
        # Not `uri`: Istio would put it in the place of what matched, `/a/` with its slash, and send /a/b to /xb.
        if "{" not in route.match.path.text:
            old, new = re.escape(route.match.path.text.rstrip("/")), rewrite.prefix.rstrip("/").replace("\\", "\\\\")
            made["uriRegexRewrite"] = (
                {"match": f"^{old}", "rewrite": new} if new else {"match": f"^{old}/*", "rewrite": "/"}
            )
    elif rewrite.full_path is not None and "{" not in rewrite.full_path:
        made["uriRegexRewrite"] = {"match": "^.*$", "rewrite": rewrite.full_path}
    return made


def _fault(fault: Fault) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if fault.delay_seconds is not None:
        made["delay"] = {"fixedDelay": duration(fault.delay_seconds), "percentage": {"value": fault.delay_percent}}
    if fault.abort_status is not None:
        made["abort"] = {"httpStatus": fault.abort_status, "percentage": {"value": fault.abort_percent}}
    return made


def traffic_gaps(route: Route, *, delivered: bool = False) -> list[Finding]:
    """What of a route's traffic policies Istio says otherwise or not at all; `delivered`: another raises its canary."""
    found: list[Finding] = []
    name, redirect, direct = route.name, route.redirect, route.direct
    if route.maintenance is not None and route.maintenance.enabled:
        message = f"{name}: its maintenance mode is missing: these manifests serve it"
        found.append(lost(route.iri, AGW.hasMaintenance, message, "apply them when it is over, or keep agw in front"))
    for number, fault in enumerate(route.faults):
        for term, percent in ((AGW.resetPercent, fault.reset_percent), (AGW.truncatePercent, fault.truncate_percent)):
            if percent:
                message = f"{name}: Istio's faults delay and abort; they break no connection"
                found.append(lost(fault.iri, term, message, "state agw:abortStatus, or keep agw in front"))
        if fault.triggered_by:
            message = f"{name}: Istio's faults strike whole routes; the one that a header triggers is left out"
            found.append(lost(fault.iri, AGW.triggeredBy, message, "write a route of its own that matches the header"))
        elif number:
            message = f"{name}: an Istio route has one fault; this further one is left out"
            found.append(lost(fault.iri, AGW.hasFaultInjection, message))
    if redirect is not None and direct is None and (route.upstream is not None or route.splits):
        message = f"{name}: Istio redirects a route or serves it; the redirect is left out and all requests are served"
        found.append(lost(redirect.iri, AGW.hasRedirect, message, "use the tls.httpsRedirect of an Istio Gateway"))
    elif redirect is not None and redirect.prefix is not None:
        message = f"{name}: Istio redirects to whole paths; the new prefix is left out (alone, it answers 503)"
        found.append(lost(redirect.iri, AGW.replacePrefixMatch, message))
    elif redirect is not None and redirect.full_path is not None and "{" in redirect.full_path:
        message = f"{name}: Istio redirects to fixed paths; the segments of the template are not filled in"
        found.append(lost(redirect.iri, AGW.replaceFullPath, message))
    if direct is not None and (direct.fields or direct.body):
        message = f"{name}: Istio's direct responses have no fields of their own; media type and fields are left out"
        found.append(differs(direct.iri, AGW.responseField, message, "set them with headers.response.set by hand"))
    rewrite = route.rewrite
    if rewrite is not None and rewrite.full_path is not None and "{" in rewrite.full_path:
        message = f"{name}: Istio does not fill in segments of a template; the path stays as it is"
        found.append(lost(rewrite.iri, AGW.replaceFullPath, message, "write agw:rewritePattern"))
    if rewrite is not None and rewrite.prefix is not None and "{" in route.match.path.text:
        message = f"{name}: Istio cannot replace a prefix with parameters; the path stays as it is"
        found.append(lost(rewrite.iri, AGW.replacePrefixMatch, message, "write agw:rewritePattern"))
    if route.mirrors:
        message = f"{name}: Istio marks copies by -shadow at the Host, not by X-Agw-Shadow, and does not bound them"
        found.append(differs(route.iri, AGW.hasTrafficMirroring, message))
    for split in route.splits:
        if split.canary is not None and not delivered:
            message = (
                f"{name}: Istio does not deliver a canary by itself; {split.iri} has no requests in these manifests"
            )
            found.append(
                lost(split.iri, AGW.hasCanaryStep, message, "keep agw in front, or render with --canary flagger")
            )
        if split.steered_by:
            message = f"{name}: an Istio route's weights hold for all its requests; steering to {split.iri} is left out"
            found.append(lost(split.iri, AGW.steeredBy, message, "write a route of its own that matches the header"))
    if route.splits and (route.split_key is not None or route.split_cookie is not None):
        message = f"{name}: Istio draws each request anew; callers do not stay on one side of the split"
        found.append(differs(route.iri, AGW.splitKey, message))
    return found
