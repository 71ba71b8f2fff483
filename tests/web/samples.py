"""A made-up reader with mail, mailboxes and jobs, in the shapes that pages pass to their templates."""

from datetime import datetime, timedelta
from typing import Any

from mailhelper.endpoints import PRESETS
from mailhelper.web.render import View

NOW = datetime(2026, 11, 20, 9, 30)
FOLDERS = [{"id": 1, "name": "INBOX", "role": "inbox"}, {"id": 2, "name": "Archive", "role": "archive"}, {"id": 3, "name": "Trash", "role": "trash"}]


def triage(urgency: int, importance: int, **more: Any) -> dict[str, Any]:
    score = 2 * urgency + importance
    colour = "red" if score >= 8 else "yellow" if score >= 5 else "green"
    values = {
        "urgency": urgency,
        "importance": importance,
        "score": score,
        "colour": colour,
        "category": "information",
        "kind": "person",
        "spam": False,
        "needs_reply": False,
        "summary": "",
        "suggested_tags": [],
        "reasons": [],
        "confidence": 0.8,
        "rated_by": "builtin",
        "failed": False,
    }
    return values | more


def row(
    id: int, name: str, subject: str, snippet: str, ago: timedelta, rating: dict[str, Any] | None, read: bool = True, **more: Any
) -> dict[str, Any]:
    address = name.lower().replace(" ", ".").replace(",", "") + "@example.org"
    values = {
        "id": id,
        "account_id": 1,
        "folder": "INBOX",
        "thread_id": id,
        "from": {"name": name, "address": address},
        "to": [{"name": "Anna Beck", "address": "anna@example.org"}],
        "subject": subject,
        "date": NOW - ago,
        "size": 4200,
        "flags": {"read": read, "flagged": False, "answered": False},
        "has_attachments": False,
        "snippet": snippet,
        "tags": [],
        "done": False,
        "triage": rating,
    }
    return values | more


def rows() -> list[dict[str, Any]]:
    hour, day = timedelta(hours=1), timedelta(days=1)
    return [
        row(
            1,
            "Miriam Keller",
            "Contract: signature by 17:00",
            "the last version is attached, legal has no more remarks, could you sign it by 17:00, so that it reaches the notary today?",
            hour / 3,
            triage(
                3,
                3,
                category="urgent",
                needs_reply=True,
                confidence=0.92,
                reasons=["“by 17:00” is today", "asks you directly (“could you sign”)", "you wrote to her 14 times"],
                summary="She needs your signature on the contract before 17:00, so that it reaches the notary today.",
            ),
            read=False,
            has_attachments=True,
        ),
        row(
            2,
            "Primarschule Nord",
            "Einverständnis Schulreise",
            "bitte bis heute Abend unterschrieben zurück, sonst kann Lena nicht mitfahren",
            hour,
            triage(3, 2, category="urgent", reasons=["“bis heute Abend” is today", "trusted sender"]),
            read=False,
            flags={"read": False, "flagged": True, "answered": False},
        ),
        row(
            3,
            "Stadt, Parkkarten",
            "Ihre Parkkarte läuft am Freitag ab",
            "verlängern Sie online oder am Schalter",
            2 * hour,
            triage(3, 1, kind="notification", reasons=["deadline 27 Nov"]),
        ),
        row(
            4,
            "Security <Team> & Co",
            "Your account will be closed <b>today</b>",
            'Click here & confirm your password "now"',
            3 * hour,
            triage(1, 1, kind="phishing", spam=True, reasons=["link text and target differ"]),
            read=False,
        ),
        row(
            5,
            "Buchladen am Markt",
            "Rechnung 4471",
            "Betrag 38,50, fällig am 2. Dezember",
            day,
            triage(2, 2, kind="receipt", category="action_required", reasons=["“fällig am 2. Dezember”"]),
            has_attachments=True,
        ),
        row(6, "", "", "", 3 * day, None),
        row(
            7,
            "Weekly Gardener",
            "Ten bulbs to plant before the frost, and a very long subject line that has to be cut off somewhere sensible in a narrow list",
            "plus: our autumn offer",
            5 * day,
            triage(1, 1, kind="newsletter"),
        ),
        row(
            8,
            "Vorstand Turnverein",
            "Protokoll der Sitzung",
            "anbei das Protokoll",
            40 * day,
            triage(1, 3, reasons=["written to the whole board"]),
            done=True,
        ),
        row(9, "Alte Liste", "Damals", "vor langer Zeit", 700 * day, triage(1, 2) | {"failed": True}),
    ]


