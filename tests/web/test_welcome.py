"""The first mailbox: how to rate is chosen while its mail comes in."""

from mailhelper.db import now
from mailhelper.models import Account, Job
from mailhelper.scope import Scope
from tests.conftest import Client
from tests.web.test_accounts import TYPED
from tests.world import fill


def test_only_the_first_mailbox_asks_how_to_rate(ann: Scope) -> None:
    client = Client(ann)
    assert client("POST", "/accounts/new", form=TYPED).headers["location"].endswith("/welcome")
    assert client("POST", "/accounts/new", form=TYPED | {"address": "anna@gmx.de"}).headers["location"] == "/accounts"


def test_the_first_mails_show_while_the_sync_goes_on(ann: Scope) -> None:
    mail = fill(ann)
    ann.create(Job, kind="sync_user_emails", subject=mail.account_id, state="running", progress=40, started_at=now())
    shown = Client(ann)("GET", f"/accounts/{mail.account_id}/welcome", headers={"Accept-Language": "en"}).text
    assert "Contract" in shown and "1 mail is here already" in shown and "<progress" in shown
    assert 'value="builtin" checked' in shown and 'value="none"' in shown and "llm_original" not in shown      # no model is set up


def test_what_is_chosen_counts_and_leads_to_the_matrix(ann: Scope) -> None:
    mail = fill(ann)
    answer = Client(ann)("POST", f"/accounts/{mail.account_id}/welcome", form={"mode": "none"})
    assert (answer.status, answer.headers["location"]) == (303, "/")
    assert ann.get(Account, mail.account_id).mode == "none"
    assert Client(ann)("POST", f"/accounts/{mail.account_id}/welcome", form={"mode": "magic"}).status == 400
