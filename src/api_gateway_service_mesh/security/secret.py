"""Secrets by reference: ``env:NAME`` or ``file:PATH``. Read where they are used, kept nowhere, never printed."""

from __future__ import annotations

import os
from pathlib import Path

from api_gateway_service_mesh.errors import AgwError

__all__ = ["read_secret"]

_LARGEST_BYTES = 64 * 1024


def read_secret(reference: str) -> str:
    """What `reference` stands for, without the line's end of a file.

    Raises:
        AgwError: the variable is not set, or the file cannot be read; the message names where, never what.
    """
    kind, _, name = reference.partition(":")
    if kind == "env":
        value = os.environ.get(name)
        if value is None:
            raise AgwError(f"the environment variable {name}, which is to hold a secret, is not set")
        return value
    try:
        with Path(name).open("rb") as stream:
            content = stream.read(_LARGEST_BYTES)
        return content.decode("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise AgwError(f"the secret in {name} cannot be read: {type(error).__name__}") from None
