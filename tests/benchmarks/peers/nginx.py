"""nginx: one worker, kept connections to the backend, and the header fields a gateway owes its backend."""

from __future__ import annotations

import os
import pwd
import re
from pathlib import Path

from ..arrangement import Arrangement, Layer, RouteKind, RoutePattern, Tls
from .peer import Peer

__all__ = ["Nginx", "scaffold"]


def scaffold(folder: Path, stem: str, http: str) -> list[str]:
    """Arguments to run nginx in the foreground, every file of its in `folder`, with `http` in its http block."""
    file = folder / f"{stem}.conf"
    kept = " ".join(
        f"{kind}_temp_path {folder / f'{stem}.{kind}'};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    errors = folder / f"{stem}.err"
    # Started by root, its workers become somebody who may not read a folder of root's.
    extra = f"user {pwd.getpwuid(0).pw_name};\n" if os.getuid() == 0 else ""
    file.write_text(
        f"daemon off; worker_processes 1; pid {folder}/{stem}.pid; error_log {errors};\n{extra}"
        "worker_rlimit_nofile 20000; events { worker_connections 16384; }\n"
        f"http {{ access_log off; {kept}\nkeepalive_requests 1000000000; keepalive_timeout 600s; tcp_nodelay on;\n{http}\n}}\n"
    )
    return ["-c", str(file), "-e", str(errors)]


class Nginx(Peer):
    """See the module."""

    name = "nginx"
    lacks = frozenset({Layer.JWT, Layer.TRACING})

    def command(self, arrangement: Arrangement, port: int, stem: str) -> list[str]:
        assert self.executable is not None
        log = self.access_log(arrangement, stem)
        return [self.executable, *scaffold(arrangement.folder, stem, _http(arrangement, port, log))]


def _http(arrangement: Arrangement, port: int, log: Path) -> str:
    layers, text = arrangement.layers, []
    failing = " max_fails=5 fail_timeout=30s" if Layer.BREAKER in layers else ""
    text.append(
        f"upstream backend {{ server 127.0.0.1:{arrangement.backend}{failing}; keepalive 512;"
        " keepalive_requests 1000000000; keepalive_timeout 600s; }"
    )
    text.append("map $http_upgrade $connection_upgrade { default upgrade; '' ''; }")
    text.append("types_hash_max_size 4096; server_names_hash_bucket_size 128;")
    if arrangement.cached:
        text.append(f"proxy_cache_path {log}.cache keys_zone=kept:32m max_size=64m inactive=1h;")
    if Layer.RATE_LIMIT in layers:
        text.append("limit_req_zone $binary_remote_addr zone=clients:10m rate=1000000r/s;")
    ssl = " ssl" if arrangement.front is not Tls.NONE else ""
    text.append(f"server {{ listen 127.0.0.1:{port}{ssl} backlog=8192; client_max_body_size 0;")
    if ssl:
        files = arrangement.tls
        text.append(
            f"ssl_certificate {files.certificate}; ssl_certificate_key {files.key}; ssl_session_cache shared:s:10m;"
        )
        if arrangement.front is Tls.MUTUAL:
            text.append(f"ssl_client_certificate {files.authority}; ssl_verify_client on;")
    text.append(
        "proxy_http_version 1.1; proxy_set_header Connection $connection_upgrade; proxy_set_header Upgrade $http_upgrade;\n"
        "proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr;"
        " proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Request-Id $request_id;\n"
        "proxy_max_temp_file_size 0;"
    )
    if not arrangement.hostile:  # against hostile clients its default is better: a request is had whole, then sent
        text.append("proxy_request_buffering off;")
    if arrangement.upstream is not Tls.NONE:
        files = arrangement.tls
        text.append(
            f"proxy_ssl_verify on; proxy_ssl_trusted_certificate {files.authority}; proxy_ssl_name localhost;"
            " proxy_ssl_server_name on; proxy_ssl_session_reuse on;"
        )
        if arrangement.upstream is Tls.MUTUAL:
            text.append(f"proxy_ssl_certificate {files.certificate}; proxy_ssl_certificate_key {files.key};")
    if Layer.RATE_LIMIT in layers:
        text.append("limit_req zone=clients burst=1000000 nodelay;")
    if arrangement.cached:
        text.append("proxy_cache kept; proxy_cache_valid 200 1h; proxy_cache_lock on;")
    if Layer.RETRY in layers:
        text.append("proxy_next_upstream error timeout http_502 http_503 http_504; proxy_next_upstream_tries 3;")
    patience = "5s" if Layer.TIMEOUT in layers else "600s"
    text.append(f"proxy_connect_timeout 5s; proxy_send_timeout {patience}; proxy_read_timeout {patience};")
    if Layer.ACCESS_LOG in layers:
        text.append(f"access_log {log} combined buffer=64k flush=1s;")
    scheme = "http" if arrangement.upstream is Tls.NONE else "https"
    text += [f"location {_where(one)} {{ proxy_pass {scheme}://backend; }}" for one in arrangement.routes]
    return "\n".join([*text, "}"])


def _where(pattern: RoutePattern) -> str:
    match pattern.kind:
        case RouteKind.EXACT:
            return f"= {pattern.path}"
        case RouteKind.PREFIX:
            return f"{pattern.path}/"
        case RouteKind.TEMPLATE:
            return f'~ "^{re.sub(r"{[^}]*}", "[^/]+", pattern.path)}$"'
