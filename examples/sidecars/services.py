"""The two services of this story: orders, which asks stock through its sidecar, and stock. Both speak plain HTTP.

python services.py [ORDERS_PORT STOCK_PORT SIDECAR_PORT]
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar


class Service(BaseHTTPRequestHandler):
    """Answers with who called: its sidecar has checked the certificate, and says whose it was."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    sidecar: ClassVar[int] = 15001

    def answer(self, status: int, value: dict[str, object]) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def caller(self) -> str:
        return self.headers.get("X-Forwarded-Client-Cert", "nobody")

    def log_message(self, *args: object) -> None: ...


class Stock(Service):
    def do_GET(self) -> None:
        self.answer(200, {"item": self.path.rpartition("/")[2], "left": 12, "caller": self.caller()})

    def do_POST(self) -> None:
        self.do_GET()


class Orders(Service):
    def do_GET(self) -> None:
        number = self.path.rpartition("/")[2]
        connection = http.client.HTTPConnection("127.0.0.1", self.sidecar, timeout=10)
        try:
            connection.request("GET", f"/items/{number}", headers={"Host": "stock"})
            asked = connection.getresponse()
            text = asked.read()
        finally:
            connection.close()
        stock = json.loads(text) if asked.status == 200 else {"status": asked.status}
        self.answer(asked.status, {"order": number, "caller": self.caller(), "stock": stock})


def start(orders: int, stock: int, sidecar: int) -> list[ThreadingHTTPServer]:
    """Both services, on loopback."""
    kind = type("Orders", (Orders,), {"sidecar": sidecar})
    servers = [ThreadingHTTPServer(("127.0.0.1", orders), kind), ThreadingHTTPServer(("127.0.0.1", stock), Stock)]
    for server in servers:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return servers


if __name__ == "__main__":
    start(*(map(int, sys.argv[1:4]) if len(sys.argv) > 3 else (9001, 9002, 15001)))
    threading.Event().wait()
