"""Device names."""

from __future__ import annotations

import pytest

from spanserve.device import DeviceError, DeviceSpec


@pytest.mark.parametrize(
    ("text", "backend", "options"),
    [
        pytest.param("cpu", "cpu", {}, id="cpu"),
        pytest.param("cpu?threads=4", "cpu", {"threads": 4.0}, id="cpu-threads"),
        pytest.param("sim:fixed", "sim", {}, id="sim"),
        pytest.param("sim:fixed?latency_ms=0.5", "sim", {"latency_ms": 0.5}, id="sim-fraction"),
        pytest.param(
            "sim:fixed?latency_ms=5&fail_id=1&hang_id=2&abort_id=3",
            "sim",
            {"latency_ms": 5.0, "fail_id": 1.0, "hang_id": 2.0, "abort_id": 3.0},
            id="sim-all",
        ),
        pytest.param("sim:fixed?fail_id=1&", "sim", {"fail_id": 1.0}, id="empty-pair"),
        pytest.param("sim:fixed?fail_id=1&fail_id=2", "sim", {"fail_id": 2.0}, id="the-last-one-counts"),
    ],
)
def test_parse(text: str, backend: str, options: dict[str, float]) -> None:
    """A device name is a kind and numbers behind a question mark; it is kept as given."""
    assert DeviceSpec(text, backend, options) == DeviceSpec.parse(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "device '' is not known: use cpu, or sim:fixed", id="empty"),
        pytest.param("gpu", "device 'gpu' is not known", id="unknown"),
        pytest.param("CPU", "device 'CPU' is not known", id="capitals"),
        pytest.param("cpu ", "device 'cpu ' is not known", id="space"),
        pytest.param("cpu\n", "device 'cpu\\n' is not known", id="newline"),
        pytest.param("cpu?", "device 'cpu?' is not known", id="nothing-behind-the-mark"),
        pytest.param("sim", "device 'sim' is not known", id="sim-of-what"),
        pytest.param("cpu?latency_ms=5", "no option 'latency_ms', only threads", id="option-of-another"),
        pytest.param(
            "sim:fixed?x=1", "no option 'x', only abort_id, fail_id, hang_id, latency_ms", id="unknown-option"
        ),
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
