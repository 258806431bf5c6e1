"""What ``agw manifests --explain`` prints: the table feature × target, or one target's with reasons."""

from __future__ import annotations

import click

from ..model import Mesh
from ..vocabulary import NAMESPACE
from .output import print_table, terminal_width

__all__ = ["print_capabilities"]

_STRONGEST = ("no", "part", "yes", "-")


def print_capabilities(target: str | None, mesh: Mesh | None) -> None:
    """Without a target: a column for each. With one: its terms with what is to be known. Of `mesh`: what it states."""
    from ..graph.capability import capabilities
    from ..manifests import TARGETS, WATCHERS
    from ..manifests.rows import BESIDE, WITHIN, says, terms
    from ..manifests.stated import stated

    if target in WATCHERS:
        click.echo(f"{target} watches a gateway: of what that does to requests it says nothing, and loses nothing.")
        return
    known = capabilities()
    wanted = None if mesh is None else {one.term for one in stated(mesh) if one.term is not None}
    columns = [known[name] for name in TARGETS if name in known and (target is None or name == target)]
    listed = [term for term in terms(known.values()) if wanted is None or term in wanted]
    if target is None:
        rows = [[_short(term), *(says(column, term) for column in columns)] for term in listed]
        print_table(("term", *(column.name for column in columns)), rows)
        return
    (column,) = columns
    click.echo(column.title)
    if column.whole:
        click.echo("It carries the configuration itself: nothing is lost.")
        return
    rows = []
    for term in sorted(listed, key=lambda term: (_STRONGEST.index(says(column, term)), term)):
        note = column.note(term)
        said = "" if note is None else f"{note.text} ({note.remedy})" if note.remedy else note.text
        if term in WITHIN:
            said = f"said with {_short(WITHIN[term])}"
        elif term in BESIDE:
            said = "nothing that a data plane is told"
        rows.append([_short(term), says(column, term), said])
        for (about, value), special in column.notes.items():
            if about == term and value:
                rows.append(
                    [f"  {_short(value) if value.startswith(NAMESPACE) else value}", special.level.value, special.text]
                )
    print_table(("term", "says", "to know"), rows, width=terminal_width(), wrapped=("to know",))


def _short(term: str) -> str:
    return f"agw:{term.removeprefix(NAMESPACE)}"
