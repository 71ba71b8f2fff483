"""Every template renders in both languages to HTML that is well-formed, safe under the CSP, reachable by label, and short."""

import dataclasses
import gzip
import re
from functools import cache
from pathlib import Path

import html5lib
import pytest

from mailhelper import language
from mailhelper.web import render
from tests.web import samples
from tests.web.cases import pages

CASES = [pytest.param(case, lang, id=f"{case[0]}-{lang}") for case in pages() for lang in language.LANGUAGES]
SOURCES = sorted(render.TEMPLATES.rglob("*.html"))
SYMBOLS = set(re.findall(r'<symbol id="(\w+)"', (render.STATIC / "icons.svg").read_text("utf-8")))


def html(case, lang="en"):
    _, name, context, view = case
    with render.viewing(dataclasses.replace(view, lang=lang)):
        return render.page(name, **context)


def tree(text):
    parser = html5lib.HTMLParser(html5lib.getTreeBuilder("etree"), namespaceHTMLElements=False)
    return parser.parse(text), parser.errors


@cache
def parsed(name, lang):
    """The document and the parse errors of a case, parsed once for all tests."""
    return tree(html(next(case for case in pages() if case[0] == name), lang))


@pytest.mark.parametrize("case, lang", CASES)
def test_a_page_is_well_formed(case, lang):
    document, errors = parsed(case[0], lang)
    assert not errors
    ids = [node.get("id") for node in document.iter() if node.get("id")]
    assert len(ids) == len(set(ids))
    assert document.get("lang") == lang
    assert len(document.findall(".//h1")) == 1


@pytest.mark.parametrize("case, lang", CASES)
def test_a_page_needs_nothing_inline_and_nothing_external(case, lang):
    document, _ = parsed(case[0], lang)
    for node in document.iter():
        assert "style" not in node.attrib and not [name for name in node.attrib if str(name).startswith("on")]
        assert node.tag != "style" and (node.tag != "script" or node.get("src", "").startswith("/static/"))
        if node.tag in ("link", "img", "use", "iframe"):
            assert (node.get("href") or node.get("src") or "/").startswith("/")


@pytest.mark.parametrize("case, lang", CASES)
def test_every_form_that_changes_something_carries_the_token(case, lang):
    document, _ = parsed(case[0], lang)
    for form in document.iter("form"):
        if form.get("method") == "post":
            assert [field.get("value") for field in form.iter("input") if field.get("name") == "csrf"] == ["token"]
        else:
            assert not form.findall(".//input[@name='csrf']"), "a token does not belong into an address"


@pytest.mark.parametrize("case, lang", CASES)
def test_every_field_has_a_label_and_every_control_a_name(case, lang):
    document, _ = parsed(case[0], lang)
    labels = {label.get("for") for label in document.iter("label")}
    for field in [*document.iter("input"), *document.iter("select"), *document.iter("textarea")]:
        hidden = field.get("type") == "hidden" or "hidden" in field.attrib
        assert hidden or field.get("aria-label") or field.get("id") in labels
    for control in [*document.iter("button"), *document.iter("a"), *document.iter("summary")]:
        named = (
            control.get("aria-label")
            or control.get("title")
            or "".join(control.itertext()).strip()
            or control.find(".//*[@aria-label]") is not None
        )
        assert named, control.attrib


@pytest.mark.parametrize("case, lang", CASES)
def test_a_page_uses_icons_that_exist(case, lang):
    assert set(re.findall(r"icons\.svg\?v=\w+#(\w+)", html(case, lang))) <= SYMBOLS


def test_no_icon_is_unused():
    text = "\n".join(path.read_text("utf-8") for path in SOURCES)
    assert {name for name in SYMBOLS if not re.search(rf"#{name}\b|['\"]{name}['\"]", text)} == set()


def test_every_template_has_a_sample():
    names = {str(path.relative_to(render.TEMPLATES).with_suffix("")) for path in SOURCES if not path.name.startswith("_")} - {"layout"}
    assert names == {case[1] for case in pages()}


def test_only_the_page_inside_the_layout_is_written_raw():
    raw = {found for path in SOURCES for found in re.findall(r"\{\{!(.*?)\}\}", path.read_text("utf-8"))}
    assert raw == {"base"}


def test_mail_text_cannot_become_markup():
    hostile = "\"><script>alert(1)</script><img src=x onerror='alert(1)'>&amp;"
    mail = samples.mail(
        subject=hostile,
        text=hostile + ' https://example.org/"onmouseover=alert(1)',
        tags=[hostile],
        headers_short=[(hostile, hostile)],
        **{"from": {"name": hostile, "address": hostile}},
        attachments=[{"id": 1, "filename": hostile, "mime": hostile, "size": 1, "inline": False, "fetched": True}],
        warnings=[hostile],
        invitation=samples.event() | dict.fromkeys(("title", "summary", "location", "times", "wall", "zone"), hostile),
    )
    mail["triage"] = samples.triage(3, 3, summary=hostile, reasons=[hostile])
    row = samples.rows()[0] | {"subject": hostile, "snippet": hostile, "from": mail["from"], "triage": mail["triage"]}
    for name, context in (
        ("email/show", {"mail": mail, "remote": False, "blocked": 0, "jobs": samples.JOBS}),
        ("inbox/index", samples.inbox(list={"items": [row], "next": None, "total": 1})),
    ):
        document, _ = tree(html(("hostile", name, context, samples.view())))
        assert [node.get("src") for node in document.iter("script")] == [render.asset("app.js")]
        assert not list(document.iter("img"))
        assert not [node for node in document.iter() for attribute in node.attrib if str(attribute).startswith("on")]


def test_only_web_addresses_in_plain_text_become_links():
    text = "See https://example.org/a?b=1&c=2, (http://example.com/x) and javascript:alert(1) or ftp://old.example."
    links = [url for _, lines in render.pieces(text) for line in lines for _, url in line if url]
    assert links == ["https://example.org/a?b=1&c=2", "http://example.com/x"]
    assert "".join(words for _, lines in render.pieces(text) for line in lines for words, _ in line) == text


def test_quoted_lines_are_folded_away_together():
    runs = [(quoted, len(lines)) for quoted, lines in render.pieces("Yes.\n> Will you come?\n>> Party\nBest")]
    assert runs == [(False, 1), (True, 2), (False, 1)]


def test_an_error_page_needs_no_user():
    text = render.page("error", status=404, title="Not found", text="There is nothing here.", hint=None)
    assert "There is nothing here." in text and 'action="/logout"' not in text


def test_the_view_ends_with_its_block():
    with render.viewing(samples.view(lang="de")):
        assert render.view.get().lang == "de"
    assert render.view.get() == render.View()


def test_asset_addresses_follow_the_content():
    address = render.asset("app.css")
    assert re.fullmatch(r"/static/app\.css\?v=[0-9a-f]{12}", address)
    assert len({render.asset(path.name) for path in render.STATIC.glob("*.js")}) == len(list(render.STATIC.glob("*.js")))


def test_all_that_a_first_visit_loads_weighs_little():
    files = [path for path in Path(render.STATIC).iterdir() if path.suffix in (".css", ".js", ".svg")]
    page = html(("", "inbox/index", samples.inbox(list={"items": (samples.rows() * 6)[:50], "next": None, "total": 50}), samples.view()))
    sent = [len(gzip.compress(data, 1)) for data in (page.encode(), *(path.read_bytes() for path in files))]
    assert sum(sent) <= 40_000, "all assets"
    assert sent[0] <= 30_000, "each page after"
