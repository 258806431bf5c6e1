"""Asking a running gateway through its admin port."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field

from ..errors import AgwError, ClientError, UpstreamError
from ..model.url import url_parts

__all__ = ["LiveAnswer", "ask"]


@dataclass(frozen=True, slots=True)
class LiveAnswer:
    """What the admin port answered."""

    content_type: str
    body: bytes
    fields: Mapping[str, str] = field(default_factory=dict)


def ask(
    admin: str,
    path: str,
    *,
    accept: str,
    body: bytes | None = None,
    content_type: str = "",
    method: str | None = None,
    fields: Mapping[str, str] | None = None,
    seconds: float = 30,
) -> LiveAnswer:
    """One request to the admin port at `admin` (``http://127.0.0.1:9901``). ``AGW_ADMIN_TOKEN`` goes along when set.

    Raises:
        AgwError: nothing answers there, or what answers refuses; with the sentence that it gave.
    """
    if not admin.startswith(("http://", "https://")):
        raise ClientError(f"{admin!r} is no admin URL", remedy="write http://127.0.0.1:9901")
    url_parts(admin, "write http://127.0.0.1:9901")
    headers = {"Accept": accept, **(fields or {})}
    request = urllib.request.Request(admin.rstrip("/") + path, data=body, headers=headers, method=method)  # noqa: S310
    if body is not None:
        request.add_header("Content-Type", content_type)
    if token := os.environ.get("AGW_ADMIN_TOKEN"):
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=seconds) as answer:  # noqa: S310
            return LiveAnswer(answer.headers.get_content_type(), answer.read(), answer.headers)
    except urllib.error.HTTPError as error:
        raise _refused(error) from None
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", None) or error
        raise UpstreamError(
            f"no gateway answers at {admin}: {reason}", remedy="start one with agw serve, or name its --admin-port"
        ) from None


def _refused(error: urllib.error.HTTPError) -> AgwError:
    text = error.read(65536).decode("utf-8", "replace")
    try:
        problem = json.loads(text)
        message = problem.get("detail") or problem.get("title") or text
        findings = problem.get("report", {}).get("findings", [])
        told = [f"  {item['severity']}: {item['message']}" + _remedy(item) for item in findings]
        message = "\n".join((message, *told)) if told else message
    except (ValueError, AttributeError):
        message = text.strip() or error.reason
    return ClientError(f"the gateway answered {error.code}: {message}")


def _remedy(item: Mapping[str, str]) -> str:
    return f" ({item['remedy']})" if item.get("remedy") else ""
