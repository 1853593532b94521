import logging

from hub.broker.complaints import Complaints

log = logging.getLogger("tests.complaints")


def test_complaints_are_told_once_a_second_with_how_many_were_left_out(caplog):
    complaints = Complaints(log)
    for second in (0.0, 0.1, 0.9, 1.0, 5.0):
        complaints.say(f"At {second} s.", second)
    assert [record.getMessage() for record in caplog.records] == [
        "At 0.0 s.",
        "At 1.0 s. (2 more complaints were not shown.)",
        "At 5.0 s.",
    ]


def test_a_long_name_does_not_make_a_long_line(caplog):
    Complaints(log).say("x" * 65_536, 0.0)
    assert len(caplog.records[0].getMessage()) < 500
