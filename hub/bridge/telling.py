"""Refusals told to the device itself, on its `rejections` topic: best effort, at most one a second."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import msgspec

from hub.bridge.intake import Refusal
from hub.bridge.mqtt import Link
from hub.history.store import UNKNOWN_DEVICE
from hub.protocol import topics

_EVERY_MS: Final = 1_000
_MOST_DEVICES: Final = 10_000


class Telling:
    """Remembers when each device was last told, so that a flood is not answered by another."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._told_ms: dict[int, int] = {}
        self._untold: Counter[int] = Counter()

    def tell(self, refusals: Sequence[Refusal], now_ms: int) -> None:
        """Publish the newest refusal of each device that was not told within the last second.

        `count` says how many there were since the device was last told.
        """
        newest = {r.device: r for r in refusals if r.device != UNKNOWN_DEVICE}
        self._untold.update(r.device for r in refusals if r.device != UNKNOWN_DEVICE)
        for key, refusal in newest.items():
            if now_ms - self._told_ms.get(key, 0) < _EVERY_MS:
                continue
            if len(self._told_ms) >= _MOST_DEVICES:
                self._told_ms.clear()
            self._told_ms[key] = now_ms
            body = {
                "reason": refusal.fault.reason,
                "detail": refusal.fault.detail,
                "count": self._untold.pop(key),
            }
            topic = topics.rejections(refusal.type_slug, refusal.uid)
            self._link.publish(topic, msgspec.json.encode(body))
