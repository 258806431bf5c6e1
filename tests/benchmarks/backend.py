"""The backend of all cases: an nginx that does as little as it can, on the load's core."""

from __future__ import annotations

import hashlib
from pathlib import Path

from .arrangement import Certificates, Tls
from .peers.nginx import scaffold

__all__ = ["BODY", "BODY_PATH", "LARGE", "LARGE_PATH", "STREAM_PATH", "UPLOAD_PATH", "command", "write_stream"]

BODY = b"hello from the backend, sixty bytes of text for the reader.\n"
BODY_PATH = "/api/v1/products"
LARGE = b"".join(hashlib.sha256(number.to_bytes(4, "big")).digest() for number in range(32768))
LARGE_PATH = "/api/large"
"""One MiB that does not repeat."""
UPLOAD_PATH = "/api/upload"
"""Answers once it has the whole body."""
STREAM_PATH = "/api/stream"


def write_stream(folder: Path, mebibytes: int) -> None:
    """Lay down what `STREAM_PATH` sends: `LARGE` again and again, each block with its number in front."""
    with (folder / "files" / "stream").open("wb") as file:
        for number in range(mebibytes):
            file.write(number.to_bytes(8, "big"))
            file.write(LARGE[8:])


def command(
    nginx: str,
    folder: Path,
    port: int,
    *,
    origin: int | None = None,
    tls: Tls = Tls.NONE,
    certificates: Certificates | None = None,
) -> list[str]:
    """Write its configuration and say how to start it. `origin` is where ``/api/digest`` goes (see `origin`)."""
    files = folder / "files"
    files.mkdir(exist_ok=True)
    (files / "large").write_bytes(LARGE)
    secure = ""
    if tls is not Tls.NONE:
        assert certificates is not None
        secure = f"ssl_certificate {certificates.certificate}; ssl_certificate_key {certificates.key};\n"
        if tls is Tls.MUTUAL:
            secure += f"ssl_client_certificate {certificates.authority}; ssl_verify_client on;\n"
    digest = f"location = /api/digest {{ proxy_pass http://127.0.0.1:{origin}; }}\n" if origin else ""
    # Received whole, then answered by this server's own /received: nginx's `return` alone would not wait for the body.
    upload = (
        f"location = {UPLOAD_PATH} {{ client_body_buffer_size 2m; proxy_pass_request_body off;"
        f' proxy_set_header Content-Length ""; proxy_http_version 1.1; proxy_set_header Connection "";'
        " proxy_set_header X-Received $request_length; proxy_pass http://received/received; }\n"
    )
    text = BODY.decode().replace("\n", "\\n")
    http = (
        f"upstream received {{ server unix:{folder}/received.sock; keepalive 128; keepalive_requests 1000000000; }}\n"
        f'server {{ listen unix:{folder}/received.sock; location / {{ return 200 "{text}"; }} }}\n'
        f"server {{ listen 127.0.0.1:{port}{' ssl' if secure else ''} backlog=8192; client_max_body_size 0;\n{secure}"
        f'location / {{ return 200 "{text}"; }}\n'
        f"location = {LARGE_PATH} {{ alias {files}/large; }}\nlocation = {STREAM_PATH} {{ alias {files}/stream; sendfile on; }}\n"
        f"{upload}{digest}}}"
    )
    return [nginx, *scaffold(folder, "backend", http)]
