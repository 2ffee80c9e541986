"""A client belongs to the process that made it."""

from __future__ import annotations

import gc
import os

from spanserve.client.errors import Forked

#: Process that first used gRPC through us; 0: none yet.
_grpc_process = 0


class OwnProcess:
    """The process that made something which does not survive fork."""

    def __init__(self) -> None:
        self._pid = os.getpid()

    @property
    def here(self) -> bool:
        """Whether this is that process."""
        return os.getpid() == self._pid

    def check(self) -> None:
        """Check that this is that process.

        Raises:
            Forked: it is a child of it.
        """
        if not self.here:
            raise Forked(
                f"this client was made in process {self._pid} and does not survive its fork: "
                f"make one in process {os.getpid()}"
            )


def use_grpc() -> None:
    """Note that this process uses gRPC, whose threads and locks a child does not get.

    Raises:
        Forked: a process that this one was forked from used it.
    """
    global _grpc_process
    if not _grpc_process:
        _grpc_process = os.getpid()
        # gRPC's own objects wait for a thread when they go, which a child has not: there nothing of them is collected.
        os.register_at_fork(after_in_child=gc.freeze)
    if _grpc_process != os.getpid():
        raise Forked(
            f"process {_grpc_process} used gRPC before this one was forked from it, and gRPC does not work here: "
            "fork before the first client is made, or start processes by spawn"
        )
