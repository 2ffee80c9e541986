"""`spanserve bench device`: the bare device, counted as mm_run counts."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from spanserve.bundle import Bundle
from spanserve.cli.main import main
from spanserve.device import Device, DeviceError, HostDied
from spanserve.device.bench import Latencies, measure_device
from tests.kit.bundles import make_sim_bundle
from tests.kit.emulated import RESULTS, make_mlu_bundle, write_environment
from tests.kit.machines import OLDER_TABLE, write_cnmon

QUICK = ("--warmup", "0", "--duration", "0", "--iterations", "7")


def bench(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    """Exit status, and what `--json` prints."""
    with pytest.raises(SystemExit) as end:
        main(["bench", "device", *arguments, *QUICK, "--json"])
    assert isinstance(end.value.code, int)
    return end.value.code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_latencies() -> None:
    """A list of times is summed up by its extremes, mean and percentiles."""
    found = Latencies.of([float(number) for number in range(1, 101)])
    assert (1.0, 100.0, 50.5, 50.5) == (found.min, found.max, found.mean, found.median)
    assert (90.1, 95.05, 99.01) == pytest.approx((found.p90, found.p95, found.p99))


def test_counts(open_device: Callable[..., Device]) -> None:
    """Throughput is windows per second of wall time; every batch counted is timed, and no slot is kept."""
    device = open_device("sim:fixed?latency_ms=2", slots=3)
    device.start()
    found = measure_device(device, 4, 32, warmup_s=0, duration_s=0, iterations=9)
    assert 9 == found.iterations
    assert 9 * 4 / found.wall_s == found.throughput
    assert 0.002 <= found.device.min <= found.device.median <= found.device.max
    assert found.device.min <= found.round_trip.max
    assert [device.acquire() for _ in range(4)][3] is None
    assert {} == found.parts


@pytest.mark.parametrize(("batch", "length"), [(17, 384), (0, 384), (1, 385)])
def test_shape_that_does_not_fit(open_device: Callable[..., Device], batch: int, length: int) -> None:
    """A shape over the bundle's is refused with both."""
    device = open_device()
    device.start()
    with pytest.raises(DeviceError, match=f"{batch} x {length} does not fit.*at most 16 x 384"):
        measure_device(device, batch, length)


def test_no_slot_is_lost(open_device: Callable[..., Device]) -> None:
    """After a host that died with several batches every slot is free, and the next host can be measured."""
    device = open_device("sim:fixed?latency_ms=2&abort_id=9", slots=3)
    for _ in range(2):
        device.start()
        with pytest.raises(HostDied):
            measure_device(device, 4, 32, warmup_s=0, duration_s=0, iterations=9, token_id=9)
    device.use_slots(3)


