"""What is missing in a device's own count, and what a batch adds to the ledgers."""

from hypothesis import given
from hypothesis import strategies as st

from hub.bridge.ledger import Tally, Track, track_of
from hub.history.store import Arrivals, Latest, Ledger
from hub.limits.telemetry import MAX_OPEN_HOLES
from tests.hub.bridge.parts import T1, T2, accepted, refusal


def follow(track: Track, *seen: tuple[int, int]) -> int:
    """The sum of what counts as lost after (seq, ts) pairs."""
    return sum(track.follow(seq, ts_ms) for seq, ts_ms in seen)


def test_a_count_without_gaps_loses_nothing():
    track = Track()
    assert follow(track, *((n, n * 10) for n in range(5, 50))) == 0
    assert (track.last_seq, track.holes) == (49, [])


def test_the_first_seq_of_a_device_is_where_its_count_begins():
    assert follow(Track(), (1_000, 1)) == 0


def test_a_gap_is_lost_and_remembered():
    track = Track()
    assert follow(track, (1, 10), (5, 50)) == 3
    assert track.holes == [(2, 4)]


def test_late_arrivals_close_their_hole_one_by_one():
    track = Track()
    assert follow(track, (1, 10), (6, 60)) == 4
    assert follow(track, (3, 30)) == -1
    assert track.holes == [(2, 2), (4, 5)]
    assert follow(track, (2, 20), (5, 50), (4, 40)) == -3
    assert track.holes == []
    assert track.last_seq == 6


def test_what_comes_again_closes_nothing_twice():
    track = Track()
    follow(track, (1, 10), (4, 40), (2, 20))
    assert follow(track, (2, 20), (4, 40), (1, 10), (4, 40)) == 0
    assert track.holes == [(3, 3)]


def test_a_late_arrival_with_the_same_time_closes_its_hole():
    """A device may send one reading a metric, all with one time."""
    track = Track()
    assert follow(track, (1, 10), (3, 20), (2, 20)) == 0
    assert (track.last_seq, track.holes) == (3, [])


def test_a_smaller_seq_with_a_newer_time_is_a_counter_that_started_again():
    track = Track()
    assert follow(track, (1, 10), (4, 40)) == 2
    assert follow(track, (0, 50), (1, 60), (2, 70)) == 0
    assert (track.last_seq, track.holes) == (2, [])


def test_readings_that_a_device_kept_for_later_are_followed():
    """They have the next numbers and older times."""
    track = Track()
    assert follow(track, (1, 1_000), (2, 100), (3, 200), (4, 1_100)) == 0
    assert track.last_seq == 4


def test_a_clock_that_was_put_back_makes_nothing_lost():
    track = Track()
    assert follow(track, *((n, 10_000 + n) for n in range(10))) == 0
    assert follow(track, *((n, n) for n in range(10, 200))) == 0
    assert follow(track, *((n, 20_000 + n) for n in range(200, 210))) == 0


def test_what_is_delivered_again_from_before_a_restarted_counter_loses_nothing():
    track = Track()
    follow(track, (100, 10), (0, 20), (1, 30))
    assert follow(track, (100, 10), (0, 20), (1, 30), (2, 40), (3, 50)) == 0
    assert track.last_seq == 3


def test_only_so_many_holes_stay_open():
    track = Track()
    lost = follow(track, *((n * 2, n * 2) for n in range(MAX_OPEN_HOLES + 11)))
    assert lost == MAX_OPEN_HOLES + 10
    assert len(track.holes) == MAX_OPEN_HOLES
    assert follow(track, (1, 1)) == 0, "its hole was forgotten, and stays lost"
    assert follow(track, (21, 21)) == -1


@given(st.permutations(range(1, 25)))
def test_in_whatever_order_readings_arrive_none_is_lost_in_the_end(order: list[int]):
    track = Track()
    assert follow(track, (0, 0), *((seq, seq) for seq in order)) == 0
    assert (track.last_seq, track.holes) == (24, [])


