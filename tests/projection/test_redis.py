from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from api_gateway_service_mesh.model import FailureMode, RedisStore
from tests.support.configuration import EX, assembled, mesh_of, only_finding

ROUTE = """ex:r a agw:Route ; agw:routePath "/" ; agw:hasBackendService ex:b ; agw:hasRateLimiter ex:l .
    ex:b a agw:BackendService ; agw:address "b:1" .
    ex:l a agw:RateLimiter ; agw:requestsPerSecond 5 ; agw:sharedThrough ex:redis ; agw:failureMode "CLOSED" .
    ex:redis a agw:RedisStore ; """


@pytest.mark.parametrize(
    ("stated", "wanted"),
    [
        ('agw:storeAddress "redis"', RedisStore(EX + "redis", "redis")),
        ('agw:storeAddress "[::1]:7000"', RedisStore(EX + "redis", "::1", 7000)),
        (
            'agw:storeAddress "r:1" ; agw:storeDatabase 3 ; agw:storeUser "u" ; agw:storeTls true ; '
            'agw:storeTimeout "PT0.05S"^^xsd:dayTimeDuration',
            RedisStore(EX + "redis", "r", 1, 3, "u", tls=True, timeout_seconds=0.05),
        ),
    ],
)
def test_servers(stated: str, wanted: RedisStore) -> None:
    (route,) = mesh_of(f"{ROUTE}{stated} .").routes
    (limit,) = route.rate_limits
    assert limit.store == wanted
    assert limit.failure_mode is FailureMode.CLOSED


def test_a_password_is_a_reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGW_TEST_PASSWORD", "x")
    (tmp_path / "word").write_text("x")
    for stated, wanted in (("env:AGW_TEST_PASSWORD", "env:AGW_TEST_PASSWORD"), ("file:word", f"file:{tmp_path}/word")):
        text = f'{ROUTE} agw:storeAddress "r:1" ; agw:storePasswordRef "{stated}" .'
        limit = mesh_of(text, base_dir=tmp_path).routes[0].rate_limits[0]
        assert limit.store is not None
        assert limit.store.password_ref == wanted


@pytest.mark.parametrize(
    ("reference", "code"),
    [("hunter2", "literal-secret"), ("env:AGW_TEST_NO_SUCH", "secret-missing"), ("file:none", "secret-missing")],
)
def test_a_password_that_cannot_be_had(reference: str, code: str, tmp_path: Path) -> None:
    text = f'{ROUTE} agw:storeAddress "r:1" ; agw:storePasswordRef "{reference}" .'
    finding = only_finding(assembled(text, base_dir=tmp_path))
    assert finding.code == code
    assert "hunter2" not in str(finding)


def test_without_the_client_library_nothing_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "api_gateway_service_mesh.projection.redis.find_spec",
        lambda name: None if name == "redis" else find_spec(name),
    )
    finding = only_finding(assembled(f'{ROUTE} agw:storeAddress "r:1" .'))
    assert finding.code == "redis-client-missing"
    assert "api-gateway-service-mesh[redis]" in str(finding.remedy)


def test_a_port_out_of_range() -> None:
    codes = {finding.code for finding in assembled(f'{ROUTE} agw:storeAddress "r:70000" .').findings}
    assert codes == {"invalid-value", "dangling-reference"}