def job(status: str = "running", **more: Any) -> dict[str, Any]:
    values = {
        "task_id": "12",
        "kind": "sync_user_emails",
        "label": "Fetch mail: Home",
        "state": "PROGRESS",
        "status": status,
        "progress": 64,
        "done": 3870,
        "total": 6046,
        "message": "Fetching INBOX: 3,870 of 6,046",
        "error": None,
        "created_at": NOW - timedelta(minutes=3),
        "started_at": NOW - timedelta(minutes=3),
        "finished_at": None,
        "cancellable": status in ("queued", "running", "retrying", "waiting"),
        "url": "/jobs/12",
    }
    return values | more


def accounts() -> list[dict[str, Any]]:
    base = {
        "address": "anna@example.org",
        "kind": "imap",
        "host": "imap.example.org",
        "mode": "builtin",
        "last_sync": NOW - timedelta(minutes=2),
        "error": None,
        "mails": 6046,
        "folders": 9,
        "job": None,
    }
    return [
        base | {"id": 1, "name": "Home", "state": "ok"},
        base | {"id": 2, "name": "Work", "state": "busy", "job": job(), "last_sync": None},
        base
        | {
            "id": 3,
            "name": "Club",
            "state": "bad",
            "error": "The server refused the user name or the password. Enter the password again.",
            "mails": 211,
            "last_sync": NOW - timedelta(days=2),
        },
    ]


def acts() -> list[dict[str, Any]]:
    base = {"email_id": 1, "subject": "Contract: signature by 17:00", "undoes": None, "by": "user", "reference": None, "why": "",
            "at": NOW - timedelta(minutes=2), "error": None, "can_undo": True}
    return [
        base | {"id": 4, "words": "Marked as read", "state": "pending"},
        base | {"id": 3, "words": "Put into the trash", "state": "refused", "can_undo": False,
                "error": {"code": "act_refused", "message": "The server refused this, so everything is as before."}},
        base | {"id": 2, "words": "Moved to “Archive”", "state": "undone", "by": "rule", "reference": 5, "why": "Newsletters", "can_undo": False},
        base | {"id": 1, "words": "Flagged", "state": "done", "email_id": None, "subject": "", "undoes": 2, "can_undo": False},
    ]


def journal(**more: Any) -> dict[str, Any]:
    values = {"days": [{"day": "2026-11-20", "acts": acts()}], "rule": None, "rule_name": "", "only_day": None, "refused": 1,
              "older": "/journal?before=1", "newer": None}
    return values | more


def event() -> dict[str, Any]:
    return {
        "title": "Changed invitation", "asked": True, "summary": "Board meeting", "times": "Friday, 27 November 2026, 10:00", "unclear": "zone",
        "wall": "2026-11-27 10:00",
        "zone": "Here", "floating": True, "repeats": "weekly", "location": "Room 4", "cancelled": False, "newer": 7, "answer": "accepted",
        "organizer": {"name": "Miriam", "address": "miriam@example.org", "answer": ""},
        "attendees": [{"name": "Anna", "address": "anna@example.org", "answer": "accepted"}, {"name": "", "address": "b@example.org", "answer": "x"}],
        "conflicts": [{"email_id": 4, "summary": "Dentist", "at": "Friday, 27 November 2026, 10:30"}],
    }


def outgoing() -> list[dict[str, Any]]:
    base = {"draft_id": 4, "subject": "Re: Contract", "to": ["miriam@example.org"], "created_at": NOW, "sent_at": None, "copy": None, "why": ""}
    states = ("waiting", "sending", "sent", "failed", "unknown", "undone")
    return [base | {"id": number, "state": state, "why": "Refused." if state == "failed" else "", "copy": "failed" if state == "sent" else None}
            for number, state in enumerate(states)]


