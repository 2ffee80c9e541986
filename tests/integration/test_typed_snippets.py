"""Programs in README and docs pass a strict type checker, as users' own would."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))


def test_strict(tmp_path: Path) -> None:
    """All but those that are loaded into a package of ours."""
    for page in PAGES:
        for number, program in enumerate(
            re.findall(r"^```python\n(.*?)^```$", page.read_text("utf-8"), re.M | re.S)
        ):
            if "from ." not in program:
                (tmp_path / f"{page.stem.replace('.', '_').replace('-', '_')}_{number}.py").write_text(
                    program
                )
    programs = sorted(map(str, tmp_path.glob("*.py")))
    assert len(programs) > 5
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", *programs],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == checked.returncode, checked.stdout
