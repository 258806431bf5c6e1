"""The suite's own tests: arrangements are written down rightly, goals judged rightly, and one tiny case runs. No timing
is judged here."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from api_gateway_service_mesh.control.build import build
from api_gateway_service_mesh.graph import SourceGraph
from api_gateway_service_mesh.model import MtlsMode, TraceFormat
from api_gateway_service_mesh.telemetry.span import Span, encoded, wrapped

from . import live_graph, machine, report, unsampled
from .arrangement import Arrangement, Layer, Tls, make_certificates
from .backend import BODY_PATH
from .bench import Bench, Contestant, enter_all, requests_sample
from .cases import NAMES
from .cases.routes import table
from .cases.workers import _gain
from .chart import draw
from .client import WrongAnswer, expect, request
from .figures import Bound, CaseResult, Goal, Series
from .judging import Judge, cases, well_formed
from .layers import Rig, answers, plain_route
from .peers import PEERS
from .peers.agw import turtle
from .peers.envoy import configuration
from .sink import count_spans
from .tokens import make_tokens
from .wrk import Load


def everything(folder: Path, **more: object) -> Arrangement:
    """An arrangement with all there is."""
    key_set, _ = make_tokens(folder, 2)
    arrangement = {
        "layers": frozenset(Layer),
        "front": Tls.MUTUAL,
        "upstream": Tls.MUTUAL,
        "certificates": make_certificates(folder),
        "key_set": key_set,
        "collector": "http://127.0.0.1:9001/spans",
        **more,
    }
    return Arrangement(folder, 9000, **arrangement)  # type: ignore[arg-type]


def test_agw_arrangement_has_every_policy(tmp_path: Path) -> None:
    file = tmp_path / "gateway.ttl"
    file.write_text(turtle(everything(tmp_path), 8080))
    mesh = build(SourceGraph.load([file])).mesh
    (route,) = mesh.routes
    assert route.rate_limits and route.breaker and route.retry and route.timeout and route.authentication
    assert route.tracing is not None and route.tracing.sampling_rate == 0.01 and route.tracing.collector
    assert mesh.access_log
    assert mesh.listeners[0].mtls_mode is MtlsMode.STRICT
    assert mesh.upstreams[0].tls is not None and mesh.upstreams[0].tls.certificate is not None


async def test_tracing_is_measured_of_requests_that_are_not_traced() -> None:
    found = await unsampled.measure(40, 1)
    assert [name for name, _ in found] == list(unsampled.NAMES)
    for kind in unsampled.KINDS.values():
        rig = Rig(replace(plain_route(), tracing=unsampled.UNSAMPLED))
        rig.microseconds(unsampled.heads(kind, 20), answers("repeated"))
        asked = rig.backend_end.taken.pop()
        assert re.search(rb"\ntraceparent: 00-[0-9a-f]{32}-[0-9a-f]{16}-00\r\n", asked), "it is told on, as not sampled"


def test_agw_table_has_all_routes(tmp_path: Path) -> None:
    routes, paths = table(30)
    file = tmp_path / "gateway.ttl"
    file.write_text(turtle(Arrangement(tmp_path, 9000, routes=routes), 8080))
    found = build(SourceGraph.load([file])).table
    assert {entry.index for path in paths if (entry := found.find("h", "GET", path, "", {}))} == set(range(30))


def test_envoy_arrangement_has_every_filter(tmp_path: Path) -> None:
    text = json.dumps(configuration(everything(tmp_path), 8080, tmp_path / "log"))
    for word in (
        "jwt_authn",
        "local_ratelimit",
        "outlier_detection",
        "retry_policy",
        '"timeout": "5s"',
        "FileAccessLog",
        "OpenTelemetryConfig",
        '"random_sampling": {"value": 1.0}',
    ):
        assert word in text
    assert "require_client_certificate" in text and "UpstreamTlsContext" in text


@pytest.mark.parametrize("name", ["envoy", "nginx", "haproxy", "caddy"])
def test_peers_accept_their_configurations(name: str, tmp_path: Path) -> None:
    peer = PEERS[name]
    if peer.executable is None:
        pytest.skip(f"{name} is not installed")
    layers = frozenset(Layer) - peer.lacks
    command = peer.command(everything(tmp_path, layers=layers), machine.free_port(), name)
    check = {
        "envoy": [*command, "--mode", "validate"],
        "nginx": [*command, "-t"],
        "haproxy": [*command, "-c"],
        "caddy": ["validate" if word == "run" else word for word in command],
    }[name]
    ran = subprocess.run(check, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_goals_are_judged_by_rate_or_by_processor_time() -> None:
    ours, theirs = Bound("v", "agw", "rate"), Bound("v", "envoy", "rate")
    result = CaseResult("c", "about", goals=[Goal("twice", ours, 2.0, theirs)])
    result.series = [
        Series("v", "agw", [{"rate": 30.0, "cpu_us": 10.0, "busy": 0.5}]),
        Series("v", "envoy", [{"rate": 20.0, "cpu_us": 25.0, "busy": 1.0}]),
    ]
    (held_up,) = result.verdicts
    assert (held_up.value, held_up.met, held_up.plain) == (2.5, True, 1.5) and "processor" in held_up.by
    assert held_up.word == "by CPU only"
    result.series[0].samples[0]["busy"] = 1.0
    (busy,) = result.verdicts
    assert (busy.value, busy.met, busy.by) == (1.5, False, "rate")
    assert "10.0 µs each, theirs 25.0 µs, 12.5 µs would meet it" in report.summary([result])
    result.series.pop()
    assert result.verdicts[0].met is None


def test_requests_differ_where_they_should() -> None:
    assert "request =" not in Load("/a").script()
    script = Load("/a", varied=True, tokens=("one", "two")).script()
    assert script.count("GET /a HTTP/1.1") == 2 and "@SEEN@" in script and "Bearer two" in script


def test_a_correlation_id_varies_where_callers_say_nothing_of_traces() -> None:
    script = Load("/a", varied=True, traced=False).script()
    assert "X-Correlation-Id: @SEEN@" in script and "traceparent" not in script


def test_spans_are_counted_in_both_forms() -> None:
    span = Span("0" * 31 + "1", "0" * 15 + "2", "", "GET /", "SERVER", 1.0, 2.0, False, {"http.route": "/"}, ("::1", 1))
    texts = [encoded(span, TraceFormat.OTLP, "gateway")] * 3
    assert count_spans(wrapped(texts, TraceFormat.OTLP, "gateway"), "application/json") == 3

    def part(number: int, content: bytes) -> bytes:
        return bytes((number << 3 | 2, 0x80 | len(content) & 0x7F, len(content) >> 7)) + content

    scope = part(1, b"") + part(2, b"span" * 40) + part(2, b"span") + b"\x18\x05"
    message = part(1, part(1, b"resource") + part(2, scope)) + part(1, part(2, scope))
    assert count_spans(message, "application/x-protobuf") == 4


def test_only_what_is_right_by_the_rfcs_may_pass_where_the_corpus_refuses() -> None:
    get, post = b"GET %b HTTP/1.1\r\n%b\r\n", b"POST /p HTTP/1.1\r\nHost: h\r\n%b\r\n%b"
    host, coding = b"Host: h\r\n", b"Transfer-Encoding: chunked\r\n"
    for wire in (
        get % (b"/a/../b", host),
        get % (b"http://other/p", host),
        get % (b"/p", b"Host: a'b\r\n"),
        get % (b"/p", host + b"Content_Length: 5\r\n"),
        b"FOO" + get[3:] % (b"/p", host),
        post % (coding, b"5 ;x=y\r\nhello\r\n0\r\nX: y\r\n\r\n"),
        post % (b"Content-Length: 5\r\n", b"hello"),
    ):
        assert well_formed(wire), wire
    for wire in (
        get % (b"/p", b""),
        get % (b"/p", host * 2),
        get % (b"/p", b"Host: a b\r\n"),
        get % (b"/a b", host),
        get % (b"/%", host),
        get % (b"*", host),
        get % (b"/p", host + b"X: y\r\n z\r\n"),
        get % (b"/p", host + b"X : y\r\n"),
        get % (b"/p", host + b"X: y\n"),
        post % (coding + b"Content-Length: 5\r\n", b"0\r\n\r\n"),
        post % (b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n"),
        post % (coding, b"5\r\nhell\r\n0\r\n\r\n"),
        post % (coding, b"5\nhello\r\n0\r\n\r\n"),
        post % (coding, b"ffffffffffffffff\r\n"),
        post % (b"Content-Length: +5\r\n", b"hello"),
    ):
        assert not well_formed(wire), wire


async def test_the_judge_sees_what_is_smuggled_and_what_is_refused() -> None:
    judge = Judge()
    await judge.backend.start()
    try:
        # The backend stands for a gateway that hands on everything.
        found = {
            case.name: await judge.judge(judge.backend.port, group, case) for group, case in cases() if group == "hosts"
        }
    finally:
        await judge.backend.stop()
    assert found["Host h.example"].fault == "" and found["Host a,b"].fault == ""
    assert "the backend got Host" in found["no Host"].fault
    assert "the backend got Host" in found["Host a b"].fault


def test_two_workers_are_held_against_the_price_of_a_request_on_each_core() -> None:
    alone = Series("a", "agw", [{"worker_1_us": 10.0}])
    beside = Series("b", "agw", [{"worker_1_us": 20.0}])
    two = Series("t", "agw", [{"worker_1_us": 5.0, "worker_2_us": 10.0}])
    _gain(alone, beside, two)
    assert two.samples[0]["gain"] == 2.0
    two.samples[0] |= {"worker_1_us": 6.0, "worker_2_us": 12.0}
    _gain(alone, beside, two)
    assert round(two.samples[0]["gain"], 2) == 1.67


def test_every_case_says_what_it_is() -> None:
    import importlib

    for name in NAMES:
        module = importlib.import_module(f".cases.{name}", __package__)
        assert module.ABOUT and module.run.__doc__


@pytest.mark.timeout(120)
def test_one_tiny_case(tmp_path: Path) -> None:
    missing = [name for name in ("nginx", "wrk", "taskset") if machine.find(name) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    if machine.cores() < 2:
        pytest.skip("needs two cores")
    bench = Bench(rounds=1, seconds=1, folder=tmp_path)
    result = CaseResult("tiny", "one route")
    with contextlib.ExitStack() as stack:
        folder = bench.room()
        port = stack.enter_context(bench.backend(folder))
        targets = enter_all(stack, bench, bench.peers("agw", "nginx"), Arrangement(folder, port))
        assert [target.peer for target in targets] == ["agw", "nginx"]
        with pytest.raises(WrongAnswer, match="instead of"):
            expect(request(targets[0].port, BODY_PATH), b"something else")
        sample = requests_sample(Load(BODY_PATH, varied=True))
        result.series = bench.alternate([Contestant("v", target, sample) for target in targets], warm=0)
    for series in result.series:
        assert series.failed is None and series.samples[0]["rate"] > 0 and series.samples[0]["cpu_us"] > 0
    assert "agw" in report.section(result) and json.dumps(report.as_json(result))
    result.series[1].program = "envoy"
    ElementTree.fromstring(draw([result]))


@pytest.mark.timeout(300)
def test_what_the_live_graph_costs_is_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["live_graph", "--routes", "3", "--rounds", "1"])
    assert live_graph.main() == 0
    told = capsys.readouterr().out
    for line in (
        "cut off late by",
        "memory it held",
        "on disk and live",
        "0 failed",
        "killed with -9",
        "why not",
        "impact",
    ):
        assert line in told
