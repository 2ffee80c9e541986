"""Device names."""

from __future__ import annotations

import pytest

from spanserve.device import DeviceError, DeviceSpec
from spanserve.device.host.cards import CARDS


@pytest.mark.parametrize(
    ("text", "kind", "options"),
    [
        pytest.param("cpu", "cpu", {}, id="cpu"),
        pytest.param("cpu?threads=4", "cpu", {"threads": 4.0}, id="cpu-threads"),
        pytest.param("mlu:0", "mlu", {}, id="mlu"),
        pytest.param("sim:fixed", "sim:fixed", {}, id="sim"),
        pytest.param("sim:fixed?latency_ms=0.5", "sim:fixed", {"latency_ms": 0.5}, id="sim-fraction"),
        pytest.param(
            "sim:fixed?latency_ms=5&fail_id=1&hang_id=2&abort_id=3",
            "sim:fixed",
            {"latency_ms": 5.0, "fail_id": 1.0, "hang_id": 2.0, "abort_id": 3.0},
            id="sim-all",
        ),
        pytest.param("sim:fixed?fail_id=1&", "sim:fixed", {"fail_id": 1.0}, id="empty-pair"),
        pytest.param(
            "sim:fixed?fail_id=1&fail_id=2", "sim:fixed", {"fail_id": 2.0}, id="the-last-one-counts"
        ),
    ],
)
def test_parse(text: str, kind: str, options: dict[str, float]) -> None:
    """A device name is a kind and numbers behind a question mark; it is kept as given."""
    spec = DeviceSpec.parse(text)
    assert (text, kind, options) == (spec.text, spec.kind.name, spec.options)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "device '' is not known: use cpu, mlu:N, sim:fixed, ", id="empty"),
        pytest.param("gpu", "device 'gpu' is not known", id="unknown"),
        pytest.param("CPU", "device 'CPU' is not known", id="capitals"),
        pytest.param("cpu ", "device 'cpu ' is not known", id="space"),
        pytest.param("cpu\n", "device 'cpu\\n' is not known", id="newline"),
        pytest.param("mlu", "device 'mlu' is not known", id="mlu-of-what"),
        pytest.param("mlu:-1", "device 'mlu:-1' is not known", id="mlu-negative"),
        pytest.param("mlu:0?threads=1", "device 'mlu:0?threads=1': no option 'threads'", id="mlu-option"),
        pytest.param("cpu?", "device 'cpu?' is not known", id="nothing-behind-the-mark"),
        pytest.param("sim", "device 'sim' is not known", id="sim-of-what"),
        pytest.param(
            "cpu?latency_ms=5",
            "no option 'latency_ms', only memory, streams, threads",
            id="option-of-another",
        ),
        pytest.param(
            "sim:fixed?x=1",
            "no option 'x', only abort_id, fail_id, hang_id, holds_lock, latency_ms",
            id="unknown-option",
        ),
        pytest.param(
            "sim:mlu370-x9",
            "use cpu, mlu:N, sim:fixed, sim:mlu370-x8, sim:mlu370-x4 or sim:mlu370-s4",
            id="card",
        ),
        pytest.param("sim:mlu370-x8?latency_ms=1", "no option 'latency_ms'", id="latency-of-a-card"),
        pytest.param("sim:fixed?precision=fp16", "no option 'precision'", id="precision-of-no-card"),
        pytest.param(
            "sim:mlu370-x4?precision=int8",
            "precision is 'int8'; figures are published for fp16, fp32",
            id="precision",
        ),
        pytest.param("sim:mlu370-x8?time_scale=0", "time_scale is 0, must be above 0", id="no-time"),
        pytest.param("sim:mlu370-x8?time_scale=x", "time_scale is 'x', not a number", id="time-word"),
        pytest.param("sim:fixed?latency_ms=-5", "latency_ms is -5, must not be below 0", id="ends-before"),
        pytest.param("cpu?threads=0", "threads is 0, must be at least 1", id="no-thread"),
        pytest.param("cpu?streams=0.5", "streams is 0.5, must be at least 1", id="half-a-stream"),
        pytest.param("cpu?threads=1000000000", "threads is 1e+09, must be at most 1024", id="threads"),
        pytest.param("cpu?streams=257", "streams is 257, must be at most 256", id="streams"),
        pytest.param("sim:fixed?latency_ms=1e300", "is 1e+300, must be at most 3600000", id="latency"),
        pytest.param("sim:mlu370-x8?time_scale=1e9", "is 1e+09, must be at most 1000000", id="time"),
        pytest.param("cpu?memory=little", "memory is 'little', must be fast or small", id="memory"),
        pytest.param("cpu?threads=-1", "threads is -1, must not be below 0", id="negative"),
        pytest.param("cpu?threads=many", "threads is 'many', not a number", id="word"),
        pytest.param("cpu?threads", "threads is '', not a number", id="no-value"),
        pytest.param("cpu?threads=nan", "threads is 'nan', not a number", id="nan"),
        pytest.param("cpu?threads=1e999", "threads is '1e999', not a number", id="infinite"),
    ],
)
def test_refused(text: str, message: str) -> None:
    """A name that is not understood is refused with what would be."""
    with pytest.raises(DeviceError) as caught:
        DeviceSpec.parse(text)
    assert message in str(caught.value)


