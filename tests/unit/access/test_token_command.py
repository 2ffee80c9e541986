"""`spanserve token`: who is let in, by commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spanserve.access import AccessList
from tests.kit import command


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit status of `spanserve token`, and what was printed on standard output and on standard error."""
    return command.run(capsys, "token", *arguments)


def test_life_of_a_token(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """It is printed once and alone, the list has its digest, and it goes by its id."""
    where = ("--tokens", str(tmp_path / "tokens"))
    status, token, _ = run(capsys, "new", "nightly", *where)
    assert 0 == status
    text = (tmp_path / "tokens").read_text()
    assert token.strip().split(".")[1] not in text
    entry = AccessList.parse(text).by_token(token.strip())
    assert entry is not None
    assert ("nightly", ("nightly",), 1.0) == (entry.id, entry.tenants, entry.weight)
    assert entry.expires is not None
    _, shown, _ = run(capsys, "list", *where)
    assert "nightly" in shown
    assert "ask,observe" in shown
    assert entry.digest.hex() not in shown
    assert (0, "") == run(capsys, "revoke", "nightly", *where)[:2]
    assert () == AccessList.parse((tmp_path / "tokens").read_text()).entries
    status, _, said = run(capsys, "revoke", "nightly", *where)
    assert (2, True) == (status, "'nightly' is not in the list" in said)


IN_THE_LIST = {
    "id": (["a"], "a exists already: revoke it first (`spanserve token revoke a`), or choose another id"),
    "name": (
        ["b", "--san", "a.example"],
        "san:a.example exists already: revoke it first (`spanserve token revoke a`), or choose another name",
    ),
}


@pytest.mark.parametrize(("arguments", "message"), IN_THE_LIST.values(), ids=IN_THE_LIST)
def test_in_the_list_already(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str], message: str
) -> None:
    """Who is let in already is named with the line and with both ways out, and nothing is written."""
    path = tmp_path / "tokens"
    assert 0 == run(capsys, "new", "a", "--san", "a.example", "--tokens", str(path))[0]
    before = path.read_text()
    status, out, said = run(capsys, "new", *arguments, "--tokens", str(path))
    assert (2, "", f"spanserve: {path}: line 2: {message}") == (status, out, said.strip())
    assert before == path.read_text()


def test_for_programs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """With --json all of it is JSON; a certificate has a name in place of a token."""
    where = ("--tokens", str(tmp_path / "tokens"), "--json")
    arguments = (
        "--san",
        "a.example",
        "--tenants",
        "*",
        "--roles",
        "ask",
        "--weight",
        "2",
        "--expires",
        "2099-01-01",
    )
    made = json.loads(run(capsys, "new", "a", *arguments, *where)[1])
    entry = {"id": "a", "san": "a.example", "roles": ["ask"], "tenants": ["*"], "weight": 2.0}
    assert {**entry, "expiry": "2099-01-01T00:00:00Z", "token": None} == made
    token = json.loads(run(capsys, "new", "b", "--expires", "never", *where)[1])["token"]
    assert "b" == token.split(".")[0]
    listed = json.loads(run(capsys, "list", *where)[1])
    assert ["a", "b"] == [line["id"] for line in listed]
    assert all("token" not in line for line in listed)
    assert {"revoked": "a"} == json.loads(run(capsys, "revoke", "a", *where)[1])


REFUSED = {
    "id": (["new", "a/b"], "id is 'a/b'"),
    "role": (["new", "a", "--roles", "root"], "'root' is not a role"),
    "weight": (["new", "a", "--weight", "-1"], "weight is '-1'"),
    "expiry": (["new", "a", "--expires", "soon"], "expiry is 'soon'"),
    "tenant": (["new", "a", "--tenants", "a b"], "tenant 'a b'"),
    "name": (["new", "a", "--san", "a b"], "has 7 fields"),
    "no-list": (["list"], "No such file"),
    "nobody": (["revoke", "a"], "no such file"),
}


@pytest.mark.parametrize(("arguments", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str], message: str
) -> None:
    """What cannot be is said in a sentence, and nothing is written."""
    status, _, said = run(capsys, *arguments, "--tokens", str(tmp_path / "tokens"))
    assert (2, True) == (status, message in said)
    assert [] == list(tmp_path.iterdir())
