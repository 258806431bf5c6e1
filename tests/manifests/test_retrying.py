"""Which requests may be tried again where a target's retries know no methods."""

from __future__ import annotations

from api_gateway_service_mesh.manifests.order import host_lists
from api_gateway_service_mesh.manifests.retrying import IDEMPOTENT, Tries, variants
from api_gateway_service_mesh.model import Retry, RetryCondition
from api_gateway_service_mesh.routing import compile_table
from tests.support.routes import EX, mesh, route


def parts(retry: Retry | None, *methods: str) -> list[tuple[tuple[str, ...], Tries]]:
    ((item,),) = host_lists(compile_table(mesh(route("r", "/", methods=methods, retry=retry))))
    return [(methods, tries) for (_, methods), tries in variants(item)]


def test_what_is_not_idempotent_is_tried_again_only_unsent() -> None:
    assert parts(Retry(EX + "r"), "GET", "POST") == [(("GET", "HEAD"), Tries.ALL), (("POST",), Tries.UNSENT)]
    assert parts(Retry(EX + "r")) == [(IDEMPOTENT, Tries.ALL), ((), Tries.UNSENT)]
    assert parts(Retry(EX + "r", retry_non_idempotent=True), "POST") == [(("POST",), Tries.ALL)]
    unsent = frozenset({RetryCondition.CONNECT_FAILURE})
    assert parts(Retry(EX + "r", conditions=unsent), "POST") == [(("POST",), Tries.UNSENT)]
    assert parts(None, "GET") == [(("GET", "HEAD"), Tries.NONE)]
