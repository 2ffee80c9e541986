"""Ask a question through a queue, with redis-py and the generated stubs alone.

    python docs/examples/redis_submit.py redis://localhost:6379 default "Anna Holm said so." "Who said so?"

Keys, scripts and replies: proto/spanserve/queue/layout.md. A worker must have made the queue.
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


def main(url: str, queue: str, context: str, question: str) -> None:
    redis: Any = Redis.from_url(url, protocol=2)
    submit = redis.register_script(
        (SCRIPTS / "prelude.lua").read_text() + (SCRIPTS / "submit.lua").read_text()
    )
    run = secrets.token_hex(8)  # tasks are told apart by tenant (here none), run and id
    task = task_pb2.Task(id="t1", run_id=run, context=context, timeout_ms=30_000)
    task.questions.add(id="q1", text=question)
    data = task.SerializeToString()

    tag = f"{{q:{queue}}}"
    results, events = f"{tag}:run:/{run}:results", f"{tag}:run:/{run}:events"
    job = (f"{tag}:job:/{run}/t1", f"{tag}:interactive", f"{tag}:bulk", results, events)
    keys = (*job, f"{tag}:tenant:", f"{tag}:load", f"{tag}:dead", f"{tag}:config")
    interactive, crc, version = 1, f"{zlib.crc32(data):08x}", "1"
    reply = submit(keys, (interactive, data, crc, len(task.questions), task.timeout_ms, version))
    print("submit:", *(part.decode() if isinstance(part, bytes) else part for part in reply))
    if reply[0] not in (b"queued", b"known", b"restored", b"ended"):
        sys.exit("not queued")

    ended = redis.xread({events: "0"}, block=4000)
    while not ended:  # a block is shorter than the connection's patience
        ended = redis.xread({events: "0"}, block=4000)
    print("event:", ended[0][1][0][1][b"state"].decode())
    blob = redis.hget(results, "t1")
    if blob is None:
        sys.exit("no result was left")
    for found in task_pb2.TaskResult.FromString(blob).questions:
        print("answer:", found.answer.best.text if found.HasField("answer") else found.error.message)


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.stderr.write(__doc__ or "")
        sys.exit(2)
    main(*sys.argv[1:])