def test_index() -> None:
    """A card has the number behind the colon."""
    assert [0, 7, 15] == [DeviceSpec.parse(f"mlu:{index}").index for index in ("0", "7", "15")]


@pytest.mark.parametrize(
    ("text", "card", "options"),
    [
        pytest.param("sim:mlu370-x8", ("mlu370-x8", "fp16"), {}, id="plain"),
        pytest.param("sim:mlu370-x4?precision=fp32", ("mlu370-x4", "fp32"), {}, id="precision"),
        pytest.param(
            "sim:mlu370-s4?time_scale=20&fail_id=7",
            ("mlu370-s4", "fp16"),
            {"time_scale": 20.0, "fail_id": 7.0},
            id="numbers",
        ),
    ],
)
def test_simulated_card(text: str, card: tuple[str, str], options: dict[str, float]) -> None:
    """A simulated card has a name and a precision, float16 unless said otherwise; its cost is the published one."""
    spec = DeviceSpec.parse(text)
    assert (card[0], options) == (spec.unit, spec.options)
    assert spec.kind.known_cost is not None
    expected = CARDS[card[0]][card[1]].seconds(8, 128) * options.get("time_scale", 1)
    assert pytest.approx(expected) == spec.kind.known_cost(spec, 8, 384).estimate(8, 128)


def test_nothing_known() -> None:
    """What other devices take has to be measured."""
    kinds = [DeviceSpec.parse(text).kind for text in ("cpu", "mlu:0", "sim:fixed")]
    assert [None] * 3 == [kind.known_cost for kind in kinds]


def test_meant_for() -> None:
    """Where only a bundle is known, its target tells the device."""
    assert ["cpu", "mlu:0"] == [DeviceSpec.meant_for(target).text for target in ("cpu", "magicmind")]
    with pytest.raises(DeviceError, match="no device is known for bundles of target 'abacus'"):
        DeviceSpec.meant_for("abacus")


def test_interpreter() -> None:
    """A card's host runs under the SDK's Python, which has to be given; other hosts run under ours."""
    python = "/opt/sdk/bin/python3.7"
    assert python == DeviceSpec.parse("mlu:0").interpreter(python)
    assert DeviceSpec.parse("cpu").interpreter(python) is None
    assert DeviceSpec.parse("sim:fixed").interpreter(None) is None
    with pytest.raises(DeviceError, match="mlu:0 needs --magicmind-python"):
        DeviceSpec.parse("mlu:0").interpreter(None)
