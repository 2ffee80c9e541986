"""`spanserve doctor` on this machine and on made-up ones, with a real Redis, and on the emulated SDK."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spanserve import demo
from spanserve.bundle import Bundle
from spanserve.cli.main import main
from spanserve.doctor.bundle import open_bundle
from spanserve.doctor.finding import Finding
from spanserve.doctor.redis import check_redis
from spanserve.doctor.runtime import check_runtime
from spanserve.doctor.sdk import check_sdk
from spanserve.queue import RedisSettings
from tests.kit.emulated import (
    EMULATOR,
    emulator_environment,
    link_package,
    make_mlu_bundle,
    make_script,
    write_environment,
)
from tests.kit.machines import NEWER_TABLE, information, make_tree, nodes, write_cnmon
from tests.kit.ports import free_port
from tests.kit.redis_server import Executable, Persistence, RedisServer
from tests.kit.redis_topologies import SERVICE, make_cluster, sentinels, watched

StartRedis = Callable[..., RedisServer]


def doctor(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict[str, Any]]:
    """Exit status, and the findings by name."""
    with pytest.raises(SystemExit) as end:
        main(["doctor", *map(str, arguments), "--json"])
    assert isinstance(end.value.code, int)
    content = json.loads(capsys.readouterr().out)
    assert content["healthy"] == (end.value.code == 0)
    return end.value.code, {finding["name"]: finding for finding in content["findings"]}


def verdicts(findings: list[Finding]) -> dict[str, str]:
    return {finding.name: finding.verdict.value for finding in findings}


@pytest.fixture(scope="module")
def mlu_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_mlu_bundle(tmp_path_factory.mktemp("mlu") / "bundle", max_batch_size=2, lengths=(64,))


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A tree with two cards, and cnmon."""
    root = make_tree(
        tmp_path / "root",
        {
            "proc/driver/cambricon/mlus/0000:13:00.0/information": information(),
            "proc/driver/cambricon/mlus/0000:16:00.0/information": information(),
            **nodes("cambricon_ctl", "cambricon_dev0", "cambricon_dev1"),
        },
    )
    write_cnmon(tmp_path, NEWER_TABLE)
    return root


# --- on this machine --------------------------------------------------------------------------------------


def test_this_machine(capsys: pytest.CaptureFixture[str]) -> None:
    """Where the tests run the built-in bundle can be served; a card is not missed."""
    status, found = doctor(capsys)
    assert 0 == status
    assert {"processors", "instructions", "CPU runtime", "bundle", "bundle and device", "MLU cards"} == set(
        found
    )


def test_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    """Without --json it is a table, with what to do under what was found."""
    with pytest.raises(SystemExit) as end:
        main(["doctor", "--bundle", "/nowhere"])
    assert 1 == end.value.code
    words = " ".join(capsys.readouterr().out.split())
    assert "failed bundle /nowhere is not a bundle" in words
    assert "→ copy all of it again, or build it" in words


# --- bundle and runtime -----------------------------------------------------------------------------------


def test_damaged_bundle(tmp_path: Path) -> None:
    """A file that is not the one that was written is named."""
    bundle = make_mlu_bundle(tmp_path / "b", lengths=(64,))
    (bundle.path / "model-64").write_bytes(b"x")
    manifest, finding = open_bundle(bundle.path)
    assert manifest is None
    assert ("failed", True) == (finding.verdict.value, "model-64" in finding.found)


def test_bundle_that_was_not_run(tmp_path: Path, mlu_bundle: Bundle) -> None:
    """A bundle that its builder never ran is served, but said so."""
    not_run = mlu_bundle.manifest.verification.model_copy(update={"windows": 0})
    bundle = make_mlu_bundle(tmp_path / "b", lengths=(64,), verification=not_run)
    finding = open_bundle(bundle.path)[1]
    assert ("warning", True) == (finding.verdict.value, "--no-verify" in finding.advice)


def test_runtime(sim_bundle: Bundle) -> None:
    """The runtime is loaded; one that the bundle does not accept, or none at all, fails."""
    manifest = sim_bundle.manifest
    assert "ok" == check_runtime(manifest).verdict.value
    newer = manifest.runtime.model_copy(update={"accepts": ("2999.1", "2999.2")})
    refused = check_runtime(manifest.model_copy(update={"runtime": newer}))
    assert ("failed", True) == (refused.verdict.value, "needs OpenVINO 2999.1 or later" in refused.found)
    missing = check_runtime(manifest, "/nowhere/python")
    assert ("failed", "pip install 'spanserve[cpu]'") == (missing.verdict.value, missing.advice)


