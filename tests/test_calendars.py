"""A hundred invitations as calendars of many programs write them: the right time, or a word that it cannot be told."""

import datetime as dt

import pytest

from mailhelper import calendars
from mailhelper.calendars import Invitation

CENTRAL = """BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT"""
FIXED = "BEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:{0}\nTZOFFSETTO:{0}\nEND:STANDARD"


def calendar(*lines: str, method: str = "REQUEST", zones: dict[str, str] | None = None) -> bytes:
    """A calendar with one event of these lines."""
    known = "".join(f"BEGIN:VTIMEZONE\nTZID:{name}\n{rules}\nEND:VTIMEZONE\n" for name, rules in (zones or {}).items())
    event = "\n".join(("BEGIN:VEVENT", "UID:1@x", "SUMMARY:Meeting", *lines, "END:VEVENT"))
    whole = f"BEGIN:VCALENDAR\nPRODID:-//x//EN\nVERSION:2.0\nMETHOD:{method}\n{known}{event}\nEND:VCALENDAR\n"
    return whole.replace("\n", "\r\n").encode()


def read(*lines: str, method: str = "REQUEST", zones: dict[str, str] | None = None) -> Invitation:
    found = calendars.parse(calendar(*lines, method=method, zones=zones))
    assert found
    return found


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


# ── zones: 10:00 on that clock, in winter and in summer, is this in UTC ──

ZONES = [
    ("Europe/Berlin", "09:00", "08:00"), ("Europe/London", "10:00", "09:00"), ("Europe/Zurich", "09:00", "08:00"),
    ("Europe/Vienna", "09:00", "08:00"),
    ("Europe/Lisbon", "10:00", "09:00"), ("Europe/Helsinki", "08:00", "07:00"), ("Europe/Moscow", "07:00", "07:00"),
    ("America/New_York", "15:00", "14:00"), ("America/Chicago", "16:00", "15:00"), ("America/Denver", "17:00", "16:00"),
    ("America/Los_Angeles", "18:00", "17:00"), ("America/Sao_Paulo", "13:00", "13:00"), ("America/St_Johns", "13:30", "12:30"),
    ("America/Argentina/Buenos_Aires", "13:00", "13:00"), ("Asia/Tokyo", "01:00", "01:00"), ("Asia/Kolkata", "04:30", "04:30"),
    ("Asia/Kathmandu", "04:15", "04:15"), ("Asia/Calcutta", "04:30", "04:30"), ("Australia/Sydney", "-23:00", "00:00"),
    ("Pacific/Auckland", "-21:00", "-22:00"), ("Africa/Johannesburg", "08:00", "08:00"), ("Etc/UTC", "10:00", "10:00"), ("UTC", "10:00", "10:00"),
    ("GMT", "10:00", "10:00"), ("Etc/GMT+5", "15:00", "15:00"), ("US/Pacific", "18:00", "17:00"), ("CET", "09:00", "08:00"),
    # the names of Windows, as Outlook and Exchange write them without saying what they mean
    ("W. Europe Standard Time", "09:00", "08:00"), ("Central Europe Standard Time", "09:00", "08:00"), ("Romance Standard Time", "09:00", "08:00"),
    ("GMT Standard Time", "10:00", "09:00"), ("Eastern Standard Time", "15:00", "14:00"), ("Pacific Standard Time", "18:00", "17:00"),
    ("Mountain Standard Time", "17:00", "16:00"), ("Central Standard Time", "16:00", "15:00"), ("Tokyo Standard Time", "01:00", "01:00"),
    ("India Standard Time", "04:30", "04:30"), ("Russian Standard Time", "07:00", "07:00"), ("AUS Eastern Standard Time", "-23:00", "00:00"),
    ("E. South America Standard Time", "13:00", "13:00"), ("China Standard Time", "02:00", "02:00"),
    # a name with its maker before it (RFC 5545 §3.8.3.1)
    ("/freeassociation.sourceforge.net/Europe/Berlin", "09:00", "08:00"), ("/citadel.org/20210210_1/Europe/Paris", "09:00", "08:00"),
    ("/mozilla.org/20050126_1/America/New_York", "15:00", "14:00"), ("/softwarestudio.org/Olson_20011030_5/Europe/Rome", "09:00", "08:00"),
]


