"""What an access log comes to, in words."""

from __future__ import annotations

import pytest

from api_gateway_service_mesh.model import LogFormat
from api_gateway_service_mesh.routing.access_log import access_log_part
from tests.support.gateway import route


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (LogFormat("urn:l"), "every request"),
        (LogFormat("urn:l", sample_percent=0.0), "no request"),
        (LogFormat("urn:l", sample_percent=2.5), "2.5 % of requests"),
        (LogFormat("urn:l", minimum_status=400, sample_percent=0.0), "requests answered with 400 or above"),
        (
            LogFormat("urn:l", minimum_status=400, slower_seconds=0.5, sample_percent=1.0),
            "requests answered with 400 or above or slower than 0.5 s, 1 % of others",
        ),
        (LogFormat("urn:l", template="{status}", file="/a/b.log"), "every request, as text, into b.log"),
        (LogFormat("urn:l", ("time",), ("user-agent",)), "every request, 1 fields, 1 of its head"),
    ],
)
def test_in_words(form: LogFormat, text: str) -> None:
    assert access_log_part(route("/x", access_log=form), form).text == text
