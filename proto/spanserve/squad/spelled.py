"""Values that are spelled out in a text, as they end up in cells of a table."""

from __future__ import annotations

import ast
import json
import tokenize
from collections.abc import Iterator
from io import StringIO

_BRACKETS = ("{", "[", "array(", "np.array(")
#: How numpy prints an array and a single value.
_CALLS = ("array", "int32", "int64", "float32", "float64", "str_", "bool_")


def spelled(text: str) -> object:
    """The list or object that a text spells, in JSON or as Python and numpy print it; the text if it spells none.

    {"text": ["1871"]}   {'text': ['1871']}   {'text': array(['1871'], dtype=object)}   ['1871' 'in 1871']
    """
    bare = text.strip()
    if not bare.startswith(_BRACKETS):
        return text
    try:
        return json.loads(bare)
    except (ValueError, RecursionError):
        pass
    try:
        return _value(ast.parse(bare, mode="eval").body, bare)
    except (ValueError, SyntaxError, RecursionError, MemoryError, tokenize.TokenError):
        return text


def _value(tree: ast.expr, text: str) -> object:
    match tree:
        case ast.Constant():
            return tree.value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
        case ast.Name(id="nan"):
            return None
        case ast.List() | ast.Tuple():
            return [value for item in tree.elts for value in _values(item, text)]
        case ast.Dict():
            keys = [_value(key, text) if key else None for key in tree.keys]
            return {str(key): _value(item, text) for key, item in zip(keys, tree.values, strict=True)}
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=[first, *_]) if name in _CALLS:
            return _value(first, text)
    raise ValueError("not a literal")


def _values(tree: ast.expr, text: str) -> Iterator[object]:
    """Of an item of a list: numpy prints several texts side by side, and Python would read them as one."""
    if not isinstance(tree, ast.Constant) or not isinstance(tree.value, str):
        yield _value(tree, text)
        return
    source = f"({ast.get_source_segment(text, tree)})"
    for token in tokenize.generate_tokens(StringIO(source).readline):
        if token.type == tokenize.STRING:
            yield ast.literal_eval(token.string)
