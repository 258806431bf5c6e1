"""Where the ontology, the shapes, the queries and the examples are.

In an installed wheel they lie in ``_data`` inside the package (put there by the build, see pyproject.toml); in a
checkout they lie at its top, where people look for them. Nothing else may guess paths.

And what of the package was installed: its `version`, and which `build`.
"""

from __future__ import annotations

from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

__all__ = ["build", "examples", "ontology", "packs", "queries", "shapes", "version"]

_PACKAGE = Path(__file__).resolve().parent


@cache
def _root() -> Path:
    packaged = _PACKAGE / "_data"
    if packaged.is_dir():
        return packaged
    checkout = _PACKAGE.parents[1]
    if (checkout / "ontology").is_dir():
        return checkout
    raise FileNotFoundError(f"agw's ontology is neither in {packaged} nor in {checkout}: incomplete installation")


def ontology() -> Path:
    """The folder of the agw ontology: ``agw.ttl`` and one file a stem."""
    return _root() / "ontology"


def shapes() -> Path:
    """The folder of SHACL shapes, one file a stem."""
    return _root() / "shapes"


def packs() -> Path:
    """The folder of the policy packs that come with agw, one Turtle file a pack."""
    return _root() / "shapes" / "packs"


def queries(kind: str) -> Path:
    """The folder of the SPARQL queries of one kind: ``project``, ``infer``, ``report`` or ``doctor``."""
    return _root() / "queries" / kind


def examples() -> Path:
    """The folder of examples, one story a folder."""
    return _root() / "examples"


def version() -> str:
    """The version that is installed; ``0+checkout`` where the sources run without having been."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("api-gateway-service-mesh")
    except PackageNotFoundError:
        return "0+checkout"


def build() -> str:
    """``compiled`` when the data plane was compiled to C at installation (``AGW_COMPILE=1``), else ``interpreted``.

    The two behave the same. Told by the module that every request passes, without importing it.
    """
    exchange = _PACKAGE / "proxy" / "exchange"
    return "compiled" if any(Path(f"{exchange}{end}").is_file() for end in EXTENSION_SUFFIXES) else "interpreted"