# --- Redis ------------------------------------------------------------------------------------------------


def test_redis(start_redis: StartRedis, redis_executable: Executable) -> None:
    """A server that is set up for a queue passes; its version may be one with a known hole."""
    server = start_redis(redis_executable, persistence=Persistence.EVERYSEC, config={"maxmemory": "100mb"})
    found = verdicts(check_redis(RedisSettings(url=server.url)))
    assert ("ok", "ok") == (found["redis memory"], found["redis AOF"])
    assert found["redis"] in ("ok", "warning")


def test_redis_that_forgets(start_redis: StartRedis) -> None:
    """One that evicts fails, one without AOF or limit is warned about."""
    server = start_redis(config={"maxmemory-policy": "allkeys-lru"})
    found = verdicts(check_redis(RedisSettings(url=server.url)))
    assert ("failed", "warning") == (found["redis memory"], found["redis AOF"])
    server = start_redis()
    memory = check_redis(RedisSettings(url=server.url))[1]
    assert ("warning", True) == (memory.verdict.value, "unlimited" in memory.found)


def test_valkey(start_redis: StartRedis, any_server: Executable) -> None:
    """A server is called by its own name and version, whatever it tells clients of Redis."""
    finding = check_redis(RedisSettings(url=start_redis(any_server).url))[0]
    assert f"{any_server.kind.title()} {any_server.version}" in finding.found
    assert (any_server.series in ("8.1", "8.2")) is (finding.verdict.value == "ok")


async def test_one_of_several_servers(start_redis: StartRedis, tmp_path: Path) -> None:
    """A replica, a Sentinel and a node of a cluster are known for what they are, and what to give is said."""
    primary = start_redis()
    replica = start_redis(config={"replicaof": f"{primary.host} {primary.port}"})
    (node, *_) = await make_cluster(start_redis)
    with sentinels(primary, tmp_path, 1) as (sentinel,):
        await watched([sentinel])

        async def found(url: str) -> tuple[str, str]:
            findings = await asyncio.to_thread(check_redis, RedisSettings(url=url))
            (one,) = [finding for finding in findings if finding.name == "redis server"]
            return one.verdict.value, f"{one.found} {one.advice}"

        assert ("ok", "a primary, 1 replicas ") == await found(primary.url)
        verdict, text = await found(replica.url)
        assert ("failed", True) == (verdict, f"a replica of {primary.address}" in text)
        verdict, text = await found(sentinel.url)
        assert ("failed", True) == (verdict, text.startswith("a Sentinel") and "redis+sentinel://" in text)
        verdict, text = await found(f"redis+sentinel://{sentinel.address}/{SERVICE}")
        assert ("ok", True) == (verdict, "the Sentinels name" in text)
        verdict, text = await found(node.url)
        assert ("warning", True) == (verdict, "redis+cluster://" in text)
        verdict, text = await found(f"redis+cluster://{node.address}")
        assert ("ok", True) == (verdict, "a primary of a cluster" in text)


def test_redis_that_is_closed(start_redis: StartRedis) -> None:
    """Nobody there, and no way in, are one finding each; a password is not shown."""
    (away,) = check_redis(RedisSettings(url=f"redis://u:secret@127.0.0.1:{free_port('127.0.0.1')}"))
    assert ("failed", False) == (away.verdict.value, "secret" in away.found)
    server = start_redis(config={"requirepass": "right"})
    (closed,) = check_redis(RedisSettings(url=f"redis://:wrong@127.0.0.1:{server.port}"))
    assert ("failed", True) == (closed.verdict.value, "denies access" in closed.found)


# --- the SDK ----------------------------------------------------------------------------------------------


def test_sdk(mlu_bundle: Bundle) -> None:
    """Interpreter, numpy, SDK and cards are found; another Python than 3.7 is only odd."""
    found = check_sdk(sys.executable, emulator_environment(cards=2), 1, mlu_bundle.manifest)
    expected = {"magicmind python": "warning", "magicmind SDK": "ok", "cards of the SDK": "ok"}
    assert expected == verdicts(found)
    assert ["version 1.7.0", "2, counted from 0"] == [finding.found for finding in found[1:]]


