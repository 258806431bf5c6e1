"""The house: floors and rooms, sizes, names, and what policies may not touch."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "api_gateway_service_mesh"
MODULES = sorted(PACKAGE.rglob("*.py"))
LINE_STOP = 400
LISTS = {"vocabulary.py", "manifests/feature.py"}  # a line a term, a line a field: as long as the ontology is wide
FORBIDDEN_NAMES = {"utils", "helpers", "manager", "common"}


def test_floors_hold() -> None:
    """import-linter's contracts in pyproject.toml: imports go down, and each library has its rooms."""
    command = shutil.which(
        "lint-imports", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    )
    if command is None:
        pytest.skip("import-linter is not installed (pip install '.[dev]')")
    result = subprocess.run(
        [command, "--no-cache"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": "src"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_module_is_one_room(module: Path) -> None:
    lines = module.read_text().count("\n")
    listing = str(module.relative_to(PACKAGE)) in LISTS
    assert listing or lines <= LINE_STOP, (
        f"{module.relative_to(ROOT)} has {lines} lines: two rooms, or something to leave out"
    )
    assert not FORBIDDEN_NAMES & set(module.relative_to(PACKAGE).with_suffix("").parts)
    tree = ast.parse(module.read_text())
    assert ast.get_docstring(tree), f"{module.relative_to(ROOT)} does not say what it is"


def test_policies_decide_and_never_act() -> None:
    """No clock, no randomness of their own, nothing awaited: they come in as arguments."""
    banned_imports = {"time", "random", "asyncio", "socket", "threading"}
    for module in sorted((PACKAGE / "policies").rglob("*.py")):
        tree = ast.parse(module.read_text())
        for node in ast.walk(tree):
            assert not isinstance(node, (ast.Await, ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith)), module
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name.split(".")[0] for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names = [node.module.split(".")[0]]
            assert not banned_imports & set(names), f"{module.name}:{node.lineno} imports {names}"


# Modules that only run as part of a process or of a connection, and the tests that hold them through it.
HELD_BY = {
    "security/intentions.py": "proxy/test_intentions.py",
    "telemetry/collector.py": "telemetry/test_otlp.py",
    "control/base.py": "control/test_journal.py",
    "proxy/gathering.py": "proxy/test_validation.py",
    "routing/parameter.py": "routing/test_validation.py",
    "routing/schema.py": "routing/test_validation.py",
    "proxy/arrivals.py": "proxy/test_connection_cap.py",
    "proxy/cache_answer.py": "proxy/test_cache.py",
    "proxy/cache_front.py": "proxy/test_cache.py",
    "proxy/cache_turn.py": "proxy/test_cache.py",
    "control/cache_http.py": "control/test_cache.py",
    "control/cache_replicas.py": "control/test_cache.py",
    "proxy/cache_purges.py": "proxy/test_cache_shared.py",
    "proxy/cache_refresh.py": "proxy/test_cache.py",
    "policies/cache_value.py": "proxy/test_cache_shared.py",
    "proxy/redis_client.py": "proxy/test_redis.py",
    "proxy/redis_lane.py": "proxy/test_redis.py",
    "proxy/client_front.py": "proxy/test_compression.py",
    "proxy/turned_away.py": "proxy/test_connection_cap.py",
    "importers/header.py": "importers/test_gateway_api.py",
    "importers/host.py": "importers/test_gateway_api.py",
    "importers/istio/destination.py": "importers/test_istio.py",
    "importers/istio/match.py": "importers/test_istio.py",
    "importers/istio/order.py": "importers/test_istio.py",
    "importers/istio/virtual_service.py": "importers/test_istio.py",
    "importers/first_match.py": "importers/test_kong.py",
    "importers/meet.py": "importers/test_kong.py",
    "importers/kong/answer.py": "importers/test_kong.py",
    "importers/kong/caller.py": "importers/test_kong.py",
    "importers/kong/entity.py": "importers/test_kong.py",
    "importers/kong/limit.py": "importers/test_kong.py",
    "importers/kong/plugin.py": "importers/test_kong.py",
    "importers/kong/route.py": "importers/test_kong.py",
    "importers/kong/service.py": "importers/test_kong.py",
    "importers/envoy/cluster.py": "importers/test_envoy.py",
    "importers/envoy/filters.py": "importers/test_envoy.py",
    "importers/envoy/limit.py": "importers/test_envoy.py",
    "importers/envoy/match.py": "importers/test_envoy.py",
    "importers/envoy/route.py": "importers/test_envoy.py",
    "importers/envoy/token.py": "importers/test_envoy.py",
    "importers/draft.py": "importers/test_gateway_api.py",
    "importers/kubernetes.py": "importers/test_gateway_api.py",
    "importers/listener.py": "importers/test_gateway_api.py",
    "control/certificates.py": "control/test_issuing.py",
    "control/certificates_http.py": "control/test_issuing.py",
    "control/used.py": "control/test_issuing.py",
    "proxy/acme.py": "control/test_issuing.py",
    "security/standin.py": "security/test_issued.py",
    "proxy/asker.py": "proxy/test_hedge.py",
    "proxy/shared_limit.py": "proxy/test_redis.py",
    "control/change_gates.py": "control/test_packs.py",
    "control/facts.py": "control/test_packs.py",
    "control/arguments.py": "control/test_serve.py",
    "control/channel.py": "control/test_serve.py",
    "control/dataplane.py": "control/test_serve.py",
    "control/live.py": "control/test_admin.py",
    "control/lock.py": "control/test_serve.py",
    "control/metrics.py": "control/test_admin.py",
    "control/options.py": "control/test_serve.py",
    "control/overview.py": "cli/test_top.py",
    "control/watch.py": "control/test_runtime_terms.py",
    "control/traffic.py": "control/test_rollout.py",
    "projection/direct.py": "projection/test_traffic.py",
    "projection/redirect.py": "projection/test_traffic.py",
    "projection/rewrite.py": "projection/test_traffic.py",
    "control/problems.py": "control/test_admin.py",
    "control/questions.py": "control/test_admin.py",
    "control/runtime.py": "control/test_admin.py",
    "control/sparql/child.py": "control/sparql/test_service.py",
    "control/sparql/process.py": "control/sparql/test_service.py",
    "control/sparql/protocol.py": "control/test_admin.py",
    "control/apply.py": "test_live_example.py",
    "control/delta.py": "control/test_history.py",
    "control/gate.py": "control/test_reload.py",
    "control/open_ports.py": "control/test_reload.py",
    "control/shapes_http.py": "control/test_shacl.py",
    "graph/shapes_child.py": "control/test_shacl.py",
    "control/feed.py": "control/test_update.py",
    "control/history_http.py": "control/test_history.py",
    "control/sparql/answers.py": "control/sparql/test_service.py",
    "control/sparql/changes.py": "control/sparql/test_operations.py",
    "control/sparql/clause.py": "control/sparql/test_service.py",
    "control/store.py": "control/test_update.py",
    "control/store_files.py": "control/test_reload.py",
    "control/store_journal.py": "control/test_journal.py",
    "control/stores.py": "control/test_update.py",
    "control/supervisor.py": "control/test_reload.py",
    "control/update_http.py": "control/test_update.py",
    "control/worker.py": "control/test_serve.py",
    "control/workers.py": "control/test_serve.py",
    "graph/allowed.py": "graph/test_findings.py",
    "control/doctor_http.py": "control/test_doctor.py",
    "control/examination.py": "control/test_doctor.py",
    "control/remedy.py": "control/test_doctor.py",
    "projection/expectation.py": "control/test_expectations.py",
    "routing/outcome.py": "control/test_expectations.py",
    "control/follow.py": "control/test_reload.py",
    "graph/excerpt.py": "graph/test_report.py",
    "proxy/answer_writer.py": "proxy/test_forwarding.py",
    "proxy/answering.py": "proxy/test_failures.py",
    "proxy/exchange_state.py": "proxy/test_failures.py",
    "proxy/backend_side.py": "proxy/test_failures.py",
    "proxy/http2/backend_stream.py": "proxy/http2/test_backend.py",
    "proxy/http2/connection.py": "proxy/http2/test_client.py",
    "proxy/http2/pool.py": "proxy/http2/test_backend.py",
    "proxy/http2/stream.py": "proxy/http2/test_client.py",
    "proxy/http2/tunnel.py": "proxy/http2/test_websocket.py",
    "proxy/grpc.py": "proxy/http2/test_grpc.py",
    "proxy/client_side.py": "proxy/test_forwarding.py",
    "proxy/core.py": "proxy/test_engine.py",
    "proxy/downstream.py": "proxy/test_forwarding.py",
    "proxy/embedded.py": "proxy/test_forwarding.py",
    "proxy/exchange.py": "proxy/test_failures.py",
    "proxy/forwarded.py": "proxy/test_forwarding.py",
    "proxy/audit.py": "control/test_audit.py",
    "proxy/pipeline.py": "proxy/test_failures.py",
    "control/plane.py": "control/test_dataplane.py",
    "control/xds/counters.py": "control/xds/test_envoys.py",
    "control/xds/plane.py": "control/xds/test_envoys.py",
    "control/xds/process.py": "control/xds/test_envoys.py",
    "discovery/kubernetes_watch.py": "discovery/test_kubernetes.py",
    "proxy/pool.py": "proxy/test_engine.py",
    "proxy/problem.py": "proxy/test_failures.py",
    "proxy/request.py": "proxy/test_forwarding.py",
    "proxy/target.py": "proxy/test_failures.py",
    "proxy/upstream.py": "proxy/test_failures.py",
}


def test_every_module_has_a_test_in_the_same_place() -> None:
    """A newcomer who knows the module knows its test; the exceptions say which test holds them."""
    missing = []
    for module in MODULES:
        relative = module.relative_to(PACKAGE)
        if (
            module.name in ("__init__.py", "__main__.py")
            or relative.parts[0] in ("model", "cli")
            or len(relative.parts) == 1
        ):
            continue
        folder = ROOT / "tests" / relative.parts[0]
        held = HELD_BY.get(str(relative))
        if held is not None:
            assert (ROOT / "tests" / held).is_file(), f"{relative} is said to be held by {held}, which is not there"
        elif not any(folder.rglob(f"test_{relative.stem}*.py")) and not _imported_by_tests(folder, relative.stem):
            missing.append(str(relative))
    assert not missing, f"no test names these modules: {missing}"
    gone = [name for name in HELD_BY if not (PACKAGE / name).is_file()]
    assert not gone, f"listed, but not there any more: {gone}"


def _imported_by_tests(folder: Path, stem: str) -> bool:
    return any(
        f".{stem} import" in test.read_text() or f"import {stem}" in test.read_text()
        for test in folder.rglob("test_*.py")
    )
