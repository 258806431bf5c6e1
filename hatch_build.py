"""The build's own step: the data plane compiled to C (mypyc), when ``AGW_COMPILE=1`` asks for it.

Without it, and in editable installs, the wheel is pure Python and fits everywhere, from the same sources. What
is compiled is said in pyproject.toml (``tool.hatch.build.targets.wheel.hooks.custom``). Needs a C compiler and Python's
headers. The Python sources stay in the wheel, for tracebacks and for readers.

    python hatch_build.py FOLDER        # only the extension modules, into FOLDER
"""

from __future__ import annotations

import os
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # as a command, beside a compiler but without hatchling
    BuildHookInterface = object  # type: ignore[assignment,misc]

PACKAGE = "api_gateway_service_mesh"
REQUIREMENTS = ["mypy>=2.4,<3", "setuptools>=77"]
SWITCH = "AGW_COMPILE"


def wanted(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the environment asks for compilation.

    Raises:
        ValueError: it says neither 1 nor 0.
    """
    said = environment.get(SWITCH, "0")
    if said not in ("", "0", "1"):
        raise ValueError(f"{SWITCH} is 1 (compile the data plane) or 0, not {said!r}")
    return said == "1"


def modules(root: Path, settings: Mapping[str, Any]) -> list[Path]:
    """The files to compile, relative to `root`.

    Raises:
        ValueError: a pattern of the settings fits no file.
    """
    base = root / "src" / PACKAGE
    found = {pattern: set(base.glob(pattern)) for pattern in (*settings["compiled"], *settings["interpreted"])}
    idle = [pattern for pattern, paths in found.items() if not paths]
    if idle:
        raise ValueError(f"pyproject.toml names modules to compile that are not there: {', '.join(idle)}")
    chosen: set[Path] = set().union(*(found[pattern] for pattern in settings["compiled"]))
    chosen -= set().union(*(found[pattern] for pattern in settings["interpreted"]))
    return sorted(path.relative_to(root) for path in chosen)


def compile_modules(root: Path, paths: Iterable[Path], folder: Path, level: str) -> list[Path]:
    """Compile `paths` (relative to `root`) into extension modules below `folder`; their paths relative to it."""
    from mypyc.build import mypycify
    from setuptools import Distribution
    from setuptools.command.build_ext import build_ext

    class Parallel(build_ext):
        """Compiles as many files at once as there are cores, not only as many extension modules."""

        def build_extensions(self) -> None:
            compile_one = self.compiler.compile

            def compile_all(sources: list[str], *arguments: Any, **options: Any) -> list[str]:
                with ThreadPoolExecutor(os.cpu_count()) as pool:
                    objects = pool.map(lambda source: compile_one([source], *arguments, **options), sources)
                    return [path for paths in objects for path in paths]

            self.compiler.compile = compile_all
            super().build_extensions()

    before = Path.cwd()
    os.chdir(root)  # mypyc takes module names from paths relative to the working directory
    try:
        with tempfile.TemporaryDirectory() as name:
            work = Path(name)
            # Of other packages' types nothing is used, so that the outcome is the same whether they are installed.
            checks = ["--config-file=", "--ignore-missing-imports", f"--cache-dir={work / 'cache'}"]
            extensions = mypycify(
                [*checks, *map(str, paths)],
                opt_level=level,
                debug_level="0",
                target_dir=str(work / "c"),
                multi_file=True,  # a tenth of the time that one large file takes the C compiler
                group_name=PACKAGE,
            )
            command = Parallel(Distribution({"name": PACKAGE, "ext_modules": extensions}))
            command.build_lib, command.build_temp = str(folder), str(work / "objects")  # type: ignore[attr-defined]
            command.ensure_finalized()
            command.run()
    finally:
        os.chdir(before)
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.suffix in (".so", ".pyd"))


class CompileHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the extension modules to the wheel, and has it named after the platform then."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """What the build needs besides hatchling."""
        return REQUIREMENTS if wanted() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Before the wheel is put together."""
        if version == "editable" or not wanted():
            return
        self._folder = tempfile.TemporaryDirectory()
        folder, root = Path(self._folder.name), Path(self.root)
        for path in compile_modules(root, modules(root, self.config), folder, self.config["optimisation"]):
            build_data["force_include"][str(folder / path)] = str(path)
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """After it."""
        if hasattr(self, "_folder"):
            self._folder.cleanup()


if __name__ == "__main__":
    top = Path(__file__).resolve().parent
    stated = tomllib.loads((top / "pyproject.toml").read_text())
    hook = stated["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]
    compile_modules(top, modules(top, hook), Path(sys.argv[1]), hook["optimisation"])
