"""The access list: what a line says, what is no list, and how lines come and go."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from spanserve.access import AccessError, AccessList, Entry, Role, Token, new_token
from spanserve.access.access_list import HEADER, edit

HEX = hashlib.sha256(b"bulk.secret-secret-secret").hexdigest()
BULK = f"bulk sha256:{HEX} ask bulk,shared 0.5 2027-01-31T12:00:00Z"
ALICE = "alice san:spiffe://example/alice ask,observe,operate * 2 never"


def test_lines() -> None:
    """A line is read as what it says, and written as it was."""
    names = AccessList.parse(f"# comment\n\n{BULK}\n  {ALICE}\n")
    bulk, alice = names.entries
    assert [BULK, ALICE] == [str(bulk), str(alice)]
    assert (("bulk", "shared"), 0.5, 1_801_396_800.0) == (bulk.tenants, bulk.weight, bulk.expires)
    assert (frozenset(Role), (), None) == (alice.roles, alice.tenants, alice.expires)
    assert [False, True] == [bulk.expired(now) for now in (1_801_396_799.9, 1_801_396_800.0)]
    assert not alice.expired(1e12)


def test_who() -> None:
    """A token is its owner's as a whole and no other's; a certificate that of the first name that is known."""
    names = AccessList.parse(f"{BULK}\n{ALICE}\n")
    bulk, alice = names.entries
    assert bulk == names.by_token("bulk.secret-secret-secret")
    for wrong in (
        "bulk.secret-secret-secre",
        "bulk.",
        "bulk",
        "",
        "alice.secret-secret-secret",
        "bulk.sécret",
        "alice.",
    ):
        assert None is names.by_token(wrong)
    assert alice == names.by_san(["other", "spiffe://example/alice"])
    assert None is names.by_san(["bulk", ""])


REFUSED = {
    "empty": ("", "it is empty"),
    "cut": (BULK, "its last line does not end"),
    "a-field-less": (f"{BULK.rpartition(' ')[0]}\n", "line 1: has 5 fields, not 6"),
    "id": (f"bu/lk{BULK[4:]}\n", "line 1: id does not match"),
    "half-a-digest": ("a sha256:ab ask * 1 never\n", "line 1: credential"),
    "no-credential": ("a token ask * 1 never\n", "line 1: credential"),
    "no-name": ("a san: ask * 1 never\n", "line 1: credential"),
    "role": ("a san:a ask,root * 1 never\n", "line 1: 'root' is not a role: use ask, observe, operate"),
    "tenant": ("a san:a ask a,*b 1 never\n", "line 1: tenant '*b' does not match"),
    "weight-0": ("a san:a ask * 0 never\n", "line 1: weight is '0'"),
    "weight-nan": ("a san:a ask * nan never\n", "line 1: weight is 'nan'"),
    "weight-word": ("a san:a ask * much never\n", "line 1: weight is 'much'"),
    "expiry": ("a san:a ask * 1 tomorrow\n", "line 1: expiry is 'tomorrow'"),
    "id-twice": (f"# x\n{BULK}\n{BULK}\n", "line 3: bulk occurs twice"),
    "name-twice": ("a san:x ask * 1 never\nb san:x ask * 1 never\n", "line 2: san:x occurs twice"),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(text: str, message: str) -> None:
    """What cannot be read is refused with its line: nobody is let in or kept out by a guess."""
    with pytest.raises(AccessError, match=re.escape(message)):
        AccessList.parse(text)


def test_nobody() -> None:
    """A list of comments lets nobody in, and is a list."""
    assert () == AccessList.parse(HEADER).entries


def test_edit(tmp_path: Path) -> None:
    """Lines come and go, comments and permissions stay, and what would be no list is not written."""
    path = tmp_path / "tokens"
    edit(path, lambda lines: [*lines, f"{BULK}\n"])
    assert 0o640 == path.stat().st_mode & 0o777
    path.chmod(0o604)
    edit(path, lambda lines: [*lines, "# of the night\n", f"{ALICE}\n"])
    with pytest.raises(AccessError, match=f"{path}: line 5: bulk occurs twice"):
        edit(path, lambda lines: [*lines, f"{BULK}\n"])
    assert f"{HEADER}{BULK}\n# of the night\n{ALICE}\n" == path.read_text()
    assert 0o604 == path.stat().st_mode & 0o777
    assert [path] == list(tmp_path.iterdir())
    with pytest.raises(AccessError, match="No such file or directory"):
        edit(tmp_path / "no" / "folder", lambda lines: lines)


def test_a_new_token() -> None:
    """A token has 256 random bits behind its id, and is known by its digest alone."""
    asked: list[int] = []

    def random_text(size: int) -> str:
        asked.append(size)
        return "x" * 43

    token = new_token("a.b", random_text)
    assert ("a.b." + "x" * 43, [32]) == (token, asked)
    entry = Entry(id="a.b", digest=hashlib.sha256(token.encode()).digest(), roles=frozenset({Role.ASK}))
    assert entry == AccessList([entry]).by_token(token)
    assert new_token("a") != new_token("a")


def test_a_token_in_a_file(tmp_path: Path) -> None:
    """It is read each time it is shown, and kept while it cannot be; what is no token is refused, and never quoted."""
    path = tmp_path / "token"
    token = Token(path)
    for wrong in ("", "no token at all", "-----BEGIN PRIVATE KEY-----", "x" * 5000):
        path.write_text(wrong)
        with pytest.raises(AccessError, match=f"{path} holds is not a token") as refused:
            token.show()
        assert not wrong or wrong not in str(refused.value)
    path.unlink()
    with pytest.raises(AccessError, match=f"{path} cannot be read: No such file"):
        token.show()
    for text in (new_token("a"), new_token("b")):
        path.write_text(f"{text}\n")
        assert text == token.show()
    path.unlink()
    assert text == token.show()
    assert "secret" not in repr(Token("a.secret-secret-secret")) + repr(token)
