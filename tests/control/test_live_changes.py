"""Updates and file reloads one after the other while requests run: none of them fails. The benchmark
(``python -m tests.benchmarks.live_changes``) does the same with 10,000 routes, and a thousand of each."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.live_changes import measure


@pytest.mark.timeout(240)
async def test_no_request_fails_while_routes_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    found = await measure(tmp_path, routes=300, updates=50, reloads=50, pause=0.002)
    assert found.traffic.failures == []
    assert found.traffic.served > 100
    assert (len(found.updates), len(found.reloads)) == (50, 50)
