"""The list, the matrix and search, as pages and as JSON."""

import logging
import re
from html import unescape

import pytest

from mailhelper import mails
from mailhelper.models import Job, Mail
from mailhelper.scope import Scope
from tests.conftest import Client
from tests.world import account, fill, folder, keep, raw


@pytest.fixture
def client(ann: Scope) -> Client:
    return Client(ann)


@pytest.fixture
def ids(ann: Scope) -> list[int]:
    """Sixty mails, the last the newest; the first ten are read."""
    place = folder(ann, account(ann))
    made = keep(ann, place, *(raw(f"Mail {n:02}", id=f"{n}@x", Date=f"Fri, 20 Nov 2026 09:{n:02}:00 +0000") for n in range(50)))
    made += keep(ann, place, *(raw(f"Mail {n}", id=f"{n}@x", Date=f"Fri, 20 Nov 2026 10:{n - 50:02}:00 +0000") for n in range(50, 60)), uid=51)
    ann.update(Mail, seen=True).where(Mail.id << [mail.id for mail in made[:10]]).execute()
    return [mail.id for mail in made]


def subjects(text: str) -> list[str]:
    return list(dict.fromkeys(re.findall(r"Mail \d\d", text)))


def next_url(text: str) -> str:
    return next(unescape(url) for url in re.findall(r'href="(/inbox\?[^"]*cursor=[^"]*)"', text))


def test_the_list_pages_through_everything(client: Client, ids: list[int]) -> None:
    first = client("GET", "/inbox")
    second = client("GET", next_url(first.text))
    assert first.status == second.status == 200
    assert subjects(first.text)[:2] == ["Mail 59", "Mail 58"]
    assert len(subjects(first.text)) == 50 and subjects(second.text) == [f"Mail {n:02}" for n in range(9, -1, -1)]
    assert "cursor=" not in re.sub(r'name="\w+" value="[^"]*"', "", second.text)


def test_filters_stay_on_the_next_page(client: Client, ids: list[int]) -> None:
    url = next_url(client("GET", "/inbox?unread=1&sort=size&limit=20").text)
    assert "unread=1" in url and "sort=size" in url and "limit=20" in url


def test_a_chip_takes_its_filter_away(client: Client, ids: list[int]) -> None:
    text = client("GET", "/inbox?unread=1&urgency=3&sort=score").text
    assert "/inbox?urgency=3&amp;sort=score" in text and "/inbox?unread=1&amp;sort=score" in text


def test_a_bad_filter_is_told_on_the_page_and_named_in_the_api(client: Client, ids: list[int]) -> None:
    page = client("GET", "/inbox?urgency=9")
    assert page.status == 200 and "Use a number from 1 to 3." in page.text and subjects(page.text) == []
    answer = client("GET", "/api/emails?urgency=9&odd=1")
    assert (answer.status, answer.json["error"]) == (400, "invalid")
    assert answer.json["fields"] == {"urgency": "Use a number from 1 to 3.", "odd": "This field is not known."}
    assert client("GET", "/inbox?urgency=%3Cscript%3E").text.count("<script>") == client("GET", "/inbox").text.count("<script>")


def test_the_api_list_has_items_next_and_total(client: Client, ids: list[int]) -> None:
    seen: list[int] = []
    url = "/api/emails?limit=25&unread=1"
    for _ in range(2):
        page = client("GET", url).json
        assert page.keys() == {"items", "next", "total"} and page["total"] == 50
        seen += [row["id"] for row in page["items"]]
        url = f"/api/emails?limit=25&unread=1&cursor={page['next']}"
    assert seen == ids[:9:-1] and page["next"] is None


def test_times_are_rfc_3339(client: Client, ids: list[int]) -> None:
    assert client("GET", "/api/emails?limit=1").json["items"][0]["date"] == "2026-11-20T10:09:00.000Z"


def test_search_as_page_and_as_json(client: Client, ids: list[int]) -> None:
    assert subjects(client("GET", "/search?q=subject%3A07").text) == ["Mail 07"]
    found = client("GET", "/api/search?q=mail+-59&limit=3").json
    assert found["total"] == 59 and len(found["items"]) == 3 and found["items"][0]["highlights"] == ["Mail"]
    assert client("GET", "/search").status == 200


@pytest.mark.parametrize("query,field", [
    ("q=x&limit=0", "limit"), ("q=x&limit=%C2%B2", "limit"), ("q=x&odd=1", "odd"), ("q=x&limit=" + "9" * 50, "limit")])
def test_a_bad_search_parameter_is_named(client: Client, ids: list[int], query: str, field: str) -> None:
    answer = client("GET", f"/api/search?{query}")
    assert answer.status == 400 and answer.json["fields"].keys() == {field}


@pytest.mark.parametrize("q", ["", "colour%3Ared", "is%3Ablue", "%22open"])
def test_a_bad_query_is_a_sentence_in_both(client: Client, ids: list[int], q: str) -> None:
    answer = client("GET", f"/api/search?q={q}")
    assert answer.status == 400 and answer.json["error"].startswith("search_") and answer.json["message"].endswith((".", "kind:"))
    if q:
        assert client("GET", f"/search?q={q}").status == 200
        assert answer.json["message"] in unescape(client("GET", f"/search?q={q}").text)


def test_the_matrix_page_and_its_numbers(ann: Scope, client: Client, ids: list[int]) -> None:
    ann.update(Mail, urgency=3, importance=3, score=9).where(Mail.id == ids[5]).execute()
    counted = client("GET", "/api/matrix").json
    assert counted.keys() == {"cells", "colours", "open", "done", "total"} and len(counted["cells"]) == 9
    assert counted["total"] == 60 == sum(cell["count"] for cell in counted["cells"]) and counted["colours"]["red"] >= 1
    assert "Mail 05" in client("GET", "/").text


@pytest.mark.parametrize("path", ["/", "/inbox", "/search?q=mail", "/accounts", "/jobs", "/api/emails", "/api/accounts", "/api/jobs"])
def test_a_page_costs_a_bounded_number_of_statements(ann: Scope, client: Client, ids: list[int], caplog: pytest.LogCaptureFixture, path: str) -> None:
    def cost() -> int:
        caplog.clear()
        with caplog.at_level(logging.DEBUG, "peewee"):
            assert client("GET", path).status == 200
        return len([line for line in caplog.records if line.name == "peewee"])

    few = cost()
    for number in range(5):
        keep(ann, folder(ann, account(ann)), raw(f"Mail {number}", id=f"more{number}@x", sender=f"{number}@x.example"))
        ann.create(Job, kind="sync_user_emails", subject=1000 + number, state="completed")
    assert cost() <= few <= 25


def test_a_first_look_at_an_empty_house(ann: Scope, client: Client) -> None:
    for path in ("/", "/inbox", "/search?q=x", "/accounts", "/jobs", "/accounts/new"):
        assert client("GET", path).status == 200, path


def test_a_mail_that_was_never_rated_is_shown(ann: Scope, client: Client) -> None:
    mail = fill(ann)
    ann.update(Mail, layer=None, urgency=None, importance=None, score=0, category=None, kind=None, needs_reply=None).execute()
    assert client("GET", f"/api/emails/{mail.id}").json["triage"] is None
    for path in ("/", "/inbox", f"/email/{mail.id}"):
        assert client("GET", path).status == 200, path
    assert mails.matrix(ann)["total"] == 1