def later() -> dict[str, Any]:
    due, off, awaited = rows()[:3]
    snooze = {"until": NOW + timedelta(days=1), "answer": False, "due": False, "answered": False}
    return {"due": [due | {"snooze": snooze | {"due": True}}], "later": [off | {"snooze": snooze}],
            "awaited": [awaited | {"snooze": snooze | {"until": None, "answer": True}}]}


def view(**more: Any) -> View:
    values: dict[str, Any] = {
        "me": {"name": "Anna", "admin": True},
        "csrf": "token",
        "path": "/",
        "timezone": "Europe/Zurich",
        "nav": {"inbox": 128, "reply": 4, "jobs": 1},
        "accounts": accounts(),
        "now": NOW,
    }
    return View(**(values | more))


def matrix() -> dict[str, Any]:
    counts = {(3, 1): 1, (3, 2): 2, (3, 3): 3, (2, 1): 6, (2, 2): 9, (2, 3): 0, (1, 1): 1071, (1, 2): 28, (1, 3): 4}
    latest = {
        (3, 1): "Ihre Parkkarte läuft am Freitag ab",
        (3, 2): "Einverständnis Schulreise",
        (3, 3): "Contract: signature by 17:00",
        (2, 1): "Dentist: please confirm Tuesday",
        (2, 2): "Rechnung 4471, fällig am 2. Dezember",
        (1, 1): "Ten bulbs to plant before the frost",
        (1, 2): "Your parcel is on its way",
        (1, 3): "Protokoll der Sitzung",
    }
    cells = [
        {
            "urgency": u,
            "importance": i,
            "score": 2 * u + i,
            "colour": triage(u, i)["colour"],
            "count": counts[u, i],
            "open": counts[u, i],
            "latest": latest.get((u, i)),
        }
        for u in (3, 2, 1)
        for i in (1, 2, 3)
    ]
    return {
        "greeting": {"name": "Anna", "hour": 9},
        "cells": cells,
        "counts": {"red": 5, "yellow": 20, "green": 1099, "open": 1124, "done": 31, "total": 1155},
        "urgent": rows()[:3],
        "syncing": None,
        "accounts": accounts(),
    }


def mail(**more: Any) -> dict[str, Any]:
    first = rows()[0]
    text = (
        "Dear Anna,\n\nthe last version is attached; legal has no more remarks. Could you sign it by 17:00, so that it reaches "
        "the notary today? If page 4 still needs a change, call me before three.\n\nThe draft is at https://example.org/contract?v=7, "
        "too.\n\nBest,\nMiriam\n\n"
        "Anna Beck wrote:\n> Dear Miriam,\n> is page 4 settled?\n>\n> Anna\n"
    )
    return (
        first
        | {
            "text": text,
            "html": False,
            "tags": ["contract"],
            "headers_short": [("From", "Miriam Keller <miriam.keller@example.org>"), ("Message-ID", "<a1@example.org>")],
            "attachments": [{"id": 1, "filename": "contract-v7.pdf", "mime": "application/pdf", "size": 214000, "inline": False, "fetched": True}],
            "layers": {"builtin": first["triage"], "base": None, "optimize": None, "pattern": None, "rule": None, "user": None},
            "warnings": [],
            "invitation": None,
        }
        | more
    )


def tags() -> list[dict[str, Any]]:
    base = {"description": "", "automatic": False, "learned_from": 0, "refused": False, "count": 0}
    club = {"description": "board, training", "automatic": True, "learned_from": 12, "count": 1204}
    return [base | club | {"id": 4, "name": "Club <board>", "colour": "green"}, base | {"id": 5, "name": "House", "colour": "blue"}]


def sender(**more: Any) -> dict[str, Any]:
    pattern = {"urgency": 1, "importance": 2, "category": "information", "kind": "newsletter", "confidence": 72, "rated": 17, "agreed": 16,
               "corrected": 1, "newsletter": True, "applied": True}
    return {"id": 3, "address": "news@example.org", "received": 17, "written": 2, "first_at": NOW, "last_at": NOW, "trusted": True,
            "pattern": pattern, **more}


def draft(**more: Any) -> dict[str, Any]:
    values = {
        "id": 4,
        "email_id": 1,
        "account_id": 1,
        "version": 2,
        "state": "draft",
        "style": "professional",
        "written_by": "llm:qwen3",
        "to": [{"name": "Miriam Keller", "address": "miriam.keller@example.org"}],
        "cc": [],
        "bcc": [],
        "subject": "Re: Contract: signature by 17:00",
        "text": "Dear Miriam,\n\nI will sign it by [time].\n\nBest regards,\nAnna",
        "created_at": NOW,
        "edited_at": None,
    }
    return values | more


