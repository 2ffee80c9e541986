"""Limits of the protocol's requests, besides those of the contract."""

from __future__ import annotations

from typing import Final

from spanserve.contract.limits import MAX_TASKS_PER_FRAME, MAX_WINDOWS_PER_TASK

#: Rows of a request: as many as tasks in a frame of our own protocol.
MAX_ROWS: Final = MAX_TASKS_PER_FRAME
#: Windows that the rows of a request are estimated at: no more than one task may have.
MAX_WINDOWS: Final = MAX_WINDOWS_PER_TASK
#: Inputs, outputs and parameters of a request, and sizes of a shape; our models know fewer. A carrier counts them
#: before it does anything for one: in a message there may be nearly as many as bytes.
MAX_INPUTS: Final = 8
MAX_OUTPUTS: Final = 8
MAX_PARAMETERS: Final = 8
MAX_DIMENSIONS: Final = 8
