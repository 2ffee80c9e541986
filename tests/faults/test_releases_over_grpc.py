"""Workers and clients of this release and of the one before, in one evaluation over gRPC, each with its bundle."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from spanserve.bundle import Bundle, write_bundle
from spanserve.bundle.manifest import MANIFEST_NAME
from tests.e2e.test_eval import squad
from tests.kit.earlier_release import EarlierRelease, unpack_earlier_release
from tests.kit.ports import free_ports
from tests.kit.processes import PATIENCE_S, ROOT, WorkerProcess
from tests.kit.waiting import eventually

StartWorker = Callable[..., WorkerProcess]

pytestmark = pytest.mark.long
RELEASES = ("before", "now")
#: Of a run, with two questions each: half a minute for two workers at this pace.
PASSAGES = 300
DEVICE = "sim:fixed?latency_ms=200"


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> EarlierRelease:
    return unpack_earlier_release(tmp_path_factory.mktemp("earlier"))


@pytest.fixture
def bundles(earlier: EarlierRelease, tmp_path: Path) -> dict[str, Path]:
    """The built-in bundle of the release before, as this release writes it for either."""
    whole = Bundle.open(earlier.bundle)
    files = {entry.path: whole.path / entry.path for entry in whole.manifest.files}
    return {
        release: write_bundle(tmp_path / release, files, whole.manifest, older=release == "before").path
        for release in RELEASES
    }


class Site:
    """Workers at two addresses, each of one release at a time, and clients of both."""

    def __init__(
        self, earlier: EarlierRelease, bundles: dict[str, Path], start: StartWorker, folder: Path
    ) -> None:
        self._env = {"before": earlier.env, "now": {}}
        self._bundles = bundles
        self._start = start
        self._folder = folder
        self._dataset = squad(folder / "ice.json", PASSAGES)
        first = free_ports(2)
        self.addresses = [f"127.0.0.1:{port}" for port in (first, first + 1)]
        self.workers: dict[str, WorkerProcess] = {}

    async def put(self, address: str, release: str) -> None:
        """Start a worker of a release at an address; the one that is there ends first, in order."""
        if (leaving := self.workers.get(address)) is not None:
            leaving.signal(signal.SIGTERM)
            assert 0 == await asyncio.to_thread(leaving.wait)
        self.workers[address] = self._start(
            *("--listen", address, "--max-batch-size", "2"),
            bundle=self._bundles[release],
            device=DEVICE,
            env=dict(self._env[release]),
        )
        await asyncio.to_thread(self.workers[address].wait_ready)

    def evaluate(self, release: str, name: str) -> Evaluation:
        """Begin `spanserve eval` of a release on both addresses."""
        folder = self._folder / f"{name}-{release}"
        workers = [part for address in self.addresses for part in ("--worker", address)]
        command = [sys.executable, "-m", "spanserve.cli", "eval", str(self._dataset), *workers]
        return Evaluation([*command, "-o", str(folder)], folder, {**os.environ, **self._env[release]})


class Evaluation:
    """A run of the command."""

    def __init__(self, command: list[str], folder: Path, env: dict[str, str]) -> None:
        self._ledger = folder / "ledger.jsonl"
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env=env,
        )

    def _lines(self) -> list[bytes]:
        return self._ledger.read_bytes().splitlines()[1:] if self._ledger.exists() else []

    async def reached(self, part: float) -> None:
        """Wait until this part of its tasks has a result."""

        def there() -> bool:
            assert self._process.poll() is None, self._process.communicate()
            return len(self._lines()) > part * PASSAGES

        await eventually(there)

    async def ended(self) -> tuple[dict[str, float], set[str]]:
        """Wait for its end; the score of each answer, and who gave them. Of equal spans either may be taken."""
        _, said = await asyncio.to_thread(self._process.communicate, timeout=PATIENCE_S)
        assert 0 == self._process.returncode, said
        results = [json.loads(line) for line in self._lines()]
        assert PASSAGES == len(results) == len({result["id"] for result in results})
        scores = {question["id"]: question["score"] for result in results for question in result["questions"]}
        return scores, {result["worker"] for result in results}


@pytest.fixture
def site(
    earlier: EarlierRelease, bundles: dict[str, Path], start_worker: StartWorker, tmp_path: Path
) -> Site:
    return Site(earlier, bundles, start_worker, tmp_path)


async def test_side_by_side(site: Site) -> None:
    """A worker of each release serves the same model: clients of both share out one evaluation between them."""
    for address, release in zip(site.addresses, RELEASES, strict=True):
        await site.put(address, release)
    found = [await site.evaluate(release, "both").ended() for release in RELEASES]
    assert found[0][0] == found[1][0]
    assert [2, 2] == [len(workers) for _, workers in found]


async def test_upgrade_and_rollback(site: Site) -> None:
    """Workers are replaced one by one by the other release and back again, while clients of both evaluate."""
    for address in site.addresses:
        await site.put(address, "before")
    expected, _ = await site.evaluate("before", "calm").ended()
    for release in ("now", "before"):
        running = [site.evaluate(each, f"to-{release}") for each in RELEASES]
        for place, address in enumerate(site.addresses):
            for evaluation in running:
                await evaluation.reached(0.05 + 0.2 * place)
            await site.put(address, release)
        for evaluation in running:
            scores, _ = await evaluation.ended()
            assert expected == scores


def test_bundles(earlier: EarlierRelease, bundles: dict[str, Path]) -> None:
    """The release before reads what this one writes for it, as the same model; the other format it refuses by name."""
    assert Bundle.open(bundles["before"]).manifest.digest == Bundle.open(bundles["now"]).manifest.digest

    def inspect(path: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "spanserve.cli", "inspect", str(path)]
        env = {**os.environ, **earlier.env}
        return subprocess.run(command, capture_output=True, text=True, env=env, cwd=path, check=False)

    read, refused = inspect(bundles["before"]), inspect(bundles["now"])
    assert 0 == read.returncode, read.stderr
    assert 0 != refused.returncode
    assert "format 2" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert (bundles["before"] / MANIFEST_NAME).is_file()
