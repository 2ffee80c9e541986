"""The users of Redis: each is granted what its calls send and what their scripts run, and nothing else."""

from __future__ import annotations

import re
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spanserve.client.commands.queue import app
from spanserve.queue import QueueError, previous
from spanserve.queue.calls import OF_PRODUCERS, SCRIPTS, parts_of, previous_script, script
from spanserve.queue.users import ROLES, users_file

REDIS = Path(__file__).parents[3] / "deploy" / "redis"
#: What is sent beside the scripts, by the module of spanserve.queue that sends it.
DIRECT = {
    "producer": {
        *("cluster|slots",),  # primary
        *("xread", "hmget", "hget"),  # producer
        *("time", "zrevrange", "hgetall"),  # registry
    },
    "worker": {
        *("script|load", "info", "cluster|slots"),  # calls, config, primary
        *("xread", "xpending", "hget"),  # consumer
    },
    "admin": {
        *("script|load", "cluster|slots"),  # calls, primary
        *("hmget", "hset"),  # config
        *("time", "info", "xlen", "xinfo|groups", "xpending", "xrange", "zcount", "zscan"),  # overview
        *("zrevrange", "hgetall"),  # registry
        *("xdel",),  # letters
        *("ping", "acl|load"),  # people and health checks
    },
}
#: What only its scripts run, by user.
OF_THE_RELEASE_BEFORE = {"producer": {"zcard"}, "worker": {"xinfo|stream"}}
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
    """Commands in a script, with what it shares with others."""
    folder = files("spanserve.queue") / "scripts"
    body = "".join((folder / f"{part}.lua").read_text(encoding="utf-8") for part in parts_of(script))
    found = re.findall(r"(?:redis\.p?call|\b(?:try|write))\('(\w+)'(?:, '(\w+)')?|\{ '(XCLAIM)'", body)
    return {
        f"{command}|{first}".lower() if command in CONTAINERS else (command or built).lower()
        for command, first, built in found
    }


@pytest.mark.parametrize("user", ROLES)
def test_exact_commands(users: dict[str, list[str]], user: str) -> None:
    """A user may send what its calls and scripts need, no less and no more; of scripts its own, of two releases."""
    needed = DIRECT[user].union(*(run_by(script) for script in ROLES[user].scripts))
    granted = {rule[1:] for rule in users[user] if rule.startswith("+")}
    granted -= OF_THE_RELEASE_BEFORE.get(user, set())
    scripts = {rule.partition("|")[2] for rule in granted if rule.startswith("evalsha")}
    assert sorted(needed) == sorted(rule for rule in granted if not rule.startswith("evalsha"))
    now = {script(name).sha for name in ROLES[user].scripts}
    before = {previous.SHAS[name] for name in ROLES[user].scripts if name in previous.SHAS}
    assert now | before == scripts


def test_every_script_has_a_user() -> None:
    """No script is left that nobody may call, and none that nobody loads."""
    folder = files("spanserve.queue") / "scripts"
    names = {path.name.removesuffix(".lua") for path in folder.iterdir() if path.name.endswith(".lua")}
    assert (
        names - {"prelude", "workers"}
        == set(SCRIPTS)
        == {name for role in ROLES.values() for name in role.scripts}
    )
    assert OF_PRODUCERS == ROLES["producer"].scripts


def test_the_scripts_before_are_as_they_were() -> None:
    """Producers of the release before call scripts by the SHA that they had then."""
    assert {name: previous.SHAS[name] for name in OF_PRODUCERS} == {
        name: previous_script(name).sha for name in OF_PRODUCERS
    }


def test_users_command(tmp_path: Path) -> None:
    """`spanserve queue users` prints what is in the repository, and with passwords what make-users.sh prints."""
    template = CliRunner().invoke(app, ["users"])
    assert (REDIS / "users.acl.in").read_text(encoding="utf-8") == template.output
    for name in ROLES:
        (tmp_path / name).write_text(f"password of {name}\n")
    made = subprocess.run([REDIS / "make-users.sh", tmp_path], check=True, capture_output=True, text=True)
    assert made.stdout == CliRunner().invoke(app, ["users", str(tmp_path)]).output


def test_a_queue_each(tmp_path: Path) -> None:
    """A user named after a queue is shut into it; one that is not a user of queues is refused."""
    lines = users_file({"producer-a.b": "#1", "worker": "#2"}).splitlines()
    assert "~{q:a.b}:*" in lines[1].split()
    assert "~{q:*}:*" in lines[2].split()
    with pytest.raises(QueueError, match="operator is not a user"):
        users_file({"operator": "#1"})
    with pytest.raises(QueueError, match="no password of a producer"):
        CliRunner().invoke(app, ["users", str(tmp_path)], catch_exceptions=False)


def test_nobody_else(users: dict[str, list[str]]) -> None:
    """The default user is off, and everyone is shut into the queues and out of channels."""
    assert {"default", *ROLES} == set(users)
    assert "off" == users["default"][0]
    for name in ROLES:
        assert ["on", "resetkeys", "~{q:*}:*", "resetchannels", "-@all"] == [
            rule for rule in users[name] if not rule.startswith(("#", "+"))
        ]


def test_passwords_stay_out(users: dict[str, list[str]]) -> None:
    """The ACL file holds digests, one of each password."""
    digests = [rule for name in ROLES for rule in users[name] if rule.startswith("#")]
    assert len(ROLES) == len(set(digests))
    assert not any("password" in rule for rules in users.values() for rule in rules)


def test_no_password(tmp_path: Path) -> None:
    """An empty password file is refused: it would let anybody in."""
    for name in ROLES:
        (tmp_path / name).write_text("\n")
    made = subprocess.run([REDIS / "make-users.sh", tmp_path], check=False, capture_output=True, text=True)
    assert (1, "") == (made.returncode, made.stdout)
    assert "producer holds no password" in made.stderr
