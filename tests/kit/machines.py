"""Made-up machines with MLU cards: trees of files, and a script in place of cnmon."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

MLUS = "proc/driver/cambricon/mlus"

#: What cnmon printed with a driver of 5.10, and with one of 4.20, on public pages; processes are made up.
NEWER_TABLE = """\
Wed Nov  8 16:16:45 2023
+------------------------------------------------------------------------------+
| CNMON v5.10.22                                               Driver v5.10.22 |
+-------------------------------+----------------------+-----------------------+
| Card  VF  Name       Firmware |               Bus-Id | Util        Ecc-Error |
| Fan   Temp      Pwr:Usage/Cap |         Memory-Usage | Mode     Compute-Mode |
|===============================+======================+=======================|
| 0     /   MLU370-X8    v1.1.6 |         0000:13:00.0 | 0%                  0 |
|  0%   28C        107 W/ 250 W |     0 MiB/ 20638 MiB | FULL          Default |
+-------------------------------+----------------------+-----------------------+
| 1     /   MLU370-X8    v1.1.6 |         0000:16:00.0 | 93%                 2 |
|  0%   32C        107 W/ 250 W |  1242 MiB/ 20638 MiB | FULL        Exclusive |
+-------------------------------+----------------------+-----------------------+

+------------------------------------------------------------------------------+
| Processes:                                                                   |
|  Card  MI  PID     Command Line                             MLU Memory Usage |
|==============================================================================|
|  1     /   4711    python3.7 infer.py --batch 8                     1222 MiB |
+------------------------------------------------------------------------------+
"""
OLDER_TABLE = """\
Sat Oct  8 11:22:22 2022
+------------------------------------------------------------------------------+
| CNMON v4.20.11                                                               |
+-------------------------------+----------------------+-----------------------+
| Card  VF  Name       Firmware | Inited        Driver | Util        Ecc-Error |
| Fan   Temp      Pwr:Usage/Cap |         Memory-Usage |         vMemory-Usage |
|===============================+======================+=======================|
| 0     /   MLU370-X4    v1.1.6 | On          v4.20.11 | 0%          N/A       |
|  0%   32C         30 W/ 150 W |   300 MiB/ 23308 MiB | 10240 MiB/1048576 MiB |
+-------------------------------+----------------------+-----------------------+

+------------------------------------------------------------------------------+
| Processes:                                                                   |
|  Card  VF  PID    Command Line                             MLU Memory Usage  |
|==============================================================================|
|  No running processes found                                                  |
+------------------------------------------------------------------------------+
"""


def make_tree(root: Path, files: Mapping[str, str]) -> Path:
    """Files below a root."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def information(version: str = "v4.20.18", name: str = "MLU370-X8", node: int = 0) -> str:
    """As the driver's source writes it."""
    return f"Device name: {name}\nDevice inode path: /dev/cambricon_dev{node}\nDriver Version: {version}\n"


def nodes(*names: str) -> dict[str, str]:
    return {f"dev/{name}": "" for name in names}


def write_cnmon(folder: Path, table: str) -> str:
    """A cnmon that prints a table."""
    return write_script(folder / "cnmon", f"cat <<'END'\n{table}END\n")


def write_script(path: Path, script: str) -> str:
    """A program."""
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(0o755)
    return str(path)
