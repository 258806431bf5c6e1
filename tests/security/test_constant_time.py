"""What callers show is never compared in a way whose time tells how near a guess was: a review of the code, kept up.

A comparison by ``==`` ends at the first byte that differs. Secrets are therefore compared by `hmac.compare_digest`, or
looked up by a digest of what was shown, whose beginning nobody can choose. This looks at every other comparison, in
the rooms where what callers show passes, that has a name like a secret's in it; those that were found harmless are
listed with the reason, and one that is not in the list fails.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import api_gateway_service_mesh

ROOT = Path(api_gateway_service_mesh.__file__).parent
ROOMS = ("security/**/*.py", "proxy/**/*.py", "control/access.py", "control/principals.py", "control/admin.py")
SECRET = re.compile(
    r"(^|_)(tokens?|secrets?|password|h?mac|signature|(hex)?digest|hash(ed|es)?|credentials?|verifier|api_?keys?|bearer|expected|"
    r"given|shown|presented|nonce)$"
)
HARMLESS = {
    ("proxy/head_pattern.py", "number == self._credential"): "the number of a group of a pattern",
    ("proxy/http2/fields.py", "name in _SECRET"): "names of header fields",
    ("proxy/client_credentials.py", "held[0] in shown"): "the gateway's own token, in what it sent itself",
    ("security/client_credentials.py", "self.token[1] != until"): "when a token ends",
    ("security/authentication.py", "verifier.config.issuer == issuer"): "the issuer's name, which is public",
    ("security/authentication.py", "verifier.config.issuer == token.claims.get('iss')"): "the same",
    (
        "security/issued.py",
        "found[0].public_key().public_bytes(*form) != secret.public_key().public_bytes(*form)",
    ): "public keys of the gateway's own files",
    ("security/login.py", "fresh.id_token != session.id_token"): "two tokens of the provider's, neither a guess",
    ("security/session.py", "_piece(name, number) in shown"): "names of cookies",
}
"""Module and comparison, and why it tells nothing."""


def compared(tree: ast.AST) -> Iterator[ast.Compare]:
    """Comparisons by value of what has a name like a secret's."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Compare):
            continue
        sides = [node.left, *node.comparators]
        if any(isinstance(side, ast.Constant) for side in sides):  # with nothing, or with a word of the code's own
            continue
        named = {part.id if isinstance(part, ast.Name) else part.attr for side in sides for part in ast.walk(side)
                 if isinstance(part, ast.Name | ast.Attribute)}  # fmt: skip
        by_value = any(isinstance(operator, ast.Eq | ast.NotEq | ast.In | ast.NotIn) for operator in node.ops)
        if by_value and any(SECRET.search(name.lower()) for name in named):
            yield node


def test_every_comparison_of_what_callers_show_was_looked_at() -> None:
    found = {
        (path.relative_to(ROOT).as_posix(), ast.unparse(node))
        for room in ROOMS
        for path in ROOT.glob(room)
        for node in compared(ast.parse(path.read_text()))
    }
    assert found - HARMLESS.keys() == set(), "compare by hmac.compare_digest, or say here why it tells nothing"
    assert HARMLESS.keys() - found == set(), "these are gone"


def test_the_review_sees_what_it_is_for() -> None:
    for careless in (
        "if given == expected: pass",
        "ok = shown in self._tokens",
        "x = sha256(key).digest() != self.digest",
    ):
        assert list(compared(ast.parse(careless))), careless
    for careful in (
        "hmac.compare_digest(given, expected)",
        "token is None",
        "self._tokens.get(sha256(given).digest())",
    ):
        assert not list(compared(ast.parse(careful))), careful


def calls(path: str, name: str) -> set[str]:
    """What the function `name` calls."""
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            return {ast.unparse(call.func) for call in ast.walk(node) if isinstance(call, ast.Call)}
    raise AssertionError(f"{path} has no {name}")


def test_admin_tokens_and_api_keys_are_compared_as_said() -> None:
    assert {"hmac.compare_digest", "sha256"} <= calls("control/access.py", "guard")
    assert {"self.tokens.get", "sha256"} <= calls("control/principals.py", "by_token")
    assert {"self._known.get", "sha256"} <= calls("security/api_key.py", "judge")
    assert "compare_digest" in calls("security/login.py", "_complete")
