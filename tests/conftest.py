"""Fixtures for every room; `pytest --update-golden` rewrites the golden files."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says something about the machine; what it does is what the tests are about.
settings.register_profile("agw", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("agw")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite golden files from what the code makes now")


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-golden"))
