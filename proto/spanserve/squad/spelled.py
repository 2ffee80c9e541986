"""Values that are spelled out in a text, as they end up in cells of a table."""

from __future__ import annotations

import ast
import json


def spelled(text: str) -> object:
    """The list or object that a text spells, in JSON or as Python and numpy print it; the text if it spells none.

    {"text": ["1871"]}   {'text': ['1871']}   {'text': array(['1871'], dtype=object)}   array(['1871'], dtype=object)
    """
    if not text.strip().startswith(("{", "[", "array(")):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return _value(ast.parse(text.strip(), mode="eval").body)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return text


def _value(tree: ast.expr) -> object:
    match tree:
        case ast.Constant():
            return tree.value
        case ast.List() | ast.Tuple():
            return [_value(item) for item in tree.elts]
        case ast.Dict():
            keys = [_value(key) if key else None for key in tree.keys]
            return {str(key): _value(item) for key, item in zip(keys, tree.values, strict=True)}
        case ast.Call(func=ast.Name(id="array"), args=[first, *_]):  # how numpy prints one
            return _value(first)
    raise ValueError("not a literal")
