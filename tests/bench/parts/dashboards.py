"""Many dashboards in one process: they read, stamp and acknowledge as a browser does.

    python -m tests.bench.parts.dashboards URL --count 200 [--session KEY]

Prints `ready` when all are subscribed; on a line of input it stops and prints what it saw as JSON:
frames received and a histogram of latencies, in milliseconds since the publisher stamped a frame.
"""

import argparse
import asyncio
import json
import re
import sys
import time
from collections import Counter

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Origin

STAMP = re.compile(r'\["stamp-(\d+)",(\d+)')
FRAME = re.compile(r'"frame":(\d+)')
ACK_EVERY_S = 0.11
"""As the dashboard's own JavaScript."""

CONNECT_AT_ONCE = 20


class Dashboards:
    """What all of them saw."""

    def __init__(self, url: str, session: str | None) -> None:
        self.url = url
        self.session = session
        self.received = 0
        self.latencies: Counter[int] = Counter()
        self._gate = asyncio.Semaphore(CONNECT_AT_ONCE)

    async def run(self, ready: asyncio.Event) -> None:
        """One dashboard, until it is cancelled. `ready` is set when it waits for readings."""
        headers = {"Cookie": f"sessionid={self.session}"} if self.session else {}
        async with self._gate:
            socket = await connect(
                self.url, origin=Origin("http://localhost:8000"), additional_headers=headers, compression=None
            )
            if self.session:
                await socket.recv()
                await socket.send('{"type":"subscribe","stream":"s1","device_type":"bench"}')
                while '"type":"snapshot"' not in str(await socket.recv()):
                    pass
        ready.set()
        async with socket:
            await self._read(socket)

    async def _read(self, socket: ClientConnection) -> None:
        acked_s, loop = 0.0, asyncio.get_running_loop()
        timer: asyncio.TimerHandle | None = None
        sending: set[asyncio.Task[None]] = set()

        def ack(number: str) -> None:
            task = asyncio.ensure_future(socket.send(f'{{"type":"ack","stream":"s1","frame":{number}}}'))
            sending.add(task)
            task.add_done_callback(sending.discard)

        async for message in socket:
            text = str(message)
            now_us = time.time_ns() // 1_000
            for _, stamped_us in STAMP.findall(text):
                self.received += 1
                self.latencies[(now_us - int(stamped_us)) // 1_000] += 1
            found = FRAME.search(text, 0, 80) if self.session else None
            if found is None:
                continue
            if timer is not None:
                timer.cancel()
            wait_s = acked_s + ACK_EVERY_S - loop.time()
            acked_s = loop.time() + max(0.0, wait_s)
            timer = loop.call_later(max(0.0, wait_s), ack, found[1])


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--session")
    options = parser.parse_args()
    dashboards = Dashboards(options.url, options.session)
    ready = [asyncio.Event() for _ in range(options.count)]
    tasks = [asyncio.create_task(dashboards.run(each)) for each in ready]
    await asyncio.gather(*(each.wait() for each in ready))
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    failed = sum(1 for task in tasks if task.done())
    for task in tasks:
        task.cancel()
    found = {"received": dashboards.received, "failed": failed, "latencies": dict(dashboards.latencies)}
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
