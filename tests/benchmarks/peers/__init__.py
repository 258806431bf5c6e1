"""The programs that are compared. Each writes an `Arrangement` down as its own guide advises for speed."""

from __future__ import annotations

from .agw import Agw
from .caddy import Caddy
from .envoy import Envoy
from .haproxy import Haproxy
from .nginx import Nginx
from .peer import Peer

__all__ = ["PEERS", "Peer"]

PEERS: dict[str, Peer] = {peer.name: peer for peer in (Agw(), Envoy(), Nginx(), Haproxy(), Caddy())}
