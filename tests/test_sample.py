"""The sample mailbox: whole and alive whatever the day, of reserved names only, loaded once, and gone like any mailbox."""

import re
import struct
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from mailhelper import accounts, mails, message, sample, samplemail
from mailhelper.models import Account, Folder, Mail
from mailhelper.scope import Scope
from tests.conftest import Client
from tests.world import remove

ZONE = "Europe/Berlin"
SUNDAY = datetime(2026, 11, 22, 8, 15)
DAYS = [SUNDAY, datetime(2026, 11, 27, 16, 0), datetime(2026, 12, 31, 23, 30), datetime(2028, 2, 29, 0, 5)]
RESERVED = re.compile(r"(?:[a-z0-9-]+\.)*(?:[a-z0-9-]+\.example|example\.(?:org|com|net))")


def parsed(now: datetime = SUNDAY) -> dict[str, tuple[samplemail.Letter, message.ParsedMail]]:
    return {one.name: (one, message.parse(one.raw)) for one in samplemail.letters(now, ZONE)}


@pytest.mark.parametrize("now", DAYS, ids=str)
def test_every_mail_is_whole_and_of_the_last_weeks(now: datetime) -> None:
    found = parsed(now)
    assert len(found) >= 55
    for name, (letter, mail) in found.items():
        assert mail.defects == (), name
        assert mail.subject and mail.sender.name and len(mail.text) > 40, name
        assert mail.date is not None and now - timedelta(days=30) < mail.date <= now, name
        assert abs(mail.date - letter.received) < timedelta(seconds=1), name
        assert not re.search(r"[{}]", mail.subject + mail.text), name


def test_the_texts_hold_nothing_that_is_not_understood() -> None:
    known = {"at", "flags", "folder", "lang", "after", "from", "to", "cc", "subject"}
    for path in samplemail.SOURCES.glob("*.txt"):
        for one in samplemail._samples(path.read_text("utf-8")):
            assert {name for name, _ in one.fields if not name.startswith("+")} <= known, one.name
            assert set(one.get("flags").split()) <= {*samplemail.FLAGS, "done"}, one.name
            assert one.get("folder", "INBOX") in sample.FOLDERS, one.name


def test_all_names_are_reserved_ones() -> None:
    for name, (_, mail) in parsed().items():
        people = (mail.sender, *mail.to, *mail.cc, *mail.reply_to)
        hosts = {one.address.rpartition("@")[2] for one in people} | {one.rpartition("@")[2] for one in re.findall(r"[\w.+-]+@[\w.-]+\w", mail.text)}
        hosts |= {host.partition("@")[2] or host for host in re.findall(r"https?://([^/\s\"'<>:]+)", mail.text + mail.html)}
        assert [host for host in hosts if not RESERVED.fullmatch(host) and host != "203.0.113.77"] == [], name


def test_days_in_the_text_follow_the_day_of_loading() -> None:
    for now in DAYS:
        today = now.replace(tzinfo=UTC).astimezone(ZoneInfo(ZONE)).date()
        subject = parsed(now)["finanzamt"][1].subject
        day = datetime.strptime(subject.rpartition(" ")[2], "%d.%m.%Y").date()
        assert 2 <= (day - today).days <= 4 and day.weekday() < 5


def test_a_morning_mail_of_today_is_of_yesterday_before_the_morning() -> None:
    early = datetime(2026, 11, 22, 2, 0)       # 3:00 in Berlin
    assert parsed(early)["stadtblatt"][1].date == datetime(2026, 11, 21, 5, 30)
    assert parsed(SUNDAY)["stadtblatt"][1].date == datetime(2026, 11, 22, 5, 30)


def test_a_thread_names_all_mails_before_it() -> None:
    found = parsed()
    first, second, third = (found[f"vogel-contract-{number}"][1] for number in (1, 2, 3))
    assert third.references == (first.message_id, second.message_id)
    assert third.in_reply_to == (second.message_id,)
    assert first.date < second.date < third.date      # type: ignore[operator]


