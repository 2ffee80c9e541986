"""A client that sends tasks, says so, and then waits to be killed: `python vanishing_client.py ADDRESS COUNT`."""

from __future__ import annotations

import asyncio
import sys

from tests.kit.wire import make_tasks, raw_stream


async def main(address: str, count: int) -> None:
    async with raw_stream(address) as stream:
        await stream.send_all(make_tasks(count))
        print("sent", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
