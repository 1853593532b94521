"""Frames at a steady rate, as a bridge forwards them: logged, then sent to the group.

python -m tests.bench.parts.frames_publisher hub|tutorial --frames 100 --rate 10 --size 4096
"""

import argparse
import asyncio
import statistics
import time

import django

django.setup()

from channels.layers import get_channel_layer  # noqa: E402

from hub.history.opening import get_history  # noqa: E402
from hub.history.store import Batch  # noqa: E402
from hub.protocol import frames  # noqa: E402
from hub.protocol.frames import Frame, Row  # noqa: E402

TYPE = "bench"
TUTORIAL_GROUP = "tutorial"
ROW_BYTES = 52


def make_rows(number: int, size: int) -> list[Row]:
    """Rows of about `size` bytes as JSON; the first one bears the number and the time in us."""
    now_ms = time.time_ns() // 1_000_000
    rows = [Row(f"stamp-{number}", time.time_ns() // 1_000, now_ms, None, {"temperature": 21.5})]
    rows += [
        Row(f"d-{index:05}", now_ms, now_ms, number, {"temperature": 20 + index / 100})
        for index in range(size // ROW_BYTES)
    ]
    return rows


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("side", choices=("hub", "tutorial"))
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--rate", type=float, default=10)
    parser.add_argument("--size", type=int, default=4_096)
    options = parser.parse_args()
    layer = get_channel_layer()
    assert layer is not None
    source, n = frames.source_name("bench", time.time_ns() // 1_000_000), 0
    begin_s, appends_ms = time.monotonic(), list[float]()
    for number in range(options.frames):
        await asyncio.sleep(max(0.0, begin_s + number / options.rate - time.monotonic()))
        rows = make_rows(number, options.size)
        [(count, body)] = frames.readings_bodies(["temperature"], rows)
        if options.side == "tutorial":
            await layer.group_send(TUTORIAL_GROUP, {"type": "telemetry", "data": f"{{{body}}}"})
            continue
        frame = Frame(TYPE, source, n + 1, n + count, "readings", rows[0].received_ms, body)
        n += count
        append_s = time.monotonic()
        await asyncio.to_thread(get_history().append, Batch(frame.at_ms, frames=[frame]))
        appends_ms.append(1_000 * (time.monotonic() - append_s))
        await layer.group_send(frames.group_name(TYPE), frames.frame_event(frame))
    if appends_ms:
        print(f"  of which in the frame log: p50 {statistics.median(appends_ms):.0f} ms", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
