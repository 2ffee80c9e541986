"""A run that is interrupted says how to go on, or that nothing of it is left."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from spanserve.client.evaluation.ledger import LEDGER_NAME
from spanserve.options.terminal import complain


@contextlib.contextmanager
def resumable(folder: Path | None) -> Iterator[None]:
    """Run an evaluation inside; if it is interrupted once its ledger exists, --resume is named.

    Args:
        folder: where its ledger is; None where it is not kept.
    """
    try:
        yield
    except KeyboardInterrupt:
        if folder is not None and (folder / LEDGER_NAME).is_file():
            complain(
                f"interrupted; the answers so far are kept in {folder}: continue with the same command and --resume"
            )
        else:
            complain("interrupted; nothing is kept: the same command begins again")
        raise
