"""Entries: what a claim brings, and what is wrong with it if it is not the task it says it is."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spanserve.contract import ErrorCode, Refusal
from spanserve.queue import Entry, JobId
from spanserve.queue.entry import VERSION, crc_of
from tests.kit.queue_rig import queued_task

TASK = queued_task(questions=2, tenant="x")


def entry(**changes: Any) -> Entry:
    """An entry of TASK, as it should be but for some changes."""
    whole = Entry(
        number=2,
        id="1-0",
        deliveries=1,
        remaining_ms=None,
        version=VERSION,
        job=JobId.of(TASK),
        data=TASK.to_bytes(),
        crc=crc_of(TASK.to_bytes()),
        cancelled=False,
        ran=0,
    )
    return dataclasses.replace(whole, **changes)


def test_a_whole_entry() -> None:
    """An entry that is as it was submitted holds its task."""
    assert TASK == entry().task()
    with pytest.raises(Refusal, match="not a version"):
        entry(version="2").task()


def test_checksum() -> None:
    """The checksum is the CRC-32 of zlib in eight digits."""
    assert ("00000000", "cbf43926") == (crc_of(b""), crc_of(b"123456789"))


@pytest.mark.parametrize("place", [0, 10, -1])
def test_a_flipped_bit(place: int) -> None:
    """One flipped bit anywhere is noticed before anything is read from the bytes."""
    data = bytearray(TASK.to_bytes())
    data[place] ^= 1
    with pytest.raises(Refusal, match="damaged") as caught:
        entry(data=bytes(data)).task()
    assert ErrorCode.INTERNAL is caught.value.code


@pytest.mark.parametrize("data", [b"", b"\xff" * 40, b"x" * (1 << 17)], ids=["nothing", "noise", "too much"])
def test_not_a_task(data: bytes) -> None:
    """Bytes that are no task are refused, whatever their checksum says."""
    with pytest.raises(Refusal):
        entry(data=data, crc=crc_of(data)).task()


@given(st.binary(max_size=200), st.booleans(), st.text(max_size=4) | st.just(VERSION))
def test_anything(data: bytes, summed: bool, version: str) -> None:
    """D64: whatever an entry holds, in whatever version, it is the task it says it is, or refused."""
    whole = TASK.to_bytes()
    for bytes_ in (data, whole + data, whole[: len(data)] + data):
        with contextlib.suppress(Refusal):
            crc = crc_of(bytes_) if summed else crc_of(whole)
            assert JobId.of(TASK) == JobId.of(entry(data=bytes_, crc=crc, version=version).task())


def test_another_job() -> None:
    """A task that is not the one of the entry's job is refused."""
    with pytest.raises(Refusal, match="not the job"):
        entry(job=JobId("x", "r", "other")).task()
