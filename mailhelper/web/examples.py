"""What the API takes and answers, by example: for its description of itself (openapi.py), and tested against the server."""

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
    "warnings": [],
    "attachments": [{"id": 1, "filename": "contract.pdf", "mime": "application/pdf", "size": 214000, "inline": False, "fetched": True}],
    "invitation": None,
    "layers": {"builtin": TRIAGE, "base": None, "optimize": None, "pattern": None, "rule": None, "user": None},
}
THREAD = {
    "id": 3, "subject": "Contract", "people": [{"name": "Miriam Keller", "address": "miriam@example.org"}], "count": 2, "unread": 1,
    "date": "2026-11-20T09:12:00.000Z", "state": "needs_reply", "reason": "Miriam Keller wrote last: asks you: “Could you sign it?”", "last": ROW,
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
    "id": 1, "kind": "imap", "name": "Home", "address": "anna@example.org", "mode": "builtin", "judge": "unsure", "signature": None,
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
REPLY = {"style": "formal", "instructions": "Say yes, but not before Monday.", "provider_id": 1}
PATTERN = {"urgency": 1, "importance": 2, "category": "information", "kind": "newsletter", "confidence": 72, "rated": 17, "agreed": 17,
           "corrected": 0, "newsletter": True, "applied": True}
SENDER = {"id": 3, "address": "news@example.org", "received": 17, "written": 0, "first_at": "2026-01-20T09:12:00.000Z",
          "last_at": "2026-11-20T09:12:00.000Z", "trusted": False, "pattern": PATTERN}
TRUSTED = {"id": 2, "entry": "example.org", "account_id": None, "created_at": "2026-11-20T09:12:00.000Z"}
STYLE = {"name": "formal", "address": "sie", "greeting": "", "closing": "Freundliche Grüße", "signature": "Anna Beck", "instructions": ""}
DRAFT = {
    "id": 4, "email_id": 5, "account_id": 1, "version": 1, "state": "draft", "style": "formal", "written_by": "llm:qwen3",
    "to": [{"name": "Miriam Keller", "address": "miriam@example.org"}], "cc": [], "bcc": [], "subject": "Re: Contract", "text": "Dear Miriam, …",
    "created_at": "2026-11-20T09:12:00.000Z", "edited_at": None,
}
OUTGOING = {
    "id": 3, "account_id": 1, "draft_id": 4, "email_id": 5, "state": "waiting", "subject": "Re: Contract", "to": ["miriam@example.org"],
    "message_id": "5f0c…@example.org", "copy": None, "created_at": "2026-11-20T09:12:00.000Z", "sent_at": None, "error": None,
}
FILE = {"id": 1, "filename": "contract.pdf", "mime": "application/pdf", "size": 214000}
ME = {"id": 1, "name": "anna", "roles": ["user"],
      "settings": {"language": "en", "timezone": "Europe/Berlin", "theme": "auto", "density": "comfortable", "idle_minutes": 30,
                   "mark_read": True}}
PROVIDER_BODY = {
    "name": "Ollama", "base_url": "http://127.0.0.1:11434/v1", "api_key": "", "base_model": "qwen3:4b", "optimize_model": "qwen3:14b",
    "embedding_model": "", "local": True, "timeout": 120, "prices": {"qwen3:4b": {"in": 0, "out": 0}}, "offered": False, "budget": 0,
}
PROVIDER = {"id": 1, **{name: value for name, value in PROVIDER_BODY.items() if name != "api_key"}, "mine": True, "has_key": False, "error": None,
            "created_at": "2026-11-20T09:12:00.000Z"}
USAGE = {"items": [{"kind": "base", "questions": 12, "tokens": 14_400, "cost": 0.02}], "next": None, "total": 1, "today": 1200, "left": None,
         "local_only": False, "daily_tokens": None}
RULE_BODY = {
    "name": "Club into its folder", "enabled": True, "priority": 100, "match": "all", "threshold": 85,
    "conditions": [{"type": "sender_domain", "value": "club.example"}], "actions": [{"type": "move", "value": "Archive"}],
}
RULE = {"id": 3, **RULE_BODY, "hits": 41, "last_hit": "2026-11-20T09:12:00.000Z", "error": None}
RULE_HIT = {"id": 8, "rule_id": 3, "rule": "Club into its folder", "email_id": 5, "subject": "Training", "action": "move", "value": "Archive",
            "state": "done", "at": "2026-11-20T09:12:00.000Z", "act_id": 7, "error": None}
LIST_QUERY = {
    "account": "account id", "folder": "folder id or name", "sender": "sender id",
    "urgency": "1–3", "importance": "1–3", "category": "action_required, urgent, information",
    "tag": "tag id or name",
    "kind": "person, newsletter, …", "unread": "1 or 0", "flagged": "1 or 0", "answered": "1 or 0", "needs_reply": "1 or 0", "done": "1 or 0",
    "since": "date or time", "before": "date or time", "sort": "date, score, size", "limit": "at most 200", "cursor": "`next` of the page before",
}


def items(example: object) -> dict[str, object]:
    return {"items": [example], "next": None, "total": 1}
