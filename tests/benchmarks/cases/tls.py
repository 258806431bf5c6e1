"""TLS on the front, on both sides, and mutual TLS on both sides."""

from __future__ import annotations

import contextlib
import dataclasses

from .. import wrk
from ..arrangement import Arrangement, Certificates, Tls, make_certificates
from ..backend import BODY, BODY_PATH
from ..bench import Bench, Contestant, Target, enter_all, measured, requests_sample
from ..client import client_tls, expect, request
from ..figures import Bound, CaseResult, Goal, Sample
from ..machine import LOAD_CORE, find, free_port
from ..peers.nginx import scaffold
from ..program import started

ABOUT = "TLS 1.3, P-256 certificates, 64 kept connections"
VARIANTS = {
    "TLS front": (Tls.TLS, Tls.NONE),
    "TLS both sides": (Tls.TLS, Tls.TLS),
    "mTLS both sides": (Tls.MUTUAL, Tls.MUTUAL),
}


def run(bench: Bench) -> CaseResult:
    """wrk cannot show a certificate: for mTLS an nginx on the load's core does, for it."""
    result = CaseResult("tls", ABOUT)
    result.notes.append(
        "wrk cannot show a certificate: in the mTLS variant an nginx on the load's core shows one for it"
    )
    with contextlib.ExitStack() as stack:
        contestants = []
        for name, (front, upstream) in VARIANTS.items():
            folder = bench.room()
            files = make_certificates(folder)
            port = stack.enter_context(bench.backend(folder, tls=upstream, certificates=files))
            arrangement = Arrangement(folder, port, front=front, upstream=upstream, certificates=files)
            for target in enter_all(stack, bench, bench.peers(), arrangement):
                sample = requests_sample(wrk.Load(BODY_PATH, varied=True))
                if front is Tls.MUTUAL:
                    way = _Shower(stack, target, files)
                    contestants.append(Contestant(name, target, way.sample))
                else:
                    contestants.append(Contestant(name, target, sample))
        result.series = bench.alternate(contestants)
    for program in dict.fromkeys(series.program for series in result.series):
        one, both = (result.one(name, program) for name in ("TLS front", "TLS both sides"))
        costs = [series.median("cpu_us") if series else None for series in (one, both)]
        if costs[0] is not None and costs[1] is not None:
            result.notes.append(f"TLS towards the backend adds {costs[1] - costs[0]:.1f} µs a request to {program}'s")
    for name in VARIANTS:
        ours, theirs = Bound(name, "agw", "rate"), Bound(name, "envoy", "rate")
        result.goals.append(Goal(f"{name}: at least 1.75 times Envoy", ours, 1.75, theirs))
    return result


class _Shower:
    """Takes plain requests and passes them to a target over mTLS, over kept connections."""

    def __init__(self, stack: contextlib.ExitStack, target: Target, files: Certificates) -> None:
        nginx, folder = find("nginx"), target.arrangement.folder
        assert nginx is not None
        self.port = free_port()
        http = (
            f"upstream target {{ server 127.0.0.1:{target.port}; keepalive 128; keepalive_requests 1000000000; }}\n"
            f"server {{ listen 127.0.0.1:{self.port}; location / {{ proxy_pass https://target; proxy_http_version 1.1;"
            f' proxy_set_header Connection ""; proxy_set_header Host localhost; proxy_ssl_server_name on;'
            f" proxy_ssl_name localhost; proxy_ssl_certificate {files.certificate};"
            f" proxy_ssl_certificate_key {files.key}; proxy_ssl_verify on;"
            f" proxy_ssl_trusted_certificate {files.authority}; }} }}"
        )
        stem = f"shower-{target.peer}"
        stack.enter_context(
            started("shower", [nginx, *scaffold(folder, stem, http)], folder / f"{stem}.log", core=LOAD_CORE)
        )

    def sample(self, target: Target, seconds: float) -> Sample:
        """One run through it; the target itself is probed with a certificate, and without one, which it must refuse."""
        target.probe(BODY_PATH, BODY)
        _must_refuse(target)
        wire = expect(request(self.port, BODY_PATH), BODY).wire
        with measured(target.program) as cost:
            run = wrk.run(self.port, wrk.Load(BODY_PATH, varied=True), seconds, target.arrangement.folder, wire=wire)
        expect(request(self.port, BODY_PATH), BODY)
        return {
            "rate": run.requests / run.seconds,
            "cpu_us": cost.cpu / run.requests * 1e6,
            "p50_us": run.p50 * 1e6,
            "p99_us": run.p99 * 1e6,
            "kernel": cost.kernel,
            "busy": cost.busy,
        }


def _must_refuse(target: Target) -> None:
    from ..client import WrongAnswer

    stranger = client_tls(dataclasses.replace(target.arrangement, front=Tls.TLS))
    try:
        answer = request(target.port, BODY_PATH, tls=stranger)
    except (OSError, WrongAnswer):
        return
    if answer.status == 200:
        raise WrongAnswer("a client without certificate was let in")
