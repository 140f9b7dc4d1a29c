"""Every sentence that a module can say, from its source: for the words that pages have for them."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

PUT_IN = "7"
"""Stands for what is put into a sentence."""


def sentences(file: Path, speaks: Mapping[str, tuple[int, ...]]) -> Iterator[str]:
    """Yield the texts given to the calls in ``speaks``: name of what is called → numbers of its arguments.

    A text may have been given a name before; then every text of that name in the module counts.
    """
    tree = ast.parse(file.read_text(encoding="utf-8"))
    named: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    named.setdefault(target.id, []).append(node.value)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        for number in speaks.get(called, ()):
            if number < len(node.args):
                given = node.args[number]
                for said in named.get(given.id, []) if isinstance(given, ast.Name) else [given]:
                    yield from _texts(said)


def _texts(said: ast.expr) -> Iterator[str]:
    match said:
        case ast.Constant(value=str(text)) if text:
            yield text
        case ast.JoinedStr(values=parts):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else PUT_IN for part in parts)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            yield from (a + b for a in _texts(left) for b in _texts(right))
        case ast.IfExp(body=body, orelse=other):
            for one in (body, other):
                yield from [""] if isinstance(one, ast.Constant) and one.value == "" else _texts(one)
        case ast.BoolOp(values=values):
            for one in values:
                yield from _texts(one)
