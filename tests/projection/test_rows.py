from __future__ import annotations

from dataclasses import fields

from api_gateway_service_mesh.projection.rows import ProjectedRows, render_rows, row_types
from api_gateway_service_mesh.projection.split import SplitRow


def test_every_field_has_a_row_class() -> None:
    types = row_types()
    assert list(types) == [field.name for field in fields(ProjectedRows)]
    for row_type in types.values():
        assert all(field.type in ("str", "str | None") for field in fields(row_type))


def test_rendering_shows_what_is_bound() -> None:
    rows = ProjectedRows(split=(SplitRow("r", "s", None, "10", None), SplitRow("r", "t", "u", "90", None)))
    assert render_rows(rows) == "split (2)\n  route=r  split=s  weight=10\n  route=r  split=t  upstream=u  weight=90\n"
