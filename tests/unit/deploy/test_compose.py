"""compose.yaml: valid by the Compose specification, and consistent with the images, the users and the settings."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from spanserve.doors.descriptors import WANTED
from tests.kit.deployed import DEPLOY, UNFORESEEN_S, probe_place, variables

FILE = DEPLOY / "compose.yaml"
CALLERS = DEPLOY / "compose.grpc.yaml"


def read(path: Path) -> dict[str, Any]:
    """A file with its defaults in place of ${NAME:-default}."""
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", path.read_text(encoding="utf-8"))
    assert "${" not in text
    made: dict[str, Any] = yaml.safe_load(text)
    return made


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return read(FILE)


def test_specification(compose: dict[str, Any]) -> None:
    """The Compose specification knows every field."""
    specification = pytest.importorskip("compose_spec")
    parsed = specification.PyCompose.from_json(json.dumps(compose))
    assert {"redis", "worker", "client", "admin"} == set(parsed.service_names())


def test_callers(compose: dict[str, Any]) -> None:
    """What compose.grpc.yaml adds is known to the specification, is guarded as the rest, and read by its commands."""
    added = read(CALLERS)
    specification = pytest.importorskip("compose_spec")
    whole = {"services": compose["services"] | {k: v for k, v in added["services"].items() if k != "worker"}}
    whole["services"]["worker"] = compose["services"]["worker"] | added["services"]["worker"]
    whole |= {part: compose[part] | added.get(part, {}) for part in ("networks", "volumes", "secrets")}
    parsed = specification.PyCompose.from_json(json.dumps(whole))
    assert {"redis", "worker", "client", "admin", "caller", "token"} == set(parsed.service_names())
    for name in ("caller", "token"):
        service = added["services"][name]
        guards = service["read_only"], service["cap_drop"], service["security_opt"]
        assert (True, ["ALL"], ["no-new-privileges:true"]) == guards
        assert compose["services"]["worker"]["image"] == service["image"]
    commands = {"worker": "worker", "caller": "ask", "token": "token new"}
    for name, command in commands.items():
        ours = {key for key in added["services"][name]["environment"] if key != "PROBE_CA"}
        assert ours <= variables(command)


def test_variables(compose: dict[str, Any]) -> None:
    """Every variable is read by the command that the service runs."""
    commands = {"worker": ("worker",), "client": ("eval",), "admin": ("queue status",)}
    for service, names in commands.items():
        assert set(compose["services"][service]["environment"]) <= variables(*names)


def test_users(compose: dict[str, Any]) -> None:
    """Every service comes to Redis as a user that is there, and sees the password of that user only."""
    users = re.findall(
        r"^user (\w+) on", (DEPLOY / "redis" / "users.acl.in").read_text("utf-8"), re.MULTILINE
    )
    assert sorted(users) == sorted(compose["secrets"]) == sorted(compose["services"]["redis"]["secrets"])
    for service in ("worker", "client", "admin"):
        env = compose["services"][service]["environment"]
        user = env["SPANSERVE_REDIS_USERNAME"]
        assert user in users
        assert f"/run/secrets/{user}" == env["SPANSERVE_REDIS_PASSWORD_FILE"]
        assert [user] == compose["services"][service]["secrets"]


def test_guards(compose: dict[str, Any]) -> None:
    """Every service has a root it cannot write to and no rights; none is reached from outside."""
    for service in compose["services"].values():
        assert service["read_only"]
        assert ["ALL"] == service["cap_drop"]
        assert ["no-new-privileges:true"] == service["security_opt"]
        assert "ports" not in service
        assert ["queue"] == service["networks"]
    assert compose["networks"]["queue"]["internal"]


def test_files(compose: dict[str, Any]) -> None:
    """What is built and mounted exists, and the probe is where the image has it."""
    build = compose["services"]["worker"]["build"]
    assert (FILE.parent / build["context"] / build["dockerfile"]).is_file()
    assert probe_place() == compose["services"]["worker"]["healthcheck"]["test"][-1]
    for name in ("make-users.sh", "users.acl.in", "redis.conf"):
        assert (FILE.parent / "redis" / name).is_file()
    conf = (FILE.parent / "redis" / "redis.conf").read_text("utf-8")
    made = re.search(r">(\S+)", compose["services"]["redis"]["command"][2])
    assert made is not None
    assert f"aclfile {made[1]}" in conf


def test_descriptors(compose: dict[str, Any]) -> None:
    """A worker may have the descriptors that it asks for."""
    assert WANTED == compose["services"]["worker"]["ulimits"]["nofile"]


def test_end(compose: dict[str, Any]) -> None:
    """A worker has the time that its drain may take at worst, held tasks 20 s of it."""
    grace = compose["services"]["worker"]["stop_grace_period"]
    assert int(grace.removesuffix("s")) >= 20 + UNFORESEEN_S
