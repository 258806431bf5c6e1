"""OpenTelemetry's own messages, to read what is sent to collectors.

``otlp.binpb`` is the FileDescriptorSet of opentelemetry-proto 1.10 (https://github.com/open-telemetry/opentelemetry-proto,
Apache License 2.0), as its Python package 1.45.2 carries it. The package itself is not installed: xds-protos brings an
older copy of the same modules, and which of the two a machine then has is a matter of order.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

descriptor_pb2 = pytest.importorskip("google.protobuf.descriptor_pb2", reason="protobuf is not installed")
descriptor_pool = pytest.importorskip("google.protobuf.descriptor_pool")
message_factory = pytest.importorskip("google.protobuf.message_factory")

__all__ = ["message"]

_POOL = descriptor_pool.DescriptorPool()
for _file in descriptor_pb2.FileDescriptorSet.FromString(Path(__file__).with_name("otlp.binpb").read_bytes()).file:
    _POOL.Add(_file)


def message(name: str) -> Any:
    """The class of a message by its name below ``opentelemetry.proto.collector``."""
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"opentelemetry.proto.collector.{name}"))
