"""The audit log of a gateway: takes what workers decided and what became of changes, and has it written.

One writer for all: workers send what they noted over their channel, a few times a second, and the chain is one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from api_gateway_service_mesh.errors import Report
from api_gateway_service_mesh.model import AuditedKind, AuditLog, Mesh
from api_gateway_service_mesh.telemetry.audit_writer import AuditWriter

from .history import Author, Revision

__all__ = ["Audit"]

_MOST_PATH = 500


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Audit:
    """See the module. ``config`` is the log in force, ``writer`` what writes it."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.config: AuditLog | None = None
        self.writer: AuditWriter | None = None
        self._say = say

    def adopt(self, mesh: Mesh) -> None:
        """Write the log that `mesh` asks for, from now on. May wait for a disk: for a thread."""
        wanted = mesh.audit
        if self.config == wanted:
            return
        before = self.writer
        self.config, self.writer = wanted, None
        if before is not None and (wanted is None or before.file != Path(wanted.file)):
            before.close()
            before = None
        if wanted is None:
            return
        if before is not None:
            before.maximum_bytes = wanted.maximum_bytes
            self.writer = before
            return
        try:
            self.writer = AuditWriter(Path(wanted.file), wanted.maximum_bytes, self._say)
        except OSError as error:
            self._say(f"the audit log {wanted.file} cannot be opened: {error.strerror or error}; nothing is recorded")

    def decided(self, records: Iterable[Mapping[str, Any]], dropped: int) -> None:
        """What a worker noted since the last time, and how many it had no room for."""
        if self.writer is not None:
            self.writer.put(records, lost=dropped)

    def went_live(self, revision: Revision) -> None:
        """A configuration went live."""
        self._change(
            {
                "outcome": "live",
                "revision": str(revision.number),
                "digest": revision.digest,
                "added": revision.added,
                "removed": revision.removed,
                **({"rolled_back_to": revision.rolled_back_to} if revision.rolled_back_to is not None else {}),
            },
            revision.author,
        )

    def refused(self, report: Report, author: Author) -> None:
        """A configuration, or a change, was refused."""
        codes = sorted({finding.code for finding in report.violations})
        self._change({"outcome": "refused", "codes": codes[:50]}, author)

    def denied(self, author: Author, why: str, right: str | None = None) -> None:
        """Somebody wanted to change what is not theirs to change."""
        self._change({"outcome": "denied", "reason": why, "needed": right}, author)

    def turned_away(
        self, kind: AuditedKind, reason: str, *, method: str, path: str, who: str | None, where: str | None
    ) -> None:
        """The admin port let somebody not in (``kind`` authentication), or not do something (authorization)."""
        if self.writer is None or self.config is None or kind not in self.config.kinds:
            return
        told = {name: value for name, value in (("who", who), ("where", where)) if value is not None}
        record = {"at": _now(), "kind": kind.value, "outcome": "denied", "port": "admin", "reason": reason}
        self.writer.put([{**record, "method": method[:32], "path": path[:_MOST_PATH], **told}])

    def _change(self, record: dict[str, Any], author: Author) -> None:
        if self.writer is None or self.config is None or AuditedKind.CHANGE not in self.config.kinds:
            return
        said = {"who": author.who, "why": author.why, "where": author.where}
        told = {name: value for name, value in said.items() if value is not None}
        self.writer.put([{"at": _now(), "kind": AuditedKind.CHANGE.value, **record, **told}], sync=True)

    def close(self) -> None:
        """Write what is left, and end. May wait for a disk."""
        if self.writer is not None:
            self.writer.close()
            self.writer = None
