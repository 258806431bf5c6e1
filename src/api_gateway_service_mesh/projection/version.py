"""Versions of an API: the default one, how versions are withdrawn, and whether they keep their promises."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from api_gateway_service_mesh.model import (
    ApiVersion,
    Deprecation,
    HeaderMatch,
    PathKind,
    QueryMatch,
    Route,
    VersionedBy,
)
from api_gateway_service_mesh.vocabulary import AGW

from .reading import Reading, name_of

__all__ = ["VersionDeprecationRow", "VersionPromiseRow", "VersionRow", "with_versions"]


@dataclass(frozen=True, slots=True)
class VersionRow:
    """``version.rq``."""

    route: str
    version: str
    name: str | None
    segment: str | None
    is_default: str | None
    by: str | None
    field: str | None
    media_type: str | None
    successor_name: str | None
    successor_segment: str | None


@dataclass(frozen=True, slots=True)
class VersionDeprecationRow:
    """``version_deprecation.rq``."""

    route: str
    policy: str
    deprecated_at: str | None
    sunset_at: str | None
    after: str | None
    successor_link: str | None
    page: str | None


@dataclass(frozen=True, slots=True)
class VersionPromiseRow:
    """``version_promise.rq``."""

    version: str
    promise: str
    earlier: str


def with_versions(
    served: tuple[Route, ...],
    rows: Iterable[VersionRow],
    withdrawn: Iterable[VersionDeprecationRow],
    promises: Iterable[VersionPromiseRow],
    reading: Reading,
) -> tuple[Route, ...]:
    """`served` with the version that each is in, and with how it is withdrawn."""
    versions: dict[str, VersionRow] = {}
    for row in rows:
        versions.setdefault(row.route, row)
    leaving: dict[str, VersionDeprecationRow] = {}
    for stated in withdrawn:
        leaving.setdefault(stated.route, stated)
    if not versions and not leaving:
        return served
    made = tuple(
        replace(
            route,
            version=_version(versions.get(route.iri), reading),
            deprecation=_deprecation(leaving.get(route.iri), versions.get(route.iri), reading),
        )
        if route.iri in versions or route.iri in leaving
        else route
        for route in served
    )
    for route in made:
        _refuse_path_without_version(route, versions.get(route.iri), reading)
    for promise in promises:
        _refuse_broken_promise(promise, made, versions, reading)
    return made


def _by(row: VersionRow, reading: Reading) -> VersionedBy | None:
    if row.by is None:
        return None
    return reading.choice(row.version, AGW.versionedBy, row.by, VersionedBy, VersionedBy.PATH)


def _segment(name: str | None, segment: str | None) -> str:
    return segment if segment is not None else f"v{name}"


def _version(row: VersionRow | None, reading: Reading) -> ApiVersion | None:
    if row is None or row.name is None:
        return None
    by = _by(row, reading)
    field = {
        VersionedBy.HEADER: (row.field or "api-version").lower(),
        VersionedBy.QUERY: row.field or "version",
        VersionedBy.MEDIA_TYPE: row.media_type,
    }.get(by or VersionedBy.PATH)
    if by is None or field is None:
        return None
    is_default = reading.boolean(row.version, AGW.isDefaultVersion, row.is_default)
    return ApiVersion(row.version, row.name, by, field, is_default)


def _deprecation(row: VersionDeprecationRow | None, version: VersionRow | None, reading: Reading) -> Deprecation | None:
    if row is None:
        return None
    deprecated = _moment(row.policy, AGW.deprecatedAt, row.deprecated_at, reading)
    sunset = _moment(row.policy, AGW.sunsetAt, row.sunset_at, reading)
    if deprecated is not None and sunset is not None and sunset < deprecated:
        reading.note(
            "sunset-before-deprecation",
            f"{name_of(row.policy)}: the sunset comes before the deprecation (RFC 9745 §4)",
            row.policy,
            AGW.sunsetAt,
            row.sunset_at,
            remedy="let agw:deprecatedAt be the earlier moment",
        )
    segments = None
    if version is not None and version.successor_name is not None and _by(version, reading) is VersionedBy.PATH:
        segments = (
            _segment(version.name, version.segment),
            _segment(version.successor_name, version.successor_segment),
        )
    return Deprecation(
        row.policy, deprecated, sunset, row.after == "REFUSE", row.successor_link, row.page,
        segments if row.successor_link is None else None,
    )  # fmt: skip


def _moment(iri: str, term: str, text: str | None, reading: Reading) -> float | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        said = f"{name_of(iri)}: agw:{name_of(term)} is {text!r}, which is no moment with a time zone"
        reading.note("invalid-value", said, iri, term, text, allowed='a moment such as "2027-01-31T00:00:00Z"')
        return None
    return moment.timestamp()


def _refuse_path_without_version(route: Route, row: VersionRow | None, reading: Reading) -> None:
    if row is None or route.match.path.kind is PathKind.REGULAR_EXPRESSION or _by(row, reading) is not VersionedBy.PATH:
        return
    segment = _segment(row.name, row.segment)
    if segment not in route.match.path.text.split("/"):
        reading.note(
            "path-without-version",
            f"{route.name} is in {name_of(row.version)}, which is told apart by path, but its path has no segment "
            f"{segment!r}: requests of other versions would come here",
            route.iri,
            AGW.routePath,
            remedy=f'write agw:routePath "/{segment}/…", or agw:versionSegment on the version',
        )


def _refuse_broken_promise(
    promise: VersionPromiseRow, served: tuple[Route, ...], versions: Mapping[str, VersionRow], reading: Reading
) -> None:
    """Name all that callers of the earlier version could ask, and cannot any more."""
    earlier = [route for route in served if route.iri in versions and versions[route.iri].version == promise.earlier]
    later = [route for route in served if route.iri in versions and versions[route.iri].version == promise.version]
    for old in earlier:
        path = _unversioned(old, versions[old.iri])
        found = [new for new in later if _unversioned(new, versions[new.iri]) == path]
        breach = _breach(old, found, promise.version)
        if breach is not None:
            reading.note(
                "breaking-change",
                f"{name_of(promise.version)} promises to be compatible with {name_of(promise.earlier)}, "
                f"but of {old.name} {breach}",
                promise.promise,
                AGW.compatibleWith,
                promise.earlier,
                remedy="add the route, or what is missing of it, or take the promise back",
            )


def _unversioned(route: Route, row: VersionRow) -> tuple[str, str]:
    segment = _segment(row.name, row.segment)
    path = route.match.path
    return path.kind.value, "/".join(part for part in path.text.split("/") if part != segment)


def _breach(old: Route, found: list[Route], version: str) -> str | None:
    """What callers of `old` miss in the routes of the same path, as the end of a sentence."""
    if not found:
        return "there is no route with the same path"
    for method in old.match.methods or ("",):
        for host in old.match.hosts or ("",):
            fitting = [new for new in found if _takes(new.match.methods, method) and _takes(new.match.hosts, host)]
            if not fitting:
                said = " at ".join(part for part in (method or "any method", host) if part)
                return f"no route takes {said}"
            demands = [_further(old, new, version) for new in fitting]
            if all(demand is not None for demand in demands):
                return str(demands[0])
    return None


def _takes(stated: tuple[str, ...], value: str) -> bool:
    return not stated or value in stated


def _further(old: Route, new: Route, version: str) -> str | None:
    """What `new` demands that `old` does not; that it names its own version is no such thing."""
    had = {test.name for test in _tests(old)}
    for test in _tests(new):
        if test.name not in had and test.iri != version:
            return f"the new one demands {test.name}"
    if new.authentication is not None and old.authentication is None:
        return "the new one demands authentication"
    return None


def _tests(route: Route) -> list[HeaderMatch | QueryMatch]:
    return [*route.match.headers, *route.match.query]
