"""Since when the bridge hears everybody, whatever interrupted it."""

from hub.bridge.reception import Reception


def test_nobody_is_heard_without_a_connection():
    reception = Reception(100)
    assert reception.since_ms(200) is None
    reception.turn(1_000, receiving=True)
    reception.turn(1_500, receiving=True)
    assert (reception.since_ms(2_000), reception.changed_ms) == (1_000, 1_000)
    reception.turn(2_000, receiving=False)
    assert (reception.since_ms(2_100), reception.changed_ms) == (None, 2_000)


def test_after_a_pause_it_counts_again():
    reception = Reception(100)
    reception.turn(1_000, receiving=True)
    reception.resumed(2_500)
    assert reception.since_ms(2_600) == 2_500


def test_a_process_that_stood_still_heard_nobody_until_it_looks_again():
    reception = Reception(100)
    reception.turn(100, receiving=True)
    reception.look(1_000)
    assert reception.since_ms(4_000) == 100
    assert reception.since_ms(4_001) is None
    reception.look(60_000)
    assert reception.since_ms(60_001) == 60_000
    reception.look(61_000)
    assert reception.since_ms(61_500) == 60_000


def test_a_clock_that_was_set_back_stops_nothing():
    reception = Reception(10_000)
    reception.turn(10_000, receiving=True)
    assert reception.since_ms(5_000) == 10_000
