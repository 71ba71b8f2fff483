"""One sample context for each template, and for each of its states that looks different."""

from datetime import timedelta
from typing import Any

from mailhelper.batch import Estimate
from mailhelper.styles import ADDRESSES, NAMES, PLAIN
from mailhelper.tags import COLOURS
from mailhelper.web.render import View
from mailhelper.web.senders import FIELDS
from tests.web.samples import (
    AI,
    FORM,
    HERE,
    JOBS,
    NOW,
    PREVIEW,
    PROVIDER,
    PROVIDERS,
    SETTINGS,
    SPENT,
    accounts,
    draft,
    event,
    inbox,
    job,
    journal,
    later,
    mail,
    matrix,
    outgoing,
    rows,
    sender,
    tags,
    threads,
    triage,
    view,
)

SENDERS = {"senders": [sender(), sender(id=4, trusted=False, pattern=None, written=0)], "q": "", "learned": False, "total": 2,
           "statistics": {"learned": 1, "applied": 1}, "newer": None, "older": "/senders?page=2"}
TRUSTED = {"entries": [{"id": 1, "entry": "example.org", "account_id": None}, {"id": 2, "entry": "@x.example", "account_id": 1}],
           "boxes": [(1, "Home"), (2, "Work")], "names": {1: "Home", 2: "Work"}, "form": {}, "errors": {}}
RULE = {"id": 3, "name": "Club <board>", "enabled": True, "priority": 100, "match": "all", "threshold": 85, "hits": 41, "last_hit": NOW,
        "error": None, "words": {"when": ["the sender's domain is “club.example”"], "do": ["move to the folder “Archive”"]}}
RULES = [RULE, {**RULE, "id": 4, "enabled": False, "match": "any", "hits": 0, "last_hit": None, "words": {"when": [], "do": []},
                "error": {"code": "rule_slow", "message": "Too slow."}}]
TEMPLATES = [{"id": "spam", "name": "Junk into the trash", "description": "What is surely junk goes into the trash."}]
RULE_FORM: dict[str, Any] = {
    "form": {"name": "Club", "match": "all", "threshold": 85, "priority": 100, "enabled": True}, "errors": {}, "folders": ["Archive", "INBOX"],
    "rows": {"conditions": [{"choice": "sender_domain", "value": "club.example"}, {"choice": "", "value": ""}],
             "actions": [{"choice": "flag", "value": ""}]},
    "choices": {"conditions": [("sender_domain", "the domain is", True), ("urgency:3", "its urgency is: today", False)],
                "actions": [("move", "move to the folder", True), ("flag", "flag", False)]},
}
RULE_HITS = [
    {"id": 8, "rule_id": 3, "rule": "Club", "email_id": 1, "subject": "Training", "words": "flag", "state": "done", "at": NOW, "error": None},
    {"id": 7, "rule_id": None, "rule": "Old", "email_id": None, "subject": "", "words": "move", "state": "refused", "at": NOW,
     "error": {"code": "act_gone", "message": "The mail is no longer there."}}]
LEAVING = {"id": 5, "sender": "The <News>", "address": "news@example.org"}
NEWSLETTER = {"email_id": 5, "name": "The <News>", "address": "news@example.org", "count": 41, "read": 3, "month": 8, "last": NOW,
              "unsubscribed": None, "since": 0}
NEWSLETTERS: list[dict[str, Any]] = [
    NEWSLETTER, {**NEWSLETTER, "unsubscribed": {"at": NOW, "state": "done", "error": None}, "since": 2},
    {**NEWSLETTER, "name": "", "unsubscribed": {"at": NOW, "state": "refused", "error": {"code": "x", "message": "No."}}}]
QUEUE = [{"id": 9, "name": "insurance", "count": 8}]
TOLD = Estimate(37, 30, "qwen3:30b", "ai.example.org", 61_000, 1_200_000, 90_000)
STYLE = {"name": "formal", **PLAIN, "signature": "Anna Beck\nKirchweg 4"}
DRAFT = {"to": "miriam.keller@example.org", "cc": "", "bcc": "", "subject": "Re: Contract", "text": "Dear Miriam,\n\nyes."}


