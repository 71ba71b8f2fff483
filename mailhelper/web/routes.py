"""The map of the app: every URL, who may ask, what it needs, and an example of what it answers."""

from mailhelper.web import accounts, acts, drafts, email, inbox, jobs, journal, later, matrix, openapi, ops, people, styles, tags
from mailhelper.web.routing import Route

TRIAGE = {
    "urgency": 3, "importance": 2, "score": 8, "colour": "red", "category": "urgent", "kind": "person", "spam": False, "needs_reply": True,
    "summary": "Could you sign it by Friday?", "suggested_tags": ["contract"], "reasons": ["“by Friday” = Fri, 27 Nov"], "confidence": 0.8,
    "rated_by": "builtin", "failed": False,
}
ROW = {
    "id": 5, "account_id": 1, "folder": "INBOX", "thread_id": 3, "from": {"name": "Miriam Keller", "address": "miriam@example.org"},
    "to": [{"name": "Anna", "address": "anna@example.org"}], "subject": "Contract", "date": "2026-11-20T09:12:00.000Z", "size": 4711,
    "flags": {"read": False, "flagged": False, "answered": False}, "has_attachments": True, "snippet": "The last version is attached …", "tags": [],
    "done": False, "triage": TRIAGE,
}
MAIL = {
    **ROW, "text": "Dear Anna, …", "html": "", "headers": [["Subject", "Contract"]], "cc": [], "reply_to": [], "calendar": False, "defects": [],
    "attachments": [{"id": 1, "filename": "contract.pdf", "mime": "application/pdf", "size": 214000, "inline": False}], "invitation": None,
    "layers": {"builtin": TRIAGE, "base": None, "optimize": None, "pattern": None, "rule": None, "user": None},
}
QUEUED = {"status": "queued", "task_id": "12", "task_type": "huey", "message": "Starts in a moment"}
TASK = {
    "task_id": "12", "kind": "sync_user_emails", "state": "PROGRESS", "status": "running", "progress": 40, "done": 400, "total": 1000,
    "message": "Fetching mail: 400 of 1,000", "result": None, "error": None, "attempts": 1, "created_at": "2026-11-20T09:12:00.000Z",
    "started_at": "2026-11-20T09:12:00.120Z", "finished_at": None, "eta": "2026-11-20T09:12:03.000Z",
}
SERVER = {"host": "imap.example.org", "port": 993, "security": "tls", "username": "anna@example.org", "password": "…"}
ACCOUNT_BODY = {"name": "Home", "address": "anna@example.org", "imap": SERVER, "mode": "builtin", "background": False, "interval": 15}
ACCOUNT = {
    "id": 1, "kind": "imap", "name": "Home", "address": "anna@example.org", "mode": "builtin",
    "imap": {"host": "imap.example.org", "port": 993, "security": "tls", "username": "anna@example.org", "fingerprint": ""}, "smtp": None,
    "filters": None, "background": False, "interval": 15, "synced_at": None, "error": None, "emails": 0, "created_at": "2026-11-20T09:12:00.000Z",
}
STATE = {"id": 5, "folder": "INBOX", "flags": {"read": True, "flagged": False, "answered": False}, "done": False, "acts": [7]}
SNOOZE = {"until": "2026-11-23T07:00:00.000Z", "answer": True, "due": False, "answered": False}
ACT = {
    "id": 7, "email_id": 5, "account_id": 1, "what": "trash", "value": None, "keyword": None, "subject": "Contract", "from": "INBOX", "to": "Trash",
    "undoes": None, "state": "done", "by": "user", "reference": None, "why": "", "batch": None,
    "at": "2026-11-20T09:12:00.000Z", "done_at": "2026-11-20T09:12:01.000Z", "error": None, "can_undo": True,
}
TAG = {"id": 4, "name": "Club", "colour": "green", "description": "board, training, matches", "automatic": False, "count": 12, "learned_from": 12,
       "refused": False}
SUGGESTION = {"id": 9, "name": "insurance", "count": 8, "state": "open",
              "first_at": "2026-11-01T09:12:00.000Z", "last_at": "2026-11-20T09:12:00.000Z"}