@pytest.mark.parametrize(("zone", "winter", "summer"), ZONES)
def test_a_zone_is_understood_in_winter_and_summer(zone: str, winter: str, summer: str) -> None:
    for month, expected in ((1, winter), (7, summer)):
        found = read(f'DTSTART;TZID="{zone}":2026{month:02}15T100000', f'DTEND;TZID="{zone}":2026{month:02}15T113000')
        day = utc(f"2026-{month:02}-{14 if expected[0] == '-' else 15} {expected.lstrip('-')}")
        assert (found.start, found.end, found.unclear) == (day, day + dt.timedelta(minutes=90), "")


@pytest.mark.parametrize("name", ["Mitteleuropäische Zeit", "(UTC+01:00) Amsterdam, Berlin", "Customized Time Zone", "My zone",
                                  "tzone://Microsoft/Custom", "1"])
def test_a_zone_that_the_calendar_describes_itself(name: str) -> None:
    for month, hour in ((1, 9), (7, 8)):
        found = read(f'DTSTART;TZID="{name}":2026{month:02}15T100000', zones={name: CENTRAL})
        assert (found.start, found.unclear) == (dt.datetime(2026, month, 15, hour), "")


@pytest.mark.parametrize(("offset", "hour"), [("+0300", 7), ("+0500", 5), ("-0330", 13.5), ("+0000", 10), ("+0545", 4.25)])
def test_what_one_mail_says_of_a_zone_is_not_believed_of_the_next(offset: str, hour: float) -> None:
    found = read("DTSTART;TZID=Foo:20261201T100000", zones={"Foo": FIXED.format(offset)})
    assert found.start == dt.datetime(2026, 12, 1) + dt.timedelta(hours=hour)


def test_a_known_name_is_not_what_a_wrong_description_makes_of_it() -> None:
    assert read("DTSTART;TZID=Europe/Berlin:20261201T100000", zones={"Europe/Berlin": FIXED.format("+0900")}).start == utc("2026-12-01 09:00")


@pytest.mark.parametrize("zone", ["Nowhere/Land", "Mars Standard Time", "../../etc/passwd", "Foo", "Europe/", "+01:00", "x" * 500])
def test_a_zone_that_nobody_knows_is_said_and_not_guessed(zone: str) -> None:
    found = read(f'DTSTART;TZID="{zone}":20261201T100000', f'DTEND;TZID="{zone}":20261201T110000', zones={"Other": CENTRAL})
    assert (found.start, found.end, found.unclear, found.wall, found.times) == (None, None, "zone", "2026-12-01 10:00", ())
    assert found.zone == zone[:100]


# ── when and how long ──

@pytest.mark.parametrize(("lines", "start", "end"), [
    (("DTSTART:20261201T100000Z", "DTEND:20261201T110000Z"), "2026-12-01 10:00", "2026-12-01 11:00"),
    (("DTSTART:20261201T100000Z", "DURATION:PT90M"), "2026-12-01 10:00", "2026-12-01 11:30"),
    (("DTSTART:20261201T100000Z", "DURATION:P1DT2H"), "2026-12-01 10:00", "2026-12-02 12:00"),
    (("DTSTART:20261201T100000Z",), "2026-12-01 10:00", "2026-12-01 10:00"),
    (("DTSTART:20261201T230000Z", "DTEND:20261202T010000Z"), "2026-12-01 23:00", "2026-12-02 01:00"),
    (("DTSTART:20261201T100000Z", "DTEND:20261201T090000Z"), "2026-12-01 10:00", "2026-12-01 10:00"),
    (("DTSTART;TZID=Europe/Berlin:20261201T100000", "DTEND;TZID=America/New_York:20261201T100000"), "2026-12-01 09:00", "2026-12-01 15:00"),
    (("DTSTART;TZID=Europe/Berlin:20260329T010000", "DTEND;TZID=Europe/Berlin:20260329T040000"), "2026-03-29 00:00", "2026-03-29 02:00"),
    (("DTSTART;TZID=Europe/Berlin:20261025T010000", "DTEND;TZID=Europe/Berlin:20261025T040000"), "2026-10-24 23:00", "2026-10-25 03:00"),
    (("DTSTART;VALUE=DATE-TIME:20261201T100000Z", "DURATION:-PT1H"), "2026-12-01 10:00", "2026-12-01 10:00"),
])
def test_start_and_end(lines: tuple[str, ...], start: str, end: str) -> None:
    found = read(*lines)
    assert (found.start, found.end, found.all_day, found.floating) == (utc(start), utc(end), False, False)