def test_default_shapes(sim_bundle: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    """By default it runs the public sample's batches of 384 tokens, as far as the bundle takes them."""
    status, found = bench(capsys, str(sim_bundle.path), "--device", "sim:fixed")
    assert 0 == status
    assert [(1, 384, 7), (16, 384, 7)] == [
        (entry["batch"], entry["length"], entry["iterations"]) for entry in found
    ]


@pytest.mark.parametrize("results", RESULTS)
@pytest.mark.parametrize(
    ("dynamic", "expected"), [pytest.param(True, [1], id="dynamic"), pytest.param(False, [2], id="static")]
)
def test_card(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    python37: str,
    dynamic: bool,
    expected: list[int],
    results: str,
) -> None:
    """On a card a graph of a fixed batch is run with that batch only, whatever the calls of the SDK give."""
    make_mlu_bundle(tmp_path / "b", dynamic=dynamic, max_batch_size=2)
    environment = write_environment(tmp_path / "env", results=results)
    python = ("--magicmind-python", python37, "--device-env", str(environment))
    status, found = bench(capsys, str(tmp_path / "b"), *python)
    assert 0 == status
    assert expected == [entry["batch"] for entry in found]
    assert {"mlu:0"} == {entry["device"] for entry in found}
    for entry in found:
        parts = entry["device_parts_s"]
        assert ["host_to_device", "enqueue", "sync", "device_to_host"] == list(parts)
        assert 0 < sum(part["mean"] for part in parts.values()) <= entry["latency_s"]["device"]["mean"]


def test_card_that_works(tmp_path: Path, capsys: pytest.CaptureFixture[str], python37: str) -> None:
    """What cnmon tells of the card stands beside its rate, and a profile has files of profiler and tensors."""
    make_mlu_bundle(tmp_path / "b", max_batch_size=2)
    sdk = ("--magicmind-python", python37, "--device-env", str(write_environment(tmp_path / "env")))
    cnmon = write_cnmon(tmp_path, OLDER_TABLE)
    out = tmp_path / "profile"
    status, (found,) = bench(
        capsys, str(tmp_path / "b"), *sdk, "--batch-size", "2", "--cnmon", cnmon, "--profile", str(out)
    )
    assert 0 == status
    mib = 300 * 2**20
    assert {"min": mib, "max": mib, "mean": mib} == found["card"]["memory_used"]
    assert ["utilization", "memory_used", "power", "temperature"] == list(found["card"])
    (folder,) = out.iterdir()
    assert folder.name.endswith("-batch-2-length-384")
    files = [Path(name).relative_to(folder) for name in found["profile"]]
    assert "profiler/steps.json" == str(files[0])
    assert 10 == len(json.loads((folder / files[0]).read_text()))
    assert 5 == sum(file.parts[0] == "tensors" for file in files), files


def test_card_that_is_not_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without cnmon the rates are there all the same, with the reason why nothing is known of the card."""
    make_mlu_bundle(tmp_path / "b", max_batch_size=1)
    sdk = ("--magicmind-python", sys.executable, "--device-env", str(write_environment(tmp_path / "env")))
    status, (found,) = bench(capsys, str(tmp_path / "b"), *sdk, "--cnmon", "/nowhere/cnmon")
    assert (0, None) == (status, found["card"])
    assert found["card_not_read"].startswith("/nowhere/cnmon cannot be started")


def test_profile_of_the_processor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On the CPU a profile is a table of layers with their kernels; a folder that is there is not written into."""
    shape = ("--batch-size", "1", "--length", "16")
    status, (found,) = bench(capsys, *shape, "--profile", str(tmp_path))
    assert 0 == status
    (file,) = map(Path, found["profile"])
    head, first, *_ = file.read_text().splitlines()
    assert "layer,operator,kernel,ms,share" == head
    assert 0 < float(first.split(",")[-1]) <= 1
    with pytest.raises(SystemExit) as end:
        main(["bench", "device", *shape, *QUICK, "--profile", str(tmp_path), "--json"])
    assert 2 == end.value.code
    assert "File exists" in capsys.readouterr().err


def test_no_profiler(sim_bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A device that has no profiler says so."""
    profile = ("--profile", str(tmp_path), "--batch-size", "1")
    with pytest.raises(SystemExit) as end:
        main(["bench", "device", str(sim_bundle.path), "--device", "sim:fixed", *QUICK, *profile, "--json"])
    assert 2 == end.value.code
    assert "this kind of device has no profiler" in capsys.readouterr().err


def test_shorter_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a bundle for shorter windows the longest are run, unless others are asked for."""
    path = make_sim_bundle(tmp_path / "b", max_seq_length=128, max_batch_size=1).path
    for given, expected in (((), 128), (("--length", "48"), 48)):
        status, found = bench(capsys, str(path), "--device", "sim:mlu370-x8", *given)
        assert (0, [expected]) == (status, [entry["length"] for entry in found])


def test_no_interpreter(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A card needs the Python of its SDK, and is not tried with ours."""
    monkeypatch.delenv("SPANSERVE_MAGICMIND_PYTHON", raising=False)
    make_mlu_bundle(tmp_path / "b", max_batch_size=1)
    with pytest.raises(SystemExit) as end:
        main(["bench", "device", str(tmp_path / "b"), "--json"])
    assert 2 == end.value.code
    assert "mlu:0 needs --magicmind-python" in capsys.readouterr().err


def test_parts_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The parts of the time on a card stand below it, in the order in which they happen."""
    make_mlu_bundle(tmp_path / "b", max_batch_size=1)
    environment = write_environment(tmp_path / "env")
    python = ("--magicmind-python", sys.executable, "--device-env", str(environment))
    with pytest.raises(SystemExit) as end:
        main(["bench", "device", str(tmp_path / "b"), *python, *QUICK])
    assert 0 == end.value.code
    rows = [line.strip().split("  ")[0] for line in capsys.readouterr().out.splitlines()]
    first = rows.index("device")
    assert ["host to device", "enqueue", "sync", "device to host", "round trip"] == rows[
        first + 1 : first + 6
    ]


def test_for_people(sim_bundle: Bundle, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --json it prints the lines that mm_run prints."""
    arguments = [str(sim_bundle.path), "--device", "sim:fixed", "--batch-size", "2", *QUICK]
    with pytest.raises(SystemExit) as end:
        main(["bench", "device", *arguments])
    assert 0 == end.value.code
    printed = capsys.readouterr().out
    for text in ("Total iterations", "Throughput (qps)", "median", "p99", "round trip"):
        assert text in printed
