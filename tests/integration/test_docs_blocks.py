"""Blocks of commands and programs in README and docs run as they stand, or are marked with what they need.

A mark is a comment on the line before the block, `<!-- needs: a card -->`, or one for a page, `<!-- all blocks need: a
card -->`. A block without one is run in a folder of its own, with the files that pages name. Workers and Redis are
real; their addresses take the place of those in the page.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kit.deployed import options
from tests.kit.pages import Block, blocks
from tests.kit.ports import free_port
from tests.kit.processes import PATIENCE_S, ROOT, WorkerProcess
from tests.kit.redis_server import RedisServer

ALL = blocks()
#: In a block -> it takes minutes.
LONG = ("spanserve build", "spanserve bench")
#: Programs that a machine may lack.
TOOLS = ("curl", "openssl")
CONTEXT = "The harbour froze in 1871, said Anna Holm."
QUESTIONS = {"when": ("When did the harbour freeze?", "1871"), "who": ("Who said so?", "Anna Holm")}
READY = """grep -q '"event": "ready"' < <(tail --pid=$! -n +1 -f {log})"""
#: Command -> the one whose options it takes as well.
PASSED_ON = {"run": "build", "up": "worker"}
#: Calls of our command in a line, each up to the next command or comment.
CALLS = re.compile(r"(?:^|[;&|]|\b(?:do|while|exec)\b)\s*(?:\S*/)?spanserve ((?:[^#;|&]|(?<=\S)#)+)")


def param(block: Block) -> object:
    lacking = [tool for tool in TOOLS if f"{tool} " in block.text and shutil.which(tool) is None]
    marks = [pytest.mark.skip(reason=f"{', '.join(lacking)} is not installed")] if lacking else []
    if any(words in block.text for words in LONG):
        marks.append(pytest.mark.long)
    return pytest.param(block, id=str(block), marks=marks)


def unmarked(*languages: str) -> list[object]:
    return [param(block) for block in ALL if not block.needs and block.language in languages]


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """HOST:PORT of a Redis."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server.url.removeprefix("redis://").partition("/")[0]


@pytest.fixture(scope="module")
def worker(redis: str) -> Iterator[WorkerProcess]:
    """One with the built-in model that is asked in every way."""
    with WorkerProcess(
        "--http", "127.0.0.1:0", "--redis", f"redis://{redis}", "--queue", "default"
    ) as worker:
        yield worker.wait_ready()


