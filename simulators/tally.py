"""The counters of a fleet."""

from dataclasses import asdict, dataclass


@dataclass(slots=True)
class Tally:
    """What a fleet did so far. Readings unless it says otherwise."""

    devices: int = 0
    connected: int = 0
    ever_connected: int = 0
    refused: int = 0
    """Devices that the broker does not let in, at their last attempt."""
    filling: int = 0
    """Devices whose past is to be filled in."""
    filled: int = 0
    filled_readings: int = 0
    measured: int = 0
    published: int = 0
    acknowledged: int = 0
    stored: int = 0
    """Waiting in the devices' own memory."""
    dropped: int = 0
    """Lost by the devices, because their memory was full."""
    rejected: int = 0
    last_rejection: str = ""
    trouble: str = ""

    @property
    def unacknowledged(self) -> int:
        return self.published - self.acknowledged

    def as_json(self) -> dict[str, int | str]:
        return {**asdict(self), "unacknowledged": self.unacknowledged}
