"""Traffic policies in a VirtualService, and what is reported as missing from it."""

from __future__ import annotations

from typing import Any

from api_gateway_service_mesh.manifests import render
from api_gateway_service_mesh.model import (
    Canary,
    CanaryStep,
    ConditionSource,
    DirectResponse,
    Fault,
    KeyKind,
    Maintenance,
    Mirror,
    Redirect,
    RequestCondition,
    RequestKey,
    Rewrite,
    SplitTarget,
)
from tests.support.gateway import endpoint, mesh_of, route, upstream
from tests.support.istio import one

ON = RequestCondition("urn:h", ConditionSource.HEADER, "x-on", value="1")


def rendered(**more: Any) -> tuple[dict[str, Any], set[str]]:
    """The HTTP route, and the local names of the properties that gaps are about."""
    mesh = mesh_of(route("/a", **more), upstream(endpoint(80)), upstream(endpoint(81, "n"), name="next"))
    rendering = render(mesh, "istio", allow_loss=True)
    (http,) = one(rendering, "VirtualService")["spec"]["http"]
    return http, {(finding.predicate or "").rpartition("#")[2] for finding in rendering.report.findings}


def test_answers() -> None:
    http, gaps = rendered(to=None, direct=DirectResponse("urn:d", 410, "gone"))
    assert http["directResponse"] == {"status": 410, "body": {"string": "gone"}}
    assert "responseField" in gaps
    http, _ = rendered(to=None, redirect=Redirect("urn:r", 308, "https", "b.example", full_path="/new"))
    assert http["redirect"] == {
        "redirectCode": 308,
        "scheme": "https",
        "authority": "b.example",
        "derivePort": "FROM_PROTOCOL_DEFAULT",
        "uri": "/new",
    }
    http, gaps = rendered(to=None, redirect=Redirect("urn:r", prefix="/new"))
    assert http["directResponse"] == {"status": 503}
    assert "replacePrefixMatch" in gaps


def test_on_the_way() -> None:
    http, gaps = rendered(
        rewrite=Rewrite("urn:w", "internal", prefix="/b"),
        faults=(Fault("urn:f", 0.5, 5, 503, 1), Fault("urn:g", 1.0), Fault("urn:x", 1.0, triggered_by=(ON,))),
        mirrors=(Mirror("urn:m", "urn:test:next", 10),),
    )
    assert http["rewrite"] == {"authority": "internal", "uriRegexRewrite": {"match": "^/a", "rewrite": "/b"}}
    assert http["fault"]["abort"] == {"httpStatus": 503, "percentage": {"value": 1}}
    assert http["fault"]["delay"]["percentage"] == {"value": 5}
    assert http["mirrors"][0]["percentage"] == {"value": 10}
    assert {"hasFaultInjection", "triggeredBy", "hasTrafficMirroring"} <= gaps
    assert rendered(rewrite=Rewrite("urn:w", prefix="/"))[0]["rewrite"] == {
        "uriRegexRewrite": {"match": "^/a/*", "rewrite": "/"}
    }
    assert rendered(rewrite=Rewrite("urn:w", pattern="^/a", substitution="/b"))[0]["rewrite"] == {
        "uriRegexRewrite": {"match": "^/a", "rewrite": "/b"}
    }


def test_what_istio_cannot_say_is_reported() -> None:
    canary = Canary("urn:b", (CanaryStep("urn:s", 10),))
    splits = (
        SplitTarget("urn:a", "urn:test:service", 100),
        SplitTarget("urn:b", "urn:test:next", 0, steered_by=(ON,), canary=canary),
    )
    _, gaps = rendered(
        splits=splits,
        split_key=RequestKey(KeyKind.HEADER, "x-user"),
        maintenance=Maintenance("urn:m", "urn:r"),
        redirect=Redirect("urn:r", scheme="https"),
    )
    wanted = {"hasCanaryStep", "steeredBy", "splitKey", "hasMaintenance", "hasRedirect"}
    assert wanted <= gaps
