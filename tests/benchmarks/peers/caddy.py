"""Caddy: one Go processor, admin side off, kept connections to the backend."""

from __future__ import annotations

from collections.abc import Mapping

from ..arrangement import Arrangement, Layer, RouteKind, Tls
from .peer import Peer

__all__ = ["Caddy"]


class Caddy(Peer):
    """See the module."""

    name = "caddy"
    lacks = frozenset(Layer)  # what its package brings of them is not configured here: plain proxying

    def command(self, arrangement: Arrangement, port: int, stem: str) -> list[str]:
        file = arrangement.folder / f"{stem}.Caddyfile"
        file.write_text(_text(arrangement, port))
        assert self.executable is not None
        return [self.executable, "run", "--config", str(file), "--adapter", "caddyfile"]

    def environment(self) -> Mapping[str, str]:
        return {"GOMAXPROCS": "1"}


def _text(arrangement: Arrangement, port: int) -> str:
    if any(route.kind is RouteKind.TEMPLATE for route in arrangement.routes):
        raise ValueError("Caddy has no path templates")
    files = arrangement.certificates
    text = [
        "{",
        "  admin off",
        "  auto_https off",
        "  persist_config off",
        "  servers {",
        "    strict_sni_host insecure_off",
        "  }",
        "}",
        # Its TLS settings belong to names: both that a client may ask for.
        f"{arrangement.scheme}://127.0.0.1:{port}, {arrangement.scheme}://localhost:{port} {{",
        "  bind 127.0.0.1",
    ]
    if arrangement.front is not Tls.NONE and files is not None:
        text.append(f"  tls {files.certificate} {files.key} {{")
        if arrangement.front is Tls.MUTUAL:
            text.append(f"    client_auth {{\n mode require_and_verify\n trust_pool file {files.authority}\n }}")
        text.append("  }")
    for route in arrangement.routes:
        path = route.path if route.kind is RouteKind.EXACT else f"{route.path}/*"
        scheme = "http" if arrangement.upstream is Tls.NONE else "https"
        text += [
            f"  reverse_proxy {path} {scheme}://127.0.0.1:{arrangement.backend} {{",
            "    header_up X-Request-Id {http.request.uuid}",
            "    transport http {",
            "      keepalive_idle_conns_per_host 512",
            "      compression off",
        ]
        if arrangement.upstream is not Tls.NONE and files is not None:
            text += ["      tls_server_name localhost", f"      tls_trust_pool file {files.authority}"]
            if arrangement.upstream is Tls.MUTUAL:
                text.append(f"      tls_client_auth {files.certificate} {files.key}")
        text += ["    }", "  }"]
    return "\n".join([*text, "}", ""])
