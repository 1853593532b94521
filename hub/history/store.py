"""The HistoryStore: readings kept over time, behind one interface (design section 5).

Integer device keys and text in, columns out: a store knows no Django model and no user. Every
method is synchronous and thread-safe; async rooms call it by `asyncio.to_thread`. Times are Unix
milliseconds UTC.
"""

import abc
import enum
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec

from hub.protocol.frames import Frame
from hub.protocol.telemetry import Value

UNKNOWN_DEVICE = 0
"""The ledger row that all unknown devices share; no device has this key."""


class StoreError(Exception):
    """Something is wrong with the store; the text says what, for the owner."""


class StoreUnavailableError(StoreError):
    """Unreachable, locked or full: the same call may work later, nothing was refused."""


class StoreRefusedError(StoreError):
    """The readings themselves cannot be stored; a smaller part of them may be."""


class Outcome(enum.Enum):
    """What became of one accepted reading, as if it had been applied alone."""

    STORED = "stored"
    UPDATED = "updated"
    DUPLICATE = "duplicate"


class Reading(msgspec.Struct, frozen=True, gc=False):
    """One accepted reading. `device`: the device's integer key; `values` is never empty."""

    device: int
    ts_ms: int
    received_ms: int
    seq: int | None
    values: Mapping[str, Value]


class Arrivals(msgspec.Struct, frozen=True):
    """What one batch adds to a device's ledger besides the outcomes, which the store counts.

    `last_seq` and `holes` replace what is stored; None leaves it. A hole is (first, last) missing.
    `lost_before_hub` may be negative: late arrivals close holes.
    """

    received: int = 0
    rejected: int = 0
    values_rejected: int = 0
    lost_before_hub: int = 0
    last_seq: int | None = None
    holes: list[tuple[int, int]] | None = None


class Batch(msgspec.Struct, frozen=True):
    """What one transaction stores.

    `readings` in arrival order; `arrivals` by device key; `frames` in order of n for the frame log;
    `registry_versions`: by (device type, source), up to which version its changes are framed.
    """

    at_ms: int
    readings: Sequence[Reading] = ()
    arrivals: Mapping[int, Arrivals] = {}
    frames: Sequence[Frame] = ()
    registry_versions: Mapping[tuple[str, str], int] = {}


class Head(NamedTuple):
    """The newest entry of a source: its n, when it was made, the registry version framed by then."""

    last: int
    at_ms: int
    registry_version: int


class Latest(msgspec.Struct, frozen=True):
    """What is newest of a device: per metric (value, ts_ms), chosen by min(ts, received)."""

    ts_ms: int
    received_ms: int
    seq: int | None
    values: dict[str, tuple[Value, int]]


class Ledger(msgspec.Struct, frozen=True):
    """What became of everything that arrived from a device.

    Two laws: received = stored + updated + duplicate + rejected, and stored - pruned = rows.
    """

    received: int = 0
    stored: int = 0
    updated: int = 0
    duplicate: int = 0
    rejected: int = 0
    values_rejected: int = 0
    pruned: int = 0
    lost_before_hub: int = 0
    last_seq: int | None = None
    holes: list[tuple[int, int]] = []


class RawRow(NamedTuple):
    """One stored reading."""

    ts_ms: int
    received_ms: int
    seq: int | None
    values: dict[str, Value]


class RawColumn(msgspec.Struct, frozen=True):
    """One metric, a value a reading; None where the reading has none."""

    value: list[Value | None]


class BucketColumn(msgspec.Struct, frozen=True):
    """One metric, an entry a bucket; None where the bucket has none. Text has `last` and `count`."""

    min: list[float | None]
    max: list[float | None]
    mean: list[float | None]
    last: list[Value | None]
    count: list[int]


class Columns(msgspec.Struct, frozen=True):
    """History as columns. `bucket_ms` None: one entry a reading; else `ts` are bucket starts.

    `resolution` names the coarsest of what was read: raw readings, or a rollup.
    """

    from_ms: int
    to_ms: int
    resolution: Literal["raw", "1m", "1h"]
    bucket_ms: int | None
    ts: list[int]
    metrics: Mapping[str, RawColumn] | Mapping[str, BucketColumn]