@pytest.fixture
def there(redis: str, worker: WorkerProcess) -> Callable[[str], str]:
    """Puts the addresses of this machine in the place of those in a text."""

    def replaced(text: str) -> str:
        places = {
            "card1:50051": worker.address,
            "localhost:50051": worker.address,
            "127.0.0.1:50051": worker.address,
            "127.0.0.1:8080": str(worker.wait_for("listening", door="http")["address"]),
            "queue.internal:6379": redis,
            "localhost:6379": redis,
        }
        for place in re.findall(r"--(?:listen|http|metrics) (127\.0\.0\.1:\d+)", text):
            places[place] = f"127.0.0.1:{free_port()}"  # of a worker that the block itself starts
        return re.sub("|".join(map(re.escape, places)), lambda found: places[found[0]], text)

    return replaced


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One with the files that pages name, each in small."""
    qas = [
        {"id": name, "question": text, "answers": [{"text": answer, "answer_start": CONTEXT.index(answer)}]}
        for name, (text, answer) in QUESTIONS.items()
    ]
    content = {"version": "1.1", "data": [{"title": "ice", "paragraphs": [{"context": CONTEXT, "qas": qas}]}]}
    (tmp_path / "dev-v1.1.json").write_text(json.dumps(content))
    (tmp_path / "predictions.json").write_text(json.dumps({name: q[1] for name, q in QUESTIONS.items()}))
    rows = [{"id": name, "context": CONTEXT, "question": q[0]} for name, q in QUESTIONS.items()]
    (tmp_path / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / ".venv").symlink_to(sys.prefix)
    return tmp_path


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a program as a user of a fresh shell would, where workers listen anywhere and end at once."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("SPANSERVE_")}
    return subprocess.run(
        command,
        cwd=folder,
        env={
            **own,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(sys.path),
            "SPANSERVE_LISTEN": "127.0.0.1:0",
            "SPANSERVE_DRAIN_DELAY": "0",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S * 4,
        check=False,
    )


def started(command: str, log: str) -> str:
    """A command that starts a worker, in the background, and the wait until it is ready."""
    bare = re.sub(r"\s*&?\s*(#.*)?$", "", command)
    return f": > {log}\n{bare} > {log} 2>&1 &\n{READY.format(log=log)}\n"


@pytest.mark.parametrize("block", unmarked("console", "bash", "sh"))
def test_commands(block: Block, there: Callable[[str], str], folder: Path) -> None:
    """Every command succeeds, and what they print is what the page shows, as far as it does."""
    if "my-bert-squad/" in block.text:
        from tests.kit.checkpoints import make_checkpoint  # it loads torch

        make_checkpoint(folder / "my-bert-squad")
    if "spanserve compare" in block.text:
        run(["spanserve", "score", "dev-v1.1.json", "predictions.json", "-o", "out"], folder)
    found = [(command, said) for command, said in block.commands()]
    script = "set -eo pipefail\ntrap 'kill $(jobs -p) 2> /dev/null || true; wait' EXIT\n"
    for number, (command, _) in enumerate(found):
        serves = command.startswith(("spanserve worker", "spanserve up"))
        script += started(command, f"worker-{number}.log") if serves else command
    shown = "".join(said for _, said in found)
    done = run(["bash", "-c", there(script)], folder)
    logs = "".join(path.read_text() for path in folder.glob("worker-*.log"))
    assert 0 == done.returncode, f"{done.stdout}\n{done.stderr}\n{logs}"
    if shown:
        expected = "".join(
            ".*" if part == "…" else re.escape(part) for part in re.split("(…)", shown.rstrip())
        )
        assert re.fullmatch(expected, done.stdout.rstrip(), re.S), done.stdout


@pytest.mark.parametrize("block", unmarked("python"))
def test_programs(block: Block, there: Callable[[str], str], folder: Path) -> None:
    """Every program prints what is in the comments behind its calls of print."""
    (folder / "program.py").write_text(there(block.text), encoding="utf-8")
    done = run([sys.executable, "program.py"], folder)
    assert (0, "") == (done.returncode, done.stderr)
    expected = re.findall(r"print\(.*\)  # (.*)$", block.text, re.M)
    assert ", ".join(expected) == ", ".join(done.stdout.splitlines())


@pytest.mark.parametrize("block", [pytest.param(b, id=str(b)) for b in ALL if b.language != "python"])
def test_options(block: Block) -> None:
    """A shell can read every block, also those that are marked, and every option in it is one of its command."""
    script = "\n".join(command for command, _ in block.commands())
    assert 0 == subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode
    known = options()
    for line in script.replace("\\\n", " ").splitlines():
        for command in CALLS.findall(line):
            first, *others = command.split()
            name = f"{first} {others[0]}" if others and f"{first} {others[0]}" in known else first
            given = {word.partition("=")[0] for word in others if word.startswith("--")}
            taken = known[name].names | known[PASSED_ON.get(name, name)].names
            assert set() == given - taken, line


def test_there_are_some() -> None:
    """Blocks are found in every page that has any, and most of those that need no card are run."""
    assert {"README.md", "docs/api.md", "docs/deploy.md", "docs/magicmind.zh.md"} <= {b.page for b in ALL}
    assert 20 <= sum(not block.needs for block in ALL)
    fences = sum(
        len(re.findall(r"^ *```(?:bash|console|python|sh)$", (ROOT / page).read_text("utf-8"), re.M))
        for page in {block.page for block in ALL}
    )
    assert fences == len(ALL)
