"""10,000 routes: exact, template and prefix in turn, asked for uniformly."""

from __future__ import annotations

import contextlib

from .. import wrk
from ..arrangement import Arrangement, RouteKind, RoutePattern
from ..bench import Bench, Contestant, enter_all, requests_sample
from ..figures import Bound, CaseResult, Goal

ABOUT = "10,000 routes (exact, template, prefix), uniform hits, beside one route asked for the same paths"
COUNT = 10_000
ONE, MANY = "one route", "10,000 routes"


def table(count: int) -> tuple[tuple[RoutePattern, ...], tuple[str, ...]]:
    """`count` routes below ``/api``, a hundred to a team, and a path for each."""
    routes, paths = [], []
    for number in range(count):
        base = f"/api/team{number // 100}/service{number}"
        match number % 3:
            case 0:
                routes.append(RoutePattern(RouteKind.EXACT, f"{base}/items"))
                paths.append(f"{base}/items")
            case 1:
                routes.append(RoutePattern(RouteKind.TEMPLATE, f"{base}/items/{{id}}"))
                paths.append(f"{base}/items/4711")
            case _:
                routes.append(RoutePattern(RouteKind.PREFIX, f"{base}/files"))
                paths.append(f"{base}/files/a/b")
    return tuple(routes), tuple(paths)


def run(bench: Bench) -> CaseResult:
    """Envoy and nginx have their naive tables: one list, in order (nginx hashes its exact locations itself)."""
    result = CaseResult("routes", ABOUT)
    routes, paths = table(COUNT)
    load = wrk.Load(paths[0], paths=paths)
    sample = requests_sample(load, probes=(paths[0], paths[1], paths[2], paths[-1]))
    with contextlib.ExitStack() as stack:
        folder = bench.room()
        port = stack.enter_context(bench.backend(folder))
        contestants = []
        for variant, chosen in ((ONE, None), (MANY, routes)):
            arrangement = Arrangement(folder, port, routes=chosen) if chosen else Arrangement(folder, port)
            targets = enter_all(stack, bench, bench.peers("agw", "envoy", "nginx"), arrangement, path=paths[0])
            contestants += [Contestant(variant, target, sample) for target in targets]
        result.series = bench.alternate(contestants)
    ours = Bound(MANY, "agw", "rate")
    result.goals += [
        Goal("at least 0.95 of agw's own rate with one route", ours, 0.95, Bound(ONE, "agw", "rate")),
    ]
    result.notes.append(
        "Envoy's table is one list in one virtual host; nginx's templates are regular expressions in a list"
    )
    return result
