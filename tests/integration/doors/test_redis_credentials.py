"""Files that let a worker in to Redis: what is wrong with them is said at the start, and while it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from spanserve.contract.errors import SettingsError
from spanserve.doors.access import Access
from spanserve.doors.redis.credentials import credentials
from spanserve.engine.observer import Observers
from spanserve.queue import RedisSettings
from spanserve.worker.metrics import Metrics
from tests.kit.identity import Identity, make_identity


@pytest.fixture
def server(tmp_path: Path) -> Identity:
    return make_identity(tmp_path, "redis")


def settings_of(folder: Path, server: Identity) -> RedisSettings:
    """Copies of good files."""
    content = {"ca": server.cert, "cert": server.cert, "key": server.key}
    for name, path in content.items():
        (folder / name).write_bytes(path.read_bytes())
    (folder / "password").write_text("secret\n")
    return RedisSettings(
        url="rediss://h",
        password_file=folder / "password",
        tls_ca=folder / "ca",
        tls_cert=folder / "cert",
        tls_key=folder / "key",
    )


WRONG = {
    "ca": ("Redis CA", "no certificate in PEM"),
    "cert": ("Redis certificate", "no certificate in PEM"),
    "key": ("Redis certificate", "private key"),
    "password": ("Redis password", "it is empty"),
}


@pytest.mark.parametrize("name", WRONG)
async def test_a_file_that_cannot_be_used(tmp_path: Path, server: Identity, name: str) -> None:
    """It is a metric while the worker runs, and a refusal of the next start that names it."""
    settings = settings_of(tmp_path, server)
    kind, problem = WRONG[name]
    metrics = Metrics()
    access = Access(None, Observers(metrics), credentials(settings))

    def broken() -> float | None:
        return metrics.registry.get_sample_value("spanserve_credential_file_broken", {"kind": kind})

    good = (tmp_path / name).read_bytes()
    (tmp_path / name).write_text("\n")
    for _ in range(2):  # it might have been half-way replaced at the first look
        await access.look()
    assert 1 == broken()
    with pytest.raises(SettingsError, match=problem) as caught:
        credentials(settings)
    assert str(tmp_path / name) in str(caught.value)
    (tmp_path / name).write_bytes(good)
    await access.look()
    assert 0 == broken()


def test_none(tmp_path: Path) -> None:
    """Without files there is nothing to watch."""
    assert [] == credentials(RedisSettings(url="redis://h"))