@pytest.mark.parametrize(("lines", "start", "end"), [
    (("DTSTART;VALUE=DATE:20261224",), "2026-12-24", "2026-12-25"),
    (("DTSTART;VALUE=DATE:20261224", "DTEND;VALUE=DATE:20261227"), "2026-12-24", "2026-12-27"),
    (("DTSTART;VALUE=DATE:20261224", "DURATION:P2D"), "2026-12-24", "2026-12-26"),
    (("DTSTART;VALUE=DATE:20261224", "DTEND;VALUE=DATE:20261224"), "2026-12-24", "2026-12-25"),
])
def test_whole_days_are_days_and_no_times(lines: tuple[str, ...], start: str, end: str) -> None:
    found = read(*lines)
    assert (str(found.start), str(found.end), found.all_day, found.times) == (start, end, True, ())


def test_a_time_without_a_zone_is_on_the_readers_clock() -> None:
    found = read("DTSTART:20261201T100000", "DTEND:20261201T110000")
    assert (found.start, found.end, found.floating, found.unclear, found.times) == (utc("2026-12-01 10:00"), utc("2026-12-01 11:00"), True, "", ())


@pytest.mark.parametrize("lines", [(), ("DTSTART:never",), ("DTSTART:20261399T100000Z",)])
def test_without_a_time_that_can_be_read_that_is_said(lines: tuple[str, ...]) -> None:
    assert read(*lines).unclear == "no_time"


# ── series ──

@pytest.mark.parametrize(("rule", "days"), [
    ("FREQ=DAILY;COUNT=3", [1, 2, 3]), ("FREQ=DAILY;INTERVAL=2;COUNT=3", [1, 3, 5]), ("FREQ=WEEKLY;COUNT=3", [1, 8, 15]),
    ("FREQ=WEEKLY;BYDAY=TU,TH;COUNT=4", [1, 3, 8, 10]), ("FREQ=WEEKLY;INTERVAL=2;COUNT=2", [1, 15]),
    ("FREQ=DAILY;UNTIL=20261203T100000Z", [1, 2, 3]), ("FREQ=DAILY;UNTIL=20261203", [1, 2, 3]),
    ("FREQ=WEEKLY;UNTIL=20261214T000000Z;BYDAY=TU", [1, 8]),
    ("FREQ=MONTHLY;COUNT=3", [1]), ("FREQ=YEARLY", [1]), ("FREQ=DAILY;BYHOUR=9,17", [1]), ("FREQ=SECONDLY", [1]),
    ("FREQ=WEEKLY;BYDAY=2TU;COUNT=2", [1, 8]),
])
def test_a_series_is_followed_as_far_as_it_is_understood(rule: str, days: list[int]) -> None:
    found = read("DTSTART;TZID=Europe/Berlin:20261201T100000", "DTEND;TZID=Europe/Berlin:20261201T110000", f"RRULE:{rule}")
    assert [start for start, _ in found.times] == [dt.datetime(2026, 12, day, 9) for day in days] and found.repeats


def test_ten_o_clock_stays_ten_o_clock_when_summer_begins() -> None:
    found = read("DTSTART;TZID=Europe/Berlin:20260325T100000", "RRULE:FREQ=WEEKLY;COUNT=2")
    assert [str(start) for start, _ in found.times] == ["2026-03-25 09:00:00", "2026-04-01 08:00:00"]