class RollupState(NamedTuple):
    """How far the rollups of a device are to be believed. All times are starts of hours.

    An hour before `rolled_to` and not in `dirty` is clean: its rollups equal its readings. Hours
    before `closed_to` are clean for ever, and their readings are pruned or about to be.
    """

    rolled_to: int
    closed_to: int
    dirty: tuple[int, ...]


class Rolled(NamedTuple):
    """What one call of `roll` did: hours of devices made anew, and whether more wait."""

    num_hours: int
    is_finished: bool


class Cutoffs(msgspec.Struct, frozen=True):
    """What may go: readings by device key, and both rollups of all devices, before these times (ms)."""

    raw: Mapping[int, int] = {}
    minutes: int = 0
    hours: int = 0


class Size(NamedTuple):
    """What the history holds and takes."""

    num_readings: int
    num_frames: int
    num_bytes: int


class HistoryStore(abc.ABC):
    """One place for readings, latest values, ledgers and the frame log.

    A call raises StoreUnavailableError when the same call may work later.
    """

    @abc.abstractmethod
    def prepare(self) -> None:
        """Create or migrate what the store needs; idempotent, versioned, safe beside another."""

    @abc.abstractmethod
    def append(self, batch: Batch) -> list[Outcome]:
        """Store a batch in one transaction; one outcome a reading, in order.

        Idempotent on (device, ts): equal keys merge value by value, the newest arrival wins.
        StoreRefusedError: the readings statement failed on the data, nothing was stored.
        """

    @abc.abstractmethod
    def heads(self, device_type: str) -> dict[str, Head]:
        """The newest entry of every source of a device type heard in the last 7 days."""

    @abc.abstractmethod
    def frames_page(self, device_type: str, after: Mapping[str, int], limit: int) -> list[Frame]:
        """At most `limit` logged frames beyond the positions in `after`, in order within a source.

        A source that `after` does not name is read from its beginning in the log.
        """

    @abc.abstractmethod
    def latest(self, devices: Sequence[int]) -> dict[int, Latest]:
        """The newest values of devices; a device without readings is left out."""

    @abc.abstractmethod
    def read(self, device: int, metrics: Sequence[str], from_ms: int, to_ms: int, points: int) -> Columns:
        """History of a device, `from_ms <= ts < to_ms`, in at most `points` entries.

        Single readings when they are few enough; otherwise buckets made of rollups where hours are
        clean and of readings elsewhere, so that the answer is that of the readings. Where readings
        are pruned a rollup belongs to the range when its start does. Readings and buckets with none
        of the `metrics` are left out; no `metrics` means all.
        """

    @abc.abstractmethod
    def rows_page(self, device: int, from_ms: int, to_ms: int, after_ms: int, limit: int) -> list[RawRow]:
        """Raw readings with `ts > after_ms` in the range, oldest first, at most `limit`."""

    @abc.abstractmethod
    def ledger(self, devices: Sequence[int]) -> dict[int, Ledger]:
        """The ledgers of devices; a device that nothing arrived from is left out."""

    @abc.abstractmethod
    def has_readings(self, device: int) -> bool:
        """Whether any reading of the device is stored, or was and is kept in rollups."""

    @abc.abstractmethod
    def rollup_state(self, device: int) -> RollupState:
        """How far the device is rolled up, which hours wait to be made anew, and which are closed."""

    @abc.abstractmethod
    def roll(self, until_ms: int, budget_s: float) -> Rolled:
        """Roll up the whole hours before `until_ms`, and make dirty ones anew.

        Appends go on meanwhile: a reading that changes an hour before `rolled_to` marks it dirty in
        its own transaction (one in a closed hour is added to the rollups at once, and counts as
        pruned). No step holds the writer for long; no further one begins after `budget_s`.
        """

    @abc.abstractmethod
    def prune(self, cutoffs: Cutoffs) -> int:
        """Remove readings and rollups before the cutoffs, in slices; returns the number of readings removed.

        Readings go in whole hours, and only those that are rolled up and clean; each slice counts
        what it removed as `pruned` in its own transaction. Devices that `cutoffs.raw` does not name
        keep theirs.
        """

    @abc.abstractmethod
    def delete(self, device: int) -> int:
        """Remove everything of a device, in slices; returns the number of readings removed."""

    @abc.abstractmethod
    def size(self) -> Size:
        """What it holds and takes now."""

    @abc.abstractmethod
    def close(self) -> None:
        """Finish what is under way and close every connection."""