def test_sdk_under_its_own_python(python37: str) -> None:
    """Under a real Python 3.7 nothing is odd."""
    assert {"ok"} == set(verdicts(check_sdk(python37, emulator_environment(), 0, None)).values())


@pytest.mark.parametrize(
    ("python", "environment", "index", "failed", "found"),
    [
        pytest.param("", {}, 0, "magicmind python", "none is named", id="no-python"),
        pytest.param("/nowhere/python", {}, 0, "magicmind python", "cannot be started", id="not-there"),
        pytest.param("/bin/false", {}, 0, "magicmind python", "ended with status 1", id="no-such-program"),
        pytest.param("/bin/true", {}, 0, "magicmind python", "does not run a Python", id="no-python-at-all"),
        pytest.param(sys.executable, {}, 0, "magicmind SDK", "No module named 'magicmind'", id="no-sdk"),
        pytest.param(
            sys.executable,
            emulator_environment(),
            1,
            "cards of the SDK",
            "mlu:1 does not exist",
            id="no-card",
        ),
        pytest.param(
            sys.executable,
            emulator_environment(fail="initialize@1"),
            0,
            "cards of the SDK",
            "cannot count them: RuntimeError",
            id="no-driver",
        ),
        pytest.param(
            sys.executable,
            emulator_environment(fail="abort:import@1"),
            0,
            "magicmind python",
            "ended with signal 6",
            id="dies",
        ),
    ],
)
def test_sdk_that_does_not_work(
    python: str, environment: dict[str, str], index: int, failed: str, found: str
) -> None:
    """Each thing that may be missing is told from the others."""
    (finding,) = [
        finding
        for finding in check_sdk(python, environment, index, None)
        if finding.verdict.value == "failed"
    ]
    assert (failed, True) == (finding.name, found in finding.found), finding


@pytest.mark.parametrize(
    ("program", "verdict"),
    [
        pytest.param('exec {python} "$@"', "warning", id="exec"),
        pytest.param('{python} "$@"; exit $?', "failed", id="child"),
    ],
)
def test_script_in_place_of_the_python(tmp_path: Path, program: str, verdict: str) -> None:
    """A script may stand in place of the SDK's Python if it becomes that Python, which here is only odd."""
    script = make_script(tmp_path / "python", program.format(python=sys.executable))
    finding = check_sdk(str(script), emulator_environment(), 0, None)[0]
    assert (verdict, verdict == "failed") == (finding.verdict.value, "`exec`" in finding.advice)


def test_sdk_without_a_version(tmp_path: Path) -> None:
    """A package that was copied without its metadata does not tell its version, and no worker would start on it."""
    (tmp_path / "magicmind").symlink_to(EMULATOR / "magicmind")
    finding = check_sdk(sys.executable, {"PYTHONPATH": str(tmp_path)}, 0, None)[1]
    assert ("failed", True) == (finding.verdict.value, "version is not known" in finding.found)


def test_sdk_without_a_file(tmp_path: Path) -> None:
    """A package that has no file tells its version by its metadata all the same."""
    link_package(tmp_path)
    (tmp_path / "magicmind-1.7.0.dist-info").mkdir()
    finding = check_sdk(sys.executable, {"PYTHONPATH": str(tmp_path)}, 0, None)[1]
    assert ("ok", "version 1.7.0") == (finding.verdict.value, finding.found)


def test_sdk_without_numpy(tmp_path: Path) -> None:
    """A numpy that cannot be imported is named."""
    (tmp_path / "numpy.py").write_text("raise ImportError('no numpy here')")
    environment = {"PYTHONPATH": f"{tmp_path}:{EMULATOR}"}
    finding = check_sdk(sys.executable, environment, 0, None)[0]
    assert ("failed", True) == (finding.verdict.value, "no numpy here" in finding.found)


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        ("No module named 'magicmind.python'", "install the SDK's wheel"),
        ("libmagicmind.so.1: cannot open shared object file: No such file or directory", "LD_LIBRARY_PATH"),
        ("/usr/lib/libcndev.so: undefined symbol: cndevGetCardHeartbeatCount", "of different releases"),
        ("version `GLIBCXX_3.4.29' not found (required by libmagicmind.so)", "newer system libraries"),
        ("something else", "of one release"),
    ],
    ids=["no-wheel", "no-library", "symbol", "system", "unknown"],
)
def test_sdk_that_cannot_be_imported(tmp_path: Path, error: str, advice: str) -> None:
    """The advice is for what is wrong with it."""
    (tmp_path / "magicmind.py").write_text(f"raise ImportError({error!r})")
    finding = check_sdk(sys.executable, {"PYTHONPATH": str(tmp_path)}, 0, None)[1]
    assert (True, True) == (error in finding.found, advice in finding.advice), finding


