"""A worker of a queue, with redis-py and the generated stubs alone. Its answer to every question is the longest word.

    python docs/examples/redis_worker.py redis://localhost:6379 default [TASKS]

Keys, scripts and replies: proto/spanserve/queue/layout.md. What a real worker does besides: it renews its leases
(renew), takes over those of the dead (reclaim), gives back what it cannot finish (release), says how it is (beat),
and notes what it may die of (mark, unmark).
"""

from __future__ import annotations

import secrets
import sys
import zlib
from pathlib import Path
from typing import Any

from redis import Redis

from spanserve.v1 import task_pb2

SCRIPTS = Path(__file__).parents[2] / "proto/spanserve/queue/scripts"
# lease, tasks, bytes, tenant's tasks, results, dead letters, their bytes
SETTINGS = (30_000, 100_000, 1 << 30, 0, 24 * 3600 * 1000, 10_000, 1 << 26)
VERSION = "1"  # of the layout; entries in others wait aside
SUSPECTS = 1  # of what others may have died of, one at a time


def main(url: str, queue: str, tasks: str = "0") -> None:
    redis = Redis.from_url(url, protocol=2)

    def script(name: str) -> Any:
        parts = ("prelude.lua", "workers.lua", f"{name}.lua")
        return redis.register_script("".join((SCRIPTS / part).read_text() for part in parts))

    provision, claim, finish = map(script, ("provision", "claim", "finish"))
    tag = f"{{q:{queue}}}"
    streams = (f"{tag}:interactive", f"{tag}:bulk")
    provision((f"{tag}:config", *streams), SETTINGS)

    me = f"example:{secrets.token_hex(8)}"  # never used twice: the name is the fencing token
    left = int(tasks) or sys.maxsize
    while left > 0:
        entries, _, _, last, _ = claim(streams, (me, min(left, 16), 12, tag, SUSPECTS, VERSION))
        for _, entry, _, _, _, job, data, crc, *_ in entries:
            result = answer(task_pb2.Task.FromString(data))
            state = "done" if crc.decode() == f"{zlib.crc32(data):08x}" else "failed"
            keys = keys_of(tag, job.decode(), streams)
            print(job.decode(), finish(keys, (me, entry, state, result.SerializeToString()))[0].decode())
        left -= len(entries)
        if not entries:  # wait for something behind the last entry of either stream
            redis.xread(dict(zip(streams, last, strict=True)), count=1, block=1000)


def answer(task: task_pb2.Task) -> task_pb2.TaskResult:
    word = max(task.context.split(), key=len)
    start = task.context.index(word)
    result = task_pb2.TaskResult(id=task.id, run_id=task.run_id, worker="example", attempt=1)
    span = task_pb2.Span(text=word, start=start, end=start + len(word))
    n_best = task_pb2.NBest(starts=[span.start], ends=[span.end], scores=[0])
    for question in task.questions:
        result.questions.add(id=question.id, answer=task_pb2.Answer(best=span, n_best=n_best, windows=1))
    return result


def keys_of(tag: str, job: str, streams: tuple[str, str]) -> tuple[str, ...]:
    tenant, run, _ = job.split("/")
    results, events = f"{tag}:run:{tenant}/{run}:results", f"{tag}:run:{tenant}/{run}:events"
    shared = (f"{tag}:tenant:{tenant}", f"{tag}:load", f"{tag}:dead", f"{tag}:config")
    return (f"{tag}:job:{job}", *streams, results, events, *shared)


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.stderr.write(__doc__ or "")
        sys.exit(2)
    main(*sys.argv[1:])
