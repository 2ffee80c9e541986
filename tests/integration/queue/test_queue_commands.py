"""`spanserve queue`: what people and programs see, and the exit status."""

from __future__ import annotations

import asyncio
import io
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from spanserve.cli.main import main
from spanserve.contract import Priority
from spanserve.queue import JobState, read_config
from tests.kit.queue_rig import QueueRig, queued_task
from tests.kit.scripted_worker import FACTS


class Command:
    """Runs `spanserve queue` on the queue of a rig."""

    def __init__(self, rig: QueueRig, capture: pytest.CaptureFixture[str]) -> None:
        self._rig = rig
        self._capture = capture
        self.error = ""

    async def __call__(self, *arguments: str) -> tuple[int, str]:
        """Exit status and standard output."""
        status = await asyncio.to_thread(
            self._run, ["queue", *arguments, "--redis", self._rig.server.url, "--queue", "q"]
        )
        out, self.error = self._capture.readouterr()
        return status, out

    async def json(self, *arguments: str, status: int = 0) -> Any:
        found, out = await self(*arguments, "--json")
        assert status == found, self.error
        return json.loads(out)

    @staticmethod
    def _run(arguments: list[str]) -> int:
        try:
            main(arguments)
        except SystemExit as ended:  # must not reach the event loop, which would end with it
            return int(ended.code or 0)
        return 0


