"""Files and variables that resources name, read here and sent: a fleet has no part of this machine.

The only module through which key material passes on its way to an Envoy; what it makes is never printed.
"""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any, Final

from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.manifests.envoy import Resources
from api_gateway_service_mesh.manifests.envoy.secret import SYSTEM_ROOTS
from api_gateway_service_mesh.manifests.envoy.typed import Json

__all__ = ["inlined"]

_LARGEST_BYTES: Final = 4 << 20


def inlined(resources: Resources, *, keys: bool = True) -> Resources:
    """`resources` with what they name; without `keys` the private ones stay names, for Envoys on this machine that may
    read the files themselves.

    Raises:
        AgwError: a file cannot be read, or a variable is not set.
    """
    return Resources(
        secrets={name: _walk(resource, keys) for name, resource in resources.secrets.items()},
        clusters=resources.clusters,
        endpoints=resources.endpoints,
        listeners={name: _walk(resource, keys) for name, resource in resources.listeners.items()},
        routes=resources.routes,
        report=resources.report,
    )


def _walk(value: Any, keys: bool) -> Any:
    if isinstance(value, dict):
        if set(value) == {"filename"} and value["filename"] != SYSTEM_ROOTS:
            return _bytes(_file(value["filename"]))
        if set(value) == {"environment_variable"}:
            return _bytes(_variable(value["environment_variable"]))
        return {name: _walk(held, keys) if keys or name != "private_key" else held for name, held in value.items()}
    return [_walk(held, keys) for held in value] if isinstance(value, list) else value


def _bytes(content: bytes) -> Json:
    return {"inline_bytes": base64.b64encode(content).decode("ascii")}


def _file(name: str) -> bytes:
    try:
        with Path(name).open("rb") as file:
            return file.read(_LARGEST_BYTES)
    except OSError as error:
        raise AgwError(f"{name} cannot be read: {error.strerror}") from None


def _variable(name: str) -> bytes:
    text = os.environ.get(name)
    if text is None:
        raise AgwError(f"the environment variable {name} is not set", remedy="set it, or name a file")
    return text.encode()