WHOM = {"model": "qwen3:30b", "host": "ai.example.org", "where": "remote", "tokens": 1900, "cost": "0.0021"}
AI = {"any": True, "allowed": True, "styles": ("professional", "brief"), "has_base": True, "base": WHOM | {"where": "local", "cost": ""},
      "optimize": WHOM, "reply": WHOM}
PREVIEW = {
    "mode": "llm_anonymized",
    "purpose": "base",
    "masked": True,
    "error": None,
    "warnings": ["This mail holds text that its reader cannot see."],
    "messages": ({"role": "system", "content": "You rate one e-mail."}, {"role": "user", "content": "From: [NAME_1] <script>"}),
    "tokens": 812,
    "found": [("Names", 3), ("IBANs", 1)],
}


def inbox(**more: Any) -> dict[str, Any]:
    values = {
        "list": {"items": rows(), "next": "abc", "total": 1155},
        "filters": {},
        "sorts": ["score", "date", "size"],
        "folders": [{"id": 1, "name": "INBOX", "role": "inbox"}],
        "accounts": [one | {"folders": FOLDERS} for one in accounts()],
        "next_url": "/inbox?cursor=abc",
        "prev_url": None,
        "chips": [],
    }
    return values | more


SETTINGS = {
    "form": {"language": "en", "theme": "auto", "density": "comfortable", "timezone": "Europe/Zurich", "idle_minutes": 30, "mark_read": True},
    "sessions": [
        {"id": 1, "created_at": NOW, "used_at": NOW, "current": True},
        {"id": 2, "created_at": NOW - timedelta(days=2), "used_at": NOW - timedelta(hours=9), "current": False},
    ],
}
FORM = {
    "name": "Home",
    "address": "anna@example.org",
    "host": "imap.example.org",
    "port": 993,
    "security": "tls",
    "username": "",
    "mode": "builtin",
    "background": False,
}
HERE = [{**one, "here": one["id"] == 1} for one in FOLDERS]
JOBS = {"reprocess": None, "optimize": None, "reply": None}

PROVIDERS = [
    {"id": 1, "name": "Box <of> ours", "host": "box.example", "base_model": "qwen3:4b", "optimize_model": "qwen3:14b", "embedding_model": "e5",
     "mine": True, "offered": True, "local": True, "budget": 20_000, "failure": "box.example did not accept the API key."},
    {"id": 2, "name": "Firm", "host": "ai.example", "base_model": "small", "optimize_model": "", "embedding_model": "", "mine": False,
     "offered": True, "local": False, "budget": 5000, "failure": None},
]
SPENT = {"today": 1200, "left": 48_800, "priced": True, "totals": [{"kind": "base", "questions": 12, "tokens": 14_400, "cost": "0.02"},
                                                                   {"kind": "reply", "questions": 1, "tokens": 900, "cost": "0.00"}]}
PROVIDER = {
    "form": {"name": "Box", "base_url": "http://127.0.0.1:11434/v1", "base_model": "qwen3:4b", "optimize_model": "", "embedding_model": "",
             "timeout": 120, "budget": 0, "local": True, "offered": False, "base_in": "0.5", "base_out": "1.5"},
    "errors": {}, "provider": {"id": 1, "name": "Box", "has_key": True}, "presets": PRESETS,
    "test": {"ok": True, "sentence": "It works.", "where": "machine", "models": ["qwen3:4b", "qwen3:14b"]},
}


def threads() -> list[dict[str, Any]]:
    first, second = rows()[:2]
    people = [first["from"], {"name": "", "address": "carl@example.org"}]
    return [
        {"id": 3, "subject": first["subject"], "people": people, "count": 3, "unread": 1, "date": first["date"], "state": "needs_reply",
         "reason": "Miriam wrote last; asks you: “Could you?”", "last": first},
        {"id": 4, "subject": "", "people": [], "count": 1, "unread": 0, "date": second["date"], "state": "", "reason": "", "last": second},
    ]
