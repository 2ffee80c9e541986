"""`spanserve doctor`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from spanserve import demo
from spanserve.contract.escape import escape
from spanserve.device import DeviceSpec, read_environment
from spanserve.device.options import SdkOptions
from spanserve.doctor.examination import Examination
from spanserve.doctor.finding import Finding, Verdict
from spanserve.options import application, grouped
from spanserve.options.terminal import Rows, Terminal
from spanserve.queue.options import RedisLogin

app = application()

_STYLES = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.FAILED: "bold red"}

_EXAMPLES = """\b
Examples:
  spanserve doctor
  spanserve doctor --bundle bert.bundle --redis redis://queue.internal:6379
  spanserve doctor --bundle bert-mlu.bundle --device mlu:0 --magicmind-python /usr/bin/python3.7
\b
Exit status: 0 nothing failed, 1 something failed, 2 bad options.
"""


@app.command("doctor", epilog=_EXAMPLES)
@grouped
def doctor(
    *,
    bundle: Annotated[
        Path | None,
        typer.Option(
            envvar="SPANSERVE_BUNDLE",
            help="Folder of the bundle. Default: the built-in model; none for mlu:N.",
        ),
    ] = None,
    device: Annotated[
        str, typer.Option(envvar="SPANSERVE_DEVICE", help="cpu or mlu:N. Default: what the bundle is for.")
    ] = "",
    redis: Annotated[
        str, typer.Option(envvar="SPANSERVE_REDIS", help="redis:// or rediss:// address; none if empty.")
    ] = "",
    login: RedisLogin,
    sdk: SdkOptions,
    mlu_exporter: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Address of mlu-exporter, if it runs.")
    ] = "127.0.0.1:30108",
    root: Annotated[Path, typer.Option(hidden=True)] = Path("/"),
    json_output: Annotated[bool, typer.Option("--json", help="Findings as JSON.")] = False,
) -> None:
    """Check whether this machine can serve a bundle, and say what to do if not.

    Nothing is changed, and no model is loaded; a worker proves its device itself before it is ready.
    """
    spec = DeviceSpec.parse(device) if device else None
    examination = Examination(
        bundle=bundle or (demo.BUNDLE if spec is None or spec.kind.runs(demo.TARGET) else None),
        device=spec,
        redis=login.to(redis),
        magicmind_python=sdk.magicmind_python or "",
        device_env=read_environment(sdk.device_env) if sdk.device_env else {},
        cnmon=sdk.cnmon,
        exporter=mlu_exporter,
        root=root,
    )
    findings = list(examination.findings())
    healthy = all(finding.verdict is not Verdict.FAILED for finding in findings)
    if json_output:
        found = [{**asdict(finding), "verdict": finding.verdict.value} for finding in findings]
        sys.stdout.write(json.dumps({"healthy": healthy, "findings": found}) + "\n")
    else:
        Terminal().print(_table(findings))
    sys.exit(0 if healthy else 1)


def _table(findings: list[Finding]) -> Rows:
    table = Rows()
    for finding in findings:
        text = Text(escape(finding.found))
        if finding.advice:
            text.append(f"\n→ {escape(finding.advice)}", style="italic")
        table.add_row(Text(finding.verdict.value, style=_STYLES[finding.verdict]), finding.name, text)
    return table
