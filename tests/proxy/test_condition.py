"""Conditions of policies, on requests as they come."""

from __future__ import annotations

import pytest

from api_gateway_service_mesh.errors import ConfigError
from api_gateway_service_mesh.model import ConditionSource, RequestCondition, SplitTarget, ValueKind
from api_gateway_service_mesh.proxy.condition import condition_test
from api_gateway_service_mesh.routing import compile_table
from tests.support.gateway import mesh_of, route


def test_always_is_never_asked() -> None:
    with pytest.raises(ValueError, match="no condition"):
        condition_test(())


def test_an_expression_that_is_none_is_refused() -> None:
    wrong = RequestCondition("urn:c", ConditionSource.COOKIE, "beta", ValueKind.REGULAR_EXPRESSION, "(")
    with pytest.raises(ConfigError, match="cookie 'beta' is not RE2"):
        compile_table(mesh_of(route(splits=(SplitTarget("urn:a", "urn:u", 100, steered_by=(wrong,)),))))