def test_files_are_real() -> None:
    found = parsed()
    kinds: dict[str, bytes] = {}
    for letter, mail in found.values():
        kinds |= {part.mime: message.attachment(letter.raw, part.number)[1] for part in mail.attachments}
    assert struct.unpack(">II", kinds["image/png"][16:24]) == samplemail.PICTURE
    assert b"Nordsee" in kinds["text/csv"]
    data = kinds["application/pdf"]
    start = int(data.rsplit(b"startxref\n", 1)[1].split()[0])
    places = [int(line[:10]) for line in data[start:].splitlines()[3:8]]
    assert data[start:start + 4] == b"xref"
    assert all(data[place:].startswith(b"%d 0 obj" % number) for number, place in enumerate(places, 1))
    assert any(part.inline and part.content_id == "coast" for part in found["photographer"][1].attachments)
    assert found["vogel-meeting"][1].calendar is not None


def test_every_kind_of_mail_is_there_and_most_of_it_can_wait(ann: Scope) -> None:
    sample.load(ann, SUNDAY, "en")
    with ann:
        kinds = {row[0] for row in ann.select(Mail, Mail.kind).where(Mail.kind.is_null(False)).distinct().tuples()}
        colours = mails.matrix(ann)["colours"]
    assert kinds == {"person", "newsletter", "marketing", "notification", "receipt", "calendar", "cold_outreach", "spam", "phishing"}
    assert 3 <= colours["red"] <= 8 <= colours["yellow"] + colours["red"] < colours["green"]


def test_it_is_loaded_once_even_on_another_day_and_in_another_language(ann: Scope) -> None:
    added = sample.load(ann, SUNDAY, "en")
    assert added == len(parsed())
    assert sample.load(ann, SUNDAY + timedelta(days=1), "de") == 0
    with ann:
        assert [one.name for one in accounts.listed(ann)] == ["Sample mailbox"]
        assert ann.select(Mail).count() == added


def test_people_she_wrote_to_are_known(ann: Scope) -> None:
    sample.load(ann, SUNDAY, "en")
    with ann:
        row = mails.find(ann, "subject:Nordsee", 10, "en").items[0]
    assert "you wrote to this sender once" in row["triage"]["reasons"]


def test_what_was_reopened_stays_open_when_it_is_loaded_again(ann: Scope) -> None:
    sample.load(ann, SUNDAY, "en")
    with ann:
        done = ann.select(Mail, Mail.id).where(Mail.done_at.is_null(False))
        assert done.count() > 3
        ann.update(Mail, done_at=None).where(Mail.id << [row.id for row in done]).execute()
        sample.load(ann, SUNDAY, "en")
        assert ann.select(Mail).where(Mail.done_at.is_null(False)).count() == 0


def test_removing_the_mailbox_leaves_nothing(ann: Scope) -> None:
    sample.load(ann, SUNDAY, "en")
    with ann:
        remove(ann, accounts.listed(ann)[0].id)
        assert [ann.select(table).count() for table in (Account, Folder, Mail)] == [0, 0, 0]


def test_one_click_on_the_welcome_fills_the_matrix(ann: Scope, bob: Scope) -> None:
    client = Client(ann)
    assert 'action="/welcome/sample"' in client("GET", "/", script=False).text
    answer = client("POST", "/welcome/sample", script=False)
    assert (answer.status, answer.headers["location"]) == (303, "/")
    page = client("GET", "/", script=False).text
    assert 'class="matrix"' in page and "welcome/sample" not in page and "The sample mailbox is here" in page
    assert client("GET", "/api/matrix").json["total"] == len(parsed())
    assert Client(bob)("GET", "/api/matrix").json["total"] == 0


def test_the_mailbox_is_named_in_the_language_of_the_reader(ann: Scope) -> None:
    client = Client(ann)
    client("POST", "/welcome/sample", script=False, headers={"Accept-Language": "de"})
    assert client("GET", "/api/accounts").json["items"][0]["name"] == "Beispiel-Postfach"
