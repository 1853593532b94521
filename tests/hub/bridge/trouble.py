"""The real store, and trouble with it as planned."""

from collections.abc import Sequence
from pathlib import Path

from hub.history.sqlite import SqliteStore
from hub.history.store import Batch, Head, Outcome, StoreRefusedError, StoreUnavailableError


class TroubledStore(SqliteStore):
    """The real store, with planned trouble: before an append, after its commit, when asked for heads."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, frame_log_bytes=8 * 1024 * 1024)
        self.before_append: list[Exception | None] = []
        self.after_commit: list[Exception | None] = []
        self.before_heads: list[Exception | None] = []
        self.refuses: set[object] = set()
        self.batches: list[Batch] = []

    def append(self, batch: Batch) -> list[Outcome]:
        _raise_next(self.before_append)
        guilty = [r for r in batch.readings if not self.refuses.isdisjoint(r.values.values())]
        if guilty:
            raise StoreRefusedError("a value of the readings")
        outcomes = super().append(batch)
        self.batches.append(batch)
        _raise_next(self.after_commit)
        return outcomes

    def heads(self, device_type: str) -> dict[str, Head]:
        _raise_next(self.before_heads)
        return super().heads(device_type)

    def check_laws(self, keys: Sequence[int]) -> None:
        for key, ledger in self.ledger(keys).items():
            assert ledger.received == ledger.stored + ledger.updated + ledger.duplicate + ledger.rejected
            assert ledger.stored - ledger.pruned == len(self.rows_page(key, 0, 2**62, -1, 5_000))


def _raise_next(planned: list[Exception | None]) -> None:
    error = planned.pop(0) if planned else None
    if error is not None:
        raise error


def unavailable() -> StoreUnavailableError:
    return StoreUnavailableError("The history is locked.")
