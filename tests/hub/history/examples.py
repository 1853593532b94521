"""Small readings, batches and frames to test stores with."""

from collections.abc import Mapping

from hub.history.store import Arrivals, Batch, Reading
from hub.protocol.frames import Frame
from hub.protocol.telemetry import Value

NOW = 1_763_796_000_000
DEVICE = 7


def reading(
    ts_ms: int = NOW,
    values: Mapping[str, Value] | None = None,
    *,
    device: int = DEVICE,
    received_ms: int | None = None,
    seq: int | None = None,
) -> Reading:
    """A reading that arrived at the time it was measured, unless told otherwise."""
    received_ms = ts_ms if received_ms is None else received_ms
    return Reading(device, ts_ms, received_ms, seq, {"t": 21.5} if values is None else values)


def batch_of(*readings: Reading, at_ms: int = NOW) -> Batch:
    """A batch whose arrivals are exactly its readings."""
    arrivals: dict[int, Arrivals] = {}
    for one in readings:
        received = arrivals[one.device].received if one.device in arrivals else 0
        arrivals[one.device] = Arrivals(received=received + 1)
    return Batch(at_ms, readings, arrivals)


def frame(
    last: int, *, source: str = "main-1", device_type: str = "pump", at_ms: int = NOW, body: str = "[]"
) -> Frame:
    """A frame of one entry."""
    return Frame(device_type, source, last, last, "readings", at_ms, body)
