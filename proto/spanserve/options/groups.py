"""From a function that takes groups of options to one that takes the options, as Typer wants it."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import is_dataclass
from inspect import Parameter
from typing import Annotated, Any, get_args


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """The command with each option of its groups as a parameter, where the group stands.

    A group is a parameter whose type is a dataclass; its fields are options, or groups themselves. The first line of
    its docstring is the heading of its options in the help.

    Raises:
        ValueError: an option is there twice.
    """
    own = _parameters(command)

    @functools.wraps(command)
    def run(**options: Any) -> None:
        command(**{parameter.name: _value(parameter, options) for parameter in own})

    flat = [parameter.replace(kind=Parameter.KEYWORD_ONLY) for parameter in _flat(own)]
    run.__signature__ = inspect.Signature(flat)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in flat}
    return run


def _parameters(of: Callable[..., Any]) -> list[Parameter]:
    return list(inspect.signature(of, eval_str=True).parameters.values())


def _group(parameter: Parameter) -> Callable[..., Any] | None:
    """What makes its value from other options; None for an option."""
    kind = parameter.annotation
    return kind if isinstance(kind, type) and is_dataclass(kind) else None


def _flat(parameters: Iterable[Parameter], heading: str | None = None) -> Iterator[Parameter]:
    for parameter in parameters:
        group = _group(parameter)
        if group is not None:
            yield from _flat(_parameters(group), (group.__doc__ or "").partition("\n")[0].removesuffix("."))
        elif heading is None:
            yield parameter
        else:
            yield parameter.replace(annotation=_under(heading, parameter.annotation))


def _under(heading: str, annotation: Any) -> Any:
    """An option's annotation, with the heading that it stands under in the help."""
    kind, option = get_args(annotation)
    option = copy.copy(option)
    option.rich_help_panel = option.rich_help_panel or heading
    return Annotated[kind, option]


def _value(parameter: Parameter, options: Mapping[str, Any]) -> Any:
    group = _group(parameter)
    if group is None:
        return options[parameter.name]
    return group(**{member.name: _value(member, options) for member in _parameters(group)})
