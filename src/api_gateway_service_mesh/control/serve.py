"""``agw serve``: the supervisor and the admin port, until a signal ends them."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from .dataplane import DataPlane
from .options import ServeOptions, default_workers
from .plane import Plane

if TYPE_CHECKING:
    from .admin import AdminServer
    from .supervisor import Supervisor

__all__ = ["ServeOptions", "serve"]


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _leave_no_core() -> None:
    """What this process and its workers hold in memory is on no disk after a crash: keys, tokens, requests. Whoever
    wants a core all the same raises the limit (``prlimit --core``) of the process that is to be looked into."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


async def serve(
    options: ServeOptions,
    say: Callable[[str], None] = _to_stderr,
    *,
    ready: Callable[[Supervisor], None] | None = None,
) -> int:
    """Serve until SIGTERM or SIGINT, then drain; a second signal ends at once. SIGHUP loads again. The exit status.

    ``ready`` is called once, when requests are served.

    Raises:
        ConfigError: the configuration is wrong; nothing was served.
        AgwError: a port (of the gateway or the admin side) cannot be had.
    """
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    _leave_no_core()
    stop = asyncio.Event()
    plane = _plane(options, say)
    supervisor: Supervisor | None = None
    admin: AdminServer | None = None

    def ask_to_stop() -> None:
        if stop.is_set():
            plane.pool.kill()
        stop.set()

    def reload() -> None:
        if supervisor is not None:
            supervisor.request_reload()

    handled = {signal.SIGTERM: ask_to_stop, signal.SIGINT: ask_to_stop, signal.SIGHUP: reload}
    for number, action in handled.items():
        with contextlib.suppress(ValueError, RuntimeError):  # only a main thread can have handlers
            loop.add_signal_handler(number, action)
    try:
        await plane.start()
        # Only now: the workers import their half of the program while this process imports the other.
        from .admin import AdminServer
        from .supervisor import Supervisor

        supervisor = Supervisor(options, plane, say)
        if options.admin_port is not None:
            admin = await AdminServer.open(supervisor, options.admin_host, options.admin_port, options.admin_token)
        starting = asyncio.create_task(supervisor.start())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            await asyncio.wait((starting,))
            return 0
        starting.result()
        say(_announcement(supervisor, admin, time.perf_counter() - started))
        if ready is not None:
            ready(supervisor)
        following = [asyncio.create_task(supervisor.follow(stop))]
        if options.routes is not None:
            following.append(asyncio.create_task(options.routes.run(supervisor.request_reload)))
        await stopping
        for task in following:
            task.cancel()
        say(f"stopping: running requests have {options.drain_seconds:g} s to end")
        return 0
    finally:
        if supervisor is None or supervisor.served is None:
            plane.pool.kill()  # nothing was served: there is nobody to wait for
        if supervisor is not None:
            await supervisor.stop()
        else:
            await plane.stop(0.0)
        if admin is not None:
            await admin.close()
        for number in handled:
            with contextlib.suppress(ValueError, RuntimeError):
                loop.remove_signal_handler(number)


def _plane(options: ServeOptions, say: Callable[[str], None]) -> Plane:
    workers = options.workers or default_workers()
    if options.data_plane == "embedded":
        return DataPlane(workers, say)
    from .xds.plane import EnvoyPlane

    return EnvoyPlane(workers, say, options.fleet, allow_loss=options.allow_loss)


def _announcement(supervisor: Supervisor, admin: AdminServer | None, seconds: float) -> str:
    build = supervisor.build
    routes = len(build.mesh.routes) if build is not None else 0
    places = ", ".join(f"{scheme}://{_bracketed(host)}:{port}" for scheme, host, port in supervisor.addresses)
    workers = f"{supervisor.workers} worker{'s' if supervisor.workers != 1 else ''}"
    side = f", admin {admin.url}" if admin is not None else ""
    counted = f"{routes} route{'s' if routes != 1 else ''}"
    return f"serving {counted} on {places} with {workers}{side}, loaded in {seconds:.2f} s"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
