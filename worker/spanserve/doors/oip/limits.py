"""Limits of the protocol's requests, besides those of the contract."""

from __future__ import annotations

from typing import Final

from spanserve.contract.limits import MAX_TASKS_PER_FRAME, MAX_WINDOWS_PER_TASK

#: Rows of a request: as many as tasks in a frame of our own protocol.
MAX_ROWS: Final = MAX_TASKS_PER_FRAME
#: Windows that the rows of a request are estimated at: no more than one task may have.
MAX_WINDOWS: Final = MAX_WINDOWS_PER_TASK