TAGGED = {"id": 5, "tags": ["Club"]}
GRANT = {"id": 7, "label": "Firefox", "created_at": "2026-11-20T09:12:00.000Z", "used_at": "2026-11-20T09:12:00.000Z",
         "expires_at": "2026-12-20T09:12:00.000Z"}
STYLE = {"name": "formal", "address": "sie", "greeting": "", "closing": "Freundliche Grüße", "signature": "Anna Beck", "instructions": ""}
DRAFT = {
    "id": 4, "email_id": 5, "account_id": 1, "version": 1, "state": "draft", "style": "formal", "written_by": "llm:qwen3",
    "to": [{"name": "Miriam Keller", "address": "miriam@example.org"}], "cc": [], "bcc": [], "subject": "Re: Contract", "text": "Dear Miriam, …",
    "created_at": "2026-11-20T09:12:00.000Z", "edited_at": None,
}
ME = {"id": 1, "name": "anna", "roles": ["user"],
      "settings": {"language": "en", "timezone": "Europe/Berlin", "theme": "auto", "density": "comfortable", "idle_minutes": 30,
                   "mark_read": True}}
LIST_QUERY = {
    "account": "account id", "folder": "folder id or name", "urgency": "1–3", "importance": "1–3", "category": "action_required, urgent, information",
    "tag": "tag id or name",
    "kind": "person, newsletter, …", "unread": "1 or 0", "flagged": "1 or 0", "answered": "1 or 0", "needs_reply": "1 or 0", "done": "1 or 0",
    "since": "date or time", "before": "date or time", "sort": "date, score, size", "limit": "at most 200", "cursor": "`next` of the page before",
}


def items(example: object) -> dict[str, object]:
    return {"items": [example], "next": None, "total": 1}


