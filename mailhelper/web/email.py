"""One mail: its page, its sandboxed body, its attachments, and what a person says of it."""

import base64
from typing import Any

from bottle import response

from mailhelper import concealed, drafts, journal, later, mails, message, ratings, sanitize
from mailhelper import invitations as events
from mailhelper.errors import Invalid, sentence
from mailhelper.language import t
from mailhelper.models import Mail
from mailhelper.scope import Scope
from mailhelper.web import form, invitations, judge, session, tags
from mailhelper.web.render import page, view
from mailhelper.web.routing import download, lang, see_other

SHORT_HEADERS = ("From", "To", "Cc", "Reply-To", "Date", "Message-ID", "List-Id", "Authentication-Results")
PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")
MOST_PICTURES = 100
MOST_INLINE = 5_000_000         # bytes of pictures put into the body as data: URIs, since a sandboxed frame sends no cookie
CORRECTIONS = ("urgency", "importance", "category", "kind", "spam", "needs_reply", "note", "tags")


def show(scope: Scope, id: int) -> str:
    mail = mails.read(scope, id, lang())
    clean = sanitize.clean(mail["html"]) if mail["html"] else None
    warnings = [t(lang(), "email.defect")] if mail["defects"] else []
    warnings += concealed.sentences(mail.get("warnings", ()), lang())
    if refused := journal.refused(scope, id):
        warnings.append(t(lang(), "email.act_refused", why=sentence(lang(), refused.error or "act_refused")))
    shown = form.text("view")
    return page(
        "email/show", mail={**mail, "headers_short": _short(mail["headers"]), "warnings": warnings, "invitation": invitations.card(scope, id),
                            "attachments": _files(mail["attachments"])},
        folders=_folders(mail), snooze=later.of_mail(scope, id), times=later.times(scope.user.timezone), mark_read=not scope.user.leave_unread,
        remote=form.flag("remote"), blocked=clean.blocked if clean else 0, view_as=shown, drafts=drafts.of_mail(scope, id),
        tags=tags.on_mail(scope, id, mail["triage"]), jobs=judge.under_way(scope, id), ai=judge.panel(scope, mail), taken=judge.taken(scope, id),
        preview=judge.preview(scope, id) if shown == "model" else None)


def body(scope: Scope, id: int) -> str:
    """The mail's HTML for the sandboxed frame: no script, and nothing from the web unless asked for."""
    content = mails.content(scope, scope.get(Mail, id).id)
    remote = form.flag("remote")
    clean = sanitize.clean(content["html"], cids=_pictures(scope, id, content["attachments"]), remote=remote)
    web = " https: http:" if remote else ""
    response.set_header("Content-Security-Policy", (
        f"default-src 'none'; img-src data:{web}; style-src 'unsafe-inline'{web}; font-src data:{web}; form-action 'none'; base-uri 'none'; "
        "frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"))
    response.set_header("X-Frame-Options", "SAMEORIGIN")
    return f'<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width"><base target="_blank">{clean.html}'


def _pictures(scope: Scope, id: int, attachments: list[dict[str, Any]]) -> dict[str, str]:
    """Content-ID → data: URI of the pictures that the HTML may show."""
    found, room = {}, MOST_INLINE
    wanted = [part for part in attachments if part["content_id"] and part["mime"] in PICTURES and not part.get("left_out")]
    raw = mails.raw(scope, id) if wanted else b""
    for part in wanted[:MOST_PICTURES]:
        if part["size"] <= room:
            room -= part["size"]
            data = message.attachment(raw, part["number"])[1]
            found[part["content_id"]] = f"data:{part['mime']};base64,{base64.b64encode(data).decode()}"
    return found


def _folders(mail: dict[str, Any]) -> list[dict[str, Any]]:
    """The folders of its mailbox as the side bar has them; the one it is in is marked `here`."""
    box: dict[str, Any] = next((one for one in view.get().accounts if one["id"] == mail["account_id"]), {"folders": []})
    return [{**folder, "here": folder["name"] == mail["folder"]} for folder in box["folders"]]


def _short(headers: list[list[str]]) -> list[tuple[str, str]]:
    wanted = {name.lower() for name in SHORT_HEADERS}
    return [(name, value) for name, value in headers if name.lower() in wanted]


def _files(attachments: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"id": part["number"], "filename": part["filename"], "mime": part["mime"], "size": part["size"], "inline": part["inline"],
             "fetched": part["fetched"]} for part in attachments]


# ── acts ──

def done(scope: Scope, id: int) -> Any:
    """Form or script: done=1 or 0."""
    value = _is_done(form.body({"done"})) if form.is_json() else form.flag("done")
    mails.mark_done(scope, id, value)
    if form.wants_json():
        return {"id": id, "done": value}
    session.toast("done" if value else "undone", f"/email/{id}/done?done={int(not value)}")
    return see_other(session.local(form.text("next"), f"/email/{id}"))


def _is_done(values: dict[str, Any]) -> bool:
    value = values.get("done", True)
    if not isinstance(value, bool):
        raise Invalid(fields={"done": "not_a_boolean"})
    return value


def correct(scope: Scope, id: int) -> Any:
    """Form: urgency and importance from the small matrix."""
    if form.is_json():
        return api_correct(scope, id)
    ratings.correct(scope, id, {name: value for name in ("urgency", "importance") if (value := form.whole(name)) is not None})
    session.toast("corrected", f"/email/{id}/correct/undo")
    return see_other(f"/email/{id}")


def undo_correct(scope: Scope, id: int) -> Any:
    ratings.take_back(scope, id)
    return see_other(f"/email/{id}")


# ── API ──

def api_show(scope: Scope, id: int) -> dict[str, Any]:
    mail = mails.read(scope, id, lang())
    html = sanitize.clean(mail["html"]).html if mail["html"] else ""
    return {**mail, "html": html, "attachments": _files(mail["attachments"]), "invitation": events.of_mail(scope, id)}


def api_raw(scope: Scope, id: int) -> bytes:
    return download(mails.raw(scope, id), "message/rfc822", f"mail-{id}.eml")


def api_attachment(scope: Scope, id: int, number: int) -> bytes:
    part, data = mails.attachment(scope, id, number)
    return download(data, part.mime, part.filename or f"attachment-{number}")


def api_correct(scope: Scope, id: int) -> dict[str, Any]:
    ratings.correct(scope, id, form.body(CORRECTIONS))
    return api_show(scope, id)


def api_uncorrect(scope: Scope, id: int) -> dict[str, Any]:
    ratings.take_back(scope, id)
    return api_show(scope, id)