@given(st.permutations(range(1, 25)), st.sets(st.integers(1, 23)))
def test_what_never_arrives_is_what_counts_as_lost(order: list[int], missing: set[int]):
    track = Track()
    lost = follow(track, (0, 0), *((seq, seq) for seq in order if seq not in missing))
    assert lost == len(missing)
    assert {n for first, last in track.holes for n in range(first, last + 1)} == missing


@given(st.permutations([*range(16)] * 2), st.sets(st.integers(0, 31)), st.sampled_from([0, 1, 10]))
def test_with_repeats_and_restarts_of_the_bridge_none_is_lost_when_all_arrived(
    order: list[int], restarts: set[int], step_ms: int
):
    """`step_ms` 0: a device that stamps all of a burst with one time."""
    track, lost, newest_ms = Track(), 0, 0
    for number, seq in enumerate(order):
        if number in restarts:
            ledger = Ledger(last_seq=track.last_seq, holes=track.holes)
            track = track_of(ledger, Latest(newest_ms, newest_ms, None, {}))
        lost += track.follow(seq, 1_000 + seq * step_ms)
        newest_ms = max(newest_ms, 1_000 + seq * step_ms)
    assert (lost, track.last_seq, track.holes) == (0, 15, [])


@given(st.permutations([*range(24)]), st.sets(st.integers(0, 23)))
def test_a_reading_that_was_refused_is_not_lost(order: list[int], refused: set[int]):
    track = Track()
    note = [track.refused if seq in refused else track.follow for seq in order]
    assert sum(take(seq, 1_000 + seq) for take, seq in zip(note, order, strict=True)) == 0
    assert (track.last_seq, track.holes) == (23, [])


@given(st.sets(st.integers(0, 23)))
def test_nor_is_one_whose_time_cannot_be_believed(refused: set[int]):
    track = Track()
    lost = [track.refused(n, None) if n in refused else track.follow(n, 1_000 + n) for n in range(24)]
    assert (sum(lost), track.last_seq, track.holes) == (0, 23, [])


def test_a_tally_takes_note_of_a_refused_reading_that_says_its_number():
    tally = Tally({T1.key: Track()})
    tally.accepted(accepted(seq=1, ts_ms=10))
    tally.refused(refusal("no_values", seq=2))
    tally.refused(refusal("wrong_kind", whole=False, seq=9))
    tally.accepted(accepted(seq=4, ts_ms=40))
    assert tally.arrivals() == {T1.key: Arrivals(3, 1, 1, 1, 4, [(3, 3)])}


def test_given_times_never_repeat_and_never_go_back():
    track = Track()
    assert [track.give_time(at) for at in (100, 100, 100, 50, 200)] == [100, 101, 102, 103, 200]


def test_a_restarted_bridge_remembers_from_ledger_and_latest():
    track = track_of(Ledger(last_seq=9, holes=[(3, 4)]), Latest(900, 950, 9, {}))
    assert (track.last_seq, track.holes) == (9, [(3, 4)])
    assert follow(track, (9, 900), (3, 300)) == -1
    assert track.give_time(950) == 951
    assert track_of(None, None) == Track()


def test_the_holes_of_a_ledger_are_not_changed_through_a_track():
    ledger = Ledger(last_seq=9, holes=[(3, 4)])
    follow(track_of(ledger, None), (3, 0), (20, 100))
    assert ledger.holes == [(3, 4)]


def test_a_tally_counts_by_device():
    tally = Tally({T1.key: Track(), T2.key: Track()})
    tally.accepted(accepted(seq=1, ts_ms=10))
    tally.accepted(accepted(seq=4, ts_ms=40))
    tally.refused(refusal())
    tally.refused(refusal(whole=False))
    tally.accepted(accepted(device=T2))
    assert tally.arrivals() == {
        T1.key: Arrivals(3, 1, 1, 2, 4, [(2, 3)]),
        T2.key: Arrivals(received=1),
    }
