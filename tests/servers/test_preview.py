"""How many mails filters would mean, and the page where they are chosen."""

import re
import time

import pytest

from mailhelper import accounts, preview, runner
from mailhelper.errors import Invalid
from mailhelper.models import Account, Job, Mail
from mailhelper.scope import Scope
from tests.conftest import Client
from tests.servers import dovecot as dovecots
from tests.servers.box import Box
from tests.servers.dovecot import Dovecot

pytestmark = [pytest.mark.servers, pytest.mark.skipif(not dovecots.available(), reason="no dovecot here"),
              pytest.mark.parametrize("db", ["sqlite"], indirect=True)]
MONTH_AGO = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86_400 * 30))


@pytest.fixture
def box(ann: Scope, dovecot: Dovecot) -> Box:
    box = Box(ann, dovecot)
    dovecot.deliver([b"Subject: old\r\n\r\n"] * 3, "INBOX", box.user, age=86_400 * 400)
    box.deliver(*range(5))
    box.deliver(*range(5, 7), flags=("\\Seen",))
    box.deliver(*range(7, 11), folder="Work")
    box.deliver(*range(11, 13), folder="Junk")
    return box


@pytest.mark.parametrize(("filters", "expected"), [
    (None, {"INBOX": 10, "Work": 4}), ({"since": MONTH_AGO}, {"INBOX": 7, "Work": 4}), ({"unseen": True}, {"INBOX": 8, "Work": 4}),
    ({"newest": 3}, {"INBOX": 3, "Work": 3}), ({"newest": 8, "since": MONTH_AGO}, {"INBOX": 7, "Work": 4}), ({"total": 11}, {"INBOX": 10, "Work": 1}),
    ({"include": ["Junk"]}, {"Junk": 2}), ({"exclude": ["INBOX"]}, {"Work": 4}), ({"newest": 4, "unseen": True}, {"INBOX": 2, "Work": 4}),
])
def test_a_preview_counts_what_a_sync_then_fetches(box: Box, filters: dict[str, object] | None, expected: dict[str, int]) -> None:
    job = preview.start(box.scope, box.account.id, filters)
    runner.run(job.id)
    result = box.scope.get(Job, job.id).result
    assert {row["name"]: row["mails"] for row in result["folders"] if row["mails"]} == expected
    assert result["total"] == sum(expected.values()) and {row["name"]: row["there"] for row in result["folders"]}["Junk"] == 2
    assert box.scope.select(Mail).count() == 0
    box.filter(**(filters or {}))
    assert box.counts() == (result["total"], 0, 0, 0)


def test_filters_that_make_no_sense_are_refused(box: Box) -> None:
    with pytest.raises(Invalid) as caught:
        preview.start(box.scope, box.account.id, {"newest": 0, "colour": "blue"})
    assert set(caught.value.fields) == {"filters.newest", "filters.colour"}
    local = accounts.create_local(box.scope, "Old mail", "x@y.example")
    with pytest.raises(Invalid):
        preview.start(box.scope, local.id, None)


def test_the_page_counts_and_then_keeps(box: Box) -> None:
    box.sync()
    client, url = Client(box.scope), f"/accounts/{box.account.id}/filters"
    page = client("GET", url).text
    checked = set(re.findall(r'name="folder" value="([^"]+)" checked', page))
    assert checked == {"INBOX", "Work", "Archive"} and 'value="Junk"' in page
    typed = {"act": "preview", "newest": "2", "since": MONTH_AGO, "known": ["INBOX", "Work", "Archive", "Junk"], "folder": ["INBOX", "Archive"]}
    sent = client("POST", url, form=typed)
    assert sent.status == 303 and box.scope.get(Account, box.account.id).filters is None
    [job] = box.scope.select(Job).where(Job.kind == "preview_filters")
    runner.run(job.id)
    shown = client("GET", sent.headers["location"]).text
    assert "2 mails would be here" in shown and "2 of 10" in shown and 'value="Work" checked' not in shown
    assert client("POST", url, form=typed | {"act": "save"}).status == 303
    assert box.scope.get(Account, box.account.id).filters == {"newest": 2, "since": MONTH_AGO, "exclude": ["Work"]}
    client("POST", url, form=typed | {"act": "save", "folder": ["INBOX", "Junk"], "newest": "", "since": ""})
    assert box.scope.get(Account, box.account.id).filters == {"include": ["INBOX", "Junk"]}
    wrong = client("POST", url, form=typed | {"act": "save", "newest": "0"})
    assert wrong.status == 400 and 'id="f-newest"' in wrong.text and box.scope.get(Account, box.account.id).filters == {"include": ["INBOX", "Junk"]}
    client("POST", url, form={"act": "save", "known": ["INBOX", "Work"], "folder": ["INBOX", "Work"]})
    assert box.scope.get(Account, box.account.id).filters is None


def test_the_api_counts_by_the_filters_given_or_kept(box: Box) -> None:
    client = Client(box.scope)
    box.filter(newest=1)
    for body, total in (({}, 2), ({"filters": {"newest": 2}}, 4), ({"filters": None}, 14)):
        answer = client("POST", f"/api/accounts/{box.account.id}/preview", json=body)
        assert answer.status == 202
        runner.run(int(answer.json["task_id"]))
        assert client("GET", f"/tasks/{answer.json['task_id']}").json["result"]["total"] == total