def test_sdk_of_another_version(mlu_bundle: Bundle) -> None:
    """A bundle of another version of the SDK is refused, as the host would."""
    runtime = mlu_bundle.manifest.runtime.model_copy(update={"accepts": ("1.5", "1.6")})
    manifest = mlu_bundle.manifest.model_copy(update={"runtime": runtime})
    found = check_sdk(sys.executable, emulator_environment(), 0, manifest)[1]
    assert ("failed", True) == (found.verdict.value, "installed is 1.7.0" in found.found)


# --- a machine with cards ---------------------------------------------------------------------------------


def test_machine_with_cards(
    machine: Path, tmp_path: Path, mlu_bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a machine that has everything a card is found fit; one that another process holds is not."""
    arguments = [
        *("--bundle", mlu_bundle.path, "--root", machine, "--cnmon", tmp_path / "cnmon"),
        *("--magicmind-python", sys.executable, "--mlu-exporter", f"127.0.0.1:{free_port('127.0.0.1')}"),
        *("--device-env", write_environment(tmp_path / "sdk.env", cards=2)),
    ]
    status, found = doctor(capsys, *arguments)
    assert 0 == status, found
    assert {"driver", "card nodes", "cnmon", "card", "ECC", "XID and ECC", "visible cards"} < set(found)
    assert "ok" == found["bundle and card"]["verdict"]
    status, found = doctor(capsys, *arguments, "--device", "mlu:1")
    assert 1 == status
    assert "Exclusive" in found["card"]["advice"]


def test_card_of_another_architecture(
    tmp_path: Path, mlu_bundle: Bundle, capsys: pytest.CaptureFixture[str]
) -> None:
    """A card that the bundle was not built for fails, with the option that builds one for it."""
    cards = {"0000:13:00.0": information(), "0000:16:00.0": information(name="MLU590-M9", node=1)}
    files = {f"proc/driver/cambricon/mlus/{address}/information": text for address, text in cards.items()}
    root = make_tree(
        tmp_path / "root", {**files, **nodes("cambricon_ctl", "cambricon_dev0", "cambricon_dev1")}
    )
    for index, verdict, text in ((0, "ok", "MLU370-X8 is mtp_372"), (1, "failed", "MLU590-M9 is mtp_592")):
        arguments = ("--bundle", mlu_bundle.path, "--root", root, "--device", f"mlu:{index}")
        _, found = doctor(capsys, *arguments, "--cnmon", "/nowhere/cnmon")
        finding = found["bundle and card"]
        assert (verdict, True) == (finding["verdict"], finding["found"].endswith(text))
    assert "build it for this card: --mlu-arch mtp_592" == finding["advice"]


def test_python_in_the_current_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--magicmind-python ./sdk-python` is the one that lies here, and none along PATH."""
    make_script(tmp_path / "sdk-python", f'exec {sys.executable} "$@"')
    monkeypatch.chdir(tmp_path)
    _, found = doctor(capsys, "--device", "mlu:0", "--root", tmp_path, "--magicmind-python", "./sdk-python")
    assert found["magicmind python"]["found"].startswith("./sdk-python, 3.")


def test_machine_without_a_card(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where a card is asked for, with or without a bundle, everything that is missing is told at once."""
    (tmp_path / "root").mkdir()
    arguments = ("--device", "mlu:0", "--root", tmp_path / "root", "--cnmon", "/nowhere/cnmon")
    for bundle in ((), ("--bundle", demo.BUNDLE)):
        status, found = doctor(capsys, *arguments, *bundle)
        assert 1 == status
        missing = {name for name, finding in found.items() if finding["verdict"] == "failed"}
        unfit = {"bundle and device"} if bundle else set()
        assert {"driver", "card nodes", "magicmind python", *unfit} == missing