def pages() -> list[tuple[str, str, dict[str, Any], View]]:
    """(name of the case, template, context, view) for every template and the states that look different."""
    nobody, ann, fresh = View(csrf="token"), view(), view(accounts=[], nav={})
    return [
        ("login", "login/index", {"form": {}, "error": None}, nobody),
        ("login-wrong", "login/index", {"form": {"name": "anna"}, "error": "Name or password is wrong."}, nobody),
        ("first", "login/first", {"form": {}, "error": None, "code_needed": True, "open": True}, nobody),
        ("first-closed", "login/first", {"form": {}, "error": None, "code_needed": False, "open": False}, nobody),
        ("matrix", "matrix/index", matrix(), view(toast={"text": "Marked as done.", "undo_url": "/email/1/done?undo=1"})),
        ("matrix-sync", "matrix/index", matrix() | {"syncing": job()}, view(job=job())),
        ("matrix-calm", "matrix/index", matrix() | {"urgent": []}, ann),
        (
            "welcome",
            "matrix/index",
            matrix() | {"accounts": [], "urgent": [], "counts": dict.fromkeys(("red", "yellow", "green", "open", "done", "total"), 0)},
            fresh,
        ),
        ("inbox", "inbox/index", inbox(), view(path="/inbox")),
        (
            "inbox-filtered",
            "inbox/index",
            inbox(
                filters={"urgency": "3", "done": "0"}, chips=[{"label": "Urgency: today", "url_without": "/inbox?done=0"}], filter_open=True
            ),
            view(path="/inbox"),
        ),
        (
            "inbox-none",
            "inbox/index",
            inbox(
                list={"items": [], "next": None, "total": 0},
                chips=[{"label": "Phishing", "url_without": "/inbox"}],
                filters={"kind": "phishing"},
                next_url=None,
            ),
            ann,
        ),
        ("inbox-empty", "inbox/index", inbox(list={"items": [], "next": None, "total": 0}, accounts=[], next_url=None), fresh),
        ("email", "email/show", {"mail": mail(), "remote": False, "folders": HERE, "blocked": 0, "jobs": JOBS}, view(path="/email/1")),
        (
            "email-html",
            "email/show",
            {
                "mail": mail(
                    html=True,
                    warnings=["This mail hides text from you."],
                    text="x" * 1200,
                    invitation=event(),
                    triage=triage(1, 1, kind="phishing", rated_by="llm:qwen3"),
                ),
                "remote": False, "folders": HERE,
                "blocked": 3,
                "jobs": JOBS | {"reprocess": job("running", progress=40, message="Reading the mail")},
            },
            view(path="/email/1"),
        ),
        (
            "email-bare",
            "email/show",
            {
                "mail": mail(text="", subject="", date=None, triage=None, attachments=[], to=[], **{"from": {"name": "", "address": ""}}),
                "remote": False, "folders": HERE,
                "blocked": 0,
                "jobs": JOBS | {"reprocess": job("failed", error="The mail could not be read.")},
            },
            ann,
        ),
        (
            "email-draft",
            "email/show",
            {
                "mail": mail(
                    layers={
                        "builtin": triage(3, 2),
                        "base": triage(2, 2) | {"failed": True, "reasons": ["The model's answer made no sense."], "rated_by": "llm:qwen3"},
                        "optimize": triage(3, 3, rated_by="llm:big", summary="Sign it today.", suggested_tags=["contract"]),
                        "pattern": None,
                        "rule": None,
                        "user": triage(1, 1, rated_by="user"),
                    }
                ),
                "remote": False,
                "blocked": 0,
                "jobs": {
                    "reprocess": job("completed") | {"outcome": "Rated anew: 8."},
                    "optimize": job("running", progress=40),
                    "reply": job("failed", error="The model gave no usable answer."),
                },
                "ai": AI,
                "taken": {"optimize": {"tokens": 1234, "cost": "0.0021", "suggestions": ["Sign it."]}},
                "drafts": [draft(edited_at=NOW), draft(id=3, version=1, style="", written_by="user")],
            },
            view(path="/email/1"),
        ),
        ("email-model", "email/show", {"mail": mail(), "remote": False, "blocked": 0, "jobs": JOBS, "ai": AI, "preview": PREVIEW}, ann),
        (
            "email-model-off",
            "email/show",
            {
                "mail": mail(),
                "remote": False,
                "blocked": 0,
                "jobs": JOBS | {"optimize": job("waiting", paused=True)},
                "ai": AI | {"allowed": False, "has_base": False, "base": None, "reply": None},
                "preview": {"mode": "builtin", "purpose": "reply", "masked": False, "error": "Nothing was sent."},
            },
            ann,
        ),
        ("batch", "batch/index", {"told": TOLD, "cost": "1.2000", "filters": {"urgency": "3"}, "most": 5000, "job": None}, ann),
        ("batch-builtin", "batch/index", {"told": TOLD._replace(asked=0), "cost": "", "filters": {}, "most": 5000, "job": None}, ann),
        ("batch-none", "batch/index", {"told": TOLD._replace(mails=0), "cost": "", "filters": {}, "most": 5000, "job": None}, ann),
        ("batch-many", "batch/index", {"told": TOLD._replace(mails=5001), "cost": "", "filters": {}, "most": 5000, "job": None}, ann),
        ("batch-running", "batch/index", {"told": TOLD, "cost": "", "filters": {}, "most": 5000, "job": job(pausable=True)}, ann),
        ("draft", "drafts/show", {"draft": draft(), "form": DRAFT, "errors": {}, "versions": [draft(id=3, version=1)]}, ann),
        ("draft-wrong", "drafts/show", {"draft": draft(email_id=None), "form": DRAFT, "errors": {"to": "Use mail addresses."}, "versions": []}, ann),
        ("ai", "settings/ai", {"providers": PROVIDERS, "spent": SPENT, "form": {"local_only": True, "daily_tokens": 50_000}, "errors": {}}, ann),
        ("ai-none", "settings/ai", {"providers": [], "spent": SPENT | {"left": None, "totals": []},
                                    "form": {"local_only": False, "daily_tokens": "x"}, "errors": {"daily_tokens": "A number, please."}}, ann),
        ("provider", "settings/provider", PROVIDER, view(me={"name": "anna", "admin": True})),
        ("provider-new", "settings/provider", PROVIDER | {"form": {}, "provider": None, "test": None}, ann),
        ("provider-wrong", "settings/provider", PROVIDER | {
            "test": {"ok": False, "sentence": "Nobody is there.", "where": "", "models": []},
            "errors": {"base_url": "No address.", "local": "Not here.", "prices": "No prices.", "base_in": "No price."}}, ann),
        ("styles", "settings/styles", {"style": STYLE, "names": NAMES, "addresses": ADDRESSES, "errors": {}}, ann),
        ("styles-wrong", "settings/styles", {"style": STYLE, "names": NAMES, "addresses": ADDRESSES, "errors": {"signature": "Too long."}}, ann),
        ("outbox", "outbox/index", {"rows": outgoing()}, ann),
        ("outbox-none", "outbox/index", {"rows": []}, ann),
        ("sending", "accounts/sending", {"account": {"id": 1, "name": "Home", "stored": True}, "form": FORM, "errors": {"host": "Unknown."},
                                         "test": {"ok": False, "sentence": "Self-signed.", "fingerprint": "A1:B2"}}, ann),
        ("sending-new", "accounts/sending", {"account": {"id": 1, "name": "Home", "stored": False}, "form": {}, "errors": {}, "test": None}, ann),
        ("draft-files", "drafts/show", {"draft": draft(), "form": DRAFT, "errors": {}, "versions": [], "senders": [
            {"id": 1, "name": "Home", "address": "a@example.org"}, {"id": 2, "name": "Work", "address": "b@example.org"}],
            "files": [{"id": 1, "filename": "contract.pdf", "mime": "application/pdf", "size": 214000}]}, ann),
        ("later", "later/index", later(), ann),
        ("later-none", "later/index", {"due": [], "later": [], "awaited": []}, ann),
        ("archive", "email/archive", {"ids": [1, 2], "next": "/inbox", "action": "/inbox/bulk"}, ann),
        ("accounts", "accounts/index", {"accounts": accounts()}, view(path="/accounts")),
        ("welcome-mailbox", "welcome/mailbox", {"account": accounts()[0], "modes": ("builtin", "none"), "syncing": job(), "arrived": rows(),
                                                "total": 4}, view(job=job())),
        ("welcome-mailbox-empty", "welcome/mailbox", {"account": accounts()[0], "modes": ("builtin", "llm_anonymized", "llm_original", "none"),
                                                      "syncing": None, "arrived": [], "total": 0}, ann),
        ("accounts-none", "accounts/index", {"accounts": []}, fresh),
        ("account-new", "accounts/form", {"form": {}, "errors": {}, "test": None, "account": None}, fresh),
        (
            "account",
            "accounts/form",
            {
                "form": FORM,
                "errors": {},
                "test": {"ok": True, "sentence": "It works.", "folders": ["INBOX", "Sent", "Archive"]},
                "account": accounts()[0],
            },
            ann,
        ),
        ("filters", "accounts/filters", {
            "account": {"id": 1, "name": "Home"}, "form": {"newest": 500}, "errors": {"largest": "From 1 to 100."}, "job": None,
            "folders": [{"name": "INBOX", "wanted": True, "there": 6046, "mails": 500}, {"name": "Junk", "wanted": False, "there": 3, "mails": 0}],
            "total": 500}, ann),
        ("filters-none", "accounts/filters", {
            "account": {"id": 1, "name": "Home"}, "form": {}, "errors": {}, "job": job("running"), "folders": [], "total": None}, ann),
        (
            "account-wrong",
            "accounts/form",
            {
                "form": FORM,
                "errors": {"host": "There is no server of this name."},
                "account": None,
                "test": {
                    "ok": False,
                    "sentence": "The certificate is signed by the server itself.",
                    "fingerprint": "A1:B2:C3:D4:E5:F6:07:18:29:3A:4B:5C:6D:7E:8F:90",
                },
            },
            ann,
        ),
        (
            "jobs",
            "jobs/index",
            {
                "jobs": [
                    job(),
                    job("completed", task_id="11", label="Redo base pass", message="Done", finished_at=NOW),
                    job("failed", task_id="9", error="The server did not answer.", finished_at=NOW - timedelta(days=1)),
                ]
            },
            ann,
        ),
        ("jobs-none", "jobs/index", {"jobs": []}, ann),
        ("job", "jobs/show", {"job": job(), "log": [{"at": NOW, "text": "Started"}], "result": None}, ann),
        (
            "job-failed",
            "jobs/show",
            {
                "job": job("failed", error="The server did not answer.", finished_at=NOW),
                "log": [{"at": NOW, "text": "Started"}, {"at": NOW, "text": "Gave up"}],
                "result": None,
            },
            ann,
        ),
        ("job-done", "jobs/show", {"job": job("completed", finished_at=NOW), "log": [], "result": "6,046 mails fetched."}, ann),
        ("job-waiting", "jobs/show", {"job": job("waiting", progress=0, message=""), "log": [], "result": None}, ann),
        ("tags", "tags/index", {"tags": tags(), "queue": QUEUE, "colours": COLOURS, "form": {}, "errors": {}}, ann),
        ("tags-none", "tags/index", {"tags": [], "queue": [], "colours": COLOURS, "form": {"name": "x"}, "errors": {"name": "Taken."}}, ann),
        ("tag", "tags/form", {"tag": tags()[0], "form": tags()[0], "errors": {}, "colours": COLOURS, "needed": 3}, ann),
        ("tag-new", "tags/form", {"tag": tags()[1], "form": tags()[1], "errors": {"name": "Taken."}, "colours": COLOURS, "needed": 3}, ann),
        ("email-tags", "email/show", {"mail": mail(), "remote": False, "blocked": 0, "jobs": JOBS, "tags": {
            "here": [{"id": 4, "name": "Club <board>", "colour": "green", "by": "user"}], "offered": [{"id": 5, "name": "House", "percent": 81}],
            "new": ["contract"], "all": ["Club <board>", "House"]}}, view(path="/email/1", tags={"contract": "blue"})),
        ("senders", "senders/index", SENDERS, ann),
        ("senders-none", "senders/index", {**SENDERS, "senders": [], "total": 0, "older": None}, ann),
        ("sender", "senders/show", {"sender": sender(), "mails": {"items": rows()[:3]}, "choices": FIELDS, "errors": {}}, ann),
        ("sender-new", "senders/show", {"sender": sender(trusted=False, pattern=None), "mails": {"items": []}, "choices": FIELDS,
                                        "errors": {"kind": "Choose one."}}, ann),
        ("trusted", "senders/trusted", TRUSTED, ann),
        ("trusted-none", "senders/trusted", {**TRUSTED, "entries": [], "boxes": [(1, "Home")], "errors": {"entry": "Please fill this in."}}, ann),
        ("rules", "rules/index", {"rules": RULES, "templates": TEMPLATES, "wrong": "", "text": ""}, ann),
        ("rules-none", "rules/index", {"rules": [], "templates": TEMPLATES, "wrong": "This is no text of rules.", "text": "[[rule"}, ann),
        ("rule-new", "rules/form", {**RULE_FORM, "rule": None, "preview": None}, ann),
        ("rule", "rules/form", {**RULE_FORM, "rule": RULES[1], "preview": {
            "tested": 500, "count": 41, "items": rows()[:2], "conflicts": [{"id": 2, "name": "Spam", "count": 3}], "too_slow": False}}, ann),
        ("rule-wrong", "rules/form", {**RULE_FORM, "rule": RULES[0], "preview": None, "errors": {
            "name": "Missing.", "conditions.0.value": "This regular expression is not understood."}}, ann),
        ("rule-slow", "rules/form", {**RULE_FORM, "rule": RULES[0], "preview": {"tested": 500, "too_slow": True}}, ann),
        ("rule-log", "rules/log", {"hits": RULE_HITS, "older": "/rules/log?before=4", "newer": None, "names": [(3, "Club")], "asked": {"rule": "3"},
                                   "whats": ("move", "tag"), "states": ("pending", "done")}, ann),
        ("rule-log-none", "rules/log", {"hits": [], "older": None, "newer": None, "names": [], "asked": {}, "whats": (), "states": ()}, ann),
        ("newsletters", "newsletters/index", {"items": NEWSLETTERS}, ann),
        ("newsletters-none", "newsletters/index", {"items": []}, ann),
        ("newsletter", "newsletters/show", {**LEAVING, "ways": {"post": "https://x.example/", "mailto": "", "link": ""}}, ann),
        ("newsletter-hand", "newsletters/show", {**LEAVING, "ways": {"post": "", "mailto": "mailto:a@x.example", "link": "https://x.example/"}}, ann),
        ("settings", "settings/index", SETTINGS, ann),
        ("account-status", "accounts/form", {"form": FORM, "errors": {}, "test": None, "account": accounts()[0], "status": {
            "synced_at": NOW, "tried_at": NOW, "next_at": None, "listening": "idle", "stopped": True, "failures": 1, "background_until": NOW,
            "error": {"code": "login_failed", "message": "The server did not accept the password."},
            "folders_failed": [{"id": 1, "name": "Old", "error": {"code": "folder_refused", "message": "“Old” was not opened."}}],
            "runs": [{"task_id": "4", "status": "completed", "at": NOW, "by_itself": True, "new": 2, "error": None},
                     {"task_id": "3", "status": "failed", "at": NOW, "by_itself": False, "new": None,
                      "error": {"code": "login_failed", "message": "The server did not accept the password."}}]}}, ann),
        ("diagnosis", "accounts/diagnosis", {"account": {"id": 1, "name": "Home"}, "at": NOW, "job": None, "busy": False, "lines": [
            {"part": "login", "title": "Signing in", "state": "good", "text": "It works."},
            {"part": "idle", "title": "News at once", "state": "hint", "text": "The server cannot."},
            {"part": "quota", "title": "Space", "state": "bad", "text": "Full."}]}, ann),
        ("diagnosis-none", "accounts/diagnosis", {"account": {"id": 1, "name": "Home"}, "at": None, "job": None, "busy": False, "lines": []}, ann),
        ("diagnosis-busy", "accounts/diagnosis", {"account": {"id": 1, "name": "Home"}, "at": None, "job": job(), "busy": True, "lines": []}, ann),
        ("diagnosis-failed", "accounts/diagnosis", {"account": {"id": 1, "name": "Home"}, "at": NOW, "busy": False, "lines": [],
                                                    "job": job("failed", error="The server did not answer.")}, ann),
        ("threads", "threads/index", {"list": {"items": threads(), "next": "x", "total": 2}, "state": "", "error": None,
                                      "next_url": "/threads?cursor=x", "prev_url": None}, view(path="/threads")),
        ("threads-none", "threads/index", {"list": {"items": [], "next": None, "total": 0}, "state": "awaiting_reply", "error": None,
                                           "next_url": None, "prev_url": None}, ann),
        ("threads-empty", "threads/index", {"list": {"items": [], "next": None, "total": 0}, "state": "", "error": "Wrong.",
                                            "next_url": None, "prev_url": None}, fresh),
        ("thread", "threads/show", {"thread": {**threads()[0], "items": rows()[:2]}}, ann),
        ("thread-quiet", "threads/show", {"thread": {**threads()[1], "items": rows()[:1]}}, ann),
        ("settings-alerts", "settings/index", SETTINGS, view(alerts=[
            {"text": "Home is not fetched any more.", "kind": "bad", "url": "/accounts/1"},
            {"text": "Home is fetched until Friday.", "kind": "info", "url": ""}])),
        ("journal", "journal/index", journal(), view(path="/journal")),
        ("journal-none", "journal/index", journal(days=[], rule="5", rule_name="Newsletters", refused=0, older=None), ann),
        (
            "search",
            "search/index",
            {"q": "contract", "list": {"items": rows()[:2], "next": None, "total": 2}, "error": None},
            view(path="/search"),
        ),
        ("search-none", "search/index", {"q": "zzz", "list": {"items": [], "next": None, "total": 0}, "error": None}, ann),
        ("search-wrong", "search/index", {"q": '"open', "list": None, "error": "A quote is missing its end."}, ann),
        ("error", "error", {"status": 404, "title": "Not found", "text": "There is nothing here.", "hint": None}, View()),
        (
            "error-inside",
            "error",
            {"status": 500, "title": "Our fault", "text": "Something broke here.", "hint": "Try again in a moment."},
            ann,
        ),
    ]
