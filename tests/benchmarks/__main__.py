"""Runs every benchmark: `python -m tests.benchmarks`."""

from __future__ import annotations

import subprocess
import sys

PROGRAMS = ("host_path", "device_share", "whole_job", "queue_rate", "doors", "scaling", "plan_check")

for program in PROGRAMS:
    print(f"# {program}", flush=True)
    subprocess.run([sys.executable, "-m", f"tests.benchmarks.{program}"], check=True)