ROUTES: list[Route] = [
    # ── public ──
    Route("GET", "/healthz", ops.healthz, "public", summary="The process is up", example={"status": "ok"}),
    Route("GET", "/readyz", ops.readyz, "public", summary="Database, queue and worker can be reached",
          example={"status": "ok", "database": "ok", "queue": "ok", "worker": "ok", "watcher": "ok"}),
    Route("GET", "/metrics", ops.metrics, "public"),
    Route("GET", "/static/<name:path>", ops.static, "public"),
    Route("GET", "/api/openapi.json", lambda: openapi.describe(ROUTES), "public"),
    Route("GET", "/login", people.login_page, "public"),
    Route("POST", "/login", people.login, "public"),
    Route("GET", "/register", people.register_page, "public"),
    Route("POST", "/register", people.register, "public"),
    # ── pages ──
    Route("POST", "/logout", people.logout),
    Route("GET", "/", matrix.index),
    Route("POST", "/welcome/sample", matrix.load_sample),
    Route("GET", "/inbox", inbox.index),
    Route("GET", "/search", inbox.search),
    Route("GET", "/email/<id:int>", email.show),
    Route("GET", "/email/<id:int>/body", email.body),
    Route("POST", "/email/<id:int>/done", email.done, token="write"),
    Route("POST", "/email/<id:int>/read", acts.read, token="write"),
    Route("POST", "/email/<id:int>/flag", acts.flag, token="write"),
    Route("POST", "/email/<id:int>/trash", acts.trash, token="write"),
    Route("POST", "/email/<id:int>/answered", acts.answered, token="write"),
    Route("POST", "/email/<id:int>/move", acts.move, token="write"),
    Route("POST", "/email/<id:int>/archive", acts.archive, token="write"),
    Route("POST", "/email/<id:int>/undelete", acts.undelete, token="write"),
    Route("POST", "/email/<id:int>/snooze", later.snooze, token="write"),
    Route("POST", "/email/<id:int>/unsnooze", later.unsnooze, token="write"),
    Route("GET", "/later", later.index),
    Route("POST", "/inbox/bulk", acts.bulk, token="write"),
    Route("GET", "/journal", journal.index),
    Route("POST", "/journal/undo", journal.undo_all, token="write"),
    Route("POST", "/journal/told", journal.told, token="write"),
    Route("POST", "/journal/<id:int>/undo", journal.undo, token="write"),
    Route("POST", "/email/<id:int>/correct", email.correct, token="triage"),
    Route("POST", "/email/<id:int>/correct/undo", email.undo_correct, token="triage"),
    Route("GET", "/drafts/<id:int>", drafts.show),
    Route("POST", "/drafts/<id:int>", drafts.save),
    Route("POST", "/drafts/<id:int>/delete", drafts.delete),
    Route("GET", "/tags", tags.index),
    Route("POST", "/tags", tags.create, token="write"),
    Route("GET", "/tags/<id:int>", tags.edit),
    Route("POST", "/tags/<id:int>", tags.save, token="write"),
    Route("POST", "/tags/<id:int>/delete", tags.delete, token="write"),
    Route("POST", "/tag-suggestions/<id:int>/approve", tags.approve, token="write"),
    Route("POST", "/tag-suggestions/<id:int>/merge", tags.merge, token="write"),
    Route("POST", "/tag-suggestions/<id:int>/reject", tags.reject, token="write"),
    Route("POST", "/email/<id:int>/tags", tags.put_on, token="write"),
    Route("POST", "/email/<id:int>/tags/remove", tags.take_off, token="write"),
    Route("GET", "/accounts", accounts.index),
    Route("GET", "/accounts/new", accounts.new),
    Route("POST", "/accounts/new", accounts.add),
    Route("GET", "/accounts/<id:int>", accounts.edit),
    Route("POST", "/accounts/<id:int>", accounts.save),
    Route("POST", "/accounts/<id:int>/delete", accounts.delete),
    Route("POST", "/accounts/renew", accounts.renew),
    Route("GET", "/jobs", jobs.index),
    Route("GET", "/jobs/<id:int>", jobs.show),
    Route("GET", "/settings", people.settings_page),
    Route("POST", "/settings", people.settings),
    Route("GET", "/settings/styles", styles.index),
    Route("POST", "/settings/styles", styles.save),
    Route("POST", "/settings/password", people.password),
    Route("POST", "/settings/sessions/<id:int>/delete", people.end_session),
    # ── jobs ──
    Route("POST", "/mail-account/<id:int>/fetch", accounts.fetch, token="write", summary="Sync one account", body={"max_emails": 500}, example=QUEUED,
          status=202),
    Route("POST", "/mail-accounts/fetch", accounts.fetch_all, token="write", summary="Sync all accounts", example=QUEUED, status=202),
    Route("POST", "/email/<id:int>/reprocess", email.reprocess, token="triage", summary="Redo the base pass", body={"provider_id": 1}, example=QUEUED,
          status=202),
    Route("POST", "/emails/<id:int>/reprocess", email.reprocess, token="triage", summary="The same", body={"provider_id": 1}, example=QUEUED,
          status=202),
    Route("GET", "/tasks/<id>", jobs.task, token="read", summary="One job", example=TASK),
    Route("GET", "/tasks/<id>/status", jobs.task, token="read", summary="The same", example=TASK),
    Route("POST", "/tasks/<id>/cancel", jobs.cancel, token="write", summary="Stop a job", example=TASK),
    # ── API ──
    Route("GET", "/api/me", people.me, token="read", summary="Who is asking", example=ME),
    Route("GET", "/api/accounts", accounts.api_list, token="read", summary="Mailboxes", example=items(ACCOUNT)),
    Route("POST", "/api/accounts", accounts.api_create, token="write", summary="Add a mailbox", body=ACCOUNT_BODY, example=ACCOUNT, status=201),
    Route("GET", "/api/accounts/<id:int>", accounts.api_show, token="read", summary="One mailbox", example=ACCOUNT),
    Route("PATCH", "/api/accounts/<id:int>", accounts.api_change, token="write", summary="Change a mailbox", body={"name": "Work"}, example=ACCOUNT),
    Route("DELETE", "/api/accounts/<id:int>", accounts.api_delete, token="write", summary="Remove a mailbox here", example={"deleted": True}),
    Route("POST", "/api/accounts/<id:int>/test", accounts.api_test, token="write", summary="Connect and sign in", body={},
          example={"ok": True, "error": None, "fingerprint": "", "capabilities": ["IDLE"], "folders": [{"name": "INBOX", "role": "inbox"}]}),
    Route("GET", "/api/accounts/<id:int>/folders", accounts.api_folders, token="read", summary="Folders of a mailbox", example=items(
        {"id": 1, "name": "INBOX", "role": "inbox", "total": 10, "unread": 2, "synced_at": "2026-11-20T09:12:00.000Z", "error": None})),
    Route("GET", "/api/emails", inbox.api_list, token="read", summary="Mails, filtered and sorted", query=LIST_QUERY, example=items(ROW)),
    Route("GET", "/api/emails/<id:int>", email.api_show, token="read", summary="One mail", example=MAIL),
    Route("GET", "/api/emails/<id:int>/raw", email.api_raw, token="read", summary="The bytes as they came"),
    Route("GET", "/api/emails/<id:int>/attachments/<number:int>", email.api_attachment, token="read", summary="One attached file"),
    Route("POST", "/api/emails/<id:int>/correct", email.api_correct, token="triage", summary="Say what the rating should have been",
          body={"urgency": 2, "importance": 3}, example=MAIL),
    Route("DELETE", "/api/emails/<id:int>/correct", email.api_uncorrect, token="triage", summary="Take the correction back", example=MAIL),
    Route("POST", "/api/emails/<id:int>/flags", acts.api_flags, token="write", summary="Read, flagged, answered, done or not",
          body={"read": True, "flagged": False, "answered": False, "done": True}, example=STATE),
    Route("POST", "/api/emails/<id:int>/move", acts.api_move, token="write", summary="Into another folder of its mailbox, by name or id",
          body={"folder": "Archive"}, example=STATE),
    Route("POST", "/api/emails/<id:int>/trash", acts.api_trash, token="write", summary="Into the trash", body={}, example=STATE),
    Route("POST", "/api/emails/<id:int>/archive", acts.api_archive, token="write",
          summary="Into the archive; `create` lets the folder be made where there is none", body={"create": True}, example=STATE),
    Route("POST", "/api/emails/<id:int>/undelete", acts.api_undelete, token="write", summary="Out of the trash, to where it was before", body={},
          example=STATE),
    Route("POST", "/api/emails/<id:int>/snooze", later.api_snooze, token="write", summary="Put off until a time, until an answer comes, or both",
          body={"until": "2099-11-23T07:00:00Z", "answer": True}, example={"id": 5, "snooze": SNOOZE}),
    Route("DELETE", "/api/emails/<id:int>/snooze", later.api_unsnooze, token="write", summary="Bring back now", example={"id": 5, "snooze": None}),
    Route("GET", "/api/later", later.api_list, token="read", summary="What has come back, then what is put off",
          example=items({**ROW, "snooze": SNOOZE})),
    Route("POST", "/api/emails/bulk", acts.api_bulk, token="write",
          summary="One action on at most 200 mails: " + ", ".join(acts.BULK), body={"ids": [5], "action": "read"},
          example=items({**STATE, "error": None})),
    Route("GET", "/api/journal", journal.api_list, token="read", summary="What was done to mails, newest first",
          query={"rule": "rule id", "day": "date", "batch": "act id", "limit": "at most 200", "cursor": "`next`"}, example=items(ACT)),
    Route("POST", "/api/journal/<id:int>/undo", journal.api_undo, token="write", summary="Undo one act", body={}, example=ACT),
    Route("GET", "/api/reply-styles", styles.api_list, token="read", summary="How replies are written", example=items(STYLE)),
    Route("GET", "/api/reply-styles/<style>", styles.api_show, token="read", summary="One style", example=STYLE),
    Route("PUT", "/api/reply-styles/<style>", styles.api_change, token="write", summary="Change a style; what is left out stays",
          body={"address": "sie", "closing": "Freundliche Grüße"}, example=STYLE),
    Route("GET", "/api/drafts/<id:int>", drafts.api_show, token="read", summary="A mail being written", example=DRAFT),
    Route("PUT", "/api/drafts/<id:int>", drafts.api_change, token="write", summary="Change a draft; what is left out stays",
          body={"to": [{"name": "", "address": "miriam@example.org"}], "text": "Dear Miriam, …"}, example=DRAFT),
    Route("DELETE", "/api/drafts/<id:int>", drafts.api_delete, token="write", summary="Throw a draft away", example={"deleted": True}),
    Route("POST", "/api/journal/undo", journal.api_undo_all, token="write", summary="Undo all of a rule, of a day or of one bulk call",
          body={"day": "2026-11-20"}, example={"undone": 3, "left": 0}),
    Route("GET", "/api/tags", tags.api_list, token="read", summary="Tags with their number of mails", example=items(TAG)),
    Route("POST", "/api/tags", tags.api_create, token="write", summary="Make a tag", status=201, example=TAG,
          body={"name": "Club 2", "colour": "green", "description": "board, training, matches", "automatic": False}),
    Route("PATCH", "/api/tags/<id:int>", tags.api_change, token="write", summary="Change a tag", body={"colour": "blue"}, example=TAG),
    Route("DELETE", "/api/tags/<id:int>", tags.api_delete, token="write", summary="Delete a tag; its mails stay", example={"deleted": True}),
    Route("POST", "/api/emails/<id:int>/tags", tags.api_put_on, token="write", summary="Put tags on a mail, by name or id; made if missing",
          body={"tags": ["Club"]}, example=TAGGED),
    Route("DELETE", "/api/emails/<id:int>/tags", tags.api_take_off, token="write",
          summary="Take tags off a mail; what is not on it is never suggested for it again", body={"tags": ["Club"]}, example=TAGGED),
    Route("GET", "/api/tag-suggestions", tags.api_suggestions, token="read", summary="Words that ratings suggest, the most frequent first",
          example=items(SUGGESTION)),
    Route("POST", "/api/tag-suggestions/<id:int>/approve", tags.api_approve, token="write", example={**TAG, "task_id": "12"},
          summary="Make it a tag; apply: put it on the mails that suggest it", body={"colour": "teal", "apply": True}),
    Route("POST", "/api/tag-suggestions/<id:int>/merge", tags.api_merge, token="write", example={**TAG, "task_id": "12"},
          summary="It means an existing tag, by name or id", body={"tag": "Club", "apply": True}),
    Route("POST", "/api/tag-suggestions/<id:int>/reject", tags.api_reject, token="write", summary="Never ask about it again", body={},
          example=SUGGESTION),
    Route("GET", "/api/search", inbox.api_search, token="read", summary="Search", query={"q": "words, from: to: subject: …", "limit": "at most 200"},
          example=items({**ROW, "highlights": ["Contract"]})),
    Route("GET", "/api/matrix", matrix.api, token="read", summary="Counts of the matrix", example={
        "cells": [{"urgency": 3, "importance": 1, "score": 7, "colour": "yellow", "count": 3, "open": 1}],
        "colours": {"red": 0, "yellow": 1, "green": 0}, "open": 1, "done": 2, "total": 3}),
    Route("GET", "/api/jobs", jobs.api_list, token="read", summary="Jobs, newest first", query={"limit": "at most 200", "cursor": "`next`"},
          example=items(TASK)),
    Route("GET", "/api/egress", accounts.api_egress, token="read", summary="Outbound connections, newest first",
          query={"limit": "at most 200", "cursor": "`next`"}, example=items({
              "id": 9, "at": "2026-11-20T09:12:00.000Z", "host": "imap.example.org", "port": 993, "purpose": "imap", "sent": 812, "received": 40961,
              "refused": False, "reason": ""})),
    Route("GET", "/api/sessions", people.sessions, token="read", summary="Sessions", example=items({**GRANT, "current": True})),
    Route("DELETE", "/api/sessions", people.delete_session, token="write", summary="End a session", query={"id": "session id"},
          example={"deleted": True}),
    Route("GET", "/api/tokens", people.tokens, token="read", summary="Personal tokens", example=items({**GRANT, "scope": ["read"]})),
    Route("POST", "/api/tokens", people.create_token, summary="Make a token, shown once", body={"scope": ["read"], "days": 90, "label": "script"},
          example={"token": "…"}),
    Route("DELETE", "/api/tokens", people.delete_token, token="write", summary="Revoke a token", query={"id": "token id"}, example={"deleted": True}),
]
