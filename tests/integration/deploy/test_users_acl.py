"""The users of Redis: each is granted what its calls send and what their scripts run, and nothing else."""

from __future__ import annotations

import re
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

REDIS = Path(__file__).parents[3] / "deploy" / "redis"
#: Scripts that each user calls.
SCRIPTS = {
    "producer": ("submit", "cancel"),
    "worker": (
        "provision",
        "claim",
        "reclaim",
        "renew",
        "finish",
        "dead",
        "release",
        "mark",
        "unmark",
        "beat",
        "leave",
    ),
    "admin": ("cancel", "replay"),
}
#: What is sent beside the scripts, by the module of spanserve.queue that sends it.
CALLS = {"evalsha", "script|load"}
DIRECT = {
    "producer": {
        *CALLS,
        *("xread", "hmget", "hget"),  # producer
        *("time", "zrevrange", "hgetall"),  # registry
    },
    "worker": {
        *CALLS,
        *("info",),  # config
        *("xread", "xpending", "hget"),  # consumer
    },
    "admin": {
        *CALLS,
        *("hmget", "hset"),  # config
        *("time", "info", "xlen", "xinfo|groups", "xpending", "xrange", "zcount", "zscan"),  # overview
        *("zrevrange", "hgetall"),  # registry
        *("xdel",),  # letters
        *("ping", "acl|load"),  # people and health checks
    },
}
#: Commands that are many, told apart by their first argument.
CONTAINERS = ("XINFO", "XGROUP")


@pytest.fixture(scope="session")
def users(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Rules of each user in the ACL file that make-users.sh prints."""
    folder = tmp_path_factory.mktemp("passwords")
    for name in ("producer", "worker", "admin"):
        (folder / name).write_text(f"password of {name}\n")
    made = subprocess.run([REDIS / "make-users.sh", folder], check=True, capture_output=True, text=True)
    return {line.split()[1]: line.split()[2:] for line in made.stdout.splitlines()}


def run_by(script: str) -> set[str]:
    """Commands in a script, its prelude included."""
    folder = files("spanserve.queue") / "scripts"
    body = "".join((folder / f"{part}.lua").read_text(encoding="utf-8") for part in ("prelude", script))
    found = re.findall(r"redis\.call\('(\w+)'(?:, '(\w+)')?|\{ '(XCLAIM)'", body)
    return {
        f"{command}|{first}".lower() if command in CONTAINERS else (command or built).lower()
        for command, first, built in found
    }


@pytest.mark.parametrize("user", SCRIPTS)
def test_exact_commands(users: dict[str, list[str]], user: str) -> None:
    """A user may send what its calls and scripts need: no less, and no more."""
    needed = DIRECT[user].union(*(run_by(script) for script in SCRIPTS[user]))
    granted = {rule[1:] for rule in users[user] if rule.startswith("+")}
    assert sorted(needed) == sorted(granted)


def test_every_script_has_a_user() -> None:
    """No script is left that nobody may call."""
    names = {path.name.removesuffix(".lua") for path in (files("spanserve.queue") / "scripts").iterdir()}
    assert names - {"prelude"} == {name for scripts in SCRIPTS.values() for name in scripts}


def test_nobody_else(users: dict[str, list[str]]) -> None:
    """The default user is off, and everyone is shut into the queues and out of channels."""
    assert {"default", *SCRIPTS} == set(users)
    assert "off" == users["default"][0]
    for name in SCRIPTS:
        assert ["on", "resetkeys", "~{q:*}:*", "resetchannels", "-@all"] == [
            rule for rule in users[name] if not rule.startswith(("#", "+"))
        ]


def test_passwords_stay_out(users: dict[str, list[str]]) -> None:
    """The ACL file holds digests, one of each password."""
    digests = [rule for name in SCRIPTS for rule in users[name] if rule.startswith("#")]
    assert len(SCRIPTS) == len(set(digests))
    assert not any("password" in rule for rules in users.values() for rule in rules)


def test_no_password(tmp_path: Path) -> None:
    """An empty password file is refused: it would let anybody in."""
    for name in SCRIPTS:
        (tmp_path / name).write_text("\n")
    made = subprocess.run([REDIS / "make-users.sh", tmp_path], check=False, capture_output=True, text=True)
    assert (1, "") == (made.returncode, made.stdout)
    assert "producer holds no password" in made.stderr
