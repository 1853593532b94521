"""Between socket and worker: bounded by messages and by bytes, in order, bound to a connection."""

import asyncio

import pytest

from hub.bridge.inbox import Inbox
from tests.hub.bridge.parts import message


async def test_messages_leave_in_the_order_in_which_they_came():
    inbox = Inbox()
    for mid in range(5):
        inbox.put(message(mid=mid))
    assert [m.mid for m in inbox.take(3)] == [0, 1, 2]
    assert [m.mid for m in inbox.take(3)] == [3, 4]
    assert inbox.take(3) == []


async def test_it_is_full_at_its_capacity_and_has_room_again_only_well_below():
    inbox = Inbox(capacity=4, resume_at=2)
    filling = []
    for _ in range(4):
        inbox.put(message())
        filling.append(inbox.is_full)
    assert filling == [False, False, False, True]
    draining = []
    for _ in range(2):
        inbox.take(1)
        draining.append(inbox.has_room)
    assert draining == [False, True]


async def test_large_messages_fill_it_by_their_bytes():
    inbox = Inbox(capacity_bytes=1_000, resume_at_bytes=500)
    for qos in (0, 1, 1):
        inbox.put(message(b"x" * 400, qos=qos))
    filled = inbox.is_full
    inbox.take(1)
    taken = inbox.has_room
    inbox.drop_redelivered()
    dropped = inbox.has_room
    inbox.put(message(b"x" * 1_000))
    assert (filled, taken, dropped, inbox.is_full) == (True, False, True, True)


async def test_waiting_ends_when_a_message_comes_and_only_then():
    inbox = Inbox()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(inbox.wait(), 0.01)
    waiting = asyncio.create_task(inbox.wait())
    inbox.put(message())
    await asyncio.wait_for(waiting, 1)
    await asyncio.wait_for(inbox.wait(), 1)
    inbox.take(1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(inbox.wait(), 0.01)


async def test_what_the_broker_will_send_again_is_dropped_with_its_connection():
    inbox = Inbox()
    for mid, qos in enumerate([1, 0, 1, 1, 0]):
        inbox.put(message(mid=mid, qos=qos))
    assert inbox.drop_redelivered() == 3
    assert inbox.drop_redelivered() == 0
    assert [m.mid for m in inbox.take(9)] == [1, 4]
    inbox.put(message(qos=1))
    inbox.drop_redelivered()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(inbox.wait(), 0.01)


async def test_it_says_since_when_the_oldest_waits():
    inbox = Inbox()
    oldest = [inbox.oldest_ms]
    for arrived_ms in (5, 9):
        inbox.put(message(arrived_ms=arrived_ms))
    for _ in range(2):
        oldest.append(inbox.oldest_ms)
        inbox.take(1)
    assert [*oldest, inbox.oldest_ms] == [None, 5, 9, None]
