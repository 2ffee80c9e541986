"""Groups of options in the signature of a command."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from spanserve.options import grouped


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A group within a group."""

    user: Annotated[str, typer.Option(envvar="GROUPS_USER", help="Who.")] = "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A group."""

    address: Annotated[str, typer.Option(help="Where.")]
    login: Login
    secure: Annotated[bool, typer.Option("--secure", help="With TLS.")] = False


app = typer.Typer(add_completion=False)


@app.command()
@grouped
def visit(
    context: typer.Context,
    *,
    times: Annotated[int, typer.Option(help="How often.", min=1)] = 1,
    server: Server,
    names: Annotated[list[str] | None, typer.Argument()] = None,
) -> None:
    """Go there."""
    print(context.info_name, times, server, names)


def said(*arguments: str, **environment: str) -> str:
    """What `visit` prints."""
    done = CliRunner().invoke(app, arguments, prog_name="visit", env=environment)
    assert 0 == done.exit_code, done.output
    return done.stdout.strip()


def test_order() -> None:
    """Options stand where their group does."""
    assert ["context", "times", "address", "user", "secure", "names"] == list(
        inspect.signature(visit).parameters
    )


def test_headings() -> None:
    """In the help the options of a group stand under the first line of its docstring."""
    lines = said("--help").splitlines()
    (group, login) = (
        next(n for n, line in enumerate(lines) if title in line)
        for title in ("─ A group ─", "─ A group within a group ─")
    )
    where = {
        word: next(n for n, line in enumerate(lines) if f" {word} " in line)
        for word in ("--times", "--address", "--user")
    }
    assert where["--times"] < group < where["--address"] < login < where["--user"]


def test_defaults() -> None:
    """What is not given has the default of its field."""
    expected = Server(address="here", login=Login())
    assert f"visit 1 {expected} None" == said("--address", "here")


def test_values() -> None:
    """Options, variables and arguments come to their groups."""
    expected = Server(address="there", login=Login(user="me"), secure=True)
    found = said("--address", "there", "--secure", "--times", "3", "a", "b", GROUPS_USER="me")
    assert f"visit 3 {expected} ['a', 'b']" == found


@pytest.mark.parametrize(
    ("arguments", "match"),
    [([], "Missing option '--address'"), (["--address", "a", "--times", "0"], "greater than or equal to 1")],
)
def test_checks(arguments: list[str], match: str) -> None:
    """An option keeps its checks: what is required, and what is allowed."""
    done = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})
    assert 2 == done.exit_code
    assert match in done.output


def test_twice() -> None:
    """The same option in a command and in its group is refused when the command is made."""

    def command(*, user: str, login: Login) -> None: ...

    with pytest.raises(ValueError, match="duplicate parameter name: 'user'"):
        grouped(command)
