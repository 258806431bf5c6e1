"""Files and variables that resources name, read here and sent: a fleet has no part of this machine.

The only module through which key material passes on its way to an Envoy; what it makes is never printed.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from api_gateway_service_mesh.errors import AgwError
from api_gateway_service_mesh.manifests.envoy import Resources
from api_gateway_service_mesh.manifests.envoy.secret import SYSTEM_ROOTS
from api_gateway_service_mesh.manifests.envoy.typed import Json

__all__ = ["inlined"]

_LARGEST_BYTES: Final = 4 << 20
_CERTIFICATE: Final = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


def inlined(resources: Resources, *, keys: bool = True) -> Resources:
    """`resources` with what they name; without `keys` the private ones stay names, for Envoys on this machine that may
    read the files themselves. A secret whose file is yet to be issued is left out: what needs it waits for it.

    Raises:
        AgwError: a file cannot be read, or a variable is not set.
    """
    read = _Read(keys)
    return Resources(
        secrets={
            name: read.walk(resource)
            for name, resource in resources.secrets.items()
            if name not in resources.awaited or all(Path(file).exists() for file in _files(resource))
        },
        clusters=resources.clusters,
        endpoints=resources.endpoints,
        listeners={name: read.walk(resource) for name, resource in resources.listeners.items()},
        routes=resources.routes,
        report=resources.report,
    )


def _files(value: Any) -> Iterator[str]:
    """The files that are named in `value`."""
    for held in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _files(held)
    if isinstance(value, dict) and "filename" in value:
        yield value["filename"]


class _Read:
    """Reads each file once: a certificate and a key that are one file are of one issue, though it is replaced."""

    def __init__(self, keys: bool) -> None:
        self._keys = keys
        self._files: dict[str, bytes] = {}

    def walk(self, value: Any, name: str = "") -> Any:
        """`value`, which stands under `name`, with what it names in its place."""
        if isinstance(value, dict):
            if name == "private_key" and not self._keys:
                return value
            if set(value) == {"filename"} and value["filename"] != SYSTEM_ROOTS:
                return _bytes(self._content(value["filename"], name))
            if set(value) == {"environment_variable"}:
                return _bytes(_variable(value["environment_variable"]))
            return {below: self.walk(held, below) for below, held in value.items()}
        return [self.walk(held, name) for held in value] if isinstance(value, list) else value

    def _content(self, file: str, name: str) -> bytes:
        """Of a file that is chain and key, only the chain where a chain is asked for: it is told to whoever asks."""
        if file not in self._files:
            self._files[file] = _file(file)
        content = self._files[file]
        if name != "certificate_chain":
            return content
        return b"".join(block + b"\n" for block in _CERTIFICATE.findall(content))


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
