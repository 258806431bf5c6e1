"""The printed table."""

from __future__ import annotations

from pathlib import Path

from api_gateway_service_mesh.routing import compile_table, render_table
from tests.routing.test_explain import shop
from tests.support.routes import mesh, route

_GOLDEN = Path(__file__).with_name("table.golden.txt")


def test_one_line_a_route_in_precedence_order(update_golden: bool) -> None:
    text = render_table(compile_table(shop()))
    if update_golden:
        _GOLDEN.write_text(text, encoding="utf-8")
    assert text == _GOLDEN.read_text(encoding="utf-8")


def test_control_characters_are_shown_not_obeyed() -> None:
    text = render_table(compile_table(mesh(route("a", "/a\x1b[2J\n"))))
    assert text.count("\n") == 2
    assert r"/a\x1b[2J\n" in text