@pytest.fixture
def queue(rig: QueueRig, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(rig, capsys)


@pytest.fixture
async def dead(rig: QueueRig) -> list[str]:
    """Entries of two dead letters, of the tasks t0 and t1."""
    for _ in range(2):
        _, lease = await rig.submitted_and_claimed(questions=3)
        await rig.end(lease, JobState.DEAD)
    return [letter["entry"].decode() for letter in rig.dead()]


async def test_status(rig: QueueRig, queue: Command) -> None:
    """The backlog in tasks, questions and seconds of work, the workers and their rates, and the limits."""
    await rig.submit(*(queued_task(f"b{n}", questions=5) for n in range(3)))
    await rig.submit(queued_task("i", priority=Priority.INTERACTIVE, questions=5))
    await rig.claimed(count=1)
    for name in ("c1", "c2"):
        await rig.consumer(name).beat(FACTS)
    found = await queue.json("status")
    depths = {depth["name"]: (depth["waiting"], depth["leased"]) for depth in found["classes"]}
    assert {"interactive": (0, 1), "bulk": (3, 0)} == depths
    assert (20, 20.0, 1.0) == tuple(
        found[n] for n in ("questions", "questions_per_second", "seconds_of_work")
    )
    assert {"c1", "c2"} == {worker["consumer"] for worker in found["workers"] if worker["live"]}
    assert [10.0, 10.0] == [worker["questions_per_s"] for worker in found["workers"]]
    assert {int} == {type(worker["seen"]) for worker in found["workers"]}
    assert 60_000 == found["limits"]["lease_ms"]
    status, shown = await queue("status")
    assert 0 == status
    for text in ("4 tasks, 20 questions", "1.0 s of work at 20.0 questions/s", "100,000 tasks", "scripted"):
        assert text in " ".join(shown.split())


async def test_status_of_a_queue_without_workers(rig: QueueRig, queue: Command) -> None:
    """An empty queue is fine without workers; with tasks the exit status tells that nobody will compute them."""
    assert 0 == (await queue("status"))[0]
    await rig.submit(queued_task())
    found = await queue.json("status", status=1)
    assert (1, None) == (found["waiting"], found["seconds_of_work"])
    assert found["classes"][1]["oldest_ms"] >= 0


async def test_oldest_waiting(rig: QueueRig, queue: Command) -> None:
    """What was given back waits again, since it was submitted; what is leased does not."""
    _, lease = await rig.submitted_and_claimed()
    await rig.consumer("c").beat(FACTS)
    assert [None, None] == [depth["oldest_ms"] for depth in (await queue.json("status"))["classes"]]
    assert await rig.release(lease)
    depth = (await queue.json("status"))["classes"][1]
    assert (1, 0) == (depth["waiting"], depth["leased"])
    assert depth["oldest_ms"] is not None


async def test_pending(rig: QueueRig, queue: Command) -> None:
    """Who holds what, for how long, and how often it was handed out; what was given back is not held."""
    _, given_back = await rig.submitted_and_claimed()
    _, lease = await rig.submitted_and_claimed("c7")
    assert await rig.release(given_back)
    rig.age(lease, 5000)
    (held,) = await queue.json("pending")
    assert ("/r/t1", "c7", "bulk", 1) == tuple(held[n] for n in ("job", "consumer", "name", "deliveries"))
    assert held["idle_ms"] >= 5000
    assert "/r/t1" in (await queue("pending"))[1]


async def test_dead(rig: QueueRig, queue: Command, dead: list[str]) -> None:
    """Dead letters with what they died of, oldest first."""
    found = await queue.json("dead")
    assert [(dead[0], "/r/t0"), (dead[1], "/r/t1")] == [(letter["entry"], letter["job"]) for letter in found]
    assert {("because", "a", "m", 3)} == {
        (letter["reason"], letter["worker"], letter["model"], letter["questions"]) for letter in found
    }
    assert 1 == len(await queue.json("dead", "--limit", "1"))
    assert dead[1] in (await queue("dead"))[1]


async def test_replay(rig: QueueRig, queue: Command, dead: list[str]) -> None:
    """Named dead letters, or all, wait again; one that has gone is told, in the exit status too."""
    assert {dead[0]: "queued", "1-1": "gone"} == await queue.json("replay", dead[0], "1-1", status=1)
    assert {dead[1]: "queued"} == await queue.json("replay", "--all")
    assert [] == rig.dead()
    assert (2, 0) == rig.depth()


async def test_replay_of_what_names_no_task(rig: QueueRig, queue: Command) -> None:
    """A letter made of an entry that nobody could read stays, and says so."""
    entry = rig.plain.xadd(rig.keys.dead, {"v": "1", "job": "what?"}).decode()
    assert {entry: "names no task"} == await queue.json("replay", "--all", status=1)
    assert 1 == len(rig.dead())


async def test_purge(rig: QueueRig, queue: Command, dead: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Named dead letters, or all, are deleted; not without a yes."""
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert {"asked": 2, "deleted": 1} == await queue.json("purge", dead[0], "1-1", "--yes", status=1)
    assert 1 == (await queue("purge", "--all"))[0]
    assert "Delete all dead letters of queue q?" in queue.error
    assert 1 == len(rig.dead())
    assert (0, "1 of 1 deleted\n") == await queue("purge", "--all", "--yes")
    assert [] == rig.dead()


async def test_cancel(rig: QueueRig, queue: Command) -> None:
    """Tasks by id, or all of a run that have not ended; those of other runs are not concerned."""
    tasks = [queued_task(f"t{number}") for number in range(150)]
    await rig.submit(*tasks, queued_task("t0", run_id="other"))
    (held,) = await rig.claimed(count=1)
    asked = ("cancel", "--run", "r", "t0", "t1", "unheard")
    found = await queue.json(*asked, status=1)
    assert {"t0": "flagged", "t1": "cancelled", "unheard": "unknown"} == found
    status, shown = await queue("cancel", "--run", "r", "--all")
    assert (0, True) == (status, shown.startswith("148 withdrawn, 1 are with workers"))
    assert "t0" == held.job.task_id
    assert (2, 1) == rig.depth()


async def test_configure(rig: QueueRig, queue: Command) -> None:
    """Without a change the settings are shown; with one, the others stay."""
    before = await queue.json("configure")
    after = await queue.json("configure", "--max-tasks", "7", "--lease", "2.5")
    assert {**before, "max_tasks": 7, "lease_ms": 2500} == after
    config = await read_config(rig.redis, rig.keys)
    assert (7, 2500) == (config.max_tasks, config.lease_ms)
    assert 2 == (await queue("configure", "--max-tasks", "0"))[0]
    assert "max_tasks: out of range (found 0, limit at least 1)" in queue.error


@pytest.mark.parametrize("command", ["status", "pending", "dead", "configure", "purge", "replay", "cancel"])
async def test_no_such_queue(bare: QueueRig, capsys: pytest.CaptureFixture[str], command: str) -> None:
    """A queue that is not there is an error that names it, and is not made."""
    every = ("--all", "--yes") if command == "purge" else ("--all",)
    queue = Command(bare, capsys)
    status, _ = await queue(command, *(every if command in ("purge", "replay", "cancel") else ()), "--json")
    assert 2 == status
    assert "queue q does not exist" in json.loads(queue.error)["message"]
    assert [] == bare.plain.keys()


@pytest.mark.parametrize(
    "arguments",
    [["purge"], ["replay"], ["cancel", "--run", "r"], ["purge", "1-1", "--all"], ["cancel", "t", "--all"]],
    ids=" ".join,
)
async def test_all_or_some(queue: Command, arguments: list[str]) -> None:
    """What changes something wants either names or --all."""
    assert 2 == (await queue(*arguments))[0]
    assert "--all" in queue.error


def test_no_redis(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Without an address, or with one that does not answer, the error says so, and shows no password."""
    monkeypatch.delenv("SPANSERVE_REDIS", raising=False)
    assert 2 == Command._run(["queue", "status"])
    assert "SPANSERVE_REDIS" in capsys.readouterr().err
    monkeypatch.setenv("SPANSERVE_REDIS", "redis://user:secret@127.0.0.1:1")
    for arguments in (["status"], ["status", "--json"], ["status", "--redis-ca", str(tmp_path / "none")]):
        assert 2 == Command._run(["queue", *arguments])
        error = capsys.readouterr().err
        assert error
        assert "secret" not in error


EVIL = "\x1b]0;PWNED\x07\x1b]52;c;ZXZpbA==\x07[/red]\n\u202e"


@pytest.mark.parametrize(
    "letter",
    [
        {"job": f"t/r/{EVIL}", "reason": EVIL, "worker": EVIL, "model": EVIL, "deliveries": "1"},
        {"job": "[/x]/[bold/[", "reason": "[/oops] [link=http://evil]click[/link]", "worker": "[/]"},
        {"job": b"\xff/\xfe/\xfd", "reason": b"\xff\x9b2J", "deliveries": "9" * 5000, "questions": "²"},
        {"nothing": "of a letter"},
    ],
    ids=["escapes", "markup", "bytes", "bare"],
)
async def test_dead_letters_of_a_stranger(rig: QueueRig, queue: Command, letter: dict[Any, Any]) -> None:
    """Whatever somebody wrote among the dead letters is shown, in one line, and does nothing to a terminal."""
    rig.plain.xadd(rig.keys.dead, letter)
    status, shown = await queue("dead")
    assert 0 == status, queue.error
    assert [] == [c for c in ("\x1b", "\x07", "\x9b", "\u202e") if c in shown]
    assert 1 == len(await queue.json("dead"))


async def test_status_of_forged_workers(rig: QueueRig, queue: Command) -> None:
    """Workers whose names and facts are not text, or steer terminals, are shown like any other."""
    now_ms = rig.plain.time()[0] * 1000
    names = EVIL.encode(), b"\xff\xfe", b"[bold"
    keys = [rig.keys.worker("").encode() + name for name in names]
    for key, name in zip(keys, names, strict=True):
        facts = {"name": name, "device": "[/x]", b"\xff": b"\xfe", "state": EVIL, "held_tasks": "nan"}
        rig.plain.zadd(rig.keys.workers, {name: now_ms})
        rig.plain.hset(key, mapping=facts | {"ended_questions": "1e400"})
    status, shown = await queue("status")
    assert 0 == status, queue.error
    assert [] == [c for c in ("\x1b", "\x07", "\u202e") if c in shown]
    assert "\\xff" in shown
    assert 3 == len((await queue.json("status"))["workers"])
    rig.plain.delete(rig.keys.workers, *keys)


async def test_watch(rig: QueueRig) -> None:
    """`--watch` shows the queue again and again, also after Redis was away for a while."""
    await rig.submit(queued_task("a", questions=2))
    command = [
        sys.executable,
        "-m",
        "spanserve",
        "queue",
        "status",
        "--redis",
        rig.server.url,
        "--queue",
        "q",
    ]
    watching = await asyncio.create_subprocess_exec(
        *command, "--watch", "0.1", "--json", stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert watching.stdout is not None
    assert watching.stderr is not None
    first = json.loads(await watching.stdout.readline())
    await rig.submit(queued_task("b", questions=3))
    while json.loads(await watching.stdout.readline())["questions"] != 5:
        pass
    rig.server.kill()
    said = (await watching.stderr.readline()).decode()
    rig.server.start()
    await rig.provision()  # it kept nothing
    while json.loads(await watching.stdout.readline())["questions"] != 0:
        pass
    watching.send_signal(signal.SIGINT)
    await watching.communicate()
    assert 2 == first["questions"]
    assert said.startswith("spanserve: Redis")
    assert 130 == watching.returncode
