"""How replies are written: the page of the styles, and the same for scripts."""

from typing import Any

from bottle import response

from mailhelper import styles
from mailhelper.errors import Invalid
from mailhelper.scope import Scope
from mailhelper.web import form, session
from mailhelper.web.render import page
from mailhelper.web.routing import lang, see_other


def index(scope: Scope) -> str:
    return _page(styles.read(scope, form.text("style", styles.NAMES[0])))


def save(scope: Scope) -> Any:
    name, typed = form.text("style"), form.given(*styles.PLAIN)
    try:
        styles.change(scope, name, typed)
    except Invalid as error:
        response.status = error.status
        return _page({"name": name, **styles.PLAIN, **typed}, error.field_sentences(lang()))
    session.toast("saved")
    return see_other(f"/settings/styles?style={name}")


def _page(style: dict[str, str], errors: dict[str, str] | None = None) -> str:
    return page("settings/styles", style=style, names=styles.NAMES, addresses=styles.ADDRESSES, errors=errors or {})


# ── API ──

def api_list(scope: Scope) -> dict[str, Any]:
    items = styles.all_of(scope)
    return {"items": items, "next": None, "total": len(items)}


def api_show(scope: Scope, style: str) -> dict[str, Any]:
    return styles.read(scope, style)


def api_change(scope: Scope, style: str) -> dict[str, Any]:
    return styles.change(scope, style, form.body())
