"""Whoever stands for the client, where nobody waits."""

from __future__ import annotations

from api_gateway_service_mesh.proxy.client_side import Downstream
from api_gateway_service_mesh.proxy.nobody import Nobody


def test_it_takes_all_that_an_exchange_says_to_a_client() -> None:
    said = {name for name, value in vars(Downstream).items() if callable(value) and not name.startswith("_")}
    assert said and all(callable(getattr(Nobody, name)) for name in said)
    nobody = Nobody()
    assert not nobody.writing_paused
    for name in ("end", "cut", "pause_body", "resume_body"):
        assert getattr(nobody, name)() is None
