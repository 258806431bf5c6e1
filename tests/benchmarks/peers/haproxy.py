"""HAProxy: one thread, connections to the backend shared between clients."""

from __future__ import annotations

from pathlib import Path

from ..arrangement import Arrangement, Layer, RouteKind, Tls
from .peer import Peer

__all__ = ["Haproxy"]


class Haproxy(Peer):
    """See the module."""

    name = "haproxy"
    lacks = frozenset({Layer.JWT, Layer.TRACING})  # it can verify, but remembers no verdict: another kind of work

    def command(self, arrangement: Arrangement, port: int, stem: str) -> list[str]:
        file = arrangement.folder / f"{stem}.cfg"
        file.write_text(_text(arrangement, port))
        assert self.executable is not None
        return [self.executable, "-f", str(file), "-db"]

    def access_log(self, arrangement: Arrangement, stem: str) -> Path:
        return arrangement.folder / f"{stem}.log"  # it goes to standard output


def _text(arrangement: Arrangement, port: int) -> str:
    layers = arrangement.layers
    if any(route.kind is RouteKind.TEMPLATE for route in arrangement.routes):
        raise ValueError("HAProxy has no path templates")
    text = ["global", "  nbthread 1", "  maxconn 9000"]
    if Layer.ACCESS_LOG in layers:
        text.append("  log stdout format raw local0 info")
    text += ["defaults", "  mode http", "  http-reuse always", "  option forwardfor"]
    text += [f"  timeout {name} {time}" for name, time in _timeouts(layers).items()]
    if Layer.ACCESS_LOG in layers:
        text += ["  log global", "  option httplog"]
    if arrangement.interactive:
        text.append("  option http-no-delay")
    if Layer.RETRY in layers:
        text += ["  retries 2", "  retry-on conn-failure empty-response response-timeout 502 503 504"]
    files = arrangement.certificates
    bind = f"  bind 127.0.0.1:{port} backlog 8192"
    if arrangement.front is not Tls.NONE and files is not None:
        bind += f" ssl crt {files.combined}"
        if arrangement.front is Tls.MUTUAL:
            bind += f" ca-file {files.authority} verify required"
    text += ["frontend front", bind, "  unique-id-format %[uuid()]", "  unique-id-header X-Request-Id"]
    if Layer.RATE_LIMIT in layers:
        text += [
            "  stick-table type ip size 100k expire 10s store http_req_rate(1s)",
            "  http-request track-sc0 src",
            "  http-request deny deny_status 429 if { sc_http_req_rate(0) gt 1000000 }",
        ]
    if not arrangement.routes[0].path:
        text.append("  default_backend service")
    for route in (one for one in arrangement.routes if one.path):
        kind = "path" if route.kind is RouteKind.EXACT else "path_dir"
        text.append(f"  use_backend service if {{ {kind} {route.path} }}")
    server = f"  server one 127.0.0.1:{arrangement.backend} pool-max-conn -1"
    if Layer.BREAKER in layers:
        server += " check inter 10s observe layer7 error-limit 5 on-error mark-down"
    if arrangement.upstream is not Tls.NONE and files is not None:
        server += f" ssl ca-file {files.authority} verify required verifyhost localhost sni str(localhost)"
        if arrangement.upstream is Tls.MUTUAL:
            server += f" crt {files.combined}"
    return "\n".join([*text, "backend service", server, ""])


def _timeouts(layers: frozenset[Layer]) -> dict[str, str]:
    server = "5s" if Layer.TIMEOUT in layers else "600s"
    return {"connect": "5s", "client": "600s", "server": server, "http-keep-alive": "600s", "tunnel": "600s"}
