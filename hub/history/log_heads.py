"""Where the frame log of each source stands after a batch. Pure, the same for every store."""

from hub.history.store import Batch


def heads_of(batch: Batch) -> list[tuple[str, str, int, int, int]]:
    """The heads a batch moves: (device type, source, last n, at_ms, registry version)."""
    last: dict[tuple[str, str], int] = dict.fromkeys(batch.registry_versions, 0)
    for frame in batch.frames:
        position = (frame.device_type, frame.source)
        last[position] = max(last.get(position, 0), frame.last)
    versions = batch.registry_versions
    return [(*position, n, batch.at_ms, versions.get(position, 0)) for position, n in last.items()]
