"""Starts the compile step under the SDK's Python, and explains what failed."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import spanserve.device
from spanserve.builder.errors import BuildError
from spanserve.device.environment import child_environment

#: Folder that is started as the compile program.
PROGRAM = Path(spanserve.device.__file__).parent / "compile"
#: Lines of what the SDK printed that an error quotes.
_TAIL_LINES = 8


class Step(NamedTuple):
    """What a step does, and what a person can try when it fails."""

    does: str
    hint: str


#: Steps of the compile program, in their order.
STEPS = {
    "import": Step(
        "load the SDK",
        "check that --magicmind-python is the interpreter that numpy and the SDK's wheel are installed for, and that "
        "--device-env gives its libraries (LD_LIBRARY_PATH=/usr/local/neuware/lib64:"
        "/usr/local/neuware/lib/llvm-mm/lib)",
    ),
    "activate": Step(
        "use the card for calibration",
        "check `cnmon` and --device; without a card here give --calibration-remote, or use force_float16",
    ),
    "parse": Step("parse the network", "try the other parser: --parser pytorch or --parser onnx"),
    "keep": Step(
        "keep layers in float32",
        "--keep-float32 takes names of nodes as the parser makes them, and kinds of operators; the other parser has "
        "other names",
    ),
    "shape": Step("set shape and type of the inputs", "try --parser onnx, or another --max-batch-size"),
    "configure": Step(
        "take the build configuration",
        "this version of the SDK may not know a name or value in it: check --build-config, --precision, "
        "--mlu-arch and --cluster-num",
    ),
    "connect": Step(
        "reach the calibration server",
        "check that --calibration-remote is its ip:port and that the server runs",
    ),
    "calibrate": Step(
        "calibrate the network", "try a smaller --max-batch-size, or a precision without calibration"
    ),
    "build": Step(
        "compile the network",
        "try --length-buckets 128,256,384 (then only the batch varies), --static-shape, or --parser onnx",
    ),
    "serialise": Step("write the model", "check that the folder for temporary files has room (TMPDIR)"),
    "check": Step(
        "check the compiled model",
        "for inputs try --type64to32-conversion, for outputs --precision force_float32",
    ),
}
#: Those that fail at a 64-bit integer, which the SDK does not take.
_WIDE_STEPS = ("calibrate", "build", "check")


def compile_graphs(
    request: dict[str, Any],
    *,
    python: str,
    environment: Mapping[str, str],
    folder: Path,
    on_step: Callable[[str], None],
) -> dict[str, Any]:
    """Let the SDK make every graph of a request.

    Args:
        request: see `spanserve.device.compile`.
        python: the SDK's interpreter.
        environment: variables that only the compile step gets.
        folder: for the request and for what the SDK prints.

    Returns:
        What the compile step reports at its end.

    Raises:
        BuildError: a step failed, with the SDK's message and what to try; or the step died.
    """
    file, log = folder / "compile-request.json", folder / "compile.log"
    file.write_text(json.dumps(request), encoding="utf-8")
    last: dict[str, Any] = {"op": "step", "step": "import"}
    with log.open("wb") as errors:
        try:
            process = subprocess.Popen(
                [python, str(PROGRAM), str(file)],
                stdin=subprocess.PIPE,  # its end shows the child that its parent is gone
                stdout=subprocess.PIPE,
                stderr=errors,
                env=child_environment(environment),
                text=True,
                errors="replace",
            )
        except OSError as error:
            raise BuildError(f"the compile step cannot be started: {error}; {STEPS['import'].hint}") from None
        with process:
            try:
                assert process.stdout is not None
                for line in process.stdout:
                    event = _event(line, python)
                    if event["op"] == "step" and event["step"] != "import":
                        on_step(f"MagicMind: {_where(request, event)}")
                    last = {**last, **event}
            except BaseException:
                process.kill()
                raise
    if last["op"] == "done":
        return last
    message = last.get("message") or f"the compile step ended with {_ending(process.returncode)}"
    step = STEPS[last["step"]]
    raise BuildError(
        f"MagicMind could not {_where(request, last)}: {message}. "
        f"What to try: {_wide(request, last)}{step.hint}{_tail(log)}"
    )


def _event(line: str, python: str) -> dict[str, Any]:
    """A line of the compile step. A script in the interpreter's place may print lines of its own."""
    try:
        event = json.loads(line)
    except ValueError:
        event = None
    if isinstance(event, dict) and "op" in event:
        return event
    step = STEPS["import"]
    raise BuildError(
        f"MagicMind could not {step.does}: {python} printed {line.strip()[:200]!r}, but its standard output is for the "
        f"compile step alone. What to try: {step.hint}"
    )


def _where(request: dict[str, Any], event: dict[str, Any]) -> str:
    """What a step does, and to which graph if there are several and it is done to one."""
    does = STEPS[event["step"]].does
    if len(request["graphs"]) == 1 or "graph" not in event:
        return does
    return f"{does}, length {request['graphs'][event['graph']]['shape'][1]}"


def _wide(request: dict[str, Any], event: dict[str, Any]) -> str:
    """What to try first where 64-bit integers, which the SDK does not take, were left in the network."""
    config = request["config"]
    own = (config["extra"] or {}).get("opt_config")
    kept = {
        "type64to32_conversion": config["type64to32_conversion"],
        **(own if isinstance(own, dict) else {}),
    }
    if kept["type64to32_conversion"] or event["step"] not in _WIDE_STEPS:
        return ""
    option = "--build-config" if config["type64to32_conversion"] else "--no-type64to32-conversion"
    return f"leave the conversion of 64-bit integers on, which {option} turns off; or "


def _ending(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"


def _tail(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    printed = [line for line in lines if line][-_TAIL_LINES:]
    return "; it printed last: " + " | ".join(printed) if printed else ""
