"""`spanserve` on a machine whose driver tells of one card, named by SPANSERVE_TEST_CARD; for WorkerProcess."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from spanserve.cli.main import main
from spanserve.device import architectures


def card_names(root: Path = Path("/")) -> set[str]:
    return {os.environ["SPANSERVE_TEST_CARD"]}


if __name__ == "__main__":
    vars(architectures)["card_names"] = card_names
    main(sys.argv[1:])
