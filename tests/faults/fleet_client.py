"""A client that may run on another host: `python -m tests.faults.fleet_client COUNT ADDRESS...`.

Prints a JSON line whenever results have arrived, `{"done": 17, "shares": {ADDRESS: 9, ...}}`, and in the end one with
what came of all.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter

from spanserve.client import Dispatcher
from tests.kit.wire import make_tasks


async def main(count: int, addresses: list[str]) -> None:
    delivered: Counter[str] = Counter()
    answers: dict[str, str] = {}
    shares: dict[str, int] = {}
    dispatcher = Dispatcher(addresses)
    async for results in dispatcher.run(make_tasks(count)):
        for result in results:
            delivered[result.id] += 1
            (question,) = result.questions
            answers[result.id] = question.answer.best.text if question.answer else str(question.error)
        shares = {connection.endpoint.address: connection.answered for connection in dispatcher.connections}
        print(json.dumps({"done": len(delivered), "shares": shares}), flush=True)
    print(json.dumps({"delivered": delivered, "answers": answers, "shares": shares}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2:]))