def test_an_endless_series_ends_somewhere() -> None:
    assert len(read("DTSTART:20261201T100000Z", "RRULE:FREQ=DAILY").times) == calendars.MOST_TIMES


def test_of_a_series_with_exceptions_the_series_comes_first() -> None:
    raw = calendar("DTSTART:20261201T100000Z", "RRULE:FREQ=DAILY;COUNT=3").replace(
        b"BEGIN:VEVENT", b"BEGIN:VEVENT\r\nUID:1@x\r\nRECURRENCE-ID:20261202T100000Z\r\nDTSTART:20261202T150000Z\r\nEND:VEVENT\r\nBEGIN:VEVENT", 1)
    found = calendars.parse(raw)
    assert found and found.recurrence_id == "" and found.start == utc("2026-12-01 10:00")


# ── what it is, and who ──

@pytest.mark.parametrize(("method", "lines", "expected", "cancelled"), [
    ("REQUEST", (), "request", False), ("CANCEL", (), "cancel", True), ("REPLY", (), "reply", False), ("COUNTER", (), "counter", False),
    ("request", (), "request", False), ("NONSENSE", (), "publish", False), ("REQUEST", ("STATUS:CANCELLED",), "request", True),
    ("REQUEST", ("STATUS:CONFIRMED",), "request", False),
])
def test_method_and_cancellation(method: str, lines: tuple[str, ...], expected: str, cancelled: bool) -> None:
    found = read("DTSTART:20261201T100000Z", *lines, method=method)
    assert (found.method, found.cancelled) == (expected, cancelled)


def test_people_and_words() -> None:
    found = read("DTSTART:20261201T100000Z", "SEQUENCE:3", "DTSTAMP:20261120T091200Z", "LOCATION:Room 4\\, first floor", "DESCRIPTION:One\\nTwo",
                 'ORGANIZER;CN="Keller, Miriam":MAILTO:Miriam@work.example', "ATTENDEE;CN=Ann;PARTSTAT=ACCEPTED:mailto:ann@home.example",
                 "ATTENDEE:urn:uuid:1")
    assert (found.sequence, found.stamp, found.location, found.description) == (3, utc("2026-11-20 09:12"), "Room 4, first floor", "One\nTwo")
    assert found.organizer and (found.organizer.name, found.organizer.address) == ("Keller, Miriam", "miriam@work.example")
    assert [(one.name, one.address, one.answer) for one in found.attendees] == [("Ann", "ann@home.example", "accepted"), ("", "", "needs-action")]


@pytest.mark.parametrize("data", [
    b"", b"\xff\xfe", b"BEGIN:VCALENDAR", b"BEGIN:VCALENDAR\r\nEND:VCALENDAR", b"BEGIN:VTODO\r\nEND:VTODO", b"hello\r\n" * 100, b"A" * 600_000,
    b"BEGIN:VCALENDAR\r\nBEGIN:VTODO\r\nUID:1\r\nEND:VTODO\r\nEND:VCALENDAR", b"BEGIN:VEVENT\r\n" * 2000,
])
def test_what_is_no_invitation_is_none(data: bytes) -> None:
    assert calendars.parse(data) is None


@pytest.mark.parametrize("line", [
    "RRULE:FREQ=DAILY;COUNT=999999999999", "RRULE:FREQ=DAILY;INTERVAL=0", "SEQUENCE:99999999999999999999", "SEQUENCE:x", "DTSTAMP:x",
    "SUMMARY:" + "x" * 9000, "ATTENDEE:mailto:a@b\r\n" * 300, "RRULE:BYDAY=XX", "DURATION:PT99999999999999H", "RRULE:FREQ=DAILY;UNTIL=x",
])
def test_nonsense_in_one_line_leaves_the_rest(line: str) -> None:
    found = calendars.parse(calendar("DTSTART:20261201T100000Z", line))
    assert found is None or found.start == utc("2026-12-01 10:00") and len(found.summary) <= 500 and len(found.attendees) <= calendars.MOST_PEOPLE
